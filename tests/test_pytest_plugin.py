"""The plugin, in real pytest runs against a real fleet that counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.simulator import Fleet
from bench.stats import summarise

ONE = """
def test_region(endpoint_benchmark):
    timed = endpoint_benchmark({arguments})
    print("ANSWERED", timed.answered, "FAILED", timed.failed, "OF", len(timed.samples))
"""

OUT = """
about = "A region that is always out, beside one that is well."
edge_rtt_ms = 0.0

[router]
regions = ["well"]

[defaults]
service = { ttft_ms = 5.0, sigma = 0.1, token_ms = 0.5 }

[[regions]]
name = "well"
latitude = 0.0
longitude = 0.0
rtt_ms = 0.0
models = ["quick"]

[[regions]]
name = "out"
latitude = 0.0
longitude = 0.0
rtt_ms = 0.0
models = ["quick"]
outages = [{ start_s = 0.0, seconds = 100000.0 }]

[[models]]
id = "quick"
created = 1775001600
fingerprint = "fp_0000000000"
usd_per_million = { input = 1.0, cached_input = 1.0, output = 1.0 }
efforts = ["none"]
completion_tokens = 4
"""


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet with one region that answers and one that never does."""
    profile = tmp_path_factory.mktemp("half") / "half.toml"
    profile.write_text(OUT)
    with Fleet.start(profile=profile) as fleet:
        yield fleet


def command(*words: str) -> list[str]:
    unused = ("cacheprovider", "schemathesis", "hypothesispytest", "anyio", "timeout")
    without = [word for name in unused for word in ("-p", f"no:{name}")]
    return [sys.executable, "-W", "error", "-m", "pytest", *without, *words]


def environment() -> dict[str, str]:
    mine = ("XAI_API_KEY", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")
    return {name: value for name, value in os.environ.items() if name not in mine}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pytest as a user starts it, every warning an error."""
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def suite(folder: Path, fleet: Fleet, *words: str) -> subprocess.CompletedProcess[str]:
    """The shipped suite against a fleet of ours."""
    own = f"--regionbench-catalogue={fleet.catalogue}"
    return run(folder, "--pyargs", "bench.suite", own, *words)


def one(
    folder: Path, fleet: Fleet, arguments: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """A user's own test against a fleet of ours."""
    (folder / "test_one.py").write_text(ONE.format(arguments=arguments))
    own = f"--regionbench-catalogue={fleet.catalogue}"
    return run(folder, "test_one.py", "-s", own, "--benchmark-json=out.json", *words)


def asked(fleet: Fleet, since: int) -> Counter[tuple[str, str]]:
    """(endpoint, path) → requests, counted by the server."""
    return Counter((deed["endpoint"], deed["path"]) for deed in fleet.truth()[since:])


def only(folder: Path) -> dict[str, Any]:
    """The one benchmark of a file."""
    document = json.loads((folder / "out.json").read_text())
    (benchmark,) = document["benchmarks"]
    assert isinstance(benchmark, dict)
    return benchmark


CHAT, LIST = "/v1/chat/completions", "/v1/models"


def test_n_rounds_are_exactly_n_requests_and_their_times_are_the_wires(
    half: Fleet, tmp_path: Path
) -> None:
    """Besides them, the preflight's list from every endpoint, and one free request that opens the
    connection; and what pytest-benchmark has is the rows' TTFT to the nanosecond."""
    since = len(half.truth())
    done = one(tmp_path, half, "'well', rounds=7", "-p", "bench.pytest_plugin")
    assert done.returncode == 0, done.stdout
    counted = asked(half, since)
    assert counted == {("well", CHAT): 7, ("well", LIST): 2, ("out", LIST): 1, ("global", LIST): 1}
    benchmark = only(tmp_path)
    df = bench.load(tmp_path / "out.json")
    assert list(df["warmup"]) == [True] + [False] * 7
    assert df["reused"].iloc[1:].all()
    assert benchmark["stats"]["data"] == [ns / 1e9 for ns in df["ttft_ns"].iloc[1:]]
    assert benchmark["extra_info"]["regionbench"]["state"] == "ok"
    assert "7 requests to fleet were timed (simulated: no money was spent)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words", "expected"),
    [
        ("'well', rounds=5, connection='cold'", (), {CHAT: 5}),
        ("'well', rounds=5, kind='models'", (), {LIST: 6}),
        ("'well', rounds=5, metric='total'", ("--benchmark-cprofile=tottime",), {CHAT: 5, LIST: 1}),
    ],
    ids=["cold", "models", "profiled"],
)
def test_nothing_is_sent_on_top(
    arguments: str, words: tuple[str, ...], expected: dict[str, int], half: Fleet, tmp_path: Path
) -> None:
    """A cold benchmark needs no opening; a profiler would ask once more, and may not."""
    since = len(half.truth())
    done = one(tmp_path, half, arguments, *words)
    assert done.returncode == 0, done.stdout
    counted = asked(half, since)
    counted[("well", LIST)] -= 1  # the preflight's
    assert {path: n for (name, path), n in counted.items() if name == "well" and n} == expected


