"""Which rows of a frame stand against each other when two variants are compared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.errors import PlanError
from bench.stats.blocks import ROUNDS, Side
from bench.stats.cells import dropped
from bench.stats.metrics import countable, latency_ms
from bench.stats.strata import Stratum, order, runs_of, stratify, vantages_in

By = Literal["endpoint", "client", "model", "arm"]
BY: tuple[By, ...] = ("endpoint", "client", "model", "arm")

_WORK = ("kind", "streamed", "connection", "client", "model", "arm")
_FIELDS = (*_WORK, "vantage")


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one variant for one endpoint in one stratum."""

    endpoint: str
    stratum: Stratum
    rows: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two sides that did the same work. A side is None where the variant has no rows.

    ``together``: both were asked in the same rounds, and only those rounds are here; ``apart``
    counts the requests of other rounds, which were left out. ``why`` says, where it is known, why
    a side is missing.
    """

    endpoint: str
    stratum: Stratum
    a: Side | None
    b: Side | None
    together: bool = True
    apart: int = 0
    why: str = ""


Parts = Mapping[tuple[object, ...], Part]


def pair_variants(df: pd.DataFrame, by: By, a: str, b: str) -> list[Pairing]:
    """Every endpoint × stratum that variant ``a`` or ``b`` of ``df`` has, in order.

    Raises PlanError when ``by`` or a variant is not there, naming the nearest that is.
    """
    if by not in BY:
        raise PlanError(f"cannot compare by {by!r}; write one of {', '.join(BY)}")
    parts = _parts(df, by)
    _reject(df, by, (a, b), parts)
    names = {name: [part for variant, part in parts if variant == name] for name in (a, b)}
    told = _told_apart(names[a], names[b]) if by in ("arm", "model") else set()
    ours, theirs = (_keyed(names[name], {by, *told}) for name in (a, b))
    return _paired(ours, theirs, _unfit(df, by, (a, b)))


def pair_runs(df_a: pd.DataFrame, df_b: pd.DataFrame) -> list[Pairing]:
    """Every endpoint × stratum of two frames that were not measured together.

    Where one of them holds several vantages, each is compared with itself.
    """
    both = df_a, df_b
    apart = any(len(vantages_in(df, runs_of(df))) > 1 for df in both)
    sides = [[part for _, part in _parts(df, "endpoint", apart)] if len(df) else [] for df in both]
    ours, theirs = (_keyed(parts, set()) for parts in sides)
    unfit = dropped(runs_of(df_a)) | dropped(runs_of(df_b))
    return _paired(ours, theirs, unfit, same_rounds=False)


def _unfit(df: pd.DataFrame, by: By, names: tuple[str, str]) -> Mapping[str, str]:
    """Why an endpoint was not measured; compared with another, the other's part says it."""
    unfit = dropped(runs_of(df))
    if by != "endpoint":
        return unfit
    return {one: unfit[other] for one, other in (names, names[::-1]) if other in unfit}


def _parts(df: pd.DataFrame, by: By, by_vantage: bool | None = None) -> list[tuple[str, Part]]:
    """Variant and rows of every endpoint × stratum."""
    if by == "arm" and ("arm" not in df.columns or df["arm"].isna().all()):
        raise PlanError("these rows have no arms; name them with `regionbench run --arm name=…`")
    found = []
    for stratum, rows in stratify(countable(df), runs_of(df), by_vantage=by_vantage):
        variant = _variant(rows, by, stratum)
        for (name, endpoint), part in rows.groupby([variant, rows["endpoint"].astype("string")]):
            found.append((str(name), Part(str(endpoint), stratum, part)))
    return found


def _variant(rows: pd.DataFrame, by: By, stratum: Stratum) -> pd.Series[str]:
    if by == "client":
        return pd.Series(stratum.client, rows.index)
    if by == "model":
        return pd.Series(stratum.model or "", rows.index)
    return rows[by].astype("string")


