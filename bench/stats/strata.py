"""Which requests may stand in one number: the same work, the same connection, the same place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import pandas as pd

from bench.model import ASKING, CONNECTIONS, KINDS
from bench.stats.metrics import main_metric

_KEYS = ["kind", "streamed", "connection", "client", "model", "arm", "vantage"]


NOWHERE = "unknown"
"""The vantage of rows that do not name one."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rows that may be compared. ``model`` is the one asked for; None where none is. ``arm`` is
    the plan's variant; None where it has none. ``vantage`` is where rows of several places were
    measured from; None where all are of one."""

    kind: str
    streamed: bool
    connection: str
    client: str
    model: str | None
    arm: str | None = None
    vantage: str | None = None

    @property
    def metric(self) -> str:
        """The name of the stratum's main metric, a key of `bench.stats.METRICS`."""
        return main_metric(self.kind, self.streamed)

    def __str__(self) -> str:
        streamed = "streamed " if self.streamed else ""
        model = f", {self.model}" if self.model else ""
        arm = f", arm {self.arm}" if self.arm else ""
        place = f", from {self.vantage}" if self.vantage else ""
        return f"{streamed}{self.kind}, {self.connection}, {self.client}{model}{arm}{place}"


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
    df: pd.DataFrame,
    runs: Sequence[Mapping[str, Any]] | None = None,
    *,
    by_vantage: bool | None = None,
) -> list[tuple[Stratum, pd.DataFrame]]:
    """``df`` cut into its strata, in the order of `order`; rows keep their order and index.

    ``runs``, by default those of ``df.attrs``, name the model of rows that failed. Rows of several
    vantages are never in one stratum; ``by_vantage`` says whether strata name theirs, by default
    where there are several.
    """
    runs = runs_of(df) if runs is None else runs
    keys = _keys(df, runs)
    if len(vantages_in(df, runs)) > 1 if by_vantage is None else by_vantage:
        keys["vantage"] = df["vantage"].astype("string").fillna(NOWHERE)
    groups = [
        (_stratum(values), df.loc[index])
        for values, index in keys.groupby(_KEYS, sort=False).groups.items()
    ]
    return sorted(groups, key=lambda pair: order(pair[0]))


def _keys(df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    plain = ("kind", "connection", "client", "arm")
    keys = pd.DataFrame({name: df[name].astype("string").fillna("") for name in plain})
    keys["streamed"] = df["streamed"].fillna(False).astype(bool)
    keys["model"] = _asked_model(df, runs)
    keys["vantage"] = ""
    return keys


def _asked_model(df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> pd.Series[str]:
    """The model each row asked for. A failed row does not name one: its run does."""
    keys = pd.Series(_run_arms(df), index=df.index, dtype=object)
    answered = pd.DataFrame({"key": keys, "model": df["model"]}).dropna().drop_duplicates("key")
    named = dict(zip(answered["key"], answered["model"].astype(str), strict=True))
    named |= {key: model for run in runs for key, model in _named(run).items()}
    models = keys.map(lambda key: named.get(key, "")).astype("string")
    return models.where(df["kind"].astype("string").isin(ASKING), "").fillna("")


def _run_arms(df: pd.DataFrame) -> list[tuple[str, str]]:
    arms = df["arm"].astype("string").fillna("")
    return list(zip(df["run_id"].astype(str), arms.astype(str), strict=True))


def _named(run: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Run and arm → model, as far as run.json says."""
    models = run.get("models") or {"": run.get("model")}
    return {(str(run.get("run_id")), arm): str(model) for arm, model in models.items() if model}


def _stratum(values: Any) -> Stratum:
    kind, streamed, connection, client, model, arm, vantage = values
    return Stratum(
        str(kind),
        bool(streamed),
        str(connection),
        str(client),
        str(model) or None,
        str(arm) or None,
        str(vantage) or None,
    )


def vantages_in(df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Where the rows, and runs without any, were measured from; sorted."""
    named = (str(run["vantage"]) for run in runs if run.get("vantage"))
    return tuple(sorted({*map(str, df["vantage"].dropna().unique()), *named}))


def runs_from(stratum: Stratum, runs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The runs that a stratum's rows can be of: those of its vantage, where it names one."""
    if stratum.vantage is None:
        return runs
    return [run for run in runs if str(run.get("vantage") or NOWHERE) == stratum.vantage]


def planned(run: Mapping[str, Any], vantage: str | None = None) -> list[Stratum]:
    """The strata that a run's plan asks for, whether or not there are rows of them; ``vantage`` is
    the run's where a frame holds several."""
    plan = run.get("plan") or {}
    models = run.get("models") or {None: run.get("model")}
    return [
        Stratum(
            kind,
            kind in ASKING and bool(plan.get("stream", True)),
            connection,
            client,
            str(model) if model and kind in ASKING else None,
            arm,
            vantage,
        )
        for kind in plan.get("kinds") or ()
        for connection in plan.get("connections") or ()
        for client in plan.get("clients") or ()
        for arm, model in models.items()
    ]


def runs_of(df: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The ``run.json`` contents that travel with a frame; empty when it has none."""
    return [run for run in df.attrs.get("runs") or () if isinstance(run, Mapping)]
