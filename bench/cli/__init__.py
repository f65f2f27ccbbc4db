"""The door: the command's table of contents. Each command is a file, loaded when it is asked for.

Help and version come from the table itself, so that they cost little more than starting Python.
"""

from __future__ import annotations

import sys

COMMANDS = {
    "demo": "See it work: a local fleet, a few hundred requests, a report. Needs no key",
    "run": "Measure identical requests against the global and every regional endpoint",
    "choose": "Which endpoint to use from here: asks until it knows, and stops",
    "routing": "Where the global endpoint sends requests: shares per region",
    "compare": "Is B slower than A? Endpoints, clients, models, arms, or two stored runs",
    "gate": "Did it get slower? A run against its history and objectives, for CI",
    "calibrate": "How often the gate would be wrong on your rows, and what it would find",
    "history": "Stored runs: list, tag, prune, export, import",
    "report": "Turn a stored run into report.html and report.md",
    "plot": "Draw one picture of a stored run",
    "watch": "Keep measuring: rounds for days, a run folder an hour, metrics for Prometheus",
    "vantages": "Many places at once: who would measure in a Dask cluster, its TLS files, recipes",
    "endpoints": "List the endpoints of a catalogue; --check asks each of them",
    "init": "Write a commented plan to start from",
    "doctor": "Measure how true the times are that this host measures",
    "simulate": "Run the local fleet in the foreground, for your own clients",
}
"""Command → one line. The command ``x`` is the click command ``x`` in ``bench.cli.x``."""

_USAGE = """\
regionbench measures the latency of the xAI API: which endpoint to use from here,
where the global endpoint sends requests, and whether it got slower.

Usage: regionbench COMMAND [OPTIONS]

Commands:
{commands}

Start with `regionbench demo`. With a key: XAI_API_KEY=... regionbench run
`regionbench COMMAND --help` tells more. Exit codes: 0 ok, 1 regressed, 2 wrong usage,
3 undecided or not enough data, 4 an endpoint could not be measured, 130 interrupted.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage(), end="")
        return 0
    if words[0] in ("-V", "--version"):
        return _version()
    if words[0] not in COMMANDS:
        return _unknown(words[0])
    from bench.cli.shell import call

    return call(words[0], words[1:])


def _usage() -> str:
    lines = [f"  {name:<10} {line}" for name, line in COMMANDS.items()]
    return _USAGE.format(commands="\n".join(lines))


def _version() -> int:
    from importlib.metadata import version

    print(f"regionbench {version('regionbench')}")
    return 0


def _unknown(word: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, 1)
    hint = f"did you mean `regionbench {near[0]}`?" if near else "see `regionbench --help`"
    print(f"regionbench: there is no command {word!r}; {hint}", file=sys.stderr)
    return 2
