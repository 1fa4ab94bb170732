"""What the checks stand on: the server under test, a list of named checks, and a total.

A check is a function under @check; its name is the check's, with spaces. It passes when it returns, and fails when it
raises or does not end in time.
"""

import argparse
import contextlib
import fnmatch
import os
import signal
import time
import traceback

_arguments = argparse.ArgumentParser(description="Asks a running server through Python SDKs.")
_arguments.add_argument("url", help="where the server is, without /v1")
_arguments.add_argument("model", help="the id of its model: the demonstration model, or one that can as much")
_arguments.add_argument("--key", help="the server's API key, where it asks for one")
_arguments.add_argument("--only", metavar="GLOB", default="*", help="run the checks with these names")
_arguments.add_argument("--trace", action="store_true", help="show where a check failed")
_given = _arguments.parse_args()

URL = _given.url.rstrip("/")
MODEL = _given.model
HAS_KEY = _given.key is not None
KEY = _given.key or "any-text"  # The SDKs want one.

HELLO = "Say hello in one sentence."
STORY = "Tell me a short story about a camel."

_checks = []


def check(function=None, *, seconds=60):
    """Adds a check with a time limit."""

    def add(function):
        suite = function.__module__
        _checks.append((f"{suite}: {function.__name__.replace('_', ' ')}", function, seconds))
        return function

    return add(function) if function else add


def key_check(function):
    """Adds a check that only a server with a key can be asked for."""
    return check(function) if HAS_KEY else function


@contextlib.contextmanager
def refused(error, *words):
    """The body must raise this error, whose text must have all these words. Yields a list that will hold the error."""
    found = []
    try:
        yield found
    except error as raised:
        found.append(raised)
        missing = [word for word in words if word.lower() not in str(raised).lower()]
        assert not missing, f"the message lacks {missing}: {raised}"
    else:
        raise AssertionError(f"{error.__name__} was not raised")


def _interrupt(*_):
    raise TimeoutError("the check took too long")


def run():
    """Runs the checks, prints a line for each and the total, and ends the program."""
    signal.signal(signal.SIGALRM, _interrupt)
    passed = failed = 0
    for name, function, seconds in _checks:
        if not fnmatch.fnmatch(name, _given.only):
            continue
        start = time.monotonic()
        signal.alarm(seconds)
        try:
            function()
        except Exception as error:
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__}: {' '.join(str(error).split())[:400]}", flush=True)
            if _given.trace:
                traceback.print_exc()
        else:
            passed += 1
            print(f"ok      {name} ({time.monotonic() - start:.1f} s)", flush=True)
        finally:
            signal.alarm(0)
    print(f"{passed} passed, {failed} failed", flush=True)
    # A thread that a failed check has left behind must not hold the program.
    os._exit(1 if failed else 0)
