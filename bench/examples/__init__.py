"""Small runs to explore without measuring: recorded on a local fleet, shipped with the package.

`load_example` gives them as a tidy frame, like any run. The regions are simulated; the requests,
their times and their failures happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.frame import tidy
from bench.store.archive import Packed, read_archive

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Example:
    """What was recorded, and where it lies: the runs of ``file`` that carry ``tag``, or none."""

    about: str
    file: str
    tag: str = ""

    def holds(self, packed: Packed) -> bool:
        """Whether a run of the file belongs to it."""
        return packed.tags == ((self.tag,) if self.tag else ())


EXAMPLES: Mapping[str, Example] = {
    "regions": Example(
        "one good day: global and three regions, streamed chat, warm and cold", "regions"
    ),
    "spillover": Example(
        "rush hour: global and three regions, answers in one piece, which shows the routing",
        "spillover",
    ),
    "history": Example(
        "eleven runs of global and us-east-1; in the last of them us-east-1 is slower", "history"
    ),
    "places": Example("one day of four endpoints, from three places", "places"),
    "confirmation": Example(
        "the fresh run that the last of history called for", "history", "confirmation"
    ),
}
"""Name → what it is. ``python -m tests.record_examples`` records them again."""


def load_example(name: str = "regions") -> pd.DataFrame:
    """A small recorded run as a tidy frame: the columns of `bench.load`, one row per request.

    The names are those of `EXAMPLES`: regions, spillover, history, places, confirmation. Needs no
    network and no key. Times in columns ending in ``_ns`` are nanoseconds, ``started_at`` is UTC,
    ``endpoint`` is an ordered category with global first; `bench.model.Reply` says where each time
    begins. ``df.attrs["example"]`` says what was recorded, and that its regions are simulated.
    Raises UsageError for a name that there is not, with those that there are.
    """
    example = EXAMPLES.get(name)
    if example is None:
        raise UsageError(f"there is no example {name!r}; there are {', '.join(EXAMPLES)}")
    with as_file(files(__name__).joinpath(f"{example.file}.parquet")) as file:
        packed = [one for one in read_archive(file) if example.holds(one)]
    df = tidy((row for one in packed for row in one.rows), [one.run for one in packed])
    df.attrs["example"] = f"{name}: {example.about}; recorded on a local fleet (simulated)"
    return df
