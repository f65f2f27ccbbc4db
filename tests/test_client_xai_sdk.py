"""The xAI SDK's client against a real fleet over gRPC and TLS: one right reply each."""

from __future__ import annotations

import importlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.clients import Client, Settings, make_client
from bench.clients.grpc_outcome import Status, judge, said
from bench.clients.grpc_request import PARAMETERS, Unsendable, arguments
from bench.errors import PlanError
from bench.key import Key
from bench.model import Connection, Endpoint, Reply, Request
from bench.plan import make_plan
from bench.request import build_request
from bench.simulator import Fleet, grpc_shapes
from bench.simulator.asked import read_chat
from bench.wire.proxy import Proxy
from bench.wire.trust import trust
from tests.conftest import Authority
from tests.faults.server import Conversation, Script, fault_server
from tests.namespace import require_namespaces, run_inside


def _require() -> None:
    """The extra, loudly: in CI its absence is a failure."""
    if os.environ.get("CI"):
        importlib.import_module("xai_sdk")
    pytest.importorskip("xai_sdk", reason="pip install 'regionbench[xai]'")


_require()

PROFILE = """
about = "One region for each way a call can go."
edge_rtt_ms = 2.0
[router]
regions = ["full", "near", "far"]
[[models]]
id = "grok-4"
created = 1752019200
fingerprint = "fp_1"
usd_per_million = { input = 3, cached_input = 0.75, output = 15 }
efforts = ["none", "low"]
completion_tokens = 4
reasoning_tokens = 2
[[models]]
id = "far-only"
created = 1
fingerprint = "fp_2"
usd_per_million = { input = 1, cached_input = 1, output = 1 }
[defaults]
latitude = 0
longitude = 0
rtt_ms = 1.0
models = ["grok-4"]
service = { ttft_ms = 5.0, sigma = 0.0, token_ms = 0.5 }
[[regions]]
name = "full"
capacity = 0
[[regions]]
name = "near"
longitude = 5
[[regions]]
name = "far"
longitude = 40
rtt_ms = 4.0
models = ["grok-4", "far-only"]
[[regions]]
name = "slow"
service = { ttft_ms = 60000.0, sigma = 0.0 }
[[regions]]
name = "halting"
service = { ttft_ms = 5.0, sigma = 0.0, token_ms = 30000.0 }
[[regions]]
name = "failing"
failure_rate = 1.0
[[regions]]
name = "limited"
rate_limited_rate = 1.0
[[regions]]
name = "cut"
truncated_rate = 1.0
[[regions]]
name = "faltering"
stream_error_rate = 1.0
[[regions]]
name = "gone"
outages = [{ start_s = 0.0, seconds = 3600.0 }]
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    path = tmp_path_factory.mktemp("profile") / "ways.toml"
    path.write_text(PROFILE)
    with Fleet.start(path) as running:
        yield running


@pytest.fixture
def client(fleet: Fleet) -> Iterator[Client]:
    made = make_client("xai-sdk", settings(fleet))
    yield made
    made.close()


def settings(fleet: Fleet, key: str | None = None, timeout_s: float = 20.0) -> Settings:
    return Settings(trust(fleet.ca), Key(key or fleet.key), timeout_s)


def chat(
    *, stream: bool = True, model: str = "grok-4", nonce: str = "0" * 16, **own: Any
) -> Request:
    plan = make_plan(stream=stream)
    return build_request("chat", plan, api="/v1", model=model, parameters=own, nonce=nonce)


def endpoint(fleet: Fleet, name: str) -> Endpoint:
    return next(e for e in fleet.endpoints if e.name == name)


def ask(
    client: Client,
    fleet: Fleet,
    name: str = "near",
    request: Request | None = None,
    connection: Connection = "warm",
) -> Reply:
    return client.send(endpoint(fleet, name), request or chat(), connection)


def test_a_streamed_answer_has_all_its_times_and_tokens(client: Client, fleet: Fleet) -> None:
    """Reasoning, content and end are told apart; the times are the application's own."""
    reply = ask(client, fleet)
    assert (reply.outcome, reply.error, reply.failed_phase) == ("ok", None, None)
    times = [reply.first_event_ns, reply.first_reasoning_ns, reply.ttft_ns, reply.last_token_ns]
    assert None not in (*times, reply.total_ns)
    assert times == sorted(times, key=lambda ns: ns or 0)
    assert len(reply.token_offsets_ns or ()) == reply.completion_tokens == 4
    assert (reply.reasoning_tokens, reply.fingerprint, reply.model) == (2, "fp_1", "grok-4")
    assert (reply.ttfb_layer, reply.ttfb_kernel_ns, reply.http_version) == ("app", None, "HTTP/2")
    assert reply.cost_usd is not None


