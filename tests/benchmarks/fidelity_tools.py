"""The contestants that are programs: each makes a block of requests and reports every one.

The first request of a block opens the connection and is left out. wrk reports no single requests
but a histogram: its quantiles are set against the quantiles of the same requests' true delays.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.fidelity_contestants import url
from tests.lab.lab import Lab

_WRK_SCRIPT = """
done = function(summary, latency, requests)
  for i = 1, #latency do
    local value, count = latency(i)
    io.write(string.format("LAT %d %d\\n", value, count))
  end
end
"""
_CURL_TIMES = "%{time_pretransfer} %{time_starttransfer}\\n"
_TIMEOUT_S = 60

Biases = tuple[list[int], list[int]]
"""Measured less true, in ns: by the kernel's stamps at the server, and by its program's own."""


@dataclass(frozen=True)
class Block:
    """What a program is asked for: so many requests of one delay, so many in flight."""

    name: str
    delay_ms: float
    count: int
    in_flight: int = 1


def curl(lab: Lab, block: Block, folder: Path) -> list[int]:
    """First byte less "about to transfer", of every request on one connection."""
    target = url(lab, block.name, block.delay_ms) + f"&n=[1-{block.count}]"
    said = _run(
        ["curl", "-s", "--cacert", str(lab.ca), "-o", "/dev/null", "-w", _CURL_TIMES, target]
    )
    pairs = [line.split() for line in said.splitlines()]
    return [round((float(first) - float(before)) * 1e9) for before, first in pairs]


def h2load(lab: Lab, block: Block, folder: Path) -> list[int]:
    """Its log has one line per request, in µs."""
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    counts = ["-n", str(block.count), "-c", str(block.in_flight), "-m", "1", "-t", "1"]
    target = url(lab, block.name, block.delay_ms)
    _run(["h2load", "--h1", *counts, f"--log-file={log}", target])
    return [int(line.split("\t")[2]) * 1000 for line in log.read_text().splitlines()]


def hey(lab: Lab, block: Block, folder: Path) -> list[int]:
    """Its CSV has the delay between request and answer, in steps of 0.1 ms."""
    target = url(lab, block.name, block.delay_ms)
    counts = ["-n", str(block.count), "-c", str(block.in_flight)]
    said = _run(["hey", *counts, "-o", "csv", target])
    rows = list(csv.DictReader(io.StringIO(said)))
    return [round(float(row["Response-delay"]) * 1e9) for row in rows]


def wrk(lab: Lab, block: Block, folder: Path) -> list[int]:
    """Its histogram, spelled out; it counts seconds, not requests."""
    script = folder / "wrk.lua"
    script.write_text(_WRK_SCRIPT)
    seconds = max(1, round(block.count * block.delay_ms / 1000 / block.in_flight))
    counts = ["-t", "1", "-c", str(block.in_flight), "-d", f"{seconds}s"]
    said = _run(["wrk", *counts, "-s", str(script), url(lab, block.name, block.delay_ms)])
    found: list[int] = []
    for line in said.splitlines():
        if line.startswith("LAT "):
            _, value, count = line.split()
            found += [int(value) * 1000] * int(count)
    return found


TOOLS = {"curl": curl, "wrk": wrk, "h2load": h2load, "hey": hey}


def installed() -> list[str]:
    """The programs that are there."""
    return [name for name in TOOLS if shutil.which(name)]


def tool_biases(tool: str, lab: Lab, block: Block, folder: Path) -> Biases:
    """Measured less true, of each request but the first of its connection."""
    measured = TOOLS[tool](lab, block, folder)
    truths = [t for t in lab.truths()[block.name] if t.sent and t.sent[0].tx_ns is not None]
    if tool != "wrk" and block.in_flight == 1:
        pairs = list(zip(measured, truths, strict=True))[1:]
        return [m - t.delay_ns for m, t in pairs], [m - t.user_delay_ns for m, t in pairs]
    # No pairs to be had: sorted against sorted, as far as both reach.
    ranked = sorted(measured)
    wire = stretched([t.delay_ns for t in truths], len(ranked))
    user = stretched([t.user_delay_ns for t in truths], len(ranked))
    return (
        [m - t for m, t in zip(ranked, wire, strict=True)],
        [m - t for m, t in zip(ranked, user, strict=True)],
    )


def stretched(values: list[int], count: int) -> list[int]:
    """``count`` evenly spaced order statistics."""
    ranked = sorted(values)
    return [ranked[min(i * len(ranked) // count, len(ranked) - 1)] for i in range(count)]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout
