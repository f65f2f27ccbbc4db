"""What a gate says where CI looks: golden files, one truth, inert text, each place's limits."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench.report.verdict as verdict_outputs
from bench.report.verdict import OUTPUTS
from bench.report.verdict.annotate import MOST, command
from bench.report.verdict.step_summary import BYTES
from bench.report.verdict.text import inert
from bench.stats import verdict_words as words
from bench.stats.verdict import Judged, Measure, State, Verdict
from tests.verdicts import BROKEN, EVIL, GONE, MIXED, OK, REGRESSED, STRATUM, SUSPECT, verdict

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "text": "gate.txt",
    "json": "gate.json",
    "step-summary": "gate.md",
    "annotations": "gate-annotations.txt",
    "junit": "gate.xml",
    "github-action-benchmark": "gate-benchmark.json",
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_golden(name: str) -> None:
    """The output is the reviewed one; REGIONBENCH_GOLDEN=1 rewrites the files."""
    found = OUTPUTS[name](MIXED)
    path = GOLDEN / FILES[name]
    if os.environ.get("REGIONBENCH_GOLDEN"):
        path.write_text(found, "utf-8")
    assert found == path.read_text("utf-8")


validators: Any = importlib.import_module("jsonschema_rs")  # comes with schemathesis, untyped
SCHEMA = json.loads((Path(verdict_outputs.__file__).parent / "schema.json").read_text("utf-8"))


_values = st.none() | st.floats(0, 1e6) | st.just(float("inf"))
_numbers = st.none() | st.floats(-99, 99) | st.sampled_from([float("inf"), float("-inf")])
_judged = st.builds(
    Judged,
    endpoint=st.sampled_from(["us-east-1", EVIL]),
    stratum=st.sampled_from([STRATUM, replace(STRATUM, model=EVIL)]),
    measure=st.sampled_from(get_args(Measure)),
    state=st.sampled_from(get_args(State)),
    baseline=_values,
    observed=_values,
    change=_numbers,
    low=_numbers,
    high=_numbers,
    p=st.none(),
    p_adjusted=st.none(),
    detectable=_numbers,
    n=st.integers(0, 10**6),
    n_baseline=st.integers(0, 99),
    confirmed=st.sampled_from([None, True, False]),
    reason=st.sampled_from(["", "no baseline yet: 3 of 10 past runs", EVIL]),
)
_verdicts = st.lists(
    st.builds(lambda judged: verdict(*judged), st.lists(_judged, max_size=14)), max_size=2
)


@given(_verdicts)
def test_whatever_was_judged_every_output_can_say_it(verdicts: list[Verdict]) -> None:
    """Never NaN, None or infinity, no control character, and the same sentence everywhere."""
    for name, render in OUTPUTS.items():
        text = render(verdicts)
        assert not re.search(r"\b(NaN|nan|None|inf|Infinity)\b", text), name
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]", text), name
        assert name == "json" or "\u2028" not in text, name
    document = json.loads(OUTPUTS["json"](verdicts))
    assert document["sentence"] == words.sentence(verdicts)
    assert validators.is_valid(SCHEMA, document)
    assert not validators.is_valid(SCHEMA, {**document, "passed": "yes"})
    json.loads(OUTPUTS["github-action-benchmark"](verdicts))


@given(_verdicts)
def test_text_fits_eighty_columns_and_ends_with_the_sentence(verdicts: list[Verdict]) -> None:
    """And no line of it is a command to a CI runner, whatever a server said."""
    text = OUTPUTS["text"](verdicts)
    assert max(map(len, text.splitlines())) <= 82
    squeezed = "".join(inert(words.sentence(verdicts)).split())
    assert "".join(text.split()).endswith(squeezed)
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text


@given(_verdicts)
def test_annotations_are_lines_of_commands_at_most_ten_of_a_kind(verdicts: list[Verdict]) -> None:
    """Each line is one command; text cannot begin another, nor add a property."""
    lines = OUTPUTS["annotations"](verdicts).splitlines()
    kinds = [re.fullmatch(r"::(error|warning|notice) title=[^:,]*::.*", line) for line in lines]
    assert all(kinds)
    for kind in ("error", "warning", "notice"):
        assert sum(found is not None and found[1] == kind for found in kinds) <= MOST


def test_a_command_escapes_as_the_toolkit_does() -> None:
    """Percent first; colons and commas in properties only."""
    assert command("error", "a:b,c%", "d:e,f%\n::g") == "::error title=a%3Ab%2Cc%25::d:e,f%25 ::g"


def test_an_open_cell_is_a_warning_once_a_reason() -> None:
    """Twelve cells without a baseline are one annotation, not twelve."""
    reason = "no baseline yet: 3 of 10 past runs"
    cells = [replace(OK, state="inconclusive", reason=reason, endpoint=f"e{i}") for i in range(12)]
    lines = OUTPUTS["annotations"]([verdict(*cells)]).splitlines()
    assert len(lines) == 1
    assert words.sentence([verdict(*cells)]) == f"Undecided: {reason}."


_SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"classname", "time"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"message", "type"}, set()),
    "error": (set(), {"message", "type"}, set()),
    "skipped": (set(), {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
}
"""Element → attributes it must have, those it may have, children (after Jenkins' junit-10.xsd)."""


def _keeps_schema(element: Element) -> None:
    must, may, children = _SCHEMA[element.tag]
    assert must <= set(element.keys()) <= must | may
    assert {child.tag for child in element} <= children
    assert re.fullmatch(r"\d*(\.\d{0,3})?", element.get("time", "0"))
    for child in element:
        _keeps_schema(child)


@given(_verdicts)
def test_junit_is_well_formed_and_keeps_the_schema_that_ci_systems_read(
    verdicts: list[Verdict],
) -> None:
    """Counts agree with what is there; a case a cell."""
    root = fromstring(OUTPUTS["junit"](verdicts))  # noqa: S314 — written a line above
    _keeps_schema(root)
    assert len(root.findall(".//testcase")) == sum(len(v.judged) for v in verdicts)
    for suite in root:
        for kind in ("failure", "error"):
            assert int(suite.get(f"{kind}s", "")) == len(suite.findall(f"testcase/{kind}"))
        assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))