def _reject(
    df: pd.DataFrame, by: By, wanted: tuple[str, str], parts: Iterable[tuple[str, Part]]
) -> None:
    """Complain of variants that nobody asked for; one that could not be measured was asked for."""
    if wanted[0] == wanted[1]:
        raise PlanError(f"{by}: {wanted[0]!r} cannot be compared with itself; name two")
    known = sorted({name for name, _ in parts} | _asked(df, by))
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
            raise PlanError(f"{by}: no rows of {name!r}; {hint}")


def _asked(df: pd.DataFrame, by: By) -> set[str]:
    if by != "endpoint":
        return set()
    listed = {str(item.get("name")) for run in runs_of(df) for item in run.get("endpoints") or ()}
    return listed | set(dropped(runs_of(df)))


def _told_apart(ours: list[Part], theirs: list[Part]) -> set[str]:
    """The fields of a stratum that tell two variants apart: each has one value of its own."""

    def values(parts: list[Part], field: str) -> set[object]:
        return {getattr(part.stratum, field) for part in parts}

    both = {field: (values(ours, field), values(theirs, field)) for field in _WORK}
    return {f for f, (x, y) in both.items() if len(x) == 1 and len(y) == 1 and x != y}


def _keyed(parts: list[Part], aside: Set[str]) -> Parts:
    """By endpoint and stratum, but for what tells the variants apart."""

    def key(part: Part) -> tuple[object, ...]:
        endpoint = None if "endpoint" in aside else part.endpoint
        return endpoint, *(getattr(part.stratum, f) for f in _FIELDS if f not in aside)

    return {key(part): part for part in parts}


def _paired(
    ours: Parts, theirs: Parts, unfit: Mapping[str, str], same_rounds: bool = True
) -> list[Pairing]:
    pair = _two_sided if same_rounds else _apart
    found = [pair(ours[key], part) for key, part in theirs.items() if key in ours]
    found += [_one_sided(p, unfit, is_b=False) for k, p in ours.items() if k not in theirs]
    found += [_one_sided(p, unfit, is_b=True) for k, p in theirs.items() if k not in ours]
    return sorted(found, key=lambda one: (order(one.stratum), one.endpoint))


def _one_sided(part: Part, unfit: Mapping[str, str], is_b: bool) -> Pairing:
    side = _side(part, _rounds(part))
    a, b = (None, side) if is_b else (side, None)
    why = unfit.get(part.endpoint, "")
    return Pairing(part.endpoint, part.stratum, a, b, together=False, why=why)


def _two_sided(a: Part, b: Part) -> Pairing:
    """In the rounds that both have; where they share none, in all of them, and not together."""
    common = _rounds(a).intersection(_rounds(b))
    if not len(common):
        return _apart(a, b)
    sides = _side(a, common), _side(b, common)
    apart = len(a.rows) + len(b.rows) - sides[0].n - sides[1].n
    return Pairing(b.endpoint, b.stratum, *sides, together=True, apart=apart)


def _apart(a: Part, b: Part) -> Pairing:
    sides = _side(a, _rounds(a)), _side(b, _rounds(b))
    return Pairing(b.endpoint, b.stratum, *sides, together=False)


def _rounds(part: Part) -> pd.MultiIndex:
    """The rounds of a part in order; requests of one round were sent at the same time."""
    return _round_of(part).unique().sort_values()


def _round_of(part: Part) -> pd.MultiIndex:
    run = part.rows["run_id"].astype("string").fillna("").astype(object)
    return pd.MultiIndex.from_arrays([run, part.rows["round"].fillna(-1).astype("int64")])


def _side(part: Part, rounds: pd.MultiIndex) -> Side:
    """The requests of ``rounds`` and the block that each is in."""
    place = rounds.get_indexer(_round_of(part))
    values = latency_ms(part.rows, part.stratum.metric)
    return Side(values[place >= 0], _blocks(rounds)[place[place >= 0]])


def _blocks(rounds: pd.MultiIndex) -> npt.NDArray[np.int64]:
    """The block of each round: `ROUNDS` after each other, none across two runs."""
    runs = pd.Series(rounds.get_level_values(0))
    number = runs.groupby(runs).cumcount() // ROUNDS
    return np.asarray(pd.factorize(pd.MultiIndex.from_arrays([runs, number]))[0], dtype=np.int64)
