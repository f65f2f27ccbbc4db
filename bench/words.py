"""Numbers and foreign text → words that fit a table."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from bench.units import format_ms, format_usd

UNKNOWN = "–"
SIMULATED = "local fleet (simulated)"
MOST_NAMED = 8
_SIZES = ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G"))
_NO_BREAK = "\u00a0"
_BARE = re.compile(r"[\w-]{1,64}(\[\d+\])*")
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def clean(text: object) -> str:
    """One line of printable characters: what servers and users say cannot steer a terminal."""
    joined = " ".join(str(text).split())
    return "".join(char if char.isprintable() else "?" for char in joined)


def brief(text: object, most: int = 120) -> str:
    """As `clean`, cut where it is long: to be quoted in a sentence."""
    line = clean(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def quoted(value: object) -> str:
    """A foreign value as Python writes it, on one short line; long or deep ones are left out in
    their midst."""
    try:
        return _REPR.repr(value)
    except ValueError:
        return "a number of thousands of digits"


def key(*parts: object) -> str:
    """Where something stands in a file, ``arms.a.model``; what is no plain word is quoted."""
    return ".".join(part if _BARE.fullmatch(part) else quoted(part) for part in map(str, parts))


def has_json(value: object) -> bool:
    """Whether JSON has a word for it: for no date, no nan and no infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def value(estimate: Mapping[str, Any]) -> str:
    """``112 ms``, ``> timeout``, or ``n < 59`` where n is too small for the quantile."""
    if estimate["value_ms"] is not None:
        return format_ms(estimate["value_ms"])
    note = str(estimate["note"])
    return f"n < {note.rsplit(' ', 1)[1]}" if note.startswith("n too small") else note or UNKNOWN


def interval(estimate: Mapping[str, Any]) -> str:
    """``108–118 ms``; one end alone where the other lies among failures."""
    low, high = estimate["low_ms"], estimate["high_ms"]
    if low is None and high is None:
        return UNKNOWN
    if low is None or high is None:
        return f"≤ {format_ms(high)}" if low is None else f"≥ {format_ms(low)}"
    left, right = format_ms(low), format_ms(high)
    unit = right[right.rfind(" ") :]
    joint = " to " if low < 0 else "–"
    return minus(f"{left.removesuffix(unit)}{joint}{right}")


def signed(estimate: Mapping[str, Any], percent: Mapping[str, Any]) -> str:
    """``+41.3 ms (+23 %)``, or the note."""
    ms, share = estimate["value_ms"], percent["value_percent"]
    if ms is None:
        return value(estimate)
    text = format_ms(ms) if ms <= 0 else f"+{format_ms(ms)}"
    return minus(text if share is None else f"{text} ({share:+.0f} %)")


def cost(estimate: Mapping[str, Any]) -> tuple[str, str]:
    """``+41.2 ms`` and its interval; what costs nothing for certain has none."""
    ms = estimate["value_ms"]
    if ms is None:
        return value(estimate), UNKNOWN
    size = minus(format_ms(ms)) if ms else "0 ms"
    sure = estimate["low_ms"] == estimate["high_ms"]
    return f"+{size}" if ms > 0 else size, UNKNOWN if sure else interval(estimate)


def sooner(difference: Mapping[str, Any]) -> str:
    """``12 %``: in how many rounds the endpoint's request ended first."""
    found = difference["faster"]["value_percent"]
    return UNKNOWN if found is None else f"{found:.0f}{_NO_BREAK}%"


def place(rank: Mapping[str, Any] | None) -> str:
    """``1``, or ``1–3`` where the rows leave several places possible."""
    if rank is None:
        return UNKNOWN
    best, worst = rank["best"], rank["worst"]
    return str(best) if best == worst else f"{best}–{worst}"


