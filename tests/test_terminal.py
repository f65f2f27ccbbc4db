"""What a person sees while a run goes on: on a terminal, in a log, in a narrow or old window."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench import Sample
from bench.catalogue import load_catalogue
from bench.cli.consent import FREE_HAND_USD, agree_on_cost
from bench.cli.letters import knows_every_letter
from bench.cli.progress import progress, sparkline, table, tally_of
from bench.errors import UsageError
from bench.plan import make_plan
from bench.prepare import Prepared, Where, prepare
from bench.session import execute
from bench.simulator import Fleet
from bench.tally import RECENT, Tally

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def prepared(fleet: Fleet) -> Prepared:
    """A plan of two strata and two warm-up rounds against the fleet."""
    plan = make_plan(
        catalogue=str(fleet.catalogue), rounds=10, warmup_rounds=2, connections=("warm", "cold")
    )
    return prepare(plan, load_catalogue(str(fleet.catalogue)), Where())


@pytest.fixture(scope="module")
def sample(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A real row, to make others from."""
    rows: list[Sample] = []
    where = Where(results=tmp_path_factory.mktemp("rows"))
    small = replace(prepared, plan=replace(prepared.plan, rounds=1, warmup_rounds=0))
    execute(small, where, watch=rows.append)
    return next(row for row in rows if row.endpoint == "global" and row.connection == "warm")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def filled(prepared: Prepared, sample: Sample, count: int = 30) -> Tally:
    tally = Tally(prepared, Clock())
    for number in range(count):
        for name in tally.names:
            ms = 100 + number
            lost = name == "us" and number % 3 == 0
            tally.add(
                replace(
                    sample,
                    endpoint=name,
                    round=number,
                    ttft_ns=ms * 1_000_000,
                    outcome="rate_limited" if lost else "ok",
                )
            )
    return tally


def test_a_median_is_of_one_stratum_and_a_failure_is_slower_than_every_answer(
    prepared: Prepared, sample: Sample
) -> None:
    """Warm-ups, cold rows and what was cancelled are counted as done, and in no number."""
    tally = Tally(prepared, Clock())
    answered = [replace(sample, ttft_ns=n * 1_000_000) for n in (10, 20, 30)]
    for row in (
        *answered,
        replace(sample, outcome="timeout", ttft_ns=None),
        replace(sample, outcome="timeout", ttft_ns=None),
        replace(sample, warmup=True, ttft_ns=1),
        replace(sample, connection="cold", ttft_ns=1),
        replace(sample, outcome="cancelled", ttft_ns=None),
    ):
        tally.add(row)
    assert tally.ordered_ms["global"] == [10, 20, 30, float("inf"), float("inf")]
    assert tally.median_ms("global") == 30
    assert tally.interval_ms("global") is None
    assert (tally.done["global"], tally.failed["global"]) == (8, 2)


def test_an_interval_is_of_order_statistics(prepared: Prepared, sample: Sample) -> None:
    """n = 30: ranks 9 and 22 (0-based), as the tables of the binomial have them."""
    tally = filled(prepared, sample)
    assert tally.interval_ms("global") == (108, 121)
    assert tally.median_ms("global") == 114


def test_time_left_and_rate_follow_the_clock_and_wait_for_three_rounds(
    prepared: Prepared, sample: Sample
) -> None:
    """An estimate from one slow request would only frighten."""
    clock = Clock()
    tally = Tally(prepared, clock)
    for number in range(3):
        assert tally.left() == ""
        for name in tally.names:
            clock.now_s += 0.5
            tally.add(replace(sample, endpoint=name, round=number))
    left = (tally.total - tally.count) * 0.5
    assert tally.left() == f"about {left:.0f} s left"
    assert "2.0/s" in tally.line()
    assert tally.line().startswith("round 3/12, 15/")
    clock.now_s += 10_000
    assert re.search(r"about \d+ min left", tally.line())


def test_money_is_shown_against_its_limit_and_not_where_none_is_spent(
    prepared: Prepared, sample: Sample
) -> None:
    """A simulated dollar is no dollar."""
    spent = replace(sample, cost_usd=0.25)
    simulated, limited = Tally(prepared, Clock()), Tally(prepared, Clock(), limit_usd=1.0)
    for tally in (simulated, limited):
        tally.add(spent)
    assert "$" not in simulated.line()
    assert "$0.2500 of $1.00" in limited.line()


def drawn(tally: Tally, width: int, encoding: str = "utf-8") -> list[str]:
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True, highlight=False)
    if encoding != "utf-8":
        console = _Old(file=out, width=width, force_terminal=True, highlight=False)
    console.print(table(tally, console))
    return ESCAPE.sub("", out.getvalue()).splitlines()


