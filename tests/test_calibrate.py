"""`regionbench calibrate`: how far the gate can be trusted on a user's own rows, in words."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cli import main
from bench.gate import unchanged
from bench.report.selfcheck import render, sentence
from bench.stats.rates import rate
from bench.stats.selfcheck import Checked, SelfCheck
from tests.test_gate import write_day
from tests.verdicts import EVIL, STRATUM

GOLDEN = Path(__file__).parent / "golden/calibrate.txt"

P50 = Checked("history", "near", STRATUM, "p50", 300, rate(0, 14), 0.18)
FAILURES = replace(P50, measure="failure_rate", detectable=0.021)
DEALT = replace(P50, mode="variants", alarms=rate(2, 200), detectable=0.07)
NOTHING = SelfCheck((), None, None, ("mode B needs 11 batches, and these are 1",))
BOTH = SelfCheck(
    (P50, replace(P50, endpoint="far", detectable=0.22), FAILURES, DEALT),
    rate(2, 200),
    rate(0, 14),
    ("global: too few requests",),
)


def test_the_text_is_the_reviewed_one() -> None:
    """REGIONBENCH_GOLDEN=1 rewrites the file."""
    found = render(BOTH)
    if os.environ.get("REGIONBENCH_GOLDEN"):
        GOLDEN.write_text(found, "utf-8")
    assert found == GOLDEN.read_text("utf-8")


def test_the_sentence_promises_what_holds_for_every_endpoint() -> None:
    """The least sensitive one; history before deals, because it is what a gate does every day."""
    assert sentence(BOTH).startswith("False alarms in 0 of 14 batches (0–22 %)")
    assert "a rise of 22 % in p50" in sentence(BOTH)
    assert sentence(replace(BOTH, any_history=None)).startswith("False alarms in 2 of 200 deals")
    assert sentence(NOTHING).startswith("Not enough data")


FOREIGN = SelfCheck((replace(P50, endpoint=EVIL, detectable=None),), None, rate(0, 0), (EVIL,))


@pytest.mark.parametrize("found", [BOTH, NOTHING, FOREIGN])
def test_whatever_was_found_fits_eighty_columns_and_ends_with_the_sentence(
    found: SelfCheck,
) -> None:
    """No control characters, nothing that is no word."""
    text = render(found)
    assert max(map(len, text.splitlines())) <= 82
    assert "".join(text.split()).endswith("".join(sentence(found).split()))
    assert "\x1b" not in text
    assert "None" not in text


def test_the_command_judges_what_is_comparable_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eleven days and one from elsewhere, which would have been an alarm in every line."""
    for number in range(1, 12):
        write_day(tmp_path, number)
    write_day(tmp_path, 0, run_id="odd", vantage="elsewhere", slow=3.0)
    df, left_out = unchanged(tmp_path)
    assert (df["run_id"].nunique(), left_out) == (11, {"odd": "another vantage: elsewhere"})
    assert main(["calibrate", str(tmp_path), "--deals", "8", "--json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["check"]["any_history"]["n"] == 11
    assert document["check"]["any_variant"]["n"] == 8
    assert document["sentence"].startswith("False alarms in ")
    assert "Left out: 1, another vantage: elsewhere" in said.err


def test_too_little_is_exit_3_and_nothing_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of six rounds can tell nothing; a folder without runs is a mistake."""
    folder = write_day(tmp_path, 1)
    lines = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.parquet").unlink()
    (folder / "samples.jsonl").write_text("".join(lines[:12]))
    assert main(["calibrate", str(tmp_path)]) == 3
    assert "Not enough data" in capsys.readouterr().out
    assert main(["calibrate", str(tmp_path / "none")]) == 2
