"""Bytes → the choices of a target: what shape the rest has, so that mutations find it by flipping
one byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


class Shape:
    """Takes bytes from the front of an input, one choice each; the rest is what is parsed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """The next one; 0 when there is none."""
        value = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return value

    def flag(self) -> bool:
        """The next one's last bit."""
        return bool(self.byte() & 1)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[self.byte() % len(choices)]

    def rest(self) -> bytes:
        """What is left."""
        return self._data[self._at :]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """In pieces of ``size``; 0: all at once, and nothing of nothing."""
    step = size or max(1, len(data))
    for start in range(0, len(data), step):
        yield data[start : start + step]
