"""Two pytest processes that take turns: while one times a round, the other waits."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.benchmarks.paths import PATHS

ROOT = Path(__file__).parents[2]
_TEST = ROOT / "tests" / "benchmarks" / "test_hotpaths.py"
# CPU time: what a machine does besides is not the product's
_TIMING = ("--benchmark-timer=time.process_time", "--benchmark-disable-gc", "--benchmark-quiet")


class Player:
    """One process over all hot paths. ``waiting`` is the path whose next round it is ready for,
    None when it is through."""

    def __init__(self, packages: Path, folder: Path, rounds: int, only: str = "") -> None:
        """``packages`` holds the `bench` that is timed; ``folder`` takes its JSON file; ``only``
        chooses paths as pytest's ``-k`` does."""
        self.json = folder / "benchmarks.json"
        self.waiting: str | None = None
        folder.mkdir(parents=True)
        ours, theirs = os.pipe(), os.pipe()
        self._turn, self._told = theirs[1], os.fdopen(ours[0])
        self._log = folder / "log.txt"
        ends = (theirs[0], ours[1])
        environment = _environment(packages, rounds, ends)
        with self._log.open("wb") as told:
            self._process = subprocess.Popen(
                _command(folder, only), cwd=folder, env=environment, pass_fds=ends,
                stdout=told, stderr=told,
            )  # fmt: skip
        os.close(theirs[0])
        os.close(ours[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._turn)
        self._told.close()
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()

    def listen(self) -> None:
        """Waits until it is ready for a round, or through."""
        self.waiting = self._told.readline().strip() or None

    def play(self) -> None:
        """Lets it time one round."""
        os.write(self._turn, b".")
        self._told.readline()

    def finish(self) -> None:
        """Waits for its end. RuntimeError, with the end of its log, when it has no result."""
        self._process.wait()
        if not self.json.exists():
            raise RuntimeError(f"no benchmark could be run:\n{self._log.read_text()[-2000:]}")


def _command(folder: Path, only: str) -> list[str]:
    config = folder / "pytest.ini"
    config.write_text("[pytest]\n", encoding="utf-8")
    return [
        *(sys.executable, "-P", "-m", "pytest", str(_TEST), "-q", "-k", only, "-c", str(config)),
        # Appending, lest the root's own `bench` come first
        *(f"--rootdir={ROOT}", "--import-mode=append", "--noconftest"),
        *("-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider", *_TIMING),
        *(f"--basetemp={folder / 'tmp'}", "--benchmark-json=benchmarks.json"),
    ]


def _environment(packages: Path, rounds: int, ends: tuple[int, int]) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": os.pathsep.join((str(packages), str(ROOT))),
        "PYTHONHASHSEED": "0",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the entry point is this revision's
        "HOTPATH_ROUNDS": str(rounds),
        "HOTPATH_TURNS": f"{ends[0]},{ends[1]}",
    }


def play(one: Player, other: Player, rng: random.Random) -> None:
    """Both to their ends: each round of a path by both, in an order drawn at random; a path that
    only one of them has, by that one alone."""
    for player in (one, other):
        player.listen()
    while one.waiting or other.waiting:
        ready = _next(one, other)
        rng.shuffle(ready)
        for player in ready:
            player.play()
        for player in ready:
            player.listen()
    for player in (one, other):
        player.finish()


def _next(one: Player, other: Player) -> list[Player]:
    order: Sequence[str | None] = [*PATHS, None]
    first = min(one.waiting, other.waiting, key=order.index)
    return [player for player in (one, other) if player.waiting == first]
