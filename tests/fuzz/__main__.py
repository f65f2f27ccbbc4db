"""Parsers fed with what nobody meant, each for some minutes, and what came of it.

    python -m tests.fuzz [NAME ...] [--minutes N] [--keep FOLDER] [--json] [--quick]

One after the other, each in a process of its own; the exit code is 1 when a promise was broken.
What breaks one is in FOLDER, beside every input that reached something new: a second call goes on
from there. Without --keep the folder goes when it is over, unless something was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import figures
from tests.benchmarks.figures import Figure, Result
from tests.fuzz.table import TARGETS, corpus

_QUICK_S = 5


def engine() -> str:
    """Guided by coverage where that is installed."""
    return "guided" if importlib.util.find_spec("atheris") else "drawn"


def fuzz(name: str, seconds: int, folder: Path) -> dict[str, Any]:
    """One target in a process of its own: what it did, as a row of the table."""
    command = [sys.executable, "-m", f"tests.fuzz.{engine()}", name, str(seconds), str(folder)]
    log, began = folder / f"{name}.log", time.monotonic()
    with log.open("w") as file:
        child = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()  # Ctrl-C ends both
            raise
        child.returncode = os.waitstatus_to_exitcode(status)
    said = log.read_text(errors="replace")
    return {
        "parser": name,
        "engine": engine(),
        "wall s": round(time.monotonic() - began),
        "cpu s": round(used.ru_utime + used.ru_stime),
        "inputs": int(_last(r"stat::number_of_executed_units:\s*(\d+)", said) or 0),
        "coverage": int(_last(r"cov: (\d+)", said) or 0),
        "corpus": sum(1 for _ in corpus(name).iterdir()),
        "corpus found": sum(1 for _ in (folder / name).glob("*")),
        "peak MB": used.ru_maxrss // 1024,
        "broken": 0 if child.returncode == 0 else 1,
    }


def _last(pattern: str, text: str) -> str | None:
    found = re.findall(pattern, text)
    return found[-1] if found else None


def measure(options: argparse.Namespace) -> Result:
    """Every target that was named, or all."""
    seconds = _QUICK_S if options.quick else round(60 * options.minutes)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="regionbench-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows = [fuzz(name, seconds, folder) for name in options.names or TARGETS]
    broken = [row["parser"] for row in rows if row["broken"]]
    notes = [f"{name}: see {folder / name}.log and {folder / name}-*" for name in broken]
    return Result([Figure("parsers that broke a promise", len(broken), "", goal=0)], rows, notes)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=1.0, help="for each (1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="of what was found")


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    return figures.run(__doc__ or "", measure, _options, arguments)


if __name__ == "__main__":
    sys.exit(main())
