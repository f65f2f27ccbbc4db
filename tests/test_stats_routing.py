"""Where global's requests went: right where it can be told, and said where it cannot."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cli.options import catalogue_options, plan_options
from bench.frame import tidy
from bench.stats.kernels import Component, component, kernels, overlap
from bench.stats.mixture import em, fit, likelihood
from bench.stats.routing import COUNTED, ELSEWHERE, Routing, posterior, route
from bench.stats.routing_words import PROBES
from bench.stats.spillover import Spillover, spillover
from tests.benchmarks.decisions_routing import asked, case
from tests.synthetic import MEDIANS_MS, rows, run

FAR = {"near": 10.0, "mid": 60.0, "far": 150.0}


def world(
    origins: list[str], references: int = 60, seed: int = 1, **changes: Any
) -> list[dict[str, Any]]:
    """Rows of a run in which global's request number i was answered by ``origins[i]``."""
    rng = np.random.default_rng(seed)
    plan = [("global", name) for name in origins]
    plan += [(name, name) for name in FAR for _ in range(references)]
    made = []
    for seq, (endpoint, region) in enumerate(plan):
        network, work = FAR[region] + rng.gamma(2, 1), 400 * np.exp(rng.normal(0, 0.28))
        made.append(
            {
                "run_id": "r", "seq": seq, "round": seq, "endpoint": endpoint, "kind": "chat",
                "streamed": False, "client": "httpx", "connection": "warm", "warmup": False,
                "outcome": "ok", "reused": True, "server_e2e_ms": float(work),
                "started_at": f"2026-03-14T09:{seq // 60 % 60:02}:{seq % 60:02}Z",
                "ttfb_ns": round((network + work) * 1e6),
                "total_ns": round((network + work) * 1e6),
            } | changes
        )  # fmt: skip
    return made


def mixed(counts: dict[str, int], seed: int = 1) -> list[str]:
    origins = [name for name, n in counts.items() for _ in range(n)]
    return list(np.random.default_rng(seed).permutation(origins))


def strict(answer: Routing | Spillover) -> dict[str, Any]:
    text = json.dumps(answer.to_dict(), allow_nan=False)
    found: dict[str, Any] = json.loads(text)
    return found


@given(
    near=st.integers(0, 60),
    mid=st.integers(0, 60),
    far=st.integers(0, 60),
    seed=st.integers(0, 99),
)
@settings(max_examples=12)
def test_shares_are_shares(near: int, mid: int, far: int, seed: int) -> None:
    """They are at least 0, add up to 1, and lie within their intervals; whatever the mixture."""
    origins = mixed({"near": near, "mid": mid, "far": far}, seed)
    df = tidy(world(origins, 40, seed), [])
    answer = route(df, seed=seed, resamples=30)
    strict(answer)
    assert answer.words().endswith((".", "mid,far", "near,mid,far"))
    if answer.shares:
        assert sum(s.value for s in answer.shares) == pytest.approx(1, abs=1e-5)
        assert all(0 <= s.low <= s.value <= s.high <= 1 for s in answer.shares)
        chances = posterior(df, answer)
        assert np.allclose(chances.sum(axis=1), 1, atol=1e-4)
        assert chances.mean().to_numpy() == pytest.approx(
            [s.value for s in answer.shares], abs=0.01
        )
    else:
        assert len(origins) < 20


def test_a_known_mixture_is_found() -> None:
    """Within 2 points where regions are 50 ms apart, with the offset and the failures apart."""
    made = world(mixed({"near": 120, "mid": 60, "far": 20}))
    lost = [row | {"seq": 9000 + i, "outcome": "capacity"} for i, row in enumerate(made[:7])]
    answer = route(tidy(made + lost, []))
    assert answer.identifiable
    for name, share in {"near": 0.6, "mid": 0.3, "far": 0.1, ELSEWHERE: 0.0}.items():
        found = answer.share(name)
        assert found is not None
        assert found.value == pytest.approx(share, abs=0.02)
    assert answer.failures == {"capacity": 7}
    assert answer.n_global == 200
    assert "7 of 207 global requests failed and are in no share" in answer.words()
    assert answer.words().startswith("About 60 % (")
    assert "were answered by near" in answer.words()


