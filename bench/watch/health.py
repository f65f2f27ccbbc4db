"""Which endpoints stopped answering, and which answer again: what changes is worth a line."""

from __future__ import annotations

from bench.model import Sample

SEVERAL = 3
"""One failure is no news."""


class Health:
    """How many failures in a row each endpoint has had."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}

    def see(self, sample: Sample) -> str | None:
        """What is to be said of this row, if anything."""
        if sample.outcome in ("cancelled", "client_fault"):
            return None
        name, before = sample.endpoint, self._failures.get(sample.endpoint, 0)
        self._failures[name] = before + 1 if sample.outcome != "ok" else 0
        if sample.outcome == "ok":
            return f"{name} answers again, after {before} failures" if before >= SEVERAL else None
        if before + 1 != SEVERAL:
            return None
        error = f" ({sample.error})" if sample.error else ""
        return f"{name} does not answer: {SEVERAL} failures in a row, {sample.outcome}{error}"
