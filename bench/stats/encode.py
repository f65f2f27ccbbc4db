"""Frozen records → strict JSON types: no NaN and no infinity, which JSON does not have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def plain(value: Any) -> Any:
    """``value`` as dictionaries, lists, strings and numbers; infinite and NaN become None.

    What an infinity meant stands in the ``note`` beside it. Numbers keep six significant digits:
    no clock here is better, and equal rows then give equal bytes on every machine.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
