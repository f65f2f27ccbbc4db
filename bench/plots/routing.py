"""The picture that this product is for: global's distribution decomposed into its regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.model import GLOBAL
from bench.plots import style
from bench.plots.sparse import largest, sparse
from bench.plots.theme import Look, ThemeName, themed
from bench.plots.view import looks, simulated, window
from bench.stats import METRICS, Stratum, quantile
from bench.stats.metrics import latency_ms
from bench.stats.quantiles import Values
from bench.stats.routing import ELSEWHERE, Routing, Share, posterior, route
from bench.stats.routing_words import span
from bench.stats.strata import runs_of, stratify
from bench.stats.travel import Travel, travel

GRID = 400
NAMED = 0.03
"""A smaller share has no room for its name beside its hump; the legend has it."""

WHOLE = (0.0, 0.08, 1.0, 0.9)
NETWORK = METRICS["network"].label
FIRST_BYTE = METRICS["ttfb"].label


def routing(
    df: pd.DataFrame,
    *,
    ax: Axes | None = None,
    stratum: Stratum | None = None,
    theme: ThemeName = "light",
    answer: Routing | None = None,
) -> Figure:
    """Global's time to first byte, and its network time, as the sum of what each region answered.

    ``df`` is a tidy frame; ``answer`` spares the fit when `bench.stats.routing.route` was asked
    before. Each answer of global counts for each region with its probability of having come from
    there, so the coloured areas add up to global exactly. What cannot be told is not decomposed:
    then global stands beside the regions' own distributions.
    """
    few = sparse(df, largest(df))
    df = few.df
    answer = answer or route(df, stratum=stratum)
    found = travel(df, answer.stratum)
    figure, ax = style.axes(
        ax, theme, height=6.8 if answer.network_from and answer.identifiable else 4.8
    )
    if found is None or not len(found.seen) or not found.points:
        style.sentence(ax, answer.words())
        return figure
    ax.set_axis_off()
    if answer.identifiable:
        _decomposed(ax, df, found, answer, theme)
    else:
        _side_by_side(ax, df, found, theme)
    subtitle = _subtitle(found, answer) + few.told
    style.headline(ax, finding_of(answer), subtitle, simulated(df))
    return figure


def _decomposed(
    ax: Axes, df: pd.DataFrame, found: Travel, answer: Routing, theme: ThemeName
) -> None:
    chances = posterior(df, answer)
    looked = share_looks(df, answer, theme)
    panels = [(FIRST_BYTE, times_of(found, "ttfb"))]
    if found.axes != "ttfb":
        panels.append((NETWORK, times_of(found, "network")))
    bounds = [(0.0, 0.68, 1.0, 0.32), (0.0, 0.07, 1.0, 0.45)] if panels[1:] else [WHOLE]
    for (label, ms), where in zip(panels, bounds, strict=True):
        panel = _panel(ax, where, label, [ms])
        outlines = _stack(panel, ms, chances, looked)
    _name_humps(panel, outlines, answer, looked)
    style.legend(ax, columns=2, handles=_handles(answer, looked))


def _panel(ax: Axes, bounds: tuple[float, float, float, float], label: str,
           series: Sequence[Values]) -> Axes:  # fmt: skip
    panel = style.inset(ax, bounds)
    panel.grid(False, axis="y")
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    known = [style.finite(ms) for ms in series if len(style.finite(ms))]
    log = style.wants_log(known)
    style.scale_x(panel, label, log)
    far = max((quantile(ms, 0.985) for ms in known), default=1.0)
    low = min((float(ms[0]) for ms in known), default=0.1)
    panel.set_xlim(max(low * 0.85, 0.05) if log else 0.0, far * 1.12 + 1)
    return panel


def _grid(panel: Axes) -> Values:
    left, right = panel.get_xlim()
    log = panel.get_xscale() == "log"
    return np.geomspace(left, right, GRID) if log else np.linspace(left, right, GRID)


def _stack(
    panel: Axes, ms: Values, chances: pd.DataFrame, looked: Mapping[str, Look]
) -> dict[str, tuple[Values, Values]]:
    """Areas on top of each other, the largest share lowest; the return is each one's outline."""
    grid, tops = _grid(panel), {}
    base = np.zeros(GRID)
    for order, name in enumerate(chances.columns):
        part = curve(panel, ms, chances[name].to_numpy(dtype=np.float64), grid)
        kind = looked[name]
        hatch = "////" if name == ELSEWHERE else None
        panel.fill_between(grid, base, base + part, facecolor=kind.color, alpha=0.45, hatch=hatch,
                           edgecolor=style.on(panel).paper, linewidth=0,
                           zorder=3 + order / 10)  # fmt: skip
        base = base + part
        tops[str(name)] = (part, base)
    panel.plot(grid, base, color=style.on(panel).ink, linewidth=2.4, zorder=6)
    panel.set_ylim(0, float(base.max()) * 1.08)
    _rug(panel, ms, chances, looked)
    return tops


