"""What is said of routing: the answer, why there is none, and what to run instead."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from bench.model import GLOBAL
from bench.stats.metrics import bare
from bench.stats.strata import runs_of
from bench.stats.travel import FEWEST, Travel

if TYPE_CHECKING:
    from bench.stats.routing import Routing, Share

ROUNDS = 300
MOST_ROUNDS = 3000
PROBES = "cheap probes"
SMALL = 0.02
WIDEST = 0.30


def words(routing: Routing) -> str:
    """One sentence with the shares and one with what to know about them, or why there are none."""
    if not routing.identifiable:
        text = f"Where the global endpoint sent its requests cannot be told: {routing.reason}."
        return f"{text} Run instead: {routing.instead}" if routing.instead else text
    named = [s for s in routing.shares if s.value >= SMALL] or [routing.shares[0]]
    rest = sum(s.value for s in routing.shares if s not in named)
    parts = [_part(share, place == 0) for place, share in enumerate(named)]
    if rest >= 0.005:
        parts.append(f"{100 * rest:.0f} % by others")
    notes = [*_notes(routing)]
    return f"{_list(parts)}." + (f" {_capital('; '.join(notes))}." if notes else "")


def _part(share: Share, first: bool) -> str:
    size = f"{100 * share.value:.0f} % ({span(share)})"
    who = f"by {_regions(share)}" if share.regions else "elsewhere"
    return f"About {size} of global requests were answered {who}" if first else f"{size} {who}"


def span(share: Share) -> str:
    """``71–85 %``."""
    return f"{100 * share.low:.0f}–{100 * share.high:.0f} %"


def _regions(share: Share) -> str:
    return " or ".join(share.regions)


def _notes(routing: Routing) -> list[str]:
    notes = [
        f"{' and '.join(group)} look alike from here and are counted together"
        for group in routing.merged
    ]
    if routing.too_few:
        notes.append(f"too few answers to know {', '.join(routing.too_few)}: counted as elsewhere")
    if routing.network_from == PROBES:
        notes.append("this holds if cheap probes go where questions go")
    if routing.n_failed:
        total = routing.n_global + routing.n_failed
        notes.append(f"{routing.n_failed} of {total} global requests failed and are in no share")
    return notes


def _list(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _capital(text: str) -> str:
    # A region's name is written as it is.
    return text if text.split(" ")[0].count("-") else text[:1].upper() + text[1:]


def too_little(found: Travel) -> str:
    """Why these rows cannot even be looked at; empty when they can."""
    n, lost = len(found.seen), sum(found.failures.values())
    if n == 0 and lost:
        return f"all {lost} requests of the global endpoint failed"
    if n < FEWEST:
        return f"{n} answers of the global endpoint are too few (at least {FEWEST})"
    if not found.points:
        return f"no regional endpoint has {FEWEST} answers to compare with"
    return ""


def untold(found: Travel, groups: tuple[tuple[str, ...], ...], shares: Sequence[Share]) -> str:
    """Why the shares may not be believed; empty when they may."""
    blind = "" if found.source else " by time to first byte alone"
    merged = [group for group in groups if len(group) > 1]
    if merged and (len(groups) == 1 or not found.source):
        # Network time would tell them apart: counting them together is for when it was looked at.
        names = _list([name for group in merged for name in group])
        return f"{names} look alike from here{blind}"
    widest = max(shares, key=lambda share: share.high - share.low)
    if widest.high - widest.low <= WIDEST:
        return ""
    return f"the share of {widest.name} could be anything from {span(widest)}{blind}"


def instead(df: pd.DataFrame, found: Travel | None) -> str:
    """A command that can tell: answers at once carry the server's own word, and more of them."""
    known = found is not None and found.source == "server"
    rounds = ROUNDS
    if found is not None and known:
        rounds = min(MOST_ROUNDS, max(ROUNDS, 3 * len(found.seen)))
    options = ["--no-stream", "--rounds", str(rounds), *_whom(df), *_what(found)]
    return shlex.join(["regionbench", "run", *options])


def _whom(df: pd.DataFrame) -> list[str]:
    plans = [run.get("plan") or {} for run in runs_of(df)]
    catalogues = {str(plan.get("catalogue") or "xai") for plan in plans} - {"xai"}
    endpoints = bare(df)["endpoint"]
    asked = set(endpoints.dropna().unique()) - {GLOBAL}
    names = [str(name) for name in endpoints.cat.categories if name in asked]
    whom = ["--endpoints", ",".join([GLOBAL, *names])] if names else []
    return [*whom, *(["--catalogue", *catalogues] if len(catalogues) == 1 else [])]


def _what(found: Travel | None) -> list[str]:
    if found is None:
        return []
    stratum = found.stratum
    kind = ["--kind", stratum.kind] if stratum.kind != "chat" else []
    client = ["--client", stratum.client] if stratum.client not in ("", "httpx") else []
    return [*kind, *client, *(["--model", stratum.model] if stratum.model else [])]
