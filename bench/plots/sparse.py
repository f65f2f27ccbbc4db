"""Every k-th round of a frame that is too large to be looked at request by request."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.plots.view import MANY, countable_places
from bench.stats.metrics import bare, coded

KEPT = 1_000
"""At most so many rounds are left: shares of a mixture are then known to about three percent."""


@dataclass(frozen=True, slots=True)
class Sparse:
    """``every`` is 1 where the frame is what it was."""

    df: pd.DataFrame
    every: int = 1

    @property
    def words(self) -> str:
        """``every 50th round``."""
        return f"every {self.every}th round"

    @property
    def told(self) -> str:
        """For the end of a subtitle; nothing where all rounds are there."""
        return f" · drawn from {self.words}" if self.every > 1 else ""


def largest(df: pd.DataFrame) -> int:
    """How many countable rows the largest stratum has."""
    return max(map(len, countable_places(df).values()), default=0) if len(df) > MANY else len(df)


def sparse(df: pd.DataFrame, rows: int, most: int = KEPT) -> Sparse:
    """``df``, or every k-th of its rounds where its stratum has more than `MANY` ``rows``: at
    ``most`` so many.

    Rounds are counted over all runs and kept whole, so that what was paired stays paired. k is a
    multiple of ten.
    """
    if rows <= MANY:
        return Sparse(df)
    keys, there = _rounds(bare(df))
    number = np.cumsum(there) - 1
    every = 10 * math.ceil((int(number[-1]) + 1) / most / 10)
    kept = bare(df)[(number % every == 0)[keys]]
    kept.attrs = df.attrs
    return Sparse(kept, every)


def _rounds(df: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The place of each row's round among all that there could be, shape (rows,), and of these
    which there are."""
    runs, names = coded(df["run_id"])
    rounds = df["round"].to_numpy(dtype=np.int64, na_value=0)
    lowest, width = int(rounds.min()), int(np.ptp(rounds)) + 1
    keys = np.multiply(runs, width, dtype=np.int64)
    keys += width - lowest
    keys += rounds
    there = np.zeros(width * (len(names) + 1), dtype=np.bool_)
    there[keys] = True
    return keys, there
