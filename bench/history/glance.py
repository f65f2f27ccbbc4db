"""A batch in one line: how much was measured, and the one number that most come for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import StoreError
from bench.history.batch import StoredBatch
from bench.model import Caution
from bench.stats import Stratum, countable, latency_ms, quantile, stratify
from bench.stats.encode import plain
from bench.stats.metrics import MAIN_COLUMNS, failed
from bench.stats.strata import runs_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Glance:
    """A batch in one line. ``n`` requests of ``endpoints`` count, ``failed`` among them;
    ``p50_ms`` is the median of ``endpoint`` (global where it was asked) in the main stratum,
    failures as infinite, None where there is none: several vantages have no one median."""

    batch: StoredBatch
    n: int
    failed: int
    endpoints: tuple[str, ...]
    endpoint: str | None
    p50_ms: float | None
    vantages: tuple[str, ...]
    cautions: tuple[Caution, ...]

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON types only."""
        batch = self.batch
        about = {"name": batch.name, "run_ids": batch.run_ids, "started_at": batch.started_at}
        told = {"tags": batch.tags, "status": batch.status, "vantages": self.vantages}
        numbers = {"n": self.n, "failed": self.failed, "endpoints": self.endpoints}
        median = {"endpoint": self.endpoint, "p50_ms": self.p50_ms}
        found: dict[str, Any] = plain({**about, **told, **numbers, **median})
        return found


def glance(batch: StoredBatch) -> Glance:
    """What one line says of a batch; one whose rows cannot be read is told, and counts nothing."""
    vantages = tuple(dict.fromkeys(str(head.run.get("vantage") or "") for head in batch.heads))
    try:
        df = batch.frame(MAIN_COLUMNS)
    except StoreError as error:
        told = Caution("unreadable_rows", str(error))
        return Glance(batch, 0, 0, (), None, None, vantages, (*batch.cautions, told))
    rows = countable(df)
    seen = stratify(rows, runs_of(df))
    endpoint, p50_ms = _median(*seen[0]) if seen and len(vantages) == 1 else (None, None)
    lost = int(failed(rows).sum())
    asked = tuple(dict.fromkeys(rows["endpoint"].astype(str)))
    return Glance(batch, len(rows), lost, asked, endpoint, p50_ms, vantages, batch.cautions)


def _median(stratum: Stratum, rows: pd.DataFrame) -> tuple[str, float | None]:
    """Of global, or of the first endpoint where nobody asked global."""
    asked = [str(name) for name in rows["endpoint"].cat.categories]
    present = set(rows["endpoint"].astype(str))
    name = next(name for name in asked if name in present)
    values = latency_ms(rows[(rows["endpoint"] == name).to_numpy()], stratum.metric)
    known = values[~np.isnan(values)]
    return name, quantile(known, 0.5) if len(known) else None
