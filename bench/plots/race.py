"""A race, look by look: how far behind the leader each endpoint is, and until when it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.theme import Look, ThemeName
from bench.plots.view import NOTHING, View, view, window
from bench.stats import Stratum
from bench.stats.metrics import coded
from bench.stats.race import RaceRules, replay_rounds
from bench.stats.race_scores import FEWEST, Margin
from bench.stats.race_verdict import Elimination, RaceVerdict, Reason, Standing

WIDTH = 0.73
"""The share of the width that the strips take; names and numbers stand right of them."""

FAR, NEAR = 10.0, 3.0
"""The axis ends at most and at least this many margins from the leader."""

GLYPHS: dict[Reason, tuple[str, str, float]] = {
    "no faster": ("|", "ink", 15.0),
    "failures": ("x", "failed", 10.0),
}
"""Why an endpoint is asked no more: marker, colour in the theme and size."""


@dataclass(frozen=True)
class _Race:
    """A verdict arranged for drawing; ``margin`` is a log ratio, ``bounds`` are in percent."""

    seen: View
    verdict: RaceVerdict
    rules: RaceRules
    margin: float
    standings: Mapping[str, list[Standing]]
    gone: Mapping[str, Elimination]
    bounds: tuple[float, float]

    def look(self, name: str) -> Look:
        """As in every other figure of the frame."""
        place = list(self.verdict.failures).index(name)
        return self.seen.looks.get(name) or self.seen.theme.look(place, name == GLOBAL)


def race(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
    verdict: RaceVerdict | None = None,
    rules: RaceRules | None = None,
) -> Figure:
    """How far each endpoint is behind the leader, with its interval narrowing round by round.

    ``df`` is a tidy frame; ``stratum`` defaults to the main one. ``verdict`` is that of a race that
    was run; without one the race is replayed on the rows, by ``rules``. A band shows the margin
    that counts as no difference; an endpoint's strip pales where it was asked no more.
    """
    seen, rules = view(df, stratum, theme), rules or RaceRules()
    if seen is None:
        figure, ax = style.axes(ax, theme)
        style.sentence(ax, NOTHING)
        return figure
    rounds = seen.paired()
    verdict = verdict or replay_rounds(rounds, rules)
    figure, ax = style.axes(ax, theme, height=1.9 + 1.05 * max(2, len(verdict.failures)))
    if not any(np.isfinite(ms).any() for ms in seen.ms.values()):
        style.sentence(ax, f"All {len(seen.places)} requests failed: nobody can win this race.")
        return figure
    if not verdict.history:
        style.sentence(ax, _too_early(verdict))
        return figure
    shown = _arrange(seen, verdict, rules)
    _draw(ax, shown)
    style.headline(ax, _finding(shown), _subtitle(shown, rounds.index), seen.simulated)
    return figure


def _arrange(seen: View, verdict: RaceVerdict, rules: RaceRules) -> _Race:
    """Standings by endpoint in the order of the strips: the leader, the others, who fails."""
    looks = style.thin(np.unique([one.round for one in verdict.history]).astype(np.float64))
    kept = set(looks.astype(int).tolist())
    found: dict[str, list[Standing]] = {name: [] for name in verdict.failures}
    for one in verdict.history:
        if one.round in kept:
            found[one.endpoint].append(one)
    leader = verdict.history[-1].leader
    ms = style.finite(seen.ms.get(leader, np.array([])))
    margin = Margin(rules.within, rules.within_ms).log(float(np.median(ms)) if len(ms) else np.inf)
    gone = {one.endpoint: one for one in verdict.eliminations}

    def place(name: str) -> tuple[bool, bool, float]:
        out = name in gone and gone[name].reason == "failures"
        return name != leader, out, found[name][-1].behind if found[name] else np.inf

    ordered = {name: found[name] for name in sorted(found, key=place)}
    return _Race(seen, verdict, rules, margin, ordered, gone, _bounds(ordered, margin))


def _bounds(standings: Mapping[str, list[Standing]], margin: float) -> tuple[float, float]:
    """The y axis in percent: the last intervals, as far as the margin stays visible beside them."""
    last = [
        seen[-1] for seen in standings.values() if seen and seen[-1].endpoint != seen[-1].leader
    ]
    unit = max(margin, 0.01)
    high = np.clip(
        max((one.high for one in last), default=0.0) * 1.1, 1.6 * NEAR * unit, FAR * unit
    )
    low = np.clip(min((one.low for one in last), default=0.0) * 1.1, -FAR / 2 * unit, -NEAR * unit)
    return _percent(float(low)), _percent(float(high))


def _percent(log: float) -> float:
    return float(100 * np.expm1(log))


def _draw(ax: Axes, shown: _Race) -> None:
    ax.set_axis_off()
    step = 1 / len(shown.standings)
    first = shown.verdict.history[0].round
    for row, name in enumerate(shown.standings):
        strip = style.inset(ax, (0.0, 1 - (row + 1) * step, WIDTH, step * 0.78))
        _scales(strip, shown)
        _margin(strip, shown, first)
        _path(strip, shown, name)
        _end(strip, shown, name)
        _label(strip, shown, name)
        if row == 0:
            _explain(strip, shown, first)
        if row < len(shown.standings) - 1:
            strip.tick_params(labelbottom=False)
    style.name_x(strip, "round")
    metric = style.plain(f"{shown.seen.label}\nagainst the leader's, in %")
    label = style.note(ax, metric, (0, 0.5), (-62, 0), size=style.TEXT, ha="center", va="center")
    label.set(rotation=90, multialignment="center")


def _scales(strip: Axes, shown: _Race) -> None:
    strip.set_xlim(0, shown.verdict.rounds * 1.02 + 0.3)
    strip.set_ylim(*shown.bounds)
    strip.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    strip.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    strip.yaxis.set_major_formatter(FuncFormatter(lambda at, _: _signed(at)))
    strip.tick_params(axis="y", labelsize=style.SMALL)


def _signed(percent: float, unit: str = " %") -> str:
    text = f"{percent:+.0f}" if abs(percent) >= 0.5 else "0"
    return style.plain(text + unit).replace("-", "−")


def _margin(strip: Axes, shown: _Race, first: int) -> None:
    """What counts as no difference, the leader's level, and the rounds before the first look."""
    strip.axhspan(
        _percent(-shown.margin),
        _percent(shown.margin),
        facecolor=style.on(strip).pale,
        linewidth=0,
        zorder=0,
    )
    strip.axhline(0, color=style.on(strip).grey, linewidth=0.9, zorder=2)
    if first > 1:
        strip.axvspan(
            0,
            first - 0.5,
            facecolor=style.on(strip).paper,
            edgecolor=style.on(strip).pale,
            hatch="///",
            lw=0,
            zorder=1,
        )


