"""Runs the checks of every SDK: python run.py URL MODEL [--key KEY] [--only GLOB] [--trace]"""

import frame
import openai_chat  # noqa: F401
import openai_structured  # noqa: F401

if __name__ == "__main__":
    frame.run()
