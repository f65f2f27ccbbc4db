"""A run in whose every request the system's clock is set: a process of its own, see `stepped.c`.

    python -m tests.stepping CATALOGUE RESULTS STEPS ROUNDS STEP_MS…

One request after the other, the clock set in the midst of each, by the next of the steps; a step
written ``60000+back`` is taken back while the answer comes. Prints ``{seq: [step, took_ns]}``.
"""

from __future__ import annotations

import itertools
import json
import mmap
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.catalogue import load_catalogue
from bench.clients.xai_sdk import XaiSdkClient
from bench.model import Sample
from bench.plan import make_plan
from bench.prepare import Where, prepare
from bench.session import execute
from bench.wire.transport import Wire

CLIENTS = ("httpx", "openai", "xai-sdk")
"""Those whose clocks are this process's; curl and Node have their own."""

AFTER_S, BACK_S = 0.04, 0.07


class Steps:
    """Sets the clock; as it is for nobody but this process, it is set back between two requests."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), 32)
        self._true_ns = time.time_ns() - time.monotonic_ns()

    def set_in(self, seconds: float, step: str) -> None:
        """In so many seconds."""
        by_ns = round(float(step.removesuffix("+back")) * 1e6)
        at_ns = time.monotonic_ns() + self._true_ns + round(seconds * 1e9)
        back_ns = at_ns + round(BACK_S * 1e9) if step.endswith("+back") else 0
        self._shared[:] = struct.pack("=qqqq", at_ns, by_ns, back_ns, -by_ns)

    def clear(self) -> None:
        """As if nothing had been."""
        self._shared[:] = bytes(32)


def main(catalogue: str, results: str, file: str, rounds: str, *planned: str) -> None:
    """The command above."""
    steps, found = Steps(Path(file)), dict[int, tuple[str, int]]()
    coming = itertools.cycle(planned)
    began_ns, step = 0, ""

    def begin() -> None:
        nonlocal began_ns, step
        step, began_ns = next(coming), time.monotonic_ns()
        steps.set_in(AFTER_S, step)

    def see(sample: Sample) -> None:
        found[sample.seq] = (step, time.monotonic_ns() - began_ns)
        steps.clear()

    plan = make_plan(
        catalogue=catalogue,
        endpoints=("slow",),
        clients=CLIENTS,
        connections=("warm", "cold"),
        rounds=int(rounds),
    )
    where = Where(results=Path(results), vantage="here")
    prepared = prepare(plan, load_catalogue(catalogue), where)
    before(Wire, "begin", begin)
    before(XaiSdkClient, "send", begin)
    execute(prepared, where, watch=see)
    sys.stdout.write(json.dumps(found))


def before(owner: type, name: str, do: Callable[[], None]) -> None:
    """Do something when a method is called."""
    method = getattr(owner, name)

    def call(*given: Any) -> Any:
        do()
        return method(*given)

    setattr(owner, name, call)


if __name__ == "__main__":
    main(*sys.argv[1:])