def _runs(standings: Sequence[Standing], gone: Elimination | None) -> Iterator[list[Standing]]:
    """Standings that one line may connect: same leader, and all while asked or all after."""

    def key(one: Standing) -> tuple[str, bool]:
        return one.leader, gone is not None and one.round > gone.round

    for _, group in groupby(standings, key):
        yield list(group)


def _path(strip: Axes, shown: _Race, name: str) -> None:
    """An endpoint's way to the end; a thick line at 0 where it leads."""
    kind, gone = shown.look(name), shown.gone.get(name)
    for run in _runs(shown.standings[name], gone):
        rounds = np.array([one.round for one in run], dtype=np.float64)
        rounds = np.array([rounds[0] - 0.5, *rounds, min(rounds[-1] + 0.5, shown.verdict.rounds)])
        if run[0].leader == name:
            strip.plot(rounds, 0 * rounds, color=kind.color, lw=5, solid_capstyle="butt", zorder=4)
            continue
        late = gone is not None and run[0].round > gone.round
        around = [run[0], *run, run[-1]]
        low, middle, high = (
            100 * np.expm1([getattr(one, what) for one in around])
            for what in ("low", "behind", "high")
        )
        face, width = (0.07, 0.8) if late else (0.22, kind.width)
        strip.fill_between(rounds, low, high, color=kind.color, alpha=face, linewidth=0, zorder=2)
        for edge in (low, high):
            strip.plot(rounds, edge, color=kind.color, lw=0.8, alpha=0.25 if late else 0.8)
        line = (0, (1, 2)) if late else kind.line
        strip.plot(rounds, middle, color=kind.color, linestyle=line, linewidth=width, zorder=4)


