"""Runs the checks of every SDK: python run.py URL MODEL [--key KEY] [--only GLOB] [--trace]"""

import importlib

import frame

SUITES = ["openai_chat", "openai_structured", "openai_responses", "ollama_api", "anthropic_api", "home_assistant"]

if __name__ == "__main__":
    for suite in SUITES:
        importlib.import_module(suite)
    frame.run()
