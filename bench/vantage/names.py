"""What vantages are called: from each worker's own words, safe to store and unique. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.vantage.speech import Hello

NAME_VARIABLE = "REGIONBENCH_VANTAGE"
LABELS_VARIABLE = "REGIONBENCH_LABELS"
PLACE_VARIABLE = "REGIONBENCH_PLACE"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 64
_LABELS = 32


def vantage_names(hellos: Sequence[Hello], worker_names: Sequence[str]) -> tuple[str, ...]:
    """A name for each: what its environment says, else its worker's name, else its host's.

    Names that two would have are numbered: ``paris``, ``paris-2``.
    """
    taken: list[str] = []
    for hello, worker in zip(hellos, worker_names, strict=True):
        base = _safe(hello.name or _worker_name(worker) or hello.host)
        taken.append(_unused(base, taken))
    return tuple(taken)


def _worker_name(text: str) -> str | None:
    """A name that somebody gave: Dask's own are addresses, and numbers in a LocalCluster."""
    if "://" in text:
        return None
    return f"worker-{text}" if text.isdigit() else text


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text).strip("-.")[:_LONGEST] or "vantage"


def _unused(base: str, taken: Sequence[str]) -> str:
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def read_labels(text: str | None) -> dict[str, str]:
    """``cloud=aws, net=fibre`` as labels; a word without ``=`` is a label with nothing to say."""
    pairs = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    return {_plain(name): _plain(value) for name, _, value in pairs[:_LABELS]}


def read_place(text: str | None) -> str | None:
    """Where it stands, in words of whoever set it up."""
    return _plain(text or "") or None


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:100]