def _at(shown: _Race, name: str) -> tuple[int, float]:
    """The round in which an endpoint was last asked, and its percent behind the leader then."""
    out, known = shown.gone.get(name), shown.standings[name]
    at = out.round if out is not None else shown.verdict.rounds
    before = [one for one in known if one.round <= at] or known[:1]
    return at, _percent(before[-1].behind) if before else 0.0


def _end(strip: Axes, shown: _Race, name: str) -> None:
    """A mark where an endpoint was last asked; and why it was asked no more."""
    kind, gone, (x, y) = shown.look(name), shown.gone.get(name), _at(shown, name)
    low, high = shown.bounds
    room = 0.14 * (high - low)
    inside = float(np.clip(y, low + room, high - room))
    beyond = "↑ beyond the axis" if y > high else ""
    if gone is None:
        _mark(strip, x, inside, kind.marker, kind.color, 9.0)
        _say(strip, shown, x, beyond, style.on(strip).ink)
        return
    marker, name, size = GLYPHS[gone.reason]
    color = style.on(strip)[name]
    strip.axvline(x, color=color, linewidth=1, zorder=3)
    _mark(strip, x, inside, marker, color, size)
    said = f"{gone.reason}: out after round {x}"
    _say(strip, shown, x, f"{said}, {beyond}" if beyond else said, color)


def _mark(strip: Axes, x: float, y: float, marker: str, color: str, size: float) -> None:
    strip.plot(
        [x],
        [y],
        marker=marker,
        markersize=size,
        color=color,
        markeredgecolor=color if marker in "|x" else style.on(strip).paper,
        markeredgewidth=3 if marker in "|x" else 1,
        clip_on=False,
        zorder=8,
    )


def _say(strip: Axes, shown: _Race, x: float, text: str, color: str) -> None:
    """Text over the strip, where no line can be, at the height of a mark's round."""
    left = x > 0.6 * shown.verdict.rounds
    strip.annotate(
        style.plain(text),
        (x, 1),
        (3 if left else -3, 2),
        xycoords=strip.get_xaxis_transform(),
        textcoords="offset points",
        ha="right" if left else "left",
        va="bottom",
        fontsize=style.SMALL,
        color=color,
        annotation_clip=False,
        zorder=9,
    )


def _explain(strip: Axes, shown: _Race, first: int) -> None:
    """Once, in the leader's strip: what the band is, and what the hatch."""
    text = f"band: margin of {_words(shown.rules)}"
    note = style.note(strip, style.plain(text), (1, 0.97), (-4, 0), ha="right", va="top")
    note.set(color=style.on(strip).grey, path_effects=style.halo(strip))
    if first > 0.25 * shown.verdict.rounds:
        early = style.note(strip, f"no look before\nround {first}", (0, 0.97), (6, 0), va="top")
        early.set(color=style.on(strip).grey, path_effects=style.halo(strip))


def _words(rules: RaceRules) -> str:
    """``5 % or 5 ms``: the larger of the two counts."""
    share, ms = f"{100 * rules.within:g} %", f"{rules.within_ms:g} ms"
    return f"{share} or {ms}" if rules.within and rules.within_ms else share if rules.within else ms


