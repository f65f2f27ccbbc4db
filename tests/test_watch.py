"""Watches over a real fleet: what is stored, what is told, and how they end."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.awake import Awake, Pulse
from bench.catalogue import load_catalogue
from bench.clients import Client
from bench.errors import NothingMeasured, PlanError, StoreError, UsageError
from bench.gate import find_candidate
from bench.model import GAP, OUTCOMES, Arm, Endpoint, Plan, Reply, Request
from bench.plan import make_plan
from bench.prepare import Where
from bench.resuming import read_rest
from bench.simulator import Fleet
from bench.store import RunWriter, change_tags, read_run
from bench.watch import Address, Orders, Rhythm, Watch, prepare_watch, write_kit
from bench.watch.finding import Cell, Finding, read_finding
from bench.watch.health import Health
from bench.watch.kit import FILES
from bench.watch.metrics import PHASE_SECONDS, SECONDS, Metrics
from bench.watch.preparing import check_watched
from bench.watch.purse import Purse
from bench.watch.review import KEPT_LAST, prune, review
from bench.watch.reviewer import Reviewed, Reviewer
from bench.wire.clock import Clock, Moment
from tests.profiles import TWO_REGIONS
from tests.store_kit import run, sample
from tests.test_gate import write_day
from tests.watch_judge import disagreements, expected, stored
from tests.watch_kit import FastClock, network, parsed, scrape, value


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two regions that answer in a few milliseconds."""
    profile = tmp_path_factory.mktemp("profile") / "quick.toml"
    profile.write_text(TWO_REGIONS)
    with Fleet.start(profile, seed=1) as fleet:
        yield fleet


