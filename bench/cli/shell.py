"""What every command has in common: errors become one sentence and an exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from bench.cli.letters import knows_every_letter, printable, speak_what_is_understood
from bench.errors import INTERRUPTED, OK, WRONG_USAGE, RegionbenchError


def call(name: str, arguments: list[str]) -> int:
    """Run the click command of ``bench.cli.<name>``; its exit code."""
    speak_what_is_understood()
    command: click.Command = getattr(import_module(f"bench.cli.{name}"), name)
    try:
        with _orderly_end():
            code = command.main(arguments, prog_name=f"regionbench {name}", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except click.ClickException as error:
        return _complain(f"{error.format_message()} (see `regionbench {name} --help`)", WRONG_USAGE)
    except RegionbenchError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has left; say nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


@contextmanager
def _orderly_end() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: whoever sends it wants no less order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _complain(text: str, code: int) -> int:
    print(printable(f"regionbench: {text}"), file=sys.stderr)
    return code


def print_json(document: dict[str, Any]) -> None:
    """One strict JSON document on stdout."""
    plain = not knows_every_letter(sys.stdout.encoding)
    text = json.dumps(document, ensure_ascii=plain, allow_nan=False, indent=2)
    print(_STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


_STEERING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What JSON allows as it is, and a terminal obeys."""


def say(text: str = "", end: str = "\n") -> None:
    """Results in words, on stdout."""
    print(printable(text), end=end, flush=True)


def tell(text: str) -> None:
    """A line for the person, on stderr, so that stdout holds results only."""
    print(printable(text), file=sys.stderr, flush=True)
