"""JSON that others can write: what it may hold that neither we nor pandas nor a terminal can."""

from __future__ import annotations

import json
import math
from typing import Any


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None


_as_told = json.JSONDecoder().decode
_decode = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None).decode


def parse(text: str, *, as_told: bool = False) -> Any:
    """The value that a JSON text tells; half a character is a mark, NaN and infinity are unknown.

    ``as_told`` leaves such numbers to a reader who refuses them. Raises ValueError for everything
    else, too deep a nesting and too long a number included.
    """
    try:
        value = _as_told(text) if as_told else _decode(text)
        return whole(value, numbers=False) if "\\u" in text else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def whole(value: Any, *, numbers: bool = True) -> Any:
    """With a mark in the place of each lone surrogate, and None in that of a number that is none.

    Raises RecursionError when it is nested too deeply.
    """
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, float) and numbers:
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {whole(name): whole(part, numbers=numbers) for name, part in value.items()}
    return [whole(part, numbers=numbers) for part in value] if isinstance(value, list) else value