class Heard:
    """Everything that a watch told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.statuses: list[str] = []

    def line(self, text: str) -> None:
        """See `bench.watch.Voice`."""
        self.lines.append(text)

    def status(self, text: str) -> None:
        """See `bench.watch.Voice`."""
        self.statuses.append(text)

    @property
    def url(self) -> str:
        """Of ``/metrics``, once it is served."""
        while not self.lines:
            time.sleep(0.01)
        return self.lines[0].split()[1]


def watching(
    catalogue: Path | str, results: Path, orders: Orders, clock: Clock | None = None, **plan: Any
) -> tuple[Watch, Heard]:
    heard = Heard()
    where = Where(results=results, vantage="here")
    asked = make_plan(catalogue=str(catalogue), **plan)
    prepared = prepare_watch(asked, load_catalogue(str(catalogue)), where, orders.day_usd)
    return Watch(prepared, where, replace(orders, address=Address(port=0)), heard, clock), heard


def words(fleet: Fleet | Path, results: Path, *more: str) -> list[str]:
    catalogue = fleet.catalogue if isinstance(fleet, Fleet) else fleet
    return [
        *(sys.executable, "-m", "bench", "watch", "--catalogue", str(catalogue)),
        *("--results", str(results), "--vantage", "here", "--no-calibrate"),
        *("--listen", "127.0.0.1:0", *more),
    ]


def test_what_is_served_is_what_is_stored_and_each_folder_is_a_run(
    quick: Fleet, tmp_path: Path
) -> None:
    """Every counter and bucket follows from the rows; loading, gate and report need nothing new."""
    orders = Orders(Rhythm(0.25, 0.5), for_s=2.5)
    watch, heard = watching(quick.catalogue, tmp_path, orders, kinds=("chat", "models"))
    before = len(quick.truth())
    ended = watch.run()
    runs = stored(tmp_path)
    assert (ended.status, ended.reason) == ("over", None)
    assert (ended.folders, ended.rows) == (len(runs), sum(len(one.rows) for one in runs))
    text = watch.metrics.text("")[1].decode()
    assert "_created" not in text
    assert not disagreements(parsed(text), expected(runs, {None: "m"}))
    asked = {deed["request_id"] for deed in quick.truth()[before:]}
    assert {row["request_id"] for one in runs for row in one.rows} <= asked
    assert [one.run["status"] for one in runs][:2] == ["complete", "complete"]
    rounds = [row["round"] for one in runs for row in one.rows if not row["warmup"]]
    assert rounds == sorted(rounds)
    df = bench.load(tmp_path)
    assert len(df) == ended.rows
    assert find_candidate(tmp_path).past[0].name == runs[0].run["run_id"]
    judged = [line for line in heard.lines if "; gate inconclusive (" in line]
    assert len(judged) >= 1
    assert value(parsed(text), "running") == 0


def test_two_models_are_two_labels_whatever_the_server_calls_them(
    quick: Fleet, tmp_path: Path
) -> None:
    """Labels are what was asked."""
    text = quick.catalogue.read_text("utf-8").replace(
        'id = "m"', 'id = "n"\nusd_per_million = { input = 1, output = 1 }\n[[models]]\nid = "m"', 1
    )
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(text)
    shutil.copy(quick.ca, tmp_path)
    arms = {"one": Arm(model="m"), "two": Arm(model="n")}
    where = Where(results=tmp_path, vantage="here")
    plan = replace(make_plan(catalogue=str(catalogue)), arms=arms)
    prepared = prepare_watch(replace(plan, arms={}), load_catalogue(str(catalogue)), where)
    prepared = replace(prepared, plan=plan, models={"one": "m", "two": "n"})
    orders = Orders(Rhythm(0.25, 60.0), Address(port=0), for_s=1.0)
    watch = Watch(prepared, where, orders, Heard())
    watch.run()
    found = parsed(watch.metrics.text("")[1].decode())
    runs = stored(tmp_path)
    models: dict[str | None, str] = {"one": "m", "two": "n"}
    assert not disagreements(found, expected(runs, models))
    missing = {"endpoint": "near", "model": "n", "outcome": "model_missing"}
    assert value(found, "requests_total", **missing)


def test_seven_endpoints_and_two_models_are_no_more_than_2500_series(
    quick: Fleet, tmp_path: Path
) -> None:
    """Even if every request ended in every way, everything were known, and lists were asked."""
    watch, _ = watching(quick.catalogue, tmp_path, Orders(), kinds=("chat", "models"))
    endpoints = tuple(Endpoint(f"region-{n}", "https://x.test") for n in range(7))
    plan = replace(make_plan(kinds=("chat", "models")), rounds=1)
    prepared = replace(watch._prepared, plan=plan, endpoints=endpoints, models={"a": "m", "b": "n"})
    metrics, purse = Metrics(prepared, 60, 1.0), Purse(None, Where().limits, lambda _: 0.0)
    names = [one.name for one in endpoints]
    times = {f"{phase}_ns": 10**8 for phase in ("dns", "tcp", "tls", "send", "ttfb", "total")}
    for name in names:
        for kind, arm in (("chat", "a"), ("chat", "b"), ("models", "a")):
            for outcome in OUTCOMES:
                changes: dict[str, Any] = {"kind": kind, "arm": arm, "outcome": outcome}
                changes |= {"endpoint": name, "ttft_ns": 10**8 if kind == "chat" else None}
                metrics.row(sample(9, **changes, **times), 1, purse)
    cells = tuple(Cell(name, model, "ok") for name in names for model in ("m", "n", ""))
    each = dict.fromkeys([*names, "elsewhere"], 0.1)
    metrics.reviewed(Finding("r", "ok", "", cells, each, each, names[0], 0.1), 1)
    assert len(parsed(metrics.text("")[1].decode())) <= 2500


def test_bounds_reach_a_minute_and_neighbours_are_close_where_it_matters() -> None:
    """About 25 from 0.05 to 60 s, of a ratio of at most 1.5 up to ten seconds."""
    assert (SECONDS[0], SECONDS[-1], len(SECONDS)) == (0.05, 60.0, 25)
    assert all(b <= 1.5 * a + 1e-9 for a, b in pairwise(SECONDS) if b <= 15)
    assert list(PHASE_SECONDS) == sorted(PHASE_SECONDS)


def test_a_day_that_is_spent_rests_is_served_and_the_next_day_goes_on(
    quick: Fleet, tmp_path: Path
) -> None:
    """With the reason; scraping meanwhile sends nothing."""
    clock = FastClock(1000)
    clock.set_ns = 20 * 3600 * 10**9 - clock.now().utc_ns % (86400 * 10**9)
    orders = Orders(Rhythm(60, 86400), for_s=30 * 3600, day_usd=0.0135)
    watch, heard = watching(quick.catalogue, tmp_path, orders, clock)
    thread = threading.Thread(target=watch.run)
    thread.start()
    _until(lambda: any(line.startswith("Rests until the next day") for line in heard.lines))
    before = len(quick.truth())
    found = [scrape(heard.url) for _ in range(5)]
    assert {value(one, "running") for one in found} == {0.0}
    assert len(quick.truth()) == before
    clock.slept_ns += 4 * 3600 * 10**9
    _until(lambda: len(quick.truth()) > before)
    watch.end()
    thread.join(60)
    runs = stored(tmp_path)
    assert "of the limit of $0.0135 are spent" in str(runs[0].run["reason"])
    assert runs[1].run["watch"]["gaps"][0]["cause"] == "limit"
    for one in runs:
        assert sum(row["cost_usd"] or 0.0 for row in one.rows) <= 0.0135
    assert value(scrape_text(watch), "day_limit_usd") == 0.0135


def scrape_text(watch: Watch) -> dict[Any, float]:
    return parsed(watch.metrics.text("")[1].decode())


def test_scraping_sends_no_request(quick: Fleet, tmp_path: Path) -> None:
    """However often; between two rounds the fleet hears nothing."""
    watch, heard = watching(quick.catalogue, tmp_path, Orders(Rhythm(600, 3600)))
    thread = threading.Thread(target=watch.run)
    thread.start()
    while not heard.statuses:
        time.sleep(0.01)
    before = len(quick.truth())
    for path in ("/metrics", "/", "/-/healthy"):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", int(heard.url.split(":")[2][:-8]))) as one:
                one.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
                assert one.recv(12) == b"HTTP/1.1 200"
    assert len(quick.truth()) == before
    watch.end()
    thread.join(30)
    assert stored(tmp_path)[0].run["status"] == "interrupted"


def test_what_was_spent_today_is_known_after_a_restart(quick: Fleet, tmp_path: Path) -> None:
    """A service that is started again and again does not spend its limit each time."""
    orders = Orders(Rhythm(0.2, 60), for_s=0.6, day_usd=100.0)
    first, _ = watching(quick.catalogue, tmp_path, orders)
    first.run()
    rows = [row for one in stored(tmp_path) for row in one.rows]
    spent = sum(row["cost_usd"] or 0.0 for row in rows)
    second, _ = watching(quick.catalogue, tmp_path, replace(orders, for_s=0.1))
    second.run()
    rows = [row for one in stored(tmp_path) for row in one.rows]
    assert value(scrape_text(second), "day_spend_usd") == pytest.approx(
        sum(row["cost_usd"] or 0.0 for row in rows)
    )
    assert spent > 0


def test_an_endpoint_that_is_away_is_told_asked_rarely_and_told_when_it_is_back(
    quick: Fleet, tmp_path: Path
) -> None:
    """The watch goes on; what failed is a row with its class."""
    with network(quick, tmp_path) as (catalogue, links):
        links["near"].set("refuses")
        orders = Orders(Rhythm(0.1, 60.0), for_s=60.0)
        watch, heard = watching(catalogue, tmp_path / "results", orders)
        thread = threading.Thread(target=watch.run)
        thread.start()
        _until(lambda: any("near does not answer: 3 failures" in x for x in heard.lines))
        links["near"].set("well")
        _until(lambda: any("near answers again, after" in x for x in heard.lines))
        watch.end()
        thread.join(30)
    (one,) = stored(tmp_path / "results")
    near = [row for row in one.rows if row["endpoint"] == "near"]
    assert {row["outcome"] for row in near} >= {"connect_fail", "ok"}
    assert {r["outcome"] for r in one.rows if r["endpoint"] == "far"} <= {"ok", "cancelled"}


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)


def test_nobody_at_all_is_said_at_once(quick: Fleet, tmp_path: Path) -> None:
    """A wrong key or no network is no watch."""
    with network(quick, tmp_path) as (catalogue, links):
        for link in links.values():
            link.set("refuses")
        with pytest.raises(NothingMeasured):
            watching(catalogue, tmp_path / "results", Orders())


# Who ends it


def test_a_kill_loses_no_row_and_the_next_watch_goes_on_in_a_new_folder(
    quick: Fleet, tmp_path: Path
) -> None:
    """What was stored is whole; the killed folder says what it is, and cannot be resumed."""
    command = words(quick, tmp_path, "--every", "200ms", "--rotate", "1m")
    before = len(quick.truth())
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        _until(lambda: len(quick.truth()) > before + 20)
        process.kill()
    (killed,) = stored(tmp_path)
    asked = [deed["request_id"] for deed in quick.truth()[before:]]
    ids = {row["request_id"] for row in killed.rows}
    assert ids <= set(asked)
    assert [c.code for c in killed.cautions] == ["killed"]
    assert "goes on in a new folder" in killed.cautions[0].advice
    folder = next(tmp_path.iterdir())
    with pytest.raises(UsageError, match="part of a watch"):
        read_rest(folder)
    again = subprocess.run(
        [*command, "--for", "1s"], capture_output=True, text=True, check=False, timeout=90
    )
    assert again.returncode == 0, again.stderr
    runs = stored(tmp_path)
    assert len(runs) == 2
    assert runs[0].rows == killed.rows


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_with_130_keeps_its_rows_and_frees_its_port(
    kind: signal.Signals, quick: Fleet, tmp_path: Path
) -> None:
    """In the middle of a long wait between two rounds."""
    command = words(quick, tmp_path, "--every", "10m", "--rotate", "1h")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        while "the next at" not in (said or [""])[-1]:
            said.append(process.stderr.readline())
        process.send_signal(kind)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "12 rows in 1 run folder" in rest
    (one,) = stored(tmp_path)
    assert one.run["status"] == "interrupted"
    url = next(line for line in said if line.startswith("Metrics: "))
    port = int(url.split(":")[3].split("/")[0])
    socket.create_server(("127.0.0.1", port)).close()


def test_a_process_that_was_stopped_tells_a_gap_and_no_latency(
    quick: Fleet, tmp_path: Path
) -> None:
    """SIGSTOP, as a laptop's lid or a full host: no row has the silence in its times."""
    command = words(quick, tmp_path, "--every", "300ms", "--rotate", "1m", "--for", "6s")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "the next at" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        process.send_signal(signal.SIGCONT)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "the process did not run" in rest
    (one,) = stored(tmp_path)
    answered = [row for row in one.rows if row["outcome"] == "ok"]
    assert all(row["total_ns"] < 2e9 for row in answered)
    assert "has gaps in which nothing was asked" in " ".join(c.text for c in one.cautions)