def test_disabled_benchmarks_send_one_request(half: Fleet, tmp_path: Path) -> None:
    """As pytest-benchmark calls each function once: enough to see that it works."""
    since = len(half.truth())
    done = one(tmp_path, half, "'well', rounds=5", "--benchmark-disable")
    assert done.returncode == 0, done.stdout
    assert asked(half, since)[("well", CHAT)] == 1
    assert "ANSWERED True FAILED 0 OF 1" in done.stdout


def test_who_fails_every_time_stays_in_the_file_and_looks_slow(half: Fleet, tmp_path: Path) -> None:
    """The fast 503 of a region that is out counts as the timeout; nothing was raised."""
    done = one(tmp_path, half, "'out', rounds=4", "--regionbench-timeout=3s")
    assert done.returncode == 0, done.stdout
    assert "ANSWERED False FAILED 4 OF 4" in done.stdout
    assert "out (chat, warm, httpx): 4 of 4 requests failed: server_error 4" in done.stdout
    benchmark = only(tmp_path)
    assert benchmark["stats"]["data"] == [3.0] * 4
    told = benchmark["extra_info"]["regionbench"]
    assert (told["state"], told["failed"], told["outcomes"]) == (
        "all failed",
        4,
        {"server_error": 4},
    )
    cell = next(cell for cell in summarise(bench.load(tmp_path / "out.json")).cells if cell.n)
    assert (cell.endpoint, cell.failures.share) == ("out", 1.0)


def test_an_endpoint_that_nobody_listens_at_is_measured_too(tmp_path: Path, half: Fleet) -> None:
    """Where the preflight gives up the whole service, its failures still are rows in the file, and
    the suite's test fails in one sentence."""
    ca = half.ca
    (tmp_path / "dead.toml").write_text(
        '[provider]\nname = "dead"\nsimulated = true\nkey = "k"\n'
        f'ca = "{ca}"\n'
        '[[endpoints]]\nname = "gone"\nurl = "https://gone.fleet.test"\nconnect = "127.0.0.1:1"\n'
        '[[models]]\nid = "m"\n'
    )
    words = ("--regionbench-rounds=3", "--regionbench-kinds=chat", "--benchmark-json=out.json")
    done = run(tmp_path, "--pyargs", "bench.suite", "--regionbench-catalogue=dead.toml", *words)
    assert done.returncode == 1
    assert "gone (chat, warm, httpx): 3 of 3 requests failed: connect_fail 3" in done.stdout
    assert only(tmp_path)["extra_info"]["regionbench"]["state"] == "all failed"
    df = bench.load(tmp_path / "out.json")
    assert list(df["outcome"]) == ["connect_fail"] * 4