def curve(
    panel: Axes, ms: Values, weights: Values, grid: Values, width: float | None = None
) -> Values:
    """A weighted Gaussian kernel density on ``grid``, its area the part of all ``weights``.

    ``width`` is the kernel's, in log time on a log axis; by default `rule`'s.
    """
    if float(weights.sum()) < 0.5:
        return np.zeros(len(grid))
    x, at = _scaled(panel, ms), _scaled(panel, grid)
    width = rule(panel, ms, weights) if width is None else width
    near = np.flatnonzero(weights > 1e-3)
    kernels = np.exp(-0.5 * ((at[:, None] - x[None, near]) / width) ** 2)
    found = kernels @ weights[near] / (len(ms) * width * np.sqrt(2 * np.pi))
    return np.asarray(found, dtype=np.float64)


def rule(panel: Axes, ms: Values, weights: Values) -> float:
    """0.7 of Silverman's bandwidth (1986, eq. 3.31) by the weighted quartiles; at least a 250th of
    the axis."""
    x = _scaled(panel, ms)
    order, total = np.argsort(x), float(weights.sum())
    places = np.cumsum(weights[order]) / total
    low, high = (float(x[order][np.searchsorted(places, q * 0.999)]) for q in (0.25, 0.75))
    smallest = float(np.ptp(_scaled(panel, np.array(panel.get_xlim())))) / 250
    return float(max(0.63 * (high - low) / 1.34 * total**-0.2, smallest))


def _scaled(panel: Axes, ms: Values) -> Values:
    return np.log(ms) if panel.get_xscale() == "log" else ms


def _rug(panel: Axes, ms: Values, chances: pd.DataFrame, looked: Mapping[str, Look]) -> None:
    """Every answer as a tick below, in the colour of its likeliest region."""
    likely = chances.to_numpy(dtype=np.float64).argmax(axis=1)
    for place, name in enumerate(chances.columns):
        own = style.thin(np.sort(ms[(likely == place) & (ms < panel.get_xlim()[1])]))
        style.marks(panel, own, -0.035, marker="|", markersize=7,
                    markeredgewidth=0.9, color=looked[name].color, alpha=0.7, clip_on=False,
                    transform=panel.get_xaxis_transform(), rasterized=len(own) > 300)  # fmt: skip
    panel.tick_params(axis="x", pad=9)


def _name_humps(
    panel: Axes,
    tops: Mapping[str, tuple[Values, Values]],
    answer: Routing,
    looked: Mapping[str, Look],
) -> None:
    """Name and share over each hump, a line higher where the one before is near."""
    grid, highest = _grid(panel), panel.get_ylim()[1]
    named = [share for share in answer.shares if share.value >= NAMED]
    humps = [(int(np.argmax(tops[share.name][0])), share) for share in named]
    taken: list[tuple[float, float, float]] = []
    for place, share in sorted(humps, key=lambda hump: hump[0]):
        across = _fraction(panel, float(grid[place]))
        y = float(tops[share.name][1][place]) + 0.04 * highest
        size = 0.017 * max(4, len(style.short(share.name)))
        while any(abs(across - u) < (size + w) / 2 and abs(y - v) < 0.34 * highest
                  for u, v, w in taken):  # fmt: skip
            y += 0.05 * highest
        taken.append((across, y, size))
        _name(panel, share, (float(grid[place]), y), across, looked)
    panel.set_ylim(0, max([highest, *(y + 0.42 * highest for _, y, _ in taken)]))