def amount(n: int) -> str:
    """``9999``, ``10k``, ``1.2M``: at most four letters, rounded down."""
    if n < 10_000:
        return str(n)
    size, unit = next(one for one in _SIZES if n < 1000 * one[0] or one is _SIZES[-1])
    return f"{n // (size // 10) / 10:.1f}{unit}" if n < 10 * size else f"{n // size}{unit}"


def named(runs: Sequence[str]) -> str:
    """All of them, or where they are many how many, the first and the last."""
    shown = [*map(clean, runs)]
    if len(shown) > MOST_NAMED:
        return f"{len(shown)} runs, {shown[0]} to {shown[-1]}"
    return ", ".join(shown) or "no run"


def minus(text: str) -> str:
    """With minus signs where the keyboard has hyphens."""
    return text.replace("-", "−")


def direction(difference: Mapping[str, Any]) -> str:
    """``faster``, ``slower`` or ``no clear difference``; ``unknown`` without an interval.

    What fails too often is never called faster.
    """
    low, high = difference["ms"]["low_ms"], difference["ms"]["high_ms"]
    if low is None and high is None:
        return "unknown"
    if low is not None and low > 0:
        return "slower"
    if high is None or high >= 0:
        return "no clear difference"
    return "fails too often" if difference["endpoint_fails"] else "faster"


def share(rate: Mapping[str, Any]) -> str:
    """``1.5 %`` of a failure rate; a dash when nothing was asked."""
    return UNKNOWN if rate["share"] is None else percent(rate["share"])


def percent(part: float) -> str:
    """A share between 0 and 1: ``0 %``, ``0.3 %``, ``12 %``."""
    return f"{100 * part:.1f} %" if 0 < part < 0.1 else f"{100 * part:.0f} %"


def ends(share: Mapping[str, Any]) -> str:
    """``50–64 %``: the interval of a share."""
    return f"{100 * share['low']:.0f}–{percent(share['high'])}"


def ms_or_dash(number: float | None) -> str:
    """Milliseconds, or a dash where there is none."""
    return UNKNOWN if number is None else format_ms(number)


def money(number: float | None) -> str:
    """Dollars, or ``unknown``."""
    return "unknown" if number is None else format_usd(number)


def count(number: float | None) -> str:
    """A whole number with thin groups, or ``unknown``."""
    return "unknown" if number is None else f"{number:,.0f}".replace(",", " ")


def counts(numbers: Mapping[str, int]) -> str:
    """``timeout 3, capacity 1``."""
    return ", ".join(f"{clean(name)} {n}" for name, n in numbers.items())


def circumstances(doc: Mapping[str, Any]) -> str:
    """Where and when: ``from berlin · 2026-03-14 09:00:00 to 09:06:40 UTC · simulated``."""
    parts = [f"from {', '.join(map(clean, doc['vantages']))}"] if doc["vantages"] else []
    if moment := window(doc):
        parts.append(f"{moment}, by their own clocks" if len(doc["vantages"]) > 1 else moment)
    if doc["simulated"]:
        parts.append(SIMULATED)
    return " · ".join(parts) or "no rows"


def window(doc: Mapping[str, Any]) -> str:
    """``2026-03-14 09:00:00 to 09:06:40 UTC``; empty without a time."""
    first, last = doc["first_at"], doc["last_at"]
    if not first or not last:
        return ""
    end = last[11:19] if first[:10] == last[:10] else f"{last[:10]} {last[11:19]}"
    return f"{first[:10]} {first[11:19]} to {end} UTC"


def vantages(doc: Mapping[str, Any]) -> str:
    """``berlin``, ``here, a local fleet (simulated)``, or nothing."""
    named = ", ".join(map(clean, doc["vantages"]))
    return ", ".join(filter(None, [named, f"a {SIMULATED}" if doc["simulated"] else ""]))


def setting(item: object) -> str:
    """A plan's value as one would write it."""
    if isinstance(item, list):
        return ", ".join(map(setting, item)) or "all"
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, Mapping):
        return ", ".join(f"{key} = {setting(part)}" for key, part in item.items()) or "none"
    return "none" if item is None else clean(item)