class _Stopped(Client):
    """A client in whose midst the process stands still."""

    def __init__(self, clock: _Hands) -> None:
        self._clock = clock

    def send(self, *_: object) -> Reply:
        self._clock.elapsed_ns += 5 * 10**9
        return Reply(outcome="ok", ttft_ns=5 * 10**9, flags="paused")

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class _Hands(Clock):
    elapsed_ns = 10**12

    def now(self) -> Moment:
        return Moment(self.elapsed_ns, self.elapsed_ns, self.elapsed_ns)


def test_a_request_in_whose_midst_the_process_stood_still_is_nobodys_fault() -> None:
    """It is cancelled, and says why; the one after it counts."""
    clock = _Hands()
    pulse = Pulse(clock)
    endpoint = Endpoint("near", "https://near.test")
    request = Request("chat", "POST", "/", (), b"", True, True, "")
    reply = Awake(_Stopped(clock), pulse).send(endpoint, request, "warm")
    assert reply.outcome == "cancelled"
    assert reply.flags == f"paused {GAP}"
    assert "nothing ran here for 5.0 s" in str(reply.error)
    clock.elapsed_ns += 1
    assert not pulse.silence_ns(clock.elapsed_ns)


# What is wrong is one sentence


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--rounds", "3"), "say --every and --for"),
        (("--every", "soon"), "250ms or 1.5s"),
        (("--rotate", "30s"), "--rotate 30s: write --every at least"),
        (("--rate", "3"), "rate: a watch has its own pace"),
        (("--connection", "warm,cold"), "connections: a watch is over one kind"),
        (("--kind", "chat,responses"), "kinds: a watch asks a model in one way"),
        (("--batch", "x"), "batch: each run folder"),
        (("--listen", "here"), "write HOST:PORT"),
        (("--max-usd-per-day", "0"), "0"),
        (("--evry", "3s"), "--every"),
    ],
)
def test_what_cannot_be_watched_is_one_sentence_and_exit_2(
    more: tuple[str, ...], sentence: str, quick: Fleet, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What, and the remedy."""
    from bench.cli import main

    assert main([*words(quick, tmp_path)[3:], *more]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("regionbench: ") or "\nregionbench: " in said.err
    assert sentence in said.err
    assert not list(tmp_path.glob("*/run.json"))


def test_a_taken_port_is_said_before_anything_is_asked(quick: Fleet, tmp_path: Path) -> None:
    """And no run folder is left."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        orders = Orders(address=Address(port=taken.getsockname()[1]))
        watch, heard = watching(quick.catalogue, tmp_path / "r", orders)
        watch._orders = orders
        with pytest.raises(UsageError, match="the port is taken"):
            watch.run()
    assert not heard.lines
    assert not list(tmp_path.glob("r/*"))


def test_without_the_extra_it_says_what_to_install(quick: Fleet, tmp_path: Path) -> None:
    """The library is optional, and its absence no traceback."""
    code = "import sys; sys.modules['prometheus_client'] = None; import bench.cli as c; "
    code += f"sys.exit(c.main({words(quick, tmp_path)[3:]!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "regionbench: watch needs the extra: pip install 'regionbench[watch]'"
    )


