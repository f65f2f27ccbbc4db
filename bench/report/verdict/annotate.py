"""Verdicts as workflow commands: GitHub shows them on the run and beside the commit."""

from __future__ import annotations

from collections.abc import Iterator

from bench.stats import verdict_words as words
from bench.stats.verdict_words import Verdicts
from bench.words import clean

MOST = 10
"""Of each kind; GitHub shows no more of one step."""

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def render(verdicts: Verdicts) -> str:
    """Errors for what regressed, warnings for what is open and for cautions, else one notice."""
    kinds = {
        "error": list(_errors(verdicts)),
        "warning": list(_warnings(verdicts)),
    }
    if words.state(verdicts) == "ok":
        kinds["notice"] = [("No regression", words.sentence(verdicts))]
    lines = [command(kind, *said) for kind, found in kinds.items() for said in _few(found)]
    return "".join(f"{line}\n" for line in lines)


def command(kind: str, title: str, message: str) -> str:
    """One workflow command. Escaped as GitHub's toolkit does (packages/core/src/command.ts)."""
    return f"::{kind} title={clean(title).translate(_PROPERTY)}::{clean(message).translate(_DATA)}"


def _errors(verdicts: Verdicts) -> Iterator[tuple[str, str]]:
    for verdict in verdicts:
        for one in verdict.having("regressed"):
            said = f"{words.moved(one)} against {verdict.a}: {words.because(one)} ({one.stratum})"
            yield f"{words.short(one)} regressed", said


def _warnings(verdicts: Verdicts) -> Iterator[tuple[str, str]]:
    for reason, members in words.reasons(words.cells(verdicts)):
        names = ", ".join(words.short(one) for one in members[:MOST])
        more = f" and {len(members) - MOST} more" if len(members) > MOST else ""
        yield "Undecided", f"{reason or 'the reason is not known'} ({names}{more})"
    for caution in words.cautions(verdicts):
        yield "Caution", f"{caution.text} {caution.advice}".rstrip()


def _few(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(found) <= MOST:
        return found
    rest = len(found) - MOST + 1
    return [*found[: MOST - 1], (f"{rest} more", "The step summary and the JSON have them all.")]