def _label(strip: Axes, shown: _Race, name: str) -> None:
    """Name, where it stands at the end, and its requests, right of the strip."""
    rate, kind = shown.verdict.failures[name], shown.look(name)
    title = style.note(strip, style.short(name), (1, 0.5), (12, 10), size=style.TEXT, weight="bold")
    title.set(color=kind.color)
    lines = f"{_standing(shown, name)}\nn = {rate.n}, {rate.failed} failed"
    style.note(strip, style.plain(lines), (1, 0.5), (12, 7), va="top").set(linespacing=1.35)


def _standing(shown: _Race, name: str) -> str:
    verdict, known = shown.verdict, shown.standings[name]
    if name == verdict.best:
        return "chosen"
    out = shown.gone.get(name)
    if not known or (out is not None and out.reason == "failures"):
        return "not compared: it fails" if out is not None else "too few rounds to tell"
    last = known[-1]
    if last.leader == name:
        return "leads, not decided"
    low, high = _signed(_percent(last.low), ""), _signed(_percent(last.high))
    return f"{_signed(_percent(last.behind))} ({low} to {high})"


def _finding(shown: _Race) -> str:
    """The verdict; the word chosen is kept for races that know."""
    verdict = shown.verdict
    after = f"after {_rounds(verdict.rounds)}"
    if verdict.kind == "undecided" or verdict.best is None:
        if len(verdict.endpoints) > 1:
            return f"Undecided between {_listed(verdict.endpoints)} {after}"
        left = (
            f"only {verdict.endpoints[0]} is left" if verdict.endpoints else "every endpoint fails"
        )
        return f"Undecided {after}: {left}"
    if verdict.kind == "equivalent":
        return f"Equivalent within {_words(shown.rules)} {after}: {_listed(verdict.endpoints)}"
    if len(verdict.failures) == 1:
        return f"{verdict.best} chosen {after}: there was no other"
    why = "every other is slower"
    if verdict.kind == "choice":
        why = f"no other is faster by more than {_words(shown.rules)}"
    return f"{verdict.best} chosen {after}: {why}{_failing(verdict)}"


def _failing(verdict: RaceVerdict) -> str:
    names = [one.endpoint for one in verdict.eliminations if one.reason == "failures"]
    return f"; out for failures: {_listed(names)}" if names else ""


def _too_early(verdict: RaceVerdict) -> str:
    gone = [f"{one.endpoint} is out, {one.reason}" for one in verdict.eliminations]
    first = f"After {_rounds(verdict.rounds)} nothing can be said: a race compares from"
    return "; ".join([f"{first} round {FEWEST} on", *gone]) + "."


def _rows_in(seen: View, rounds: Any) -> pd.DataFrame:
    """The rows of these rounds, of which there are few."""
    runs, (codes, names) = set(rounds.unique(0)), coded(seen.rows["run_id"])
    rows = seen.rows[np.array([*(name in runs for name in names), "" in runs])[codes]]
    keys = [rows["run_id"].astype("string").fillna(""), rows["round"]]
    kept: pd.DataFrame = rows[pd.MultiIndex.from_arrays(keys).isin(rounds)]
    return kept


def _subtitle(shown: _Race, rounds: Any) -> str:
    verdict, seen = shown.verdict, shown.seen
    raced = _rows_in(seen, rounds[: verdict.rounds])
    sizes = [rate.n for rate in verdict.failures.values()]
    low, high = min(sizes), max(sizes)
    n = f"n = {low}" if low == high else f"n = {low} to {high}"
    text = f"{n} per endpoint, {verdict.requests} in all · {window(raced['started_at'])}"
    text += f" · {seen.stratum} · paired by round; line and area: difference to the leader,"
    return f"{text} 95 % interval, pale after the last request{_changes(verdict)}"


def _changes(verdict: RaceVerdict) -> str:
    """Looks against different leaders do not compare: say so."""
    leaders = [leader for leader, _ in groupby(one.leader for one in verdict.history)]
    if len(leaders) == 1:
        return ""
    times = "once" if len(leaders) == 2 else f"{len(leaders) - 1} times"
    return f"; the leader changed {times}: every look is against the leader of its round"


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))