def test_arms_of_one_model_cannot_be_told_apart() -> None:
    """Their rows would be one number."""
    arms = {"a": Arm(parameters={"x": 1}), "b": Arm(parameters={"x": 2})}
    with pytest.raises(PlanError, match="a model of its own"):
        check_watched(replace(Plan(), arms=arms))


def test_a_disk_that_takes_no_more_ends_the_watch_with_what_it_has(
    quick: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops sending, and says why; the rows before it are kept."""
    append = RunWriter.append

    def full(self: RunWriter, one: Any) -> None:
        if self.rows == 5:
            raise StoreError("Could not store row 6: no space left")
        append(self, one)

    monkeypatch.setattr(RunWriter, "append", full)
    watch, _ = watching(quick.catalogue, tmp_path, Orders(Rhythm(0.1, 60)))
    with pytest.raises(StoreError, match="no space left"):
        watch.run()
    (one,) = stored(tmp_path)
    assert (one.run["status"], len(one.rows)) == ("stopped", 5)


# Reviews


def test_two_slow_folders_in_a_row_regress_and_one_alone_does_not(tmp_path: Path) -> None:
    """The second confirms the first; other rhythms and runs by hand judge nothing here."""
    watch = {"every_s": 60.0, "gaps": []}
    for number in range(1, 13):
        write_day(tmp_path, number, watch=watch, slow=1.6 if number == 12 else 1.0)
    write_day(tmp_path, 30, run_id="by-hand", slow=3.0)
    first = review(tmp_path, "day-12")
    assert (first.state, first.suspect) == ("inconclusive", True)
    write_day(tmp_path, 13, watch=watch, slow=1.6)
    second = review(tmp_path, "day-13", before="day-12")
    assert second.state == "regressed"
    assert {c.endpoint for c in second.gate if c.state == "regressed"} == {"near"}
    assert second.words.startswith("gate regressed: near")
    by_hand = find_candidate(tmp_path, "by-hand")
    assert by_hand.past == ()
    assert set(by_hand.left_out.values()) == {"watched every 60 s"}


def test_a_review_that_fails_is_told_and_the_next_one_begins(tmp_path: Path) -> None:
    """A damaged folder ends no watch."""
    reviewer = Reviewer(tmp_path, None)
    assert not list(reviewer.begin("nowhere"))
    told: list[Reviewed] = []
    while not told:
        told += reviewer.over()
    assert (told[0].run_id, told[0].finding) == ("nowhere", None)
    assert "nowhere" in told[0].error
    assert not list(reviewer.begin("again"))
    (late,) = reviewer.begin("third")
    assert late.finding is None
    reviewer.close()
    assert not reviewer.busy
    assert read_finding("nonsense") is None


def test_old_folders_of_watches_go_and_nothing_else(tmp_path: Path) -> None:
    """Not a baseline, not what a person measured, not the newest ones whatever the clock says."""
    now = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    for number in range(KEPT_LAST + 4):
        began = (now - dt.timedelta(days=100 - number)).isoformat()
        hand = number == 2
        about = run(
            0, run_id=f"r{number:03}", started_at=began, watch=None if hand else {"gaps": []}
        )
        with RunWriter.create(tmp_path, about) as writer:
            writer.finish("complete")
    change_tags(tmp_path / "r001", add=("baseline",))
    assert prune(tmp_path, 3600.0, now) == 2
    left = sorted(folder.name for folder in tmp_path.iterdir())
    assert left[:3] == ["r001", "r002", "r004"]
    assert prune(tmp_path, 3600.0, now) == 0


def test_one_failure_is_no_news_and_three_are_told_once() -> None:
    """And so is the end of them."""
    health = Health()
    told = [health.see(sample(n, endpoint="a", outcome=o)) for n, o in enumerate(
        ["timeout", "ok", "timeout", "cancelled", "timeout", "timeout", "timeout", "ok", "ok"]
    )]  # fmt: skip
    assert [text for text in told if text] == [
        "a does not answer: 3 failures in a row, timeout",
        "a answers again, after 4 failures",
    ]


# What is shipped


def test_the_kit_is_written_whole_twice_and_never_over_somebodys_own(tmp_path: Path) -> None:
    """People edit these files."""
    paths = write_kit(tmp_path / "kit")
    assert [path.name for path in paths] == list(FILES)
    assert write_kit(tmp_path / "kit") == paths
    json.loads(paths[0].read_text())
    paths[1].write_text("mine")
    paths[2].unlink()
    with pytest.raises(UsageError, match=r"alerts\.yml is there and is another"):
        write_kit(tmp_path / "kit")
    assert paths[1].read_text() == "mine"
    assert not paths[2].exists()
    with pytest.raises(UsageError, match="cannot write the dashboards"):
        write_kit(Path(os.devnull) / "kit")


def test_a_run_json_of_a_watch_says_its_rhythm(quick: Fleet, tmp_path: Path) -> None:
    """So that nobody compares it with rounds that were closer together."""
    watch, _ = watching(quick.catalogue, tmp_path, Orders(Rhythm(0.3, 0.9), for_s=0.5))
    watch.run()
    (folder,) = tmp_path.iterdir()
    assert read_run(folder).run["watch"]["every_s"] == 0.3
