"""The run folder that is being filled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.model import Sample
from bench.probe import Stop
from bench.units import format_usd
from bench.watch.pace import Gap, Rhythm
from bench.wire.clock import Moment


@dataclass(slots=True)
class Shift:
    """What is known of it while it is; rows are on the disk."""

    began: Moment
    stop: Stop
    rounds: int = 0
    failed: int = 0
    usd: float = 0.0
    gaps: list[Gap] = field(default_factory=list)

    def see(self, sample: Sample) -> None:
        """Count a row."""
        self.failed += sample.outcome not in ("ok", "cancelled")
        self.usd += sample.cost_usd or 0.0

    def about(self, rhythm: Rhythm) -> dict[str, Any]:
        """What run.json says of it that other runs do not have."""
        gaps = [gap.to_dict() for gap in self.gaps]
        return {"every_s": rhythm.every_s, "rounds": self.rounds, "gaps": gaps}

    def judge_size(self, rhythm: Rhythm) -> None:
        """Half a folder is no fair sample for history to hold others to."""
        if 2 * self.rounds < rhythm.rounds:
            self.stop.after_these(f"it has {self.rounds} of about {rhythm.rounds} rounds")

    @property
    def words(self) -> str:
        """``60 rounds, 2 failed, 1 gap, $0.0123``."""
        parts = [f"{self.rounds} rounds", f"{self.failed} failed"]
        if self.gaps:
            parts.append(f"{len(self.gaps)} gap{'s' if len(self.gaps) > 1 else ''}")
        return ", ".join(parts + ([format_usd(self.usd)] if self.usd else []))
