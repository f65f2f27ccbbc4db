"""The API key: found, checked before any request is built, never shown."""

from __future__ import annotations

import base64
import functools
import os
import stat
import string
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from bench.catalogue import Provider
from bench.errors import KeyMissing

_MAX_CHARACTERS = 4096
_TELLING = 12
"""So many characters of a key in a row are taken for a part of it."""

_KNOWN = 512
"""So many texts are known to hold nothing of it."""

_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def sealed(holder: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """A function whose frames hold the key in the clear: what it raises comes without them, for a
    traceback with locals (a notebook's, rich's) would show it. A note says where it was raised."""

    @functools.wraps(holder)
    def call(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            return holder(*args, **kwargs)
        except BaseException as error:
            raised = error
        try:
            raise _without_frames(raised)
        finally:
            del raised  # or this frame and its exception would keep each other

    return call


def _without_frames(error: BaseException) -> BaseException:
    error.add_note("".join(traceback.format_tb(error.__traceback__)).rstrip())
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class Key:
    """An API key that prints as ``Key(***)``; `reveal` is for the Authorization header alone."""

    __slots__ = ("_clean", "_parts", "_size", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._size = min(_TELLING, len(text))
        self._clean: set[str] = set()
        self._parts = frozenset(
            form[start : start + self._size]
            for form in _forms(text)
            for start in range(len(form) - self._size + 1)
        )

    def reveal(self) -> str:
        """The key itself."""
        return self._text

    def hide(self, text: str) -> str:
        """``text`` with ``[key]`` for the key and for any 12 characters of it, as they are or in
        base64, hex or URL encoding, in capitals or not."""
        if text in self._clean:
            return text
        folded, size = text.translate(_FOLD), self._size
        starts = range(len(text) - size + 1)
        if self._parts.isdisjoint([folded[start : start + size] for start in starts]):
            self._remember(text)
            return text
        shown: list[str] = []
        end = 0  # what stands before `end` was looked at
        for start in starts:
            if folded[start : start + size] in self._parts:
                if start > end or not shown:
                    shown += [text[end:start], "[key]"]
                end = start + size
        return "".join([*shown, text[end:]])

    def _remember(self, text: str) -> None:
        """Servers repeat themselves: the model, the version, the place."""
        if len(self._clean) < _KNOWN:
            self._clean.add(text)

    def __repr__(self) -> str:
        return "Key(***)"

    def __reduce__(self) -> str:
        raise TypeError("a key does not travel; read it where it is used")


@sealed
def find_key(
    provider: Provider, file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Key | None:
    """The provider's key: the dummy of a simulated one, else from ``file``, else the environment.

    None when the provider names no variable and no file is given. Raises KeyMissing when there is
    none or it cannot be one; the message never contains it.
    """
    if provider.simulated:
        return Key(provider.key) if provider.key else None
    if file is not None:
        return _checked(_from_file(file), str(file))
    if provider.key_env is None:
        return None
    text = environ.get(provider.key_env, "")
    if not text.strip():
        where = f" (get one at {provider.key_url})" if provider.key_url else ""
        raise KeyMissing(
            f"no API key for {provider.name}: set {provider.key_env}{where},"
            " or try `regionbench demo`, which needs none"
        )
    return _checked(text, provider.key_env)


def _forms(text: str) -> Iterator[str]:
    """The key as it may come back, in small letters: as it is, in URL encoding, hex, and base64 at
    each of its three alignments."""
    data = text.encode()
    yield text.translate(_FOLD)
    yield quote(text, safe="").translate(_FOLD)
    yield "".join(f"%{byte:02x}" for byte in data)
    yield data.hex()
    for before in range(3):
        # Without the characters that also hold bits of what stands before or after
        encoded = base64.b64encode(bytes(before) + data).decode()
        certain = encoded[-(-8 * before // 6) : 8 * (before + len(data)) // 6].translate(_FOLD)
        yield certain
        yield certain.replace("+", "-").replace("/", "_")


def _from_file(file: Path) -> str:
    try:
        with file.open(encoding="ascii") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                raise KeyMissing(f"{file} can be read by others; run: chmod 600 {file}")
            return opened.read(_MAX_CHARACTERS + 1)
    except OSError as error:
        raise KeyMissing(f"cannot read the key file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyMissing(f"the key in {file} has characters outside printable ASCII") from None


def _checked(text: str, source: str) -> Key:
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise KeyMissing(f"the key in {source} is empty")
    if len(text) > _MAX_CHARACTERS or not all("!" <= character <= "~" for character in text):
        raise KeyMissing(
            f"the key in {source} has blanks, line breaks or characters outside printable ASCII;"
            " copy it again"
        )
    return Key(text)
