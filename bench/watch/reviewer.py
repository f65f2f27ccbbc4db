"""Has each finished run folder reviewed, by a process that is waited for by nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.core import anywhere
from bench.shield import without_secrets
from bench.watch.finding import Finding, read_finding


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review that is over. ``finding`` is None when it failed, and ``error`` says how."""

    run_id: str
    finding: Finding | None
    error: str = ""


class Reviewer:
    """At most one review at a time: the next run folder ends one that is not over by then."""

    def __init__(self, results: Path, keep_s: float | None) -> None:
        self._results = results
        self._keep_s = keep_s
        self._suspect: str | None = None
        self._run_id = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def busy(self) -> bool:
        """Whether a review is under way, or over and not yet told."""
        return self._process is not None

    def begin(self, run_id: str) -> Iterator[Reviewed]:
        """Review a run folder; what became of the review before is given first."""
        yield from self.over()
        if self._process is not None:
            self.close()
            yield Reviewed(self._run_id, None, "its review was not over when the next one began")
        self._run_id = run_id
        command = self._command(run_id)
        with anywhere():
            self._process = subprocess.Popen(  # noqa: S603 — our own module, no shell
                command,
                stdin=subprocess.PIPE,  # it ends with it, and so with the watch however that ends
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=without_secrets(os.environ),
                start_new_session=True,  # the terminal's Ctrl-C is for the watch
            )

    def over(self) -> Iterator[Reviewed]:
        """The review, once it is over."""
        process = self._process
        if process is None or process.poll() is None:
            return
        out, err = process.communicate()
        self._process = None
        finding = read_finding(out) if process.returncode == 0 else None
        self._suspect = finding.run_id if finding and finding.suspect else None
        last = (err.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        yield Reviewed(self._run_id, finding, "" if finding else last)

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _command(self, run_id: str) -> list[str]:
        before = [] if self._suspect is None else ["--before", self._suspect]
        keep = [] if self._keep_s is None else ["--keep", str(self._keep_s)]
        module = [sys.executable, "-m", "bench.watch.review", str(self._results), run_id]
        return [*module, *before, *keep]