def test_an_unlisted_region_is_elsewhere() -> None:
    """Nobody is given its requests."""
    one = case("mid", 3)
    answer = route(one.df)
    assert {s.name: s.value for s in answer.shares} == pytest.approx(one.real, abs=0.05)


@pytest.mark.parametrize("offset_ms", [0, 5, 11])
def test_a_longer_path_of_global_is_not_taken_for_another_region(offset_ms: int) -> None:
    """The offset is found by likelihood."""
    made = world(mixed({"near": 60, "mid": 60}))
    for row in made[:120]:
        row["total_ns"] += offset_ms * 1_000_000
        row["ttfb_ns"] += offset_ms * 1_000_000
    answer = route(tidy(made, []), resamples=40)
    assert answer.offset_ms == pytest.approx(offset_ms, abs=1)
    assert (answer.offset_low_ms or 0) <= (answer.offset_ms or 0) <= (answer.offset_high_ms or 0)
    assert answer.shares[0].value == pytest.approx(0.5, abs=0.03)


def test_names_do_not_matter() -> None:
    """Other names, and another order of endpoints, give the same shares."""
    made = world(mixed({"near": 90, "mid": 60, "far": 30}))
    other = {"near": "z", "mid": "a", "far": "m", "global": "global"}
    renamed = [row | {"endpoint": other[row["endpoint"]]} for row in made]
    one, two = route(tidy(made, [])), route(tidy(renamed, [run(("a", "m", "z", "global"))]))
    ours = {other.get(s.name, s.name): (s.value, s.low, s.high) for s in one.shares}
    assert {s.name: (s.value, s.low, s.high) for s in two.shares} == ours


def test_the_same_seed_gives_the_same_answer() -> None:
    """And another seed other intervals, but the same shares."""
    df = tidy(world(mixed({"near": 50, "mid": 30})), [])
    one, two, other = route(df, seed=1), route(df, seed=1), route(df, seed=2)
    assert one == two
    assert spillover(df, one) == spillover(df, two)
    assert [s.value for s in one.shares] == [s.value for s in other.shares]
    assert [s.low for s in one.shares] != [s.low for s in other.shares]


def test_by_first_byte_alone_nothing_is_claimed() -> None:
    """Streams carry no word of the server: what to run instead is said, and is a real command."""
    made = [row | {"server_e2e_ms": None} for row in world(mixed({"near": 150, "mid": 150}), 300)]
    answer = route(tidy(made, [run(plan={"catalogue": "xai"})]))
    assert not answer.identifiable
    assert answer.network_from == ""
    assert "by time to first byte alone" in answer.reason
    assert answer.instead in answer.words()
    words = shlex.split(answer.instead)
    assert words[:2] == ["regionbench", "run"]
    parsed = click.command()(catalogue_options(plan_options(lambda **_: None)))
    given_ = parsed.make_context("run", words[2:]).params
    assert given_["stream"] is False
    assert given_["rounds"] == 300
    assert given_["endpoints"] == ("global", "near", "mid", "far")


def _only(*endpoints: str) -> list[dict[str, Any]]:
    made = world(["near"] * 40)
    return [row for row in made if row["endpoint"] in endpoints]


