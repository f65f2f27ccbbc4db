"""JSON that others can write: what it may hold that neither we nor pandas nor a terminal can."""

from __future__ import annotations

import json
import math
from typing import Any


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _: None).decode


def parse(text: str) -> Any:
    """The value that a JSON text tells; NaN and infinity are unknown, half a character is none.

    Raises ValueError for everything else, too deep a nesting and too long a number included.
    """
    try:
        value = _decode(text)
        return whole(value) if "\\u" in text else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def whole(value: Any) -> Any:
    """With a mark in the place of each lone surrogate, and None in that of a number that is none.

    Raises RecursionError when it is nested too deeply.
    """
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {whole(name): whole(part) for name, part in value.items()}
    return [whole(part) for part in value] if isinstance(value, list) else value