def test_an_unstreamed_answer_is_the_same_answer(client: Client, fleet: Fleet) -> None:
    """Only tokens have no times of their own."""
    streamed, whole = ask(client, fleet), ask(client, fleet, request=chat(stream=False))
    assert (whole.outcome, whole.ttft_ns, whole.token_offsets_ns) == ("ok", None, None)
    assert whole.answer_sha256 == streamed.answer_sha256
    assert whole.request_id == fleet.truth()[-1]["request_id"]
    assert whole.total_ns is not None


def test_the_prompt_is_the_one_of_rest(client: Client, fleet: Fleet) -> None:
    """The region's prompt cache knows what httpx asked before, and nothing else."""
    request = chat(nonce="c" * 16)
    http = make_client("httpx", settings(fleet))
    assert ask(http, fleet, request=request).cached_tokens == 0
    http.close()
    assert (ask(client, fleet, request=request).cached_tokens or 0) > 0
    assert ask(client, fleet, request=chat(nonce="d" * 16)).cached_tokens == 0


def test_every_parameter_that_is_known_reaches_the_message(fleet: Fleet) -> None:
    """What the SDK sends reads as what REST was sent; nothing is left out in silence."""
    import xai_sdk.chat

    own: dict[str, Any] = {
        "max_completion_tokens": 7,
        "reasoning_effort": "low",
        "temperature": 0.5,
        "seed": 3,
    }
    request = chat(**own)
    given = arguments(request, xai_sdk.chat)
    message = xai_sdk.Client(api_key="k").chat.create(**given).proto
    frame = message.SerializeToString()
    words = grpc_shapes.load()
    assert words is not None
    read = words.read(b"\0" + len(frame).to_bytes(4, "big") + frame, streamed=True)
    assert read == read_chat(request.body)
    assert (message.temperature, message.seed) == (0.5, 3)


def test_the_table_of_parameters_is_the_sdks_own() -> None:
    """Each is a parameter of `chat.create`; an SDK that drops one is found here."""
    import inspect

    import xai_sdk

    known = inspect.signature(xai_sdk.Client(api_key="k").chat.create).parameters
    assert set(PARAMETERS.values()) <= set(known)


@pytest.mark.parametrize("own", [{"tools": []}, {"reasoning_effort": "tremendous"}])
def test_what_the_sdk_cannot_say_is_the_clients_fault(
    client: Client, fleet: Fleet, own: dict[str, Any]
) -> None:
    """It is not sent in another form; the fleet sees nothing."""
    before = len(fleet.truth())
    reply = ask(client, fleet, request=chat(**own))
    assert reply.outcome == "client_fault"
    assert reply.error
    assert len(fleet.truth()) == before


def test_other_kinds_are_refused() -> None:
    """gRPC has no GET /v1/models."""
    request = build_request("models", make_plan(), api="/v1", model=None, parameters={}, nonce="")
    with pytest.raises(Unsendable, match="models"):
        arguments(request, None)


