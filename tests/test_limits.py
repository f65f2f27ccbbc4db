"""Limits and manners against a real fleet, whose own log counts what was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.catalogue import load_catalogue
from bench.cli import main
from bench.errors import UsageError
from bench.model import NOT_ASKED, PAUSED
from bench.plan import make_plan
from bench.prepare import Prepared, Where, prepare
from bench.session import Finished, execute
from bench.simulator import Fleet
from tests.faults.places import full_queue
from tests.profiles import FAULTY


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet in which every region but one fails in its own way."""
    profile = tmp_path_factory.mktemp("profile") / "faulty.toml"
    profile.write_text(FAULTY)
    with Fleet.start(profile, seed=3) as running:
        yield running


def prepared(fleet: Fleet, where: Where, **plan: Any) -> Prepared:
    catalogue = load_catalogue(str(fleet.catalogue))
    made = make_plan(catalogue=str(fleet.catalogue), **plan)
    return prepare(made, catalogue, where)


def asked(fleet: Fleet, before: int) -> list[dict[str, Any]]:
    """What the fleet was asked of a model since then."""
    return [deed for deed in fleet.truth()[before:] if deed["path"].endswith("/chat/completions")]


def status(finished: Finished) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((finished.folder / "run.json").read_text())
    return found


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("limit", [1, 17, 60])
def test_the_fleet_counts_no_request_beyond_the_limit(
    limit: int, concurrency: int, faulty: Fleet, tmp_path: Path
) -> None:
    """Eight in flight, every fault: not one more is sent, and each that was sent is a row."""
    where = Where(results=tmp_path, max_requests=limit)
    ready = prepared(faulty, where, rounds=100, concurrency=concurrency)
    before = len(faulty.truth())
    finished = execute(ready, where)
    assert len(asked(faulty, before)) == limit
    assert len(finished.frame()) == limit
    assert finished.status == status(finished)["status"] == "stopped"
    assert status(finished)["reason"] == f"the limit of {limit} requests is reached"


@pytest.mark.parametrize("concurrency", [1, 8])
def test_what_the_service_billed_is_within_the_limit(
    concurrency: int, faulty: Fleet, tmp_path: Path
) -> None:
    """By the worst that it can have billed for what broke: no answer has more than 16 tokens."""
    limit_usd = 0.05
    where = Where(results=tmp_path, max_usd=limit_usd)
    ready = prepared(
        *(faulty, where),
        rounds=100,
        concurrency=concurrency,
        parameters={"reasoning_effort": "none"},
    )
    before = len(faulty.truth())
    finished = execute(ready, where)
    df = finished.frame()
    assert finished.status == "stopped"
    assert "of the limit of $0.0500 are spent" in str(finished.reason)
    assert df["cost_usd"].sum() <= limit_usd
    assert len(asked(faulty, before)) == len(df) < ready.scheduled
    worst = max(ready.worst_usd(t) for t in _trials(ready))
    unknown = df["cost_usd"].isna() & ~df["outcome"].isin(["rate_limited", "capacity"])
    assert df["cost_usd"].sum() + worst * unknown.sum() <= limit_usd
    assert df["cost_usd"].sum() + worst * (unknown.sum() + concurrency) > limit_usd - worst


def _trials(ready: Prepared) -> list[Any]:
    from bench.schedule import schedule

    names = [endpoint.name for endpoint in ready.endpoints]
    return list(schedule(replace(ready.plan, rounds=1, warmup_rounds=0), names))


def test_a_run_that_fits_its_limits_is_complete(faulty: Fleet, tmp_path: Path) -> None:
    """The last request allowed is sent, and nothing was stopped."""
    where = Where(results=tmp_path, max_requests=6 * 3)
    finished = execute(prepared(faulty, where, rounds=2), where)
    assert (finished.status, finished.reason) == ("complete", None)
    assert len(finished.frame()) == 18


def test_the_time_limit_ends_what_is_in_flight(faulty: Fleet, tmp_path: Path) -> None:
    """A second is a second: rows of what was interrupted say so."""
    where = Where(results=tmp_path, max_duration_s=1.0)
    finished = execute(prepared(faulty, where, rounds=100_000, concurrency=4), where)
    assert finished.status == "stopped"
    assert finished.reason == "the limit of 1 s is reached"
    assert (finished.frame()["outcome"] == "cancelled").sum() <= 4