def _name(
    panel: Axes,
    share: Share,
    xy: tuple[float, float],
    across: float,
    looked: Mapping[str, Look],
) -> None:
    side = "left" if across < 0.1 else "right" if across > 0.9 else "center"
    text = f"{style.short(share.name)}\n{style.plain(f'{100 * share.value:.0f} %')}"
    panel.annotate(
        text,
        xy,
        ha=side,
        va="bottom",
        fontsize=style.TEXT,
        fontweight="bold",
        color=looked[share.name].color if share.regions else style.on(panel).grey,
        path_effects=style.halo(panel),
        zorder=9,
    )


def _fraction(panel: Axes, x: float) -> float:
    """Where ``x`` is in the panel, from 0 to 1."""
    at, left, right = _scaled(panel, np.array([x, *panel.get_xlim()]))
    return float((at - left) / (right - left))


def _side_by_side(ax: Axes, df: pd.DataFrame, found: Travel, theme: ThemeName) -> None:
    """Global beside the regions' own distributions, all equally high: what can be seen."""
    rows = dict(stratify(df, runs_of(df)))[found.stratum]
    series = {GLOBAL: times_of(found, "ttfb")}
    for name in found.points:
        ms = latency_ms(rows[(rows["endpoint"] == name).to_numpy()], "ttfb")
        series[name] = style.finite(ms)
    panel = _panel(ax, WHOLE, FIRST_BYTE, list(series.values()))
    grid, seen = _grid(panel), looks(df, theme)
    # A mixture's own spread is that between its parts, and its bandwidth would melt them into one.
    width = float(
        np.median([rule(panel, ms, np.ones(len(ms))) for ms in list(series.values())[1:]])
    )
    for name, ms in series.items():
        kind, shape = seen[name], curve(panel, ms, np.ones(len(ms)), grid, width)
        shape = shape / max(float(shape.max()), 1e-12)
        label = style.plain(f"{name}: n = {len(ms)}")
        panel.plot(grid, shape, color=kind.color, linestyle=kind.line, linewidth=kind.width,
                   label=label, zorder=6 if name == GLOBAL else 4)  # fmt: skip
    panel.set_ylim(bottom=0)
    style.legend(ax, columns=3, handles=[line for line in panel.lines if line.get_label()])


def times_of(found: Travel, name: str) -> Values:
    """One time in ms of the answers that ``found.seen`` belongs to, in its order."""
    if name == "network" and found.axes != "ttfb":
        return np.asarray(found.seen[:, -1])
    return latency_ms(found.answered, "ttfb")


def share_looks(df: pd.DataFrame, answer: Routing, theme: ThemeName) -> dict[str, Look]:
    """Each share in the look of its (first) region."""
    seen = looks(df, theme)
    outside = Look(themed(theme).grey, "*", (0, (1, 1)), 1.4)
    found = {s.name: seen.get(s.regions[0], outside) for s in answer.shares if s.regions}
    return {**found, ELSEWHERE: outside}


def _handles(answer: Routing, looked: Mapping[str, Look]) -> list[Line2D]:
    return [
        Line2D([], [], linestyle="none", marker="s", markersize=10, alpha=0.6,
               color=looked[s.name].color,
               label=style.plain(f"{s.name}: {100 * s.value:.0f} % ({span(s)})"))
        for s in answer.shares
    ]  # fmt: skip


def finding_of(answer: Routing) -> str:
    """The title: who answered, or that it cannot be told."""
    if not answer.identifiable:
        return f"Where global's requests went cannot be told: {answer.reason}"
    first, *others = [s for s in answer.shares if s.value >= NAMED] or answer.shares[:1]
    who = " or ".join(first.regions) or "an unlisted region"
    text = f"{who} answered about {100 * first.value:.0f} % of global's requests"
    return text + "".join(f", {s.name} {100 * s.value:.0f} %" for s in others[:3])


def _subtitle(found: Travel, answer: Routing) -> str:
    lost = f"{answer.n_failed} failed and in no share"
    parts = [
        f"n = {answer.n_global} answers of global, {lost}",
        window(found.answered["started_at"]),
    ]
    how = f"{answer.method}, network time from {answer.network_from}" if answer.network_from else ""
    parts += [str(found.stratum), how or answer.method]
    if answer.identifiable and (answer.offset_ms or 0) > 0:
        parts.append(f"global's path {answer.offset_ms:.0f} ms longer")
    if answer.instead:
        parts.append(f"instead: {answer.instead}")
    return " · ".join(parts)