ODD: dict[str, list[dict[str, Any]]] = {
    "empty": [],
    "one row": world(["near"], 0),
    "few answers": world(["near"] * 19),
    "all failed": world(["near"] * 40, outcome="timeout"),
    "global failed": [
        row | ({"outcome": "capacity"} if row["endpoint"] == "global" else {})
        for row in world(["near"] * 40)
    ],
    "no references": _only("global"),
    "no global": _only("near", "mid", "far"),
    "no questions": world(["near"] * 40, kind="edge"),
    "no times": world(["near"] * 40, ttfb_ns=None, total_ns=None),
    "no rounds": world(["near"] * 40, round=None, started_at=None, run_id=None, reused=None),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_cannot_be_told_is_said(odd: str) -> None:
    """No traceback, a reason, a command."""
    df = tidy(ODD[odd], [])
    answer = route(df, resamples=20)
    moved = spillover(df, answer)
    strict(answer)
    strict(moved)
    if odd == "no rounds":
        assert answer.identifiable
        return
    assert not answer.identifiable
    assert answer.reason
    assert answer.instead.startswith("regionbench run --no-stream --rounds 300")
    assert "cannot be told" in answer.words()
    assert "cannot be told" in moved.words()
    assert posterior(df, answer).empty


def test_regions_that_look_alike_are_one_group() -> None:
    """Said in words, with one share for both."""
    made = world(mixed({"near": 60, "far": 60}))
    twin = [
        row | {"endpoint": "twin", "seq": row["seq"] + 5000}
        for row in world([], seed=2)
        if row["endpoint"] == "near"
    ]
    answer = route(tidy(made + twin, []))
    assert [set(group) for group in answer.merged] == [{"near", "twin"}]
    assert answer.share("twin") == answer.share("near") is not None
    assert "look alike from here and are counted together" in answer.words()


def test_a_region_with_few_answers_is_named() -> None:
    """Its requests are elsewhere, and the reader knows."""
    made = world(mixed({"near": 80, "mid": 20}))
    few = [row for row in made if row["endpoint"] != "far" or row["seq"] % 10 == 0]
    answer = route(tidy(few, []), resamples=30)
    assert answer.too_few == {"far": 6}
    assert "too few answers to know far" in answer.words().replace("Too", "too")


def test_regions_that_name_themselves_are_counted() -> None:
    """If a header ever names the region: no statistics needed."""
    made = world(mixed({"near": 30, "mid": 10}))
    for row in made[:40]:
        row["region"] = "r-near" if row["seq"] < 25 else "r-mid"
    df = tidy(made, [])
    answer = route(df)
    assert answer.method == COUNTED
    assert [(s.name, s.value) for s in answer.shares[:2]] == [("r-near", 0.625), ("r-mid", 0.375)]
    assert posterior(df, answer).shape == (40, 3)
    assert spillover(df, answer).bursts


def _probed(origins: list[str], probed: list[str]) -> pd.DataFrame:
    """Streams beside cheap requests, of which global's number i went to ``probed[i]``."""
    rng = np.random.default_rng(5)
    made = [row | {"streamed": True, "server_e2e_ms": None} for row in world(origins)]
    cheap = []
    for row in made:
        name = probed[row["seq"]] if row["endpoint"] == "global" else row["endpoint"]
        ns = round((FAR[name] + rng.gamma(2, 1)) * 1e6)
        cheap.append(row | {"kind": "models", "streamed": False, "ttfb_ns": ns, "total_ns": ns})
    return tidy(made + cheap, [])


def test_cheap_probes_stand_in_for_the_servers_word() -> None:
    """As network time, with the assumption said."""
    origins = mixed({"near": 80, "far": 60})
    answer = route(_probed(origins, origins))
    assert answer.network_from == PROBES
    assert answer.identifiable
    assert answer.shares[0].value == pytest.approx(80 / 140, abs=0.03)
    assert "if cheap probes go where questions go" in answer.words()


def test_probes_that_stay_at_home_are_not_believed() -> None:
    """A cheap request may be answered nearby while questions spill: first bytes contradict it."""
    origins = mixed({"near": 30, "far": 170})
    answer = route(_probed(origins, ["near"] * 200), resamples=40)
    assert not answer.identifiable
    assert "did not go where its questions went" in answer.reason


def test_evidence_is_counted_and_not_used() -> None:
    """Edge and address by endpoint."""
    made = world(["near"] * 30, edge="IAD", peer_ip="192.0.2.1")
    answer = route(tidy(made, []), resamples=10)
    assert answer.evidence["global"] == {"edge": {"IAD": 30}, "peer_ip": {"192.0.2.1": 30}}
    assert set(answer.evidence) == {"global", *FAR}


def test_kernels_are_densities() -> None:
    """In one and in two dimensions they integrate to 1."""
    one = Component(np.array([[3.0]]), np.array([2.0]))
    grid = np.linspace(-400, 400, 40_001)
    assert kernels(grid[:, None], one).sum() * 0.02 == pytest.approx(1, abs=1e-3)
    two = Component(np.array([[0.0, 0.0]]), np.array([1.0, 2.0]))
    x, y = np.meshgrid(np.linspace(-60, 60, 601), np.linspace(-120, 120, 601))
    points = np.column_stack([x.ravel(), y.ravel()])
    assert kernels(points, two).sum() * 0.2 * 0.4 == pytest.approx(1, abs=0.01)


def test_em_finds_the_weights_of_greatest_likelihood() -> None:
    """As good as a search over a fine grid."""
    rng = np.random.default_rng(0)
    density = rng.random((1, 200, 2)).astype(np.float32)
    counts = np.ones((1, 200), dtype=np.float32)
    best = likelihood(em(density, counts), density, counts)[0]
    tries = [np.array([[w, 1 - w]], dtype=np.float32) for w in np.linspace(0, 1, 501)]
    assert best >= max(likelihood(w, density, counts)[0] for w in tries) - 1e-3


def test_overlap_of_the_same_and_of_others() -> None:
    """Near 1 for two samples of one distribution, near 0 for distant ones."""
    rng = np.random.default_rng(0)
    made = [component(np.column_stack([rng.normal(6, 0.2, 200), at + rng.gamma(2, 1, 200)]))
            for at in (10, 10, 11, 60)]  # fmt: skip
    assert overlap(made[0], made[1]) > 0.9
    assert overlap(made[0], made[2]) > 0.8
    assert overlap(made[0], made[3]) < 0.02
    assert overlap(made[0], made[3]) == pytest.approx(overlap(made[3], made[0]))


def test_uncertain_references_make_wide_intervals() -> None:
    """The bootstrap draws the references again too."""
    rng = np.random.default_rng(0)
    seen = np.concatenate([rng.normal(50, 15, 200), rng.normal(100, 15, 200)])[:, None]

    def width(m: int) -> float:
        parts = [component(rng.normal(at, 15, m)[:, None]) for at in (50, 100)]
        spread = fit(seen, parts, seed=1, resamples=100).resampled
        return float(spread[:, 0].std())

    assert width(25) > 1.1 * width(400)


def test_a_burst_is_found_where_it_was() -> None:
    """A stretch of 25 requests in 200, by its region, with evidence."""
    origins = mixed({"near": 90, "far": 10}) + ["far"] * 25 + mixed({"near": 70, "far": 5})
    df = tidy(world(origins), [])
    moved = spillover(df, route(df, resamples=40))
    assert moved.known
    assert moved.home == "near"
    assert len(moved.bursts) == 1
    burst = moved.bursts[0]
    assert burst.region == "far"
    assert abs(burst.first_round - 100) <= 4
    assert abs(burst.last_round - 124) <= 4
    assert burst.share > 0.9 > 0.2 > burst.outside
    assert burst.p <= 0.01
    assert (moved.clustered_p or 1) <= 0.01
    assert "in spells" in moved.words()
    assert "far instead of" in moved.words()
    assert sum(w.n for w in moved.windows) == len(origins)
    for window in moved.windows:
        assert sum(value for value, _, _ in window.shares.values()) == pytest.approx(1, abs=1e-4)
        assert all(low <= value <= high for value, low, high in window.shares.values())


def test_a_steady_mixture_has_no_bursts() -> None:
    """At a false alarm rate of 5 %: at most two in twelve."""
    alarms = 0
    for seed in range(12):
        df = tidy(world(mixed({"near": 70, "far": 30}, seed), seed=seed), [])
        alarms += bool(spillover(df, route(df, resamples=10), seed=seed).bursts)
    assert alarms <= 2


def test_few_requests_cannot_show_a_change() -> None:
    """And it says so."""
    df = tidy(world(["near"] * 30), [])
    answer = route(df, resamples=20)
    assert answer.identifiable
    moved = spillover(df, answer)
    assert not moved.known
    assert "30 answers" in moved.words()


def test_nothing_left_home() -> None:
    """No spells are made of nothing."""
    df = tidy(world(["near"] * 60), [])
    moved = spillover(df, route(df, resamples=20))
    assert moved.known
    assert moved.words() == "None of 60 global requests seems to have left near."


def test_streams_of_the_shared_synthetic_world_do_not_crash() -> None:
    """Rows as a run leaves them: drift, tails, failures, cold and warm."""
    df = tidy(rows(30, fail=dict.fromkeys(MEDIANS_MS, 0.2), connections=("warm", "cold")), [run()])
    strict(route(df, resamples=20))


def test_the_fleets_own_log_agrees() -> None:
    """Real requests, unstreamed, against a fleet whose nearest region is short half of the time."""
    answer, found = asked("spillover", seed=3, rounds=60)
    assert answer.network_from == "the server's own word"
    assert max(map(abs, found.errors.values())) <= 0.10
