"""A real fleet over real TLS, asked by httpx in HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import json
import ssl
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bench.model import Endpoint
from bench.simulator import Fleet, names

CHAT = "/v1/chat/completions"
FAST = """
about = "Fast and exact."
edge_rtt_ms = 2.0
edge_overhead_ms = 0.5
colo = "LHR"
[limits]
requests_per_second = {limit}
[[models]]
id = "grok-4"
created = 1752019200
fingerprint = "fp_1"
usd_per_million = {{ input = 3, cached_input = 0.75, output = 15 }}
efforts = ["none"]
completion_tokens = 4
[[models]]
id = "rare"
created = 1
fingerprint = "fp_2"
usd_per_million = {{ input = 1, cached_input = 1, output = 1 }}
[defaults]
latitude = 0
models = ["grok-4"]
service = {{ ttft_ms = 5.0, sigma = 0.0, token_ms = 0.5 }}
{near}
[[regions]]
name = "near"
longitude = 0
rtt_ms = 1.0
{here}
[[regions]]
name = "far"
longitude = 40
rtt_ms = 4.0
models = ["grok-4", "rare"]
"""


def profile(folder: Path, near: str = "", here: str = "", limit: int = 10000) -> Path:
    path = folder / "fast.toml"
    path.write_text(FAST.format(near=near, here=here, limit=limit))
    return path


class Caller:
    """httpx, with the fleet's names at the fleet's addresses."""

    def __init__(self, fleet: Fleet, http2: bool = False) -> None:
        self.fleet = fleet
        context = ssl.create_default_context(cafile=str(fleet.ca))
        self.client = httpx.Client(verify=context, http2=http2, trust_env=False, timeout=10)

    def endpoint(self, name: str) -> Endpoint:
        return next(e for e in self.fleet.endpoints if e.name == name)

    def __call__(
        self, name: str, path: str = CHAT, body: Any = None, key: str | None = ""
    ) -> httpx.Response:
        return self.client.send(self.request(name, path, body, key))

    def request(
        self, name: str, path: str = CHAT, body: Any = None, key: str | None = ""
    ) -> httpx.Request:
        endpoint = self.endpoint(name)
        host = endpoint.url.removeprefix("https://")
        headers = {"host": host}
        if key is not None:
            headers["authorization"] = f"Bearer {key or self.fleet.key}"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.client.build_request(
            "GET" if body is None else "POST",
            f"https://{endpoint.connect}{path}",
            headers=headers,
            content=content,
            extensions={"sni_hostname": host},
        )


def question(**more: Any) -> dict[str, Any]:
    return {"model": "grok-4", "messages": [{"role": "user", "content": "hi"}]} | more


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line[6:]) for line in lines]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet.start(profile(tmp_path_factory.mktemp("profile"))) as running:
        yield running


@pytest.fixture(scope="module", params=[False, True], ids=["HTTP/1.1", "HTTP/2"])
def ask(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Caller]:
    caller = Caller(fleet, http2=request.param)
    with caller.client:
        yield caller


def test_a_streamed_chat_comes_as_recorded(ask: Caller) -> None:
    body = question(stream=True, stream_options={"include_usage": True})
    reply = ask("near", body=body)
    assert reply.http_version == ("HTTP/2" if ask.client._transport._pool._http2 else "HTTP/1.1")  # type: ignore[attr-defined]  # no public way to ask httpx
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/event-stream"
    assert not [name for name in reply.headers if name.startswith("x-metrics")]
    found = events(reply)
    assert reply.text.endswith("data: [DONE]\n\n")
    assert found[-1]["choices"] == []
    assert found[-2]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop"}
    tokens = [event["choices"][0]["delta"] for event in found[:-2]]
    assert ["reasoning_content" in token for token in tokens] == [True] * 6 + [False] * 4
    assert "".join(token.get("content", "") for token in tokens) == "Earth is the planet"


def test_who_leaves_before_the_end_is_in_the_log_too(ask: Caller) -> None:
    """Every request that was made is counted, whatever became of its client."""
    left = set()
    for _ in range(10):
        reply = ask.client.send(ask.request("near", body=question(stream=True)), stream=True)
        reply.close()
        left.add(reply.headers["x-request-id"])
    for _ in range(100):
        logged = [deed["request_id"] for deed in ask.fleet.truth()]
        if left <= {*logged}:
            break
        time.sleep(0.05)
    assert [logged.count(one) for one in left] == [1] * 10


def test_an_unstreamed_chat_carries_the_servers_own_times(ask: Caller) -> None:
    reply = ask("near", body=question(reasoning_effort="none"))
    assert reply.json()["choices"][0]["message"]["content"] == "Earth is the planet"
    names_ = ("x-metrics-ttft-ms", "x-metrics-mean-itl-ms", "x-metrics-e2e-ms")
    ttft, itl, e2e = (float(reply.headers[name]) for name in names_)
    assert abs(ttft + 3 * itl - e2e) < 0.01
    deed = next(d for d in ask.fleet.truth() if d["request_id"] == reply.headers["x-request-id"])
    assert abs(deed["service_ms"] - e2e) < 0.01


def test_headers_are_the_recorded_ones_each_once(ask: Caller) -> None:
    reply = ask("near", "/v1/models")
    assert reply.headers.get_list("server") == ["cloudflare"]
    assert len(reply.headers.get_list("date")) == 1
    assert len(reply.headers["cf-ray"].split("-")[0]) == 16
    assert reply.headers["cf-ray"].endswith("-LHR")
    for name in ("requests", "tokens"):
        limit, left = (
            int(reply.headers[f"x-ratelimit-{w}-{name}"]) for w in ("limit", "remaining")
        )
        assert 0 <= left <= limit
    for name in ("x-request-id", "traceparent", "set-cookie", "x-zero-data-retention"):
        assert reply.headers[name]


def test_no_response_names_the_region_that_served(ask: Caller) -> None:
    reply = ask("global", body=question())
    assert "near" not in str(reply.headers.raw) + reply.text


def test_responses_stream_ends_with_what_the_unstreamed_one_says(ask: Caller) -> None:
    body = {"model": "grok-4", "input": "hi"}
    whole = ask("near", "/v1/responses", body).json()
    last = events(ask("near", "/v1/responses", body | {"stream": True}))[-1]
    assert last["type"] == "response.completed"
    assert last["response"]["output"][1]["content"] == whole["output"][1]["content"]


def test_the_key_is_checked_as_the_service_checks_it(ask: Caller) -> None:
    assert ask("near", "/v1/models", key=None).status_code == 401
    wrong = ask("near", "/v1/models", key="wrong")
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("Incorrect API key provided.")
    assert ask("near", body=question(), key="wrong").status_code == 400
    assert ask.fleet.key not in ask("near", "/v1/api-key").text


def test_a_model_is_missing_where_it_is_not_served_and_present_globally(ask: Caller) -> None:
    assert ask("near", body=question(model="rare")).status_code == 404
    assert ask("far", body=question(model="rare")).status_code == 200
    assert ask("global", body=question(model="rare")).status_code == 200
    assert [m["id"] for m in ask("near", "/v1/models").json()["data"]] == ["grok-4"]
    listed = ask("global", "/v1/language-models").json()["models"]
    assert [m["id"] for m in listed] == ["grok-4", "rare"]


def test_bad_questions_are_answered_as_recorded(ask: Caller) -> None:
    bad = ask("near", body=b"nonsense")
    assert bad.status_code == 422
    assert bad.headers["content-type"].startswith("text/plain")
    assert bad.text.startswith("Failed to deserialize the JSON body")
    effort = ask("far", body=question(model="rare", reasoning_effort="none"))
    assert (effort.status_code, effort.json()["code"]) == (400, "invalid-argument")
    assert ask("near", "/v1/nothing").status_code == 404
    assert ask("near", CHAT).status_code == 405


def test_a_repeated_prompt_is_cached_where_it_was_seen(ask: Caller) -> None:
    text = f"never seen before {uuid4()}"
    body = question(messages=[{"role": "user", "content": text}])

    def cached(name: str) -> int:
        details = ask(name, body=body).json()["usage"]["prompt_tokens_details"]
        return int(details["cached_tokens"])

    assert cached("near") == 0
    assert cached("near") >= 128
    assert cached("far") == 0


def test_the_catalogue_says_what_the_fleet_says(fleet: Fleet) -> None:
    table = tomllib.loads(fleet.catalogue.read_text())
    assert table["provider"] == {
        "name": "fleet",
        "api": "/v1",
        "simulated": True,
        "key": fleet.key,
        "ca": "ca.pem",
    }
    assert [Endpoint(**row) for row in table["endpoints"]] == list(fleet.endpoints)
    assert table["endpoints"][0]["name"] == "global"
    assert "region" not in table["endpoints"][0]
    assert table["models"][0]["usd_per_million"]["output"] == 15
    assert table["models"][0]["parameters"] == {"reasoning_effort": "none"}
    assert "parameters" not in table["models"][1]


def test_the_certificate_is_good_for_both_sets_of_names(fleet: Fleet) -> None:
    context = ssl.create_default_context(cafile=str(fleet.ca))
    endpoint = fleet.endpoints[1]
    hosts = ["near.fleet.test", "near.api.x.ai", "api.x.ai", "localhost", "127.0.0.1"]
    with httpx.Client(verify=context, trust_env=False) as client:
        for host in hosts:
            url = f"https://{endpoint.connect}/v1/models"
            assert client.get(url, extensions={"sni_hostname": host}).status_code == 401


def test_a_connection_is_kept(fleet: Fleet) -> None:
    caller = Caller(fleet)
    with caller.client:
        ports = set()
        for streamed in (True, False, True):
            stream = caller("near", body=question(stream=streamed)).extensions["network_stream"]
            ports.add(stream.get_extra_info("client_addr"))
    assert len(ports) == 1


def test_without_capacity_the_region_refuses_and_the_global_endpoint_spills(
    tmp_path: Path,
) -> None:
    with Fleet.start(profile(tmp_path, here="capacity = 0")) as fleet:
        caller = Caller(fleet)
        with caller.client:
            refused = caller("near", body=question())
            spilled = caller("global", body=question(stream=True))
    assert (refused.status_code, refused.json()["code"]) == (
        503,
        "The service is currently unavailable",
    )
    assert spilled.status_code == 200
    first, second = fleet.truth()
    assert (first["endpoint"], first["region"], first["status"]) == ("near", None, 503)
    assert (second["endpoint"], second["region"], second["spilled"]) == ("global", "far", True)


def test_an_outage_is_a_page_of_the_edge_and_the_global_endpoint_goes_round_it(
    tmp_path: Path,
) -> None:
    here = "outages = [{ start_s = 0, seconds = 1000 }]"
    with Fleet.start(profile(tmp_path, here=here)) as fleet:
        caller = Caller(fleet)
        with caller.client:
            gone = caller("near", body=question())
            assert caller("near", "/v1/models").status_code == 502
            assert caller("global", body=question()).status_code == 200
    assert gone.status_code == 502
    assert gone.headers["content-type"].startswith("text/html")


def test_beyond_the_limit_it_is_429_with_retry_after(tmp_path: Path) -> None:
    with Fleet.start(profile(tmp_path, limit=1)) as fleet:
        caller = Caller(fleet)
        with caller.client:
            replies = [caller("near", body=question()) for _ in range(5)]
    refused = [reply for reply in replies if reply.status_code == 429]
    assert refused
    assert refused[0].json()["code"] == "resource-exhausted"
    assert refused[0].headers["retry-after"] == "1"


@pytest.mark.parametrize("http2", [False, True])
def test_a_stream_can_break(tmp_path: Path, http2: bool) -> None:
    with Fleet.start(profile(tmp_path, near="truncated_rate = 1.0")) as fleet:
        caller = Caller(fleet, http2)
        with caller.client, pytest.raises(httpx.RemoteProtocolError):
            caller("near", body=question(stream=True))
        assert fleet.truth()[-1]["failure"] == "truncated"


def test_an_error_can_come_inside_a_stream_that_began_as_200(tmp_path: Path) -> None:
    with Fleet.start(profile(tmp_path, near="stream_error_rate = 1.0")) as fleet:
        caller = Caller(fleet)
        with caller.client:
            reply = caller("near", body=question(stream=True))
            assert caller("near", body=question()).status_code == 500
    assert reply.status_code == 200
    assert set(events(reply)[-1]) == {"code", "error"}
    assert "[DONE]" not in reply.text


def test_the_services_own_names_are_served_when_asked_for(tmp_path: Path) -> None:
    with Fleet.start(profile(tmp_path), hosts="xai") as fleet:
        assert [e.url for e in fleet.endpoints][:2] == ["https://api.x.ai", "https://near.api.x.ai"]
        caller = Caller(fleet)
        with caller.client:
            assert "domain=.x.ai" in caller("near", "/v1/models").headers["set-cookie"]


def test_the_same_seed_gives_the_same_times(tmp_path: Path) -> None:
    path = profile(tmp_path)
    path.write_text(path.read_text().replace("sigma = 0.0", "sigma = 0.5"))

    def times(seed: int) -> list[float]:
        with Fleet.start(path, seed=seed) as fleet:
            caller = Caller(fleet)
            with caller.client:
                for _ in range(3):
                    caller("near", body=question())
        return [deed["service_ms"] for deed in fleet.truth()]

    assert times(3) == times(3) != times(4)


def test_the_typical_global_endpoint_is_visibly_a_mixture() -> None:
    """Replayed without waiting: the router at 300 instants of the first minute."""
    from bench.simulator import reading, router, service

    typical = reading.load("typical")
    shares = []
    for seed in range(20):
        spilled = 0
        for n in range(300):
            used = {r.name: service.background(r, seed, n * 0.2) for r in typical.regions}
            headroom = typical.router.headroom
            chosen = router.route(typical.routed, dict(used), "grok-4.3", headroom)
            spilled += chosen is None or chosen.name != "us-east-1"
        shares.append(spilled / 300)
    assert all(0.1 < share < 0.35 for share in shares)
    assert names.PROFILES
