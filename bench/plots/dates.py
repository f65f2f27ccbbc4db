"""Moments on an axis: when requests were sent, and ticks at round times. All of it is UTC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, date2num
from matplotlib.ticker import FixedLocator

from bench.plots import style
from bench.stats.quantiles import Values

SECONDS = 86_400
STEPS = (
    *(1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1200, 1800),
    *(3600, 7200, 14400, 21600, 43200),
    *(SECONDS * days for days in (1, 2, 5, 10, 30)),
)
"""Round lengths of time, in seconds."""


def moments(instants: pd.Series[Any]) -> Values:
    """Those that are known, in days, as matplotlib counts them; shape (n,)."""
    known = instants.dropna().dt.tz_convert(None)
    return np.asarray(date2num(known.to_numpy()), dtype=np.float64)  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped


def limits(times: Values) -> tuple[float, float]:
    """All of ``times`` and a little room on both sides."""
    pad = max(float(np.ptp(times)) * 0.01, 1e-6)
    return float(times.min()) - pad, float(times.max()) + pad


def step(days: float, most: float) -> int:
    """The shortest round length, in seconds, of which ``most`` reach over ``days``."""
    return next((one for one in STEPS if days * SECONDS / one <= most), STEPS[-1])


def date_axis(strip: Axes) -> None:
    """Ticks at round times of the limits that the strip has; their form fits the span."""
    left, right = strip.get_xlim()
    apart = step(right - left, 7)
    ticks = np.arange(np.ceil(left * SECONDS / apart) * apart, right * SECONDS, apart) / SECONDS
    strip.xaxis.set_major_locator(FixedLocator(list(ticks)))
    form = "%H:%M:%S" if apart < 60 else "%H:%M" if right - left < 1 else "%m-%d %H:%M"
    form = "%m-%d" if apart >= SECONDS else form
    strip.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]  # as above


def name_time(strip: Axes) -> None:
    """The axis label of time."""
    style.name_x(strip, "time (UTC)")
