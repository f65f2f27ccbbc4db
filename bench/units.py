"""Durations and money: the only place that multiplies by a thousand."""

from __future__ import annotations

import re

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
USD_TICKS = 10_000_000_000  # the service counts cost in ticks of 1e-10 USD

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|h|d)\s*")
_NS_PER = {
    "ns": 1,
    "us": NS_PER_US,
    "µs": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": 24 * 3600 * NS_PER_S,
}

_LONGEST_NS = 1000 * 365.25 * _NS_PER["d"]


def parse_duration_ns(text: str) -> int:
    """Nanoseconds in a text such as ``250ms``, ``1.5s`` or ``90d``.

    Raises ValueError, naming the text and the accepted forms.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text[:40]!r} is not a duration; write a number and a unit, such as 250ms or 1.5s"
        )
    if (duration_ns := float(match[1]) * _NS_PER[match[2]]) > _LONGEST_NS:
        raise ValueError(f"{text[:40]!r} is more than a thousand years; write a shorter duration")
    return round(duration_ns)


def format_ms(ms: float) -> str:
    """Milliseconds for people, three significant digits: ``0.42 ms``, ``84.1 ms``, ``1.23 s``."""
    size = abs(ms)
    if size >= 10_000:
        return f"{ms / 1000:.1f} s"
    if size >= 1000:
        return f"{ms / 1000:.2f} s"
    if size >= 100:
        return f"{ms:.0f} ms"
    return f"{ms:.1f} ms" if size >= 10 else f"{ms:.2f} ms"


def format_usd(usd: float) -> str:
    """Dollars for people: cents when they matter, four digits when they are all there is."""
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"
