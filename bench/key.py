"""The API key: found, checked before any request is built, never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from bench.catalogue import Provider
from bench.errors import KeyMissing

_MAX_CHARACTERS = 4096


class Key:
    """An API key that prints as ``Key(***)``; `reveal` is for the Authorization header alone."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The key itself."""
        return self._text

    def hide(self, text: str) -> str:
        """``text`` with every appearance of the key replaced."""
        return text.replace(self._text, "[key]")

    def __repr__(self) -> str:
        return "Key(***)"

    def __reduce__(self) -> str:
        raise TypeError("a key does not travel; read it where it is used")


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


def _from_file(file: Path) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise KeyMissing(f"{file} can be read by others; run: chmod 600 {file}")
        with file.open(encoding="ascii") as opened:
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