@pytest.mark.parametrize("model", ["auto", "grok-4"])
def test_a_price_that_is_not_known_is_refused_in_one_sentence_before_any_question(
    model: str, faulty: Fleet, tmp_path: Path
) -> None:
    """What cannot be counted cannot be limited."""
    text = faulty.catalogue.read_text().replace('"ca.pem"', f'"{faulty.ca}"')
    file = tmp_path / "catalogue.toml"
    lines = [line for line in text.splitlines() if not line.startswith("usd_per_million")]
    file.write_text("\n".join(lines))
    before = len(faulty.truth())
    where = Where(results=tmp_path / "results", max_usd=1.0)
    with pytest.raises(UsageError, match=r"--max-usd: the price of grok-4 .*; add usd_per_million"):
        prepare(make_plan(catalogue=str(file), model=model), load_catalogue(str(file)), where)
    assert asked(faulty, before) == []
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_of_nothing_is_a_mistake(wrong: float, faulty: Fleet, tmp_path: Path) -> None:
    """And not a run without requests."""
    with pytest.raises(UsageError, match=r"--max-usd .*: write a number above 0"):
        prepared(faulty, Where(results=tmp_path, max_usd=wrong))


@pytest.mark.parametrize("words", [["run"], ["choose"], ["routing"]])
def test_every_command_that_asks_takes_the_limits(
    words: list[str], faulty: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are said before, why it stopped after, and it costs no exit code of its own."""
    before = len(faulty.truth())
    code = main(
        [
            *words,
            *(["--no-report"] if words == ["run"] else []),
            *("--catalogue", str(faulty.catalogue), "--endpoints", "well,failing"),
            *("--results", str(tmp_path), "--no-calibrate", "--max-requests", "12"),
            *("--max-usd", "3", "--max-duration", "5m"),
        ]
    )
    told = capsys.readouterr().err
    assert "Stops at $3.00, or 12 requests, or 300 s." in told
    assert "Stopped: the limit of 12 requests is reached." in told
    assert code == (0 if words == ["run"] else 3)
    sent = [deed for deed in faulty.truth()[before:] if deed["model"]]
    assert len(sent) <= 12


def test_a_limit_that_leaves_no_measured_request_is_not_enough_data(
    faulty: Fleet, tmp_path: Path
) -> None:
    """Warm-ups alone answer nothing: 3, as for every question that the rows cannot answer."""
    words = ["run", "--catalogue", str(faulty.catalogue), "--no-calibrate", "--no-report"]
    assert main([*words, "--results", str(tmp_path), "--max-requests", "3"]) == 3


def test_a_429_pauses_its_endpoint_and_the_pause_is_in_no_time(
    tmp_path: Path,
) -> None:
    """The request after it is flagged, and waited for its endpoint alone."""
    text = FAULTY.replace("rate_limited_rate = 0.3", "rate_limited_rate = 1.0")
    profile = tmp_path / "limited.toml"
    profile.write_text(text)
    with Fleet.start(profile, seed=1) as fleet:
        where = Where(results=tmp_path / "results")
        ready = prepared(
            *(fleet, where), rounds=2, warmup_rounds=0, endpoints=("well", "limited"), rate=100.0
        )
        df = execute(ready, where).frame()
    refused = df[df["outcome"] == "rate_limited"]
    paused = df["flags"].astype("string").str.contains(PAUSED).fillna(False)
    assert len(refused) == 2
    wait_s = float(refused["retry_after_s"].fillna(1.0).iloc[0])
    assert list(df.loc[paused, "endpoint"].astype(str)) == ["limited"]
    assert wait_s > 0.5
    assert (df["total_ns"].dropna() < wait_s * 1e9 / 2).all()
    assert (df["late_ns"].dropna() < wait_s * 1e9 / 2).all()


def test_a_dead_endpoint_is_asked_rarely_and_every_trial_is_a_row(
    faulty: Fleet, tmp_path: Path
) -> None:
    """It was alive at the preflight; those that were not sent say so, and count in no rate."""
    where = Where(results=tmp_path)
    ready = prepared(*(faulty, where), rounds=30, endpoints=("well", "cut"), timeout_s=0.2)
    with full_queue() as port:
        endpoints = tuple(
            replace(e, connect=f"127.0.0.1:{port}") if e.name == "cut" else e
            for e in ready.endpoints
        )
        finished = execute(replace(ready, endpoints=endpoints), where)
    df = finished.frame()
    assert sorted(df["seq"]) == list(range(62))
    dead = df[df["endpoint"] == "cut"]
    unsent = dead["flags"].astype("string").str.contains(NOT_ASKED).fillna(False)
    assert (dead.loc[~unsent, "outcome"] == "timeout").all()
    assert len(dead[~unsent]) == 7
    assert set(dead.loc[unsent, "outcome"]) == {"cancelled"}
    from bench.stats import summarise

    cautions = {caution.code: caution.text for caution in summarise(df).cautions}
    assert cautions["not_asked"].startswith("Not sent, because nobody could be connected to: cut")
