"""Terminals that cannot show every letter get the nearest they can, instead of a traceback."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

_NEAREST = {
    "–": "-", "−": "-", "—": "-", "×": "x", "…": "...", "µ": "u", "·": "|", "→": "->",
    "≤": "<=", "≥": ">=", "±": "+-", "∓": "-+", "\u00a0": " ",
}  # fmt: skip


def speak_what_is_understood() -> None:
    """Let standard output and error replace what their encoding lacks."""
    codecs.register_error("regionbench.nearest", _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not knows_every_letter(stream.encoding):
            stream.reconfigure(errors="regionbench.nearest")


def printable(text: str) -> str:
    """The text with ``?`` for what would steer a terminal or turn its lines around: in names and
    errors stand words of servers and of files."""
    return "".join(letter if _is_harmless(letter) else "?" for letter in text)


def _is_harmless(letter: str) -> bool:
    return letter.isprintable() or letter == "\n" or unicodedata.category(letter) == "Zs"


def knows_every_letter(encoding: str | None) -> bool:
    """Whether text in this encoding can hold everything."""
    return (encoding or "").lower().replace("_", "-").startswith("utf")


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_NEAREST.get(letter, "?") for letter in lacking), error.end
