"""What is wrong with the row that a fault left behind. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.model import Reply, Sample
from tests.faults.case import Case

HANG_S = 5.0
"""How much later than its deadline a request may end on a busy machine before it hung."""

_PHASES = ("dns_ns", "tcp_ns", "tls_ns", "send_ns", "ttfb_ns")
_FIRST = {"dns": 0, "tcp": 1, "tls": 2, "send": 3, "ttfb": 4, "body": 5, None: 5}
_ANSWER = ("first_event_ns", "first_reasoning_ns", "ttft_ns", "last_token_ns")
_LAYERS = ("ttfb_app_ns", "ttfb_socket_ns", "ttfb_kernel_ns")


@dataclass(frozen=True)
class Seen:
    """What became of one case: its rows, how long the request took, and the server's side."""

    rows: tuple[Sample, ...]
    took_s: float
    heard: int
    reached: bool


def outcome_problems(case: Case, client: str, seen: Seen) -> Iterator[str]:
    """One row, the right words, sent once."""
    if len(seen.rows) != 1:
        yield f"{len(seen.rows)} rows"
        return
    row = seen.rows[0]
    allowed = [(case.outcome, case.phase)]
    allowed += [case.blind[client]] if client in case.blind else []
    if (row.outcome, row.failed_phase) not in allowed:
        yield (
            f"{row.outcome} in {row.failed_phase}, not {case.outcome} in {case.phase}: {row.error}"
        )
    elif row.outcome == case.outcome:
        for name, value in case.says.items():
            if getattr(row, name) != value:
                yield f"{name} is {getattr(row, name)!r}, not {value!r}"
    if seen.heard != int(not case.opening and not case.unsent):
        yield f"sent {seen.heard} times"


def latency_problems(case: Case, seen: Seen) -> Iterator[str]:
    """A time stands only for what was over; what was over has its times, in order."""
    for row in seen.rows:
        yield from _not_over(case, row)
        yield from _absurd(row, seen.took_s)
        if row.outcome == "ok":
            yield from _disordered(row)


def _not_over(case: Case, row: Reply) -> Iterator[str]:
    first = _FIRST[row.failed_phase]
    late = (*_PHASES[first:], *(() if first > 4 else (*_ANSWER, *_LAYERS)))
    for name in late:
        if getattr(row, name) is not None:
            yield f"{name} of a request that failed in {row.failed_phase}"
    if row.total_ns is not None and row.outcome != "ok" and not case.whole:
        yield "total_ns of what never ended"


def _absurd(row: Reply, took_s: float) -> Iterator[str]:
    for name in (*_PHASES, *_ANSWER, *_LAYERS, "total_ns"):
        value = getattr(row, name)
        if value is not None and not 0 <= value <= took_s * 1e9:
            yield f"{name} is {value}, the request took {took_s:.3f} s"


def _disordered(row: Reply) -> Iterator[str]:
    if row.total_ns is None:
        yield "no total_ns of an answer that is ok"
        return
    steps = [row.ttfb_ns, row.ttft_ns, row.last_token_ns, row.total_ns]
    known = [ns for ns in steps if ns is not None]
    if known != sorted(known):
        yield f"times out of order: {known}"
    if row.reused and (row.tcp_ns is not None or row.tls_ns is not None):
        yield "a kept connection that was opened"
