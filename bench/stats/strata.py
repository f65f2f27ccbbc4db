"""Which requests may stand in one number: those that did the same work over the same connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import pandas as pd

from bench.model import ASKING, CONNECTIONS, KINDS
from bench.stats.metrics import main_metric

_KEYS = ["kind", "streamed", "connection", "client", "model"]


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rows that may be compared. ``model`` is the one asked for; None where none is."""

    kind: str
    streamed: bool
    connection: str
    client: str
    model: str | None

    @property
    def metric(self) -> str:
        """The name of the stratum's main metric, a key of `bench.stats.METRICS`."""
        return main_metric(self.kind, self.streamed)

    def __str__(self) -> str:
        streamed = "streamed " if self.streamed else ""
        model = f", {self.model}" if self.model else ""
        return f"{streamed}{self.kind}, {self.connection}, {self.client}{model}"


def order(stratum: Stratum) -> tuple[Any, ...]:
    """Sort key: what most readers came for comes first (streamed chat over warm connections)."""
    return (
        _place(KINDS, stratum.kind),
        not stratum.streamed,
        _place(CONNECTIONS, stratum.connection),
        *(str(part) for part in astuple(stratum)),
    )


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def stratify(
    df: pd.DataFrame, runs: Sequence[Mapping[str, Any]] | None = None
) -> list[tuple[Stratum, pd.DataFrame]]:
    """``df`` cut into its strata, in the order of `order`; rows keep their order and index.

    ``runs``, by default those of ``df.attrs``, name the model of rows that failed.
    """
    keys = _keys(df, runs_of(df) if runs is None else runs)
    groups = [
        (_stratum(values), df.loc[index])
        for values, index in keys.groupby(_KEYS, sort=False).groups.items()
    ]
    return sorted(groups, key=lambda pair: order(pair[0]))


def _keys(df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    keys = pd.DataFrame(
        {name: df[name].astype("string").fillna("") for name in ("kind", "connection", "client")}
    )
    keys["streamed"] = df["streamed"].fillna(False).astype(bool)
    keys["model"] = _asked_model(df, runs)
    return keys


def _asked_model(df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> pd.Series[str]:
    """The model each row asked for. A failed row does not name one: its run does."""
    named = {str(run.get("run_id")): str(run.get("model") or "") for run in runs}
    answered = df.dropna(subset=["model"]).drop_duplicates("run_id")
    for run_id, model in zip(answered["run_id"], answered["model"], strict=True):
        named[str(run_id)] = named.get(str(run_id)) or str(model)
    models = df["run_id"].map(lambda run_id: named.get(str(run_id), "")).astype("string")
    return models.where(df["kind"].astype("string").isin(ASKING), "").fillna("")


def _stratum(values: Any) -> Stratum:
    kind, streamed, connection, client, model = values
    return Stratum(str(kind), bool(streamed), str(connection), str(client), str(model) or None)


def planned(run: Mapping[str, Any]) -> list[Stratum]:
    """The strata that a run's plan asks for, whether or not there are rows of them."""
    plan = run.get("plan") or {}
    model = run.get("model")
    return [
        Stratum(
            kind,
            kind in ASKING and bool(plan.get("stream", True)),
            connection,
            client,
            str(model) if model and kind in ASKING else None,
        )
        for kind in plan.get("kinds") or ()
        for connection in plan.get("connections") or ()
        for client in plan.get("clients") or ()
    ]


def runs_of(df: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The ``run.json`` contents that travel with a frame; empty when it has none."""
    return [run for run in df.attrs.get("runs") or () if isinstance(run, Mapping)]
