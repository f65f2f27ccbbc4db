"""What the interpreter does by itself, kept out of requests: collecting garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SWEEP_EVERY = 16


class Sweeper:
    """Collects garbage between two requests: some clients leave 10 to 30 kB of cycles with each.

    Nobody else may start meanwhile, and with many connections alive that would be milliseconds. The
    default client leaves no cycles: what a sweep looked at in vain is frozen, so that the next one
    looks only at what came since.
    """

    def __init__(self) -> None:
        self._left = _SWEEP_EVERY

    def ended(self) -> None:
        """A request is over. Workers that race lose a count, or sweep twice: no harm."""
        self._left -= 1
        if self._left <= 0:
            self._left = _SWEEP_EVERY
            if not gc.collect():
                gc.freeze()


@contextmanager
def quiet_memory() -> Iterator[None]:
    """No garbage collection within a request: a full one stalls 40 ms with pandas loaded.

    What a caller had frozen stays so: thawing it would undo what that was done for."""
    was_enabled, was_frozen = gc.isenabled(), gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()
        if was_enabled:
            gc.enable()
