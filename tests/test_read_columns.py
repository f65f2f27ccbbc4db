"""Commands read the columns that their answer takes, and no other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench import loading
from bench.cli import main
from bench.frame import KEYS, needed
from bench.gate import COLUMNS as JUDGED
from bench.plots import COLUMNS as DRAWN
from bench.report import COLUMNS as REPORTED
from bench.report import OUTPUTS, Findings
from bench.stats.metrics import MAIN_COLUMNS
from bench.store.tables import read_table
from tests.test_history import stored

SHIPPED = Path(bench.__file__).parent / "examples"
UNDRAWN = "bench.report.page.figures._image"


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        ("plot RESULTS ecdf -o FILES/x.png", DRAWN["ecdf"]),
        ("plot RESULTS trend -o FILES/x.png", DRAWN["trend"]),
        ("plot RESULTS cadence -o FILES/x.png", DRAWN["cadence"]),
        ("report RESULTS --output FILES", REPORTED),
        ("gate b --history RESULTS --no-confirm", JUDGED),
        ("choose RESULTS", REPORTED),
        ("routing RESULTS", REPORTED),
        ("compare RESULTS/a RESULTS/b", REPORTED),
        ("history --results RESULTS", MAIN_COLUMNS),
    ],
)
def test_a_command_reads_what_it_names(
    command: str, columns: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every run: the lists of token times and the texts of each request stay on the disk."""
    results = tmp_path / "results"
    for age, name in enumerate("ab"):
        stored(results, name, age=9 - age)
    read: list[set[str]] = []

    def table(place: Any, asked: Any, where: Any) -> Any:
        read.append({*asked})
        return read_table(place, asked, where)

    monkeypatch.setattr("bench.loading.read_table", table)
    monkeypatch.setattr(UNDRAWN, lambda *_: "data:image/png;base64,")
    words = command.replace("RESULTS", str(results)).replace("FILES", str(tmp_path)).split()
    assert main(words) in (0, 3)
    assert len(read) == 2
    assert set.union(*read) == {*needed(columns)}
    assert ("token_offsets_ns" in read[0]) == ("cadence" in command)


def test_a_report_of_very_many_rows_says_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And of few rows nothing."""
    monkeypatch.setattr(UNDRAWN, lambda *_: "data:image/png;base64,")
    stored(tmp_path, "a")
    assert main(["report", str(tmp_path / "a")]) == 0
    assert "GB" not in capsys.readouterr().err
    monkeypatch.setattr("bench.cli.report.MANY", 2)
    assert main(["report", str(tmp_path / "a")]) == 0
    assert "4 rows takes about 2 GB of memory and as many minutes" in capsys.readouterr().err


@pytest.fixture(scope="module", params=["regions", "spillover"])
def recorded(request: pytest.FixtureRequest) -> pd.DataFrame:
    df = bench.load_example(request.param)
    few = df[(df["round"] < 20).to_numpy()].copy()
    few.attrs = df.attrs
    return few


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_report_says_the_same_of_the_columns_that_it_names(
    name: str, recorded: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of all there are; figures are compared by what they say, not by their pixels."""
    monkeypatch.setattr(UNDRAWN, lambda *_: "data:image/png;base64,")
    some = recorded[[one for one in recorded if one in (*KEYS, *REPORTED)]].copy()
    some.attrs = recorded.attrs
    assert OUTPUTS[name](Findings(some)) == OUTPUTS[name](Findings(recorded))


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ("choose RUN", "regions"),
        ("routing RUN", "spillover"),
        ("routing RUN", "places"),
        ("compare global us-east-1 --run RUN", "places"),
    ],
)
def test_a_command_says_the_same_as_of_all_columns(
    command: str,
    example: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """To the last digit, as JSON and in words."""
    shutil.copy(SHIPPED / f"{example}.parquet", tmp_path)
    words = command.replace("RUN", str(tmp_path / f"{example}.parquet")).split()
    said = [main([*words, *more]) for more in ((), ("--json",))], capsys.readouterr()
    load = loading.load
    monkeypatch.setattr(loading, "load", lambda path, _columns: load(path))
    assert said == ([main([*words, *more]) for more in ((), ("--json",))], capsys.readouterr())