class _Old(Console):
    """A console of an encoding without bars."""

    @property
    def encoding(self) -> str:
        return "latin-1"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_window_and_none_wraps(
    width: int, prepared: Prepared, sample: Sample
) -> None:
    """The run, a head, a line an endpoint, and what the median is of."""
    tally = filled(prepared, sample)
    lines = drawn(tally, width)
    assert max(map(len, lines)) <= width
    assert "about" in " ".join(lines[:2])
    head = next(number for number, line in enumerate(lines) if line.startswith("endpoint"))
    assert len(lines) == head + len(tally.names) + 2
    assert [name for name in tally.names if not any(ln.startswith(name) for ln in lines)] == []
    assert ("95 %" in lines[head]) == (width >= 80)
    assert ("latest" in lines[head]) == (width >= 60)
    assert any("10 (10 × 429)" in line for line in lines)


def test_bars_are_drawn_only_where_the_encoding_has_them(
    prepared: Prepared, sample: Sample
) -> None:
    """Else the column is empty, and the numbers stand."""
    tally = filled(prepared, sample)
    assert any("█" in line for line in drawn(tally, 120))
    assert not any("█" in line for line in drawn(tally, 120, "latin-1"))


def test_a_sparkline_shows_a_failure_as_a_cross_and_keeps_the_latest() -> None:
    """All failed, one value, equal values: no division by nothing."""
    inf = float("inf")
    assert sparkline([1, 8, inf]) == "▁█×"
    assert sparkline([inf, inf]) == "××"
    assert sparkline([5]) == "▁"
    assert sparkline([5, 5]) == "▁▁"
    assert sparkline([]) == ""


def test_only_the_latest_are_kept_for_the_sparkline(prepared: Prepared, sample: Sample) -> None:
    """A run of days stays narrow."""
    assert len(filled(prepared, sample, 60).recent_ms["global"]) == RECENT


