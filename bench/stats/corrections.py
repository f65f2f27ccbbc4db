"""Many cells, one verdict: p values corrected for how many chances there were to be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted so that "any of them ≤ α" is wrong in at most a share α of verdicts, in order.

    Source: S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal
    of Statistics 6 (1979).
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(value) for value in adjusted]


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted so that at most a share α of those ≤ α is expected to be wrong, in order.

    Source: Y. Benjamini and Y. Hochberg, Controlling the False Discovery Rate, Journal of the Royal
    Statistical Society B 57 (1995).
    """
    from scipy.stats import false_discovery_control  # takes long to import, and few ask for it

    return [float(value) for value in false_discovery_control(p)] if p else []
