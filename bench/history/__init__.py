"""Stored runs as a history: batches in the order of time, at a glance, and which may go."""

from bench.history.batch import StoredBatch, batches, find
from bench.history.glance import Glance, glance
from bench.history.pruning import BASELINE, Pruning, pruning

__all__ = [
    "BASELINE",
    "Glance",
    "Pruning",
    "StoredBatch",
    "batches",
    "find",
    "glance",
    "pruning",
]