@pytest.mark.parametrize("env", [{"FORCE_COLOR": "1"}, {"TERM": "xterm-256color"}, {}])
def test_a_file_gets_no_escape_and_no_carriage_return(
    env: dict[str, str], prepared: Prepared, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment claims: a log is read by people later."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    out = StringIO()
    with progress(tally_of(prepared), out) as seen:
        for number in range(50):
            seen(replace(sample, round=number))
    assert out.getvalue() == ""


def test_a_log_gets_whole_lines_and_few(
    prepared: Prepared, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten hours of requests, one every few minutes: at most 60 lines, each complete by itself."""
    clock = Clock()
    monkeypatch.setattr("bench.cli.progress.time.monotonic", clock)
    out = StringIO()
    with progress(tally_of(prepared), out) as seen:
        for number in range(prepared.scheduled):
            clock.now_s += 36_000 / prepared.scheduled
            seen(replace(sample, round=number))
    lines = out.getvalue().splitlines()
    assert 20 <= len(lines) <= 60
    assert all(re.match(r"round \d+/\d+, \d+/\d+ requests, ", line) for line in lines)


# A real terminal


class Seen:
    """A command in a pseudo-terminal of ``columns``, and all that it wrote there."""

    def __init__(self, words: list[str], columns: int, **env: str) -> None:
        main, side = pty.openpty()
        self.fd, self.text = main, ""
        size = {"COLUMNS": str(columns), "LINES": "30", "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench", *words],
            stdin=side,
            stdout=subprocess.PIPE,
            stderr=side,
            env={**os.environ, **size, **env},
            start_new_session=True,
        )
        os.close(side)

    def until(self, pattern: str, patience_s: float = 60) -> str:
        """Read until ``pattern`` was written; everything so far."""
        deadline = time.monotonic() + patience_s
        while not re.search(pattern, self.text):
            if time.monotonic() > deadline:
                raise AssertionError(f"{pattern} was not written: {self.text[-2000:]!r}")
            self._read()
        return self.text

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self.process.poll() is None:
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def _read(self) -> bool:
        ready, _, _ = select.select([self.fd], [], [], 0.1)
        try:
            part = os.read(self.fd, 65536) if ready else b""
        except OSError:  # Linux's way to say that the other side is closed
            return False
        self.text += part.decode("utf-8", "replace")
        return bool(part)

    def close(self) -> None:
        """End the process and the terminal."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self.fd)


@pytest.fixture
def terminal(fleet: Fleet, tmp_path: Path) -> Iterator[list[Seen]]:
    """Terminals that a test opens by `_start`, closed at its end."""
    opened: list[Seen] = []
    yield opened
    for seen in opened:
        seen.close()


def _start(
    opened: list[Seen], fleet: Fleet, results: Path, rounds: int, env: dict[str, str] | None = None
) -> Seen:
    words = ["run", "--catalogue", str(fleet.catalogue), "--rounds", str(rounds)]
    words += ["--no-calibrate", "--no-report", "--results", str(results)]
    opened.append(Seen(words, 60, **(env or {})))
    return opened[-1]


def _cursor_is_visible(text: str) -> bool:
    return text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_sixty_columns_never_wrap_and_the_cursor_comes_back(
    terminal: list[Seen], fleet: Fleet, tmp_path: Path
) -> None:
    """From the first redraw to the end of a run that was not disturbed."""
    seen = _start(terminal, fleet, tmp_path, 3)
    assert seen.end() == 0
    redraws = [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", seen.text)) if "/" in line]
    rows = [line for line in redraws if re.match(r"(global|us|eu)\S* +\d+/\d+", line)]
    assert rows
    assert max(map(len, rows)) <= 60
    assert _cursor_is_visible(seen.text)


@pytest.mark.parametrize(
    "kill", [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)]
)
def test_the_cursor_is_there_after_every_kind_of_exit(
    kill: tuple[int, ...], terminal: list[Seen], fleet: Fleet, tmp_path: Path
) -> None:
    """Ctrl-C, twice Ctrl-C, and a kill that leaves no time to tidy up."""
    seen = _start(terminal, fleet, tmp_path, 500)
    seen.until(r"global +[3-9]/501")
    for number in kill:
        seen.process.send_signal(number)
    code = seen.end()
    assert code in (130, -signal.SIGKILL)
    assert _cursor_is_visible(seen.text)


@pytest.mark.parametrize(
    ("env", "escape"), [({"TERM": "dumb"}, r"\x1b"), ({"NO_COLOR": "1"}, r"\x1b\[[0-9;]*3\dm")]
)
def test_an_old_terminal_and_one_without_colour_are_respected(
    env: dict[str, str], escape: str, terminal: list[Seen], fleet: Fleet, tmp_path: Path
) -> None:
    """TERM=dumb: no escape at all. NO_COLOR: no colour."""
    seen = _start(terminal, fleet, tmp_path, 2, env)
    assert seen.end() == 0
    assert not re.search(escape, seen.text)


def test_a_watch_writes_over_its_own_line_and_marks_no_letter(
    terminal: list[Seen], fleet: Fleet, tmp_path: Path
) -> None:
    """The line of the latest round is cleared, not shown as letters that nobody may use."""
    words = ["watch", "--catalogue", str(fleet.catalogue), "--results", str(tmp_path)]
    words += ["--every", "1s", "--for", "4s", "--no-calibrate", "--listen", "127.0.0.1:0"]
    terminal.append(Seen(words, 80))
    assert terminal[-1].end() == 0
    assert "\r\x1b[K" in terminal[-1].text
    assert "?[K" not in terminal[-1].text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_a_letter_gets_the_nearest(
    encoding: str, fleet: Fleet, tmp_path: Path
) -> None:
    """A summary has dashes and arrows; a log of an old machine has neither, and no traceback."""
    words = [
        "run",
        "--catalogue",
        str(fleet.catalogue),
        "--rounds",
        "2",
        "--no-calibrate",
        "--no-report",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--results", str(tmp_path)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode(encoding)
    assert "  -> p50 needs 6 requests" in said
    assert not knows_every_letter(encoding)


def test_the_verdict_is_the_last_thing_said(fleet: Fleet, tmp_path: Path) -> None:
    """After the tables, the promises with what was observed, and where the rows lie."""
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'catalogue = "{fleet.catalogue}"\nrounds = 2\nobjectives = ["ttft.p50 <= 60s"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", str(plan), "--no-calibrate", "--no-report"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=200,
    )
    blocks = done.stdout.rstrip().split("\n\n")
    assert "objective global ttft.p50 <= 60s: measured" in done.stdout
    assert blocks[-2].startswith("Rows:   results/")
    assert "regionbench gate results/" in blocks[-2]
    assert re.match(r"(Undecided|No clear|Not enough|\S+ is)", blocks[-1]), blocks[-1]


# Money is agreed on


def _dear(prepared: Prepared) -> Prepared:
    """The same, of a provider that takes money for it."""
    provider = prepared.catalogue.provider.model_copy(update={"simulated": False})
    catalogue = prepared.catalogue.model_copy(update={"provider": provider})
    return replace(prepared, catalogue=catalogue, plan=replace(prepared.plan, rounds=10**7))


def test_a_dear_run_in_a_script_needs_a_word_before_it_spends(prepared: Prepared) -> None:
    """--yes, or a limit that holds; the sum is named."""
    dear = _dear(prepared)
    assert (dear.estimated_usd() or 0) > FREE_HAND_USD
    with pytest.raises(UsageError, match=r"may cost up to \$\d+.*--yes.*--max-usd"):
        agree_on_cost(dear, Where())
    agree_on_cost(dear, Where(yes=True))
    agree_on_cost(dear, Where(max_usd=1.0))


def test_a_cheap_or_simulated_run_asks_nobody(prepared: Prepared) -> None:
    """Or nobody would read the question."""
    agree_on_cost(replace(prepared, plan=replace(prepared.plan, rounds=10**7)), Where())
    agree_on_cost(replace(_dear(prepared), plan=prepared.plan), Where())