def test_an_interrupt_keeps_what_was_measured(half: Fleet, tmp_path: Path) -> None:
    """The rounds so far are in the file, as many as have a time."""
    since = len(half.truth())
    (tmp_path / "test_one.py").write_text(ONE.format(arguments="'well', rounds=100000"))
    words = ("test_one.py", "--benchmark-json=out.json")
    own = f"--regionbench-catalogue={half.catalogue}"
    with subprocess.Popen(
        command(*words, own), cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        while asked(half, since)[("well", CHAT)] < 5:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(30)
    benchmark = only(tmp_path)
    measured = bench.load(tmp_path / "out.json")
    assert measured.attrs["runs"][0]["status"] == "interrupted"
    counted = int((~measured["warmup"]).sum())
    assert counted >= 4
    assert len(benchmark["stats"]["data"]) in (counted, counted - 1)


DEAF = """
import os, signal, threading

def test_one(endpoint_benchmark):
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    endpoint_benchmark("well", rounds=100000)
"""


def test_an_interrupt_that_python_dropped_ends_the_benchmark_too(
    half: Fleet, tmp_path: Path
) -> None:
    """As when it comes while an object is destroyed."""
    (tmp_path / "test_one.py").write_text(DEAF)
    done = run(tmp_path, "test_one.py", f"--regionbench-catalogue={half.catalogue}")
    assert done.returncode == 2
    assert "KeyboardInterrupt" in done.stdout


def test_the_suite_saves_compares_and_draws(half: Fleet, tmp_path: Path) -> None:
    """Every endpoint and kind is a benchmark; all that pytest-benchmark makes of them works, and
    the storage loads as one run per file."""
    storage = ("--benchmark-storage=file://results/bench", "--benchmark-save=main")
    words = ("--regionbench-rounds=3", "--regionbench-endpoints=global,well", *storage)
    first = suite(tmp_path, half, *words)
    assert first.returncode == 0, first.stdout
    second = suite(
        tmp_path, half, *words, "--benchmark-compare", "--benchmark-histogram=out/picture"
    )
    assert second.returncode == 0, second.stdout + second.stderr
    assert "test_latency[well-chat-warm] (NOW)" in second.stdout
    assert "test_latency[well-edge-warm] (0001_main)" in second.stdout
    pictures = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert pictures == ["picture-chat_ttft.svg", "picture-edge_total.svg"]
    df = bench.load(tmp_path / "results")
    runs = df.attrs["runs"]
    assert [run["scheduled"] for run in runs] == [16, 16]
    assert [run["status"] for run in runs] == ["complete"] * 2
    measured = df[~df["warmup"]].groupby(["run_id", "endpoint", "kind"], observed=True).size()
    assert measured.to_list() == [3] * 8
    assert df.attrs["cautions"] == []


def test_by_default_a_fleet_runs_for_the_session_and_is_gone_after_it(tmp_path: Path) -> None:
    """No option, no key, no file left behind."""
    (tmp_path / "tmp").mkdir()
    words = ("--pyargs", "bench.suite", "-k", "edge", "--regionbench-rounds=1")
    done = subprocess.run(
        command(*words, "--benchmark-json=out.json"),
        cwd=tmp_path,
        env=environment() | {"TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout
    assert bench.load(tmp_path / "out.json").attrs["runs"][0]["provider"] == "fleet"
    assert list((tmp_path / "tmp").glob("regionbench-*")) == []


def test_benchmarks_share_no_round(half: Fleet, tmp_path: Path) -> None:
    """They follow each other: whoever pairs by round must find nothing to pair."""
    suite(tmp_path, half, "--regionbench-rounds=2", "--benchmark-json=out.json")
    df = bench.load(tmp_path / "out.json")
    assert df["round"].is_unique
    assert all(difference.n_pairs == 0 for difference in summarise(df).differences)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--regionbench-kinds=chta",), "kinds.0: Input should be 'chat', 'responses'"),
        (("--regionbench-endpoints=mars",), "no endpoint 'mars' in the fleet; it has global"),
        (("--regionbench-rounds=many",), "--regionbench-rounds many: write a whole number"),
        (("--regionbench-timeout=soon",), "250ms or 1.5s"),
        (("--regionbench-profile=sunny",), "typical"),
        (("--regionbench-plan=no.toml",), "regionbench init"),
        (("--regionbench-catalogue=xai",), "set XAI_API_KEY"),
    ],
)
def test_what_is_wrong_is_one_sentence_before_any_test(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    """Exit code 4, pytest's own for wrong usage; without a key nothing is sent."""
    done = run(tmp_path, "--pyargs", "bench.suite", *words)
    assert done.returncode == 4
    told = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
    assert len(told) == 1
    assert told[0].startswith("ERROR: regionbench: ")
    assert sentence in told[0]


WRONG = {
    "'mars'": "there is no endpoint 'mars'; there is global, well, out",
    "'well', kind='chta'": "there is no kind 'chta'; there is chat, responses",
    "'well', metric='speed'": "there is no metric 'speed'; there is ttft, total",
    "'well', kind='chat'": "chat was not prepared for, only edge",
}


def test_a_wrong_call_is_one_sentence(half: Fleet, tmp_path: Path) -> None:
    """It fails that test, without a traceback through the plugin."""
    calls = (ONE.format(arguments=a).replace("region", f"{n}") for n, a in enumerate(WRONG))
    (tmp_path / "test_one.py").write_text("".join(calls))
    own = f"--regionbench-catalogue={half.catalogue}"
    done = run(tmp_path, "test_one.py", own, "--regionbench-kinds=edge")
    assert done.returncode == 1
    assert f"{len(WRONG)} failed" in done.stdout
    for sentence in WRONG.values():
        assert f"regionbench: {sentence}" in done.stdout
    assert "Traceback" not in done.stdout


def test_who_does_not_use_it_does_not_pay(tmp_path: Path) -> None:
    """Loaded by its entry point, with and without pytest-benchmark, it loads no more of itself."""
    (tmp_path / "test_mine.py").write_text(
        "import sys\n"
        "def test_mine(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.hasplugin('bench.pytest_plugin')\n"
        "    ours = {name for name in sys.modules if name.partition('.')[0] == 'bench'}\n"
        "    assert ours == {'bench', 'bench.pytest_plugin'}\n"
        "    assert not {'pandas', 'numpy', 'httpx', 'pydantic', 'httpcore'} & set(sys.modules)\n"
    )
    assert [entry.value for entry in entry_points(group="pytest11", name="bench.pytest_plugin")]
    for more in ((), ("-p", "no:benchmark")):
        done = run(tmp_path, "test_mine.py", *more)
        assert done.returncode == 0, done.stdout


def test_without_pytest_benchmark_the_remedy_is_said(half: Fleet, tmp_path: Path) -> None:
    """It is an extra."""
    (tmp_path / "test_one.py").write_text(ONE.format(arguments="'well'"))
    done = run(tmp_path, "test_one.py", "-p", "no:benchmark")
    assert "pip install 'regionbench[pytest]'" in done.stdout
