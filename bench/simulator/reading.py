"""Profiles from TOML into frozen dataclasses, with errors that name the key and the remedy."""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from bench.errors import FleetError
from bench.simulator.names import FOLDER, PROFILES
from bench.simulator.profile import Profile
from bench.words import brief, quoted
from bench.words import key as word

T = TypeVar("T")


def find(name: str | Path) -> Path:
    """The file of a profile: one of `PROFILES`, or a path to a TOML file.

    Raises FleetError naming what was asked for and what there is.
    """
    if str(name) in PROFILES:
        return FOLDER / f"{name}.toml"
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        shipped = ", ".join(PROFILES)
        raise FleetError(f"there is no profile {str(name)!r}; take one of {shipped}, or a .toml")
    return path.resolve()


def load(name: str | Path) -> Profile:
    """The profile called ``name`` (see `find`). Raises FleetError naming the key and the remedy."""
    path = find(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return build(Profile, _with_defaults(table), "")
    except FleetError as error:
        raise FleetError(f"profile {path.name}: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FleetError(
            f"profile {path.name}: not valid TOML: {brief(error)}; correct it there"
        ) from None
    except OSError as error:
        raise FleetError(
            f"profile {path.name}: {error.strerror}; name a file that can be read"
        ) from None


def _with_defaults(table: dict[str, Any]) -> dict[str, Any]:
    """``[defaults]`` holds what all regions share; a region's own tables are merged over it."""
    defaults = table.pop("defaults", {})
    if not isinstance(defaults, dict):
        raise FleetError("defaults must be a table of region settings; write it as [defaults]")
    regions = table.get("regions", [])
    if isinstance(regions, list):
        table["regions"] = [_merge(defaults, r) if isinstance(r, dict) else r for r in regions]
    return table


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def build(kind: type[T], table: object, where: str) -> T:
    """An instance of the dataclass ``kind`` from a parsed TOML ``table``.

    Nested dataclasses are tables, tuples of them arrays of tables. Raises FleetError naming the
    full key (``regions[1].service.sigma``), what is wrong with it, and what to write instead.
    """
    if not isinstance(table, Mapping):
        raise FleetError(f"{where} must be a table, not {quoted(table)}; write it as [{where}]")
    hints = get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a dataclass: its callers give no other
    for key in table:
        if key not in known:
            raise FleetError(f"{_join(where, key)} is not a setting; {_remedy(key, list(known))}")
    values = {}
    for name, spec in known.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], _join(where, name))
        elif _required(spec):
            raise FleetError(f"{_join(where, name)} is missing; add it to the profile")
    try:
        return kind(**values)
    except ValueError as error:
        raise FleetError(f"{where or 'the profile'}: {error}") from None


def _required(spec: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return spec.default is missing and spec.default_factory is missing


def _join(where: str, key: str) -> str:
    return f"{where}.{word(key)}" if where else word(key)


def _remedy(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _convert(hint: Any, value: object, where: str) -> object:
    origin = get_origin(hint)
    if origin is tuple:
        return _sequence(get_args(hint)[0], value, where)
    if origin in (types.UnionType, Union):
        return _convert(next(a for a in get_args(hint) if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]  # a dataclass: its callers give no other
    return _scalar(hint, value, where)


def _sequence(item: Any, value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise FleetError(f"{where} must be a list, not {quoted(value)}; put it in [ ]")
    return tuple(_convert(item, each, f"{where}[{n}]") for n, each in enumerate(value))


def _scalar(kind: type, value: object, where: str) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _float(value, where)
    if type(value) is not kind:
        words = {float: "a number", int: "a whole number", str: "a text in quotes"}
        raise FleetError(f"{where} must be {words[kind]}, not {quoted(value)}")
    return value


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise FleetError(f"{where} must be a number that is not beyond all bounds") from None
