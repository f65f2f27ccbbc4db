"""One target under Hypothesis: inputs drawn from nothing, from the target's words, and from the
corpus with changes.

    python -m tests.fuzz.drawn NAME SECONDS FOLDER
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.promises import bounded
from tests.fuzz.table import corpus, find
from tests.fuzz.target import Target

Edit = tuple[int, int, bytes]
_AT_ONCE = 500


def inputs(target: Target, seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes for a target."""
    few = st.binary(max_size=6)
    piece = st.sampled_from(target.words) | few if target.words else few
    edits = st.lists(st.tuples(st.integers(0, target.max_bytes), st.integers(0, 9), piece))
    joined = st.lists(piece, max_size=24).map(b"".join)
    found = st.binary(max_size=200) | joined
    return found | st.builds(edited, st.sampled_from(seeds), edits) if seeds else found


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """With spans replaced: ``(where, how long, by what)``."""
    for at, length, piece in edits:
        start = at % (len(data) + 1)
        data = data[:start] + piece + data[start + length :]
    return data


def seeds_of(name: str) -> list[bytes]:
    """The committed corpus of a target, in a fixed order."""
    return [path.read_bytes() for path in sorted(corpus(name).iterdir())]


def main(name: str, seconds: int, folder: Path) -> None:
    """Until the time is over; an input that breaks the promise goes to FOLDER/NAME-crash."""
    target, count, until = find(name), itertools.count(), time.monotonic() + seconds
    last = b""

    def feed(data: bytes) -> None:
        nonlocal last
        last = data
        next(count)
        with bounded():
            target.check(data)

    draw = given(inputs(target, seeds_of(name)))(feed)
    bare = settings(
        max_examples=_AT_ONCE,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    try:
        for number in itertools.count():
            if time.monotonic() >= until:
                break
            seed(number)(bare(draw))()
    except BaseException:
        (folder / f"{name}-crash").write_bytes(last)
        raise
    finally:
        sys.stderr.write(f"stat::number_of_executed_units: {next(count)}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
