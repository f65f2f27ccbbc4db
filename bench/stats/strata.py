"""Which requests may stand in one number: the same work, the same connection, the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.model import ASKING, CONNECTIONS, KINDS
from bench.stats.metrics import Flags, bare, coded, main_metric

Codes = npt.NDArray[np.integer[Any]]
Part = tuple[Codes | Flags | None, list[Any]]
"""The place of each row's value, shape (rows,), and the values; no places where all rows have the
one that there is."""

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
    only: Flags | None = None,
    *,
    by_vantage: bool | None = None,
) -> list[tuple[Stratum, pd.DataFrame]]:
    """``df`` cut into its strata, in the order of `order`; rows keep their order and index.

    ``runs``, by default those of ``df.attrs``, name the model of rows that failed. ``only`` says
    which rows are meant, shape (rows,): so that the others need not be taken out first. Rows of
    several vantages are never in one stratum; ``by_vantage`` says whether strata name theirs, by
    default where there are several.
    """
    runs, df = runs_of(df) if runs is None else runs, bare(df)
    found = placed(df, runs, only, by_vantage=by_vantage)
    return [(stratum, df.take(rows)) for stratum, rows in found.items()]


def placed(
    df: pd.DataFrame,
    runs: Sequence[Mapping[str, Any]],
    only: Flags | None = None,
    *,
    by_vantage: bool | None = None,
) -> dict[Stratum, npt.NDArray[np.intp]]:
    """Which rows `stratify` puts into each stratum, in its order, without taking any."""
    apart = len(vantages_in(df, runs)) > 1 if by_vantage is None else by_vantage
    codes, found = _keys(df, runs, _KEYS if apart else _KEYS[:-1])
    if only is not None:
        codes[~only] = -1
    meant = {stratum: np.flatnonzero(codes == code) for code, stratum in found.items()}
    return {one: meant[one] for one in sorted(meant, key=order) if len(meant[one])}


def _keys(
    df: pd.DataFrame, runs: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> tuple[Codes, dict[int, Stratum]]:
    """A number for each row's stratum, shape (rows,), and the strata."""
    parts = [_part(df, name, runs) for name in keys]
    codes, names = _together(len(df), *parts), [known for _, known in parts]
    found = {}
    for code in pd.unique(codes):
        at = np.unravel_index(code, [len(known) for known in names])
        values = [known[place] for place, known in zip(at, names, strict=True)]
        found[int(code)] = _stratum(*values)
    return codes, found


def _part(df: pd.DataFrame, name: str, runs: Sequence[Mapping[str, Any]]) -> Part:
    if name == "streamed":
        streamed = df[name].to_numpy(dtype=np.bool_, na_value=False)
        return (None, [True]) if streamed.all() else (streamed, [False, True])
    if name == "vantage":
        codes, known = _texts(df[name])
        return codes, [one or NOWHERE for one in known]
    return _asked_model(df, runs) if name == "model" else _texts(df[name])


def _texts(names: pd.Series[Any]) -> Part:
    """No name is the empty one, which comes last."""
    codes, known = coded(names)
    low, high = (int(codes.min()), int(codes.max())) if len(codes) else (-1, -1)
    if low == high:
        return None, [[*known, ""][low]]
    if low >= 0:
        return codes, known
    return np.where(codes < 0, np.int32(len(known)), codes), [*known, ""]


def _asked_model(df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> Part:
    """The model each row asked for. A failed row does not name one: its run does."""
    of_run, of_arm, kind = (_texts(df[name]) for name in ("run_id", "arm", "kind"))
    pairs = [(run, arm) for run in of_run[1] for arm in of_arm[1]]
    named = {key: model for run in runs for key, model in _named(run).items()}
    if not named.keys() >= {*pairs}:
        answered = _answered(df, _together(len(df), of_run, of_arm))
        named = {pairs[key]: model for key, model in answered} | named
    models = ["", *dict.fromkeys(named.values())]
    asked = np.array([models.index(named.get(pair, "")) for pair in pairs], np.int32)
    asks = np.array([name in ASKING for name in kind[1]])
    if asks.all() and len({*asked}) == 1:
        return None, [models[asked[0]]]
    codes = asked[_together(len(df), of_run, of_arm)]
    codes[~asks[_together(len(df), kind)]] = 0
    return codes, models


def _together(rows: int, *parts: Part) -> Codes:
    """One number for each row's values together, shape (rows,)."""
    codes = np.zeros(rows, np.int32)
    for part, known in parts:
        if part is not None:
            codes *= len(known)
            codes += part
    return codes


def _answered(df: pd.DataFrame, keys: Codes) -> Iterator[tuple[int, str]]:
    """Each key of rows, and the model of its first answer."""
    codes, models = coded(df["model"])
    first = np.full(int(keys.max(initial=-1)) + 1, -1)
    answered = np.flatnonzero(codes >= 0)[::-1]
    first[keys[answered]] = answered  # the last one written is the first row
    return ((int(key), models[codes[first[key]]]) for key in np.flatnonzero(first >= 0))


def _named(run: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Run and arm → model, as far as run.json says."""
    models = run.get("models") or {"": run.get("model")}
    return {(str(run.get("run_id")), arm): str(model) for arm, model in models.items() if model}


def _stratum(
    kind: str, streamed: bool, connection: str, client: str, model: str, arm: str, place: str = ""
) -> Stratum:
    return Stratum(kind, streamed, connection, client, model or None, arm or None, place or None)


def vantages_in(df: pd.DataFrame, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Where the rows, and runs without any, were measured from; sorted."""
    named = (str(run["vantage"]) for run in runs if run.get("vantage"))
    codes, known = _texts(bare(df)["vantage"])
    seen = known if codes is None else [known[int(code)] for code in pd.unique(codes)]
    return tuple(sorted({*seen, *named} - {""}))


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
