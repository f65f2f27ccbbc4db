"""What a fuzzed parser is to the engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Words = tuple[bytes, ...]


@dataclass(frozen=True)
class Target:
    """One parser, and what must be true of it whatever it is fed.

    ``check`` takes any bytes and raises when the promise is broken; ``words`` are worth putting in.
    """

    promise: str
    check: Callable[[bytes], None]
    words: Words = ()
    max_bytes: int = 4096