WAYS: dict[str, tuple[str, str, str | None]] = {
    "full": ("capacity", "capacity", None),
    "failing": ("server_error", "server_error", None),
    "limited": ("rate_limited", "rate_limited", None),
    "cut": ("truncated", "truncated", "body"),
    "faltering": ("capacity", "server_error", None),
    "gone": ("server_error", "server_error", None),
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", WAYS)
def test_each_failure_is_one_request_and_its_own_outcome(
    client: Client, fleet: Fleet, name: str, stream: bool
) -> None:
    """No failure is retried in secret: the SDK's default would ask up to five times."""
    before = len(fleet.truth())
    reply = ask(client, fleet, name, chat(stream=stream))
    outcome, phase = WAYS[name][0 if stream else 1], WAYS[name][2]
    assert (reply.outcome, reply.failed_phase) == (outcome, phase)
    assert reply.error
    assert len(fleet.truth()) - before == 1
    assert ask(client, fleet).outcome == "ok"


def test_a_full_region_fails_and_the_global_endpoint_goes_on(client: Client, fleet: Fleet) -> None:
    """The nearest region has no room; the global endpoint answers from the next."""
    assert ask(client, fleet, "full").outcome == "capacity"
    assert [ask(client, fleet, "global").outcome for _ in range(3)] == ["ok"] * 3
    last = fleet.truth()[-3:]
    assert {(deed["region"], deed["spilled"]) for deed in last} == {("near", True)}


def test_a_model_of_another_region_is_missing(client: Client, fleet: Fleet) -> None:
    """And is found where it is."""
    request = chat(model="far-only")
    assert ask(client, fleet, "near", request).outcome == "model_missing"
    assert ask(client, fleet, "far", request).outcome == "ok"


def test_a_wrong_key_is_refused_and_not_shown(fleet: Fleet) -> None:
    """UNAUTHENTICATED; and the key is in no field."""
    client = make_client("xai-sdk", settings(fleet, "canary-abcdef"))
    reply = ask(client, fleet)
    client.close()
    assert reply.outcome == "bad_key"
    assert reply.edge is not None
    assert "canary" not in str(reply)


@pytest.mark.parametrize(
    ("name", "stream", "phase"), [("slow", False, "ttfb"), ("halting", True, "body")]
)
def test_the_plans_timeout_is_the_deadline(
    fleet: Fleet, name: str, stream: bool, phase: str
) -> None:
    """Also in the middle of a stream."""
    client = make_client("xai-sdk", settings(fleet, timeout_s=0.5))
    reply = ask(client, fleet, name, chat(stream=stream))
    client.close()
    assert (reply.outcome, reply.failed_phase, reply.total_ns) == ("timeout", phase, None)


def test_warm_requests_share_a_connection_and_cold_ones_do_not(
    client: Client, fleet: Fleet
) -> None:
    """As gRPC itself shows its connections, streams as well."""
    warm = [ask(client, fleet, request=chat(stream=bool(n % 2))) for n in range(4)]
    cold = [ask(client, fleet, connection="cold") for _ in range(2)]
    assert [reply.reused for reply in warm] == [False, True, True, True]
    assert [reply.reused for reply in cold] == [False, False]
    assert {reply.peer_ip for reply in warm + cold} == {"127.0.0.1"}
    assert [reply.ttfb_ns is None for reply in warm] == [True, False, False, False]


def test_two_clients_have_connections_of_their_own(client: Client, fleet: Fleet) -> None:
    """Workers do not share one, which gRPC would do by itself."""
    other = make_client("xai-sdk", settings(fleet))
    replies = [ask(each, fleet) for each in (client, other, client, other)]
    other.close()
    assert [reply.reused for reply in replies] == [False, False, True, True]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_an_interrupted_request_is_a_cancelled_row(
    client: Client, fleet: Fleet, stream: bool
) -> None:
    """It ends at once, and the next request works."""
    threading.Timer(0.3, client.interrupt).start()
    reply = ask(client, fleet, "slow", chat(stream=stream))
    assert (reply.outcome, reply.total_ns, reply.failed_phase) == ("cancelled", None, "ttfb")
    assert ask(client, fleet).outcome == "ok"


def test_connections_that_fail_are_told_apart(
    client: Client, fleet: Fleet, authority: Authority
) -> None:
    """By what gRPC says of them; and each request is a try of its own."""
    near = endpoint(fleet, "near")
    refused = Endpoint("refused", near.url, connect="127.0.0.1:1")
    misnamed = Endpoint("misnamed", "https://other.test", connect=near.connect)
    for where, outcome in ((refused, "connect_fail"), (misnamed, "tls_fail")):
        replies = [client.send(where, chat(), "warm") for _ in range(2)]
        assert {reply.outcome for reply in replies} == {outcome}
        assert {reply.total_ns for reply in replies} == {None}
    stranger = make_client("xai-sdk", Settings(trust(authority.file), Key("k"), 5.0))
    assert ask(stranger, fleet).outcome == "tls_fail"
    stranger.close()


def _after_the_request(then: Callable[[Conversation], None]) -> Script:
    """HTTP/2 as far as a client needs it in order to send: our (empty) settings."""

    def script(conversation: Conversation) -> None:
        conversation.send(b"\0\0\0\4\0\0\0\0\0")
        data = b""
        while b"planet" not in data:
            data += conversation.sock.recv(65536)
        then(conversation)

    return script


HANGS: dict[str, tuple[Callable[[Conversation], None], str]] = {
    "FIN": (Conversation.raw_close, "truncated"),
    "RST": (Conversation.reset, "stream_error"),
    "silence": (Conversation.silence, "timeout"),
    "garbage": (lambda conversation: conversation.send(b"x" * 100), "protocol_error"),
    "a reset stream": (
        lambda conversation: conversation.send(b"\0\0\4\3\0\0\0\0\1\0\0\0\2"),
        "stream_error",
    ),
}


@pytest.mark.parametrize("name", HANGS)
def test_a_connection_that_breaks_instead_of_an_answer(authority: Authority, name: str) -> None:
    """Each has its outcome, after one request."""
    then, outcome = HANGS[name]
    context = authority.server("api.fleet.test")
    context.set_alpn_protocols(["h2"])
    client = make_client("xai-sdk", authority.settings(1.0))
    with fault_server(_after_the_request(then), context, read=False) as server:
        where = Endpoint("e", "https://api.fleet.test", connect=server.address)
        reply = client.send(where, chat(), "warm")
        assert server.connections == 1
    client.close()
    assert (reply.outcome, reply.failed_phase) == (outcome, "ttfb")


JUDGED: dict[str, tuple[Status, str, str | None]] = {
    "no such name": (
        Status("UNAVAILABLE", "DNS resolution failed for x:443", False),
        "dns_fail",
        "dns",
    ),
    "reset": (
        Status("UNAVAILABLE", "Stream removed (recvmsg:Connection reset by peer (104))", False),
        "stream_error",
        "ttfb",
    ),
    "reset in the stream, as REST judges it": (
        Status(
            "UNAVAILABLE", "Stream removed (recvmsg:Connection reset by peer (104))", False, True
        ),
        "truncated",
        "body",
    ),
    "closed in the stream": (
        Status("UNAVAILABLE", "Stream removed (Socket closed)", False, begun=True),
        "truncated",
        "body",
    ),
    "not HTTP/2": (
        Status("UNKNOWN", "Stream removed (Failed parsing HTTP/2 (Frame size …))", False),
        "protocol_error",
        "ttfb",
    ),
    "a proxy's 502": (
        Status("UNAVAILABLE", "Received http2 header with status: 502", False),
        "server_error",
        None,
    ),
    "a proxy that has no content": (
        Status("UNKNOWN", "Received http2 header with status: 204", False),
        "protocol_error",
        "ttfb",
    ),
    "the server's deadline": (Status("DEADLINE_EXCEEDED", "too slow", True), "timeout", None),
    "unavailable for another reason": (
        Status("UNAVAILABLE", "the tls terminator is sad", True),
        "server_error",
        None,
    ),
    "a refused key as REST refuses it": (
        Status("INVALID_ARGUMENT", "Incorrect API key provided.", True),
        "bad_key",
        None,
    ),
    "no permission": (Status("PERMISSION_DENIED", "no", True), "forbidden", None),
    "an unknown code": (Status("DATA_LOSS", "gone", True), "server_error", None),
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_status_becomes_an_outcome(name: str) -> None:
    """gRPC's words for what a server says and for what its library found out are the same."""
    status, outcome, phase = JUDGED[name]
    assert judge(status) == (outcome, phase)


def test_the_librarys_own_words_are_not_the_servers() -> None:
    """Without metadata, or when the transport broke within an answer."""
    assert said("The model is at capacity", with_metadata=True)
    assert not said("Socket closed", with_metadata=False)
    assert not said("Stream removed (Socket closed)", with_metadata=True)


def test_without_the_sdk_a_sentence_says_what_to_install(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the plan's check, not at the first request."""
    monkeypatch.setitem(__import__("sys").modules, "xai_sdk", None)
    with pytest.raises(PlanError, match=r"pip install 'regionbench\[xai\]'"):
        make_client("xai-sdk", settings(fleet))


def test_a_proxy_is_refused_rather_than_ignored(fleet: Fleet) -> None:
    """The direct way would be another measurement."""
    through = Settings(trust(fleet.ca), Key("k"), 1.0, proxy=Proxy("127.0.0.1", 1))
    with pytest.raises(PlanError, match="proxy"):
        make_client("xai-sdk", through)


def test_without_a_key_nothing_is_sent(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK by itself would take XAI_API_KEY from the environment."""
    monkeypatch.setenv("XAI_API_KEY", "canary-abcdef")
    client, before = make_client("xai-sdk", Settings(trust(fleet.ca), None, 1.0)), fleet.truth()
    assert ask(client, fleet).outcome == "client_fault"
    assert fleet.truth() == before


DOCUMENT = """
import os
from xai_sdk import Client
from xai_sdk.chat import user

client = Client(
api_key=os.getenv("XAI_API_KEY"),
api_host="us-east-1.api.x.ai" # Without the https://
)

chat = client.chat.create(model="grok-4")
chat.append(user("What is the meaning of life?"))

completion = chat.sample()
"""
AFTER = """
import json
*_, (streamed, _) = chat.stream()
print(json.dumps([completion.content, streamed.content]))
client.close()
"""
LIVE = """
import subprocess
from bench.simulator import Fleet
with Fleet.start(os.environ["TEST_PROFILE"], hosts="xai", bind="127.0.0.{n}:443") as fleet:
    env = {**os.environ, "XAI_API_KEY": fleet.key,
           "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(fleet.ca)}
    done = subprocess.run([sys.executable, "-c", os.environ["TEST_CODE"]], env=env)
    assert [deed["status"] for deed in fleet.truth()] == [200, 200], fleet.truth()
    sys.exit(done.returncode)
"""


@pytest.mark.parametrize("host", ["us-east-1.api.x.ai", "api.x.ai"])
def test_the_documents_example_runs_as_written(tmp_path: Path, host: str) -> None:
    """At the service's real names on port 443, the key supplied; and streamed as well."""
    require_namespaces()
    profile = tmp_path / "real.toml"
    profile.write_text(PROFILE.replace('"full"', '"us-east-1"').replace("capacity = 0", ""))
    hosts = {"api.x.ai": "127.0.0.1", "us-east-1.api.x.ai": "127.0.0.2"}
    code = DOCUMENT.replace("us-east-1.api.x.ai", host) + AFTER
    done = run_inside(LIVE, hosts, tmp_path, {"TEST_CODE": code, "TEST_PROFILE": str(profile)})
    assert done.returncode == 0, done.stderr
    whole, streamed = json.loads(done.stdout)
    assert whole == streamed
    assert whole.startswith("Earth")
