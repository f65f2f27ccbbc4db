"""What several targets promise: a sentence for a person, a row that can be stored, an end."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bench.model import COLUMNS, OUTCOMES, PHASES, Caution, Reply, Sample
from bench.store import lines

MOST_CHARACTERS = 500
"""Of a message, its path aside."""

CPU_SECONDS = 10
"""What one input may cost. Of the processor, so that a busy machine hangs nothing."""

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
_SECOND = re.compile(r"[.!?]\s+[A-Z]")
_REMEDY = re.compile(
    r"\b(add|check|choose|correct|did you mean|exchange|export|give|known are|leave out|make|"
    r"measure|mend|must be|name|put|raise|remove|save|say|should be|start|take|the keys are|"
    r"there are|there is|upgrade|use|write)\b"
)


class Hang(BaseException):
    """An input that costs more than it may; nothing catches it by mistake."""


@contextmanager
def bounded(cpu_seconds: float = CPU_SECONDS) -> Iterator[None]:
    """Raises Hang in the midst of what takes longer, between two bytecodes: the engines have a time
    limit of their own for what hangs in C. The main thread's only."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang(f"more than {cpu_seconds} s of the processor")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def sentence(error: Exception, place: str | Path, *, remedy: bool = True) -> None:
    """One line, one sentence, short, that names the place and what to do."""
    text = str(error)
    assert str(place) in text, f"no place: {text!r}"
    rest = text.replace(str(place), "PLACE")
    assert len(rest) <= MOST_CHARACTERS, f"{len(rest)} characters: {text!r}"
    assert text.isprintable(), f"not for a terminal: {text!r}"
    plain = _QUOTED.sub("", rest)
    assert not _SECOND.search(plain), f"more than one sentence: {text!r}"
    assert not remedy or _REMEDY.search(plain.lower()), f"no remedy: {text!r}"


def told(cautions: tuple[Caution, ...], place: str | Path) -> None:
    """Each is a short line that names the place, with an advice that is one too."""
    for caution in cautions:
        for text in (caution.text, caution.advice):
            rest = text.replace(str(place), "PLACE")
            assert len(rest) <= 2 * MOST_CHARACTERS, f"{len(rest)} characters: {text!r}"
            assert text.isprintable(), f"not for a terminal: {text!r}"


def storable(reply: Reply) -> None:
    """Exactly one outcome, a phase that there is, and a row that reads back as it was written."""
    assert reply.outcome in OUTCOMES, reply.outcome
    assert reply.failed_phase is None or reply.failed_phase in PHASES, reply.failed_phase
    assert (reply.outcome == "ok") == (reply.error is None), (reply.outcome, reply.error)
    assert reply.error is None or (len(reply.error) <= 240 and reply.error.isprintable())
    sample = _sample(reply)
    decoded = lines.decode(lines.encode(1, sample))
    assert decoded is not None
    assert decoded[1] == {name: getattr(sample, name) for name in COLUMNS}


def _sample(reply: Reply) -> Sample:
    said = {name: getattr(reply, name) for name in Reply.__dataclass_fields__}
    return Sample(
        run_id="r",
        seq=0,
        round=0,
        endpoint="e",
        region=None,
        kind="chat",
        streamed=True,
        client="httpx",
        connection="warm",
        warmup=False,
        vantage="here",
        started_at="2026-01-01T00:00:00.000000+00:00",
        due_ns=None,
        late_ns=None,
        request_sha256="0" * 64,
        **said,
    )
