"""Every error that regionbench raises on purpose, and the exit code it ends a command with.

    RegionbenchError
    ├── UsageError          2  what was asked for is wrong: names what, where and the remedy
    │   ├── PlanError          a plan or an argument
    │   ├── CatalogueError     a catalogue file
    │   └── KeyMissing         no API key, or one that cannot be a key
    ├── NotEnoughData       3  the rows cannot answer the question
    ├── NothingMeasured     4  an endpoint that was asked for could not be measured at all
    ├── StoreError          2  a run folder cannot be written or read
    └── FleetError          2  the local fleet did not start

A request that fails is never an exception: it is a row.
"""

from __future__ import annotations

OK = 0
REGRESSED = 1
WRONG_USAGE = 2
UNDECIDED = 3
UNMEASURABLE = 4
INTERRUPTED = 130


class RegionbenchError(Exception):
    """Base of the tree; its text is one sentence for the person at the terminal."""

    exit_code = WRONG_USAGE


class UsageError(RegionbenchError):
    """What was asked for is wrong."""


class PlanError(UsageError):
    """A plan, from a file or from arguments, does not say something that can be run."""


class CatalogueError(UsageError):
    """A catalogue file is missing, malformed or names something twice."""


class KeyMissing(UsageError):
    """No API key was given, or what was given cannot be one. Never carries the key."""


class NotEnoughData(RegionbenchError):
    """The rows at hand cannot answer the question."""

    exit_code = UNDECIDED


class NothingMeasured(RegionbenchError):
    """An endpoint that was asked for could not be measured at all."""

    exit_code = UNMEASURABLE


class StoreError(RegionbenchError):
    """A run folder cannot be created, written or read."""


class FleetError(RegionbenchError):
    """The local fleet did not start, or stopped by itself."""