def test_junit_tells_failed_from_open_from_absent() -> None:
    """Inconclusive is skipped, no samples is an error; the reason is in attribute and body."""
    root = fromstring(OUTPUTS["junit"](MIXED))  # noqa: S314 — written a line above
    found = {
        case.get("name", "").split(" (")[0]: [child.tag for child in case]
        for case in root[0].findall("testcase")
    }
    assert found["us-east-1 p50"] == ["system-out"]
    assert found["eu-west-1 p50"] == ["failure"]
    assert found["us-west-2 p90"] == ["skipped"]
    assert found["eu-west-2 p50"] == ["error"]
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.get("message", "?") in failure.text


def _many(count: int) -> Sequence[Verdict]:
    cells = [replace(OK, endpoint=f"endpoint-{i:04}") for i in range(count)]
    return [verdict(*cells, replace(REGRESSED, endpoint="bad"))]


@pytest.mark.parametrize("count", [1, 12, 200, 2000])
def test_a_step_summary_shows_the_verdict_first_and_stays_small(count: int) -> None:
    """Ten rows in sight, the worst first, the rest folded, all within 64 KB."""
    text = OUTPUTS["step-summary"](_many(count))
    assert text.startswith("## ❌ Regressed: bad p50")
    assert len(text.encode()) <= BYTES
    in_sight, _, folded = text.partition("<details>")
    rows = [line for line in in_sight.splitlines() if line.startswith("|")]
    assert len(rows) - 2 == min(10, count + 1)
    assert rows[2].startswith("| bad p50")
    assert ("</details>" in folded) == (count + 1 > 10)


def test_what_fails_every_time_is_told_though_json_has_no_infinity() -> None:
    """The dashboards' series has no point for the quantile, the other outputs say > timeout."""
    assert "> timeout" in OUTPUTS["text"]([verdict(BROKEN)])
    assert "failure" in OUTPUTS["junit"]([verdict(BROKEN)])
    assert json.loads(OUTPUTS["github-action-benchmark"]([verdict(BROKEN)])) == []


def test_ranges_are_written_as_github_action_benchmark_parses_them() -> None:
    """Its extractRangeInfo takes ± and at least two characters of a number."""
    for entry in json.loads(OUTPUTS["github-action-benchmark"](MIXED)):
        assert re.fullmatch(r"(\+-|±)\s*\d.+", entry["range"])


@pytest.mark.parametrize(
    ("cells", "start"),
    [
        ((), "Undecided: there was nothing to judge."),
        ((OK,), "No regression in 1 cell against 14 past runs; a rise of 19 % in p50"),
        ((OK, REGRESSED), "Regressed: eu-west-1 p50, 512 ms → 671 ms (+31 %), confirmed"),
        ((OK, BROKEN), "Regressed: us p90, 690 ms → > timeout."),
        (
            (replace(BROKEN, objective="ttft.p90 <= 1s"),),
            "Regressed: us ttft.p90 <= 1s, measured > timeout.",
        ),
        ((OK, SUSPECT), "Undecided: us-west-2 p90: suspect and not confirmed"),
        ((OK, GONE, SUSPECT), "Undecided: eu-west-2 p50: not measured: dns_fail; 1 other reason."),
    ],
)
def test_the_sentence_says_the_worst_first(cells: tuple[Judged, ...], start: str) -> None:
    """And, when nothing is wrong, what would have been seen."""
    assert words.sentence([verdict(*cells)]).startswith(start)


def test_who_was_not_measured_at_all_is_named() -> None:
    """An endpoint with one request in one cell is not missing."""
    assert words.missing(MIXED) == ["eu-west-2"]
    assert words.missing([verdict(GONE, replace(GONE, measure="p90", n=1))]) == []
