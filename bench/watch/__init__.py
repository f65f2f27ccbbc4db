"""Continuous mode: rounds on a schedule for days, run folders that rotate, metrics to scrape.

A finished run folder is a run like any other: `bench.load`, the report and the gate read it.
"""

from bench.watch.kit import write_kit
from bench.watch.orders import Ended, Orders, Voice
from bench.watch.pace import Gap, Pace, Rhythm
from bench.watch.preparing import prepare_watch
from bench.watch.serving import Address, parse_address
from bench.watch.watching import Watch

__all__ = [
    "Address",
    "Ended",
    "Gap",
    "Orders",
    "Pace",
    "Rhythm",
    "Voice",
    "Watch",
    "parse_address",
    "prepare_watch",
    "write_kit",
]
