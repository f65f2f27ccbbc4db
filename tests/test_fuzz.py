"""Every parser keeps its promise: for what once broke it, and for a hundred inputs drawn anew.

`python -m tests.fuzz` is the long form, guided by coverage.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import __main__ as command
from tests.fuzz.drawn import edited, inputs, seeds_of
from tests.fuzz.promises import Hang, bounded, sentence
from tests.fuzz.reduce import chosen
from tests.fuzz.table import TARGETS, corpus, find

_SLOW = {"frame": 10, "http2": 30, "wire": 30, "foreign": 40, "jsonl": 40, "runjson": 40}
"""Inputs of those that make a DataFrame, shake hands or write files for each."""


@pytest.mark.parametrize("name", TARGETS)
def test_what_once_broke_it_or_reaches_most(name: str) -> None:
    """The committed corpus; a file's name says what it is."""
    target, found = find(name), sorted(corpus(name).iterdir())
    assert found, "a parser without a single input"
    for path in found:
        with bounded():
            target.check(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_what_nobody_meant(name: str) -> None:
    """Drawn from nothing, from the parser's words, and from its corpus with changes."""
    target = find(name)

    @settings(
        max_examples=_SLOW.get(name, 100),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target, seeds_of(name)))
    def fed(data: bytes) -> None:
        with bounded():
            target.check(data)

    fed()


def test_the_corpus_is_small() -> None:
    """It is replayed every time."""
    sizes = [path.stat().st_size for name in TARGETS for path in corpus(name).iterdir()]
    assert sum(sizes) < 300_000
    assert {path.name for path in corpus("sse").parent.iterdir()} == set(TARGETS)


def test_what_takes_for_ever_is_a_hang() -> None:
    """Else nothing above would show that work is bounded."""

    def spin() -> None:
        while True:
            pass

    with pytest.raises(Hang, match="of the processor"), bounded(0.05):
        spin()


def test_an_event_that_comes_in_drips_costs_no_more() -> None:
    """Each piece is looked at once: four million bytes in pieces of forty."""
    from bench.clients.sse import SseParser

    parser = SseParser()
    with bounded():
        for _ in range(90_000):
            assert not list(parser.feed(b"x" * 40))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x is wrong; write y", "no place"),
        ("p is wrong", "no remedy"),
        ("p is wrong. Write y", "more than one"),
        ("p is wrong; write\ny", "for a terminal"),
        ("p; write " + "y" * 600, "characters"),
    ],
)
def test_a_sentence_is_judged(text: str, why: str) -> None:
    """Each way to be none is told; one that is one passes."""
    with pytest.raises(AssertionError, match=why):
        sentence(ValueError(text), "p")
    sentence(ValueError("p: 'A. B' is wrong; write y"), "p")


def test_a_change_replaces_a_span() -> None:
    """Where, how long, by what; in turn."""
    assert edited(b"abcd", [(1, 2, b"X")]) == b"aXd"
    assert edited(b"abcd", [(9, 0, b"X"), (0, 1, b"")]) == b"bcdX"


def test_the_command_tells_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inputs, time and corpus of each; without atheris too."""
    monkeypatch.setattr(command, "engine", lambda: "drawn")
    assert command.main(["options", "--json", "--minutes", "0.01"]) == 0
    document = json.loads(capsys.readouterr().out)
    row = document["table"][0]
    assert (row["parser"], row["broken"]) == ("options", 0)
    assert row["inputs"] > 0


def test_of_inputs_that_reach_the_same_the_smallest_is_kept() -> None:
    """And none where what is kept already reaches it."""
    target = find("sse")
    small, large = b"\0data: a\n\n", b"\0data: abc\n\n"
    assert chosen(target, [], [large, small]) == [small]
    assert chosen(target, [large], [small]) == []
