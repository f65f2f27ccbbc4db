"""The nouns. Data that flows from plan to plot, in frozen records without behaviour.

    Endpoint, Request   what is asked, and where
    Plan, Trial         what shall be measured, and each single request of it in order
    Reply               what one client saw of one request
    Sample              Reply + Trial + run: the row, the one thing that is ever stored
    Run                 what is true of all rows of one run

Times are integer nanoseconds with names in ``_ns``; ``None`` is "unknown or not applicable".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

SCHEMA_VERSION = 2
"""Of rows and run.json. 2 brought the column ``arm``: who does not know it would mix arms in one
number, and must refuse."""

Kind = Literal["chat", "responses", "models", "edge"]
Connection = Literal["warm", "cold"]

KINDS: tuple[Kind, ...] = ("chat", "responses", "models", "edge")

ASKING: tuple[Kind, ...] = ("chat", "responses")
"""The kinds that ask a model, and cost money."""
CONNECTIONS: tuple[Connection, ...] = ("warm", "cold")

OUTCOMES = (
    "ok",
    "dns_fail",
    "connect_fail",
    "tls_fail",
    "timeout",
    "bad_key",
    "forbidden",
    "model_missing",
    "bad_request",
    "rate_limited",
    "capacity",
    "server_error",
    "stream_error",
    "truncated",
    "protocol_error",
    "cancelled",
    "client_fault",
)
"""Every way a request can end. All but the first are failures; ``cancelled`` is nobody's fault
and stays out of every rate."""

NOT_KEPT = "not_kept"
"""The flag of a row that was meant to be warm, sent by a client that cannot keep a connection."""

NOT_ASKED = "not_asked"
"""The flag of a row that stands for a request that was not sent: its endpoint is dead, and asked
rarely. Its outcome is ``cancelled``, so that it is in no rate and in no latency."""

PAUSED = "paused"
"""The flag of a row whose request waited because its endpoint had said 429. The wait is in no time
of the row."""

GAP = "gap"
"""The flag of a row in whose midst this machine slept or the process was stopped: its times would
be the silence's. Its outcome is ``cancelled``."""

PHASES = ("dns", "tcp", "tls", "send", "ttfb", "body")
"""The parts of a request in order; ``failed_phase`` is one of them."""

GLOBAL = "global"
"""The name of the endpoint that routes by itself. To everything but the last step it is just
another endpoint."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base URL to measure.

    ``region`` is None for an endpoint that routes by itself. ``connect`` (``address:port``)
    replaces where the socket goes, never what TLS verifies nor what the Host header says.
    """

    name: str
    url: str
    region: str | None = None
    connect: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    evidence: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What every endpoint of a round is sent, byte for byte (host and authorization aside)."""

    kind: Kind
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    streamed: bool
    with_key: bool
    sha256: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation that a chat request sends."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant of a plan: what it asks otherwise. None is as the plan; ``parameters`` are laid
    over the plan's, key by key."""

    model: str | None = None
    messages: tuple[Message, ...] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be measured. Built and checked by `bench.plan`; defaults are the product's."""

    catalogue: str = "xai"
    endpoints: tuple[str, ...] = ()
    model: str = "auto"
    kinds: tuple[Kind, ...] = ("chat",)
    connections: tuple[Connection, ...] = ("warm",)
    clients: tuple[str, ...] = ("httpx",)
    stream: bool = True
    http2: bool = False
    rounds: int = 30
    warmup_rounds: int = 1
    seed: int = 1
    rate: float | None = None
    pause_ms: float = 0.0
    concurrency: int = 1
    timeout_s: float = 60.0
    messages: tuple[Message, ...] = (
        Message("user", "Answer with one word: which planet do we live on?"),
    )
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arms: Mapping[str, Arm] = field(default_factory=dict)
    objectives: tuple[str, ...] = ()
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One scheduled request.

    ``due_ns`` counts from the end of warming up; None: as soon as the one before is done (closed
    loop, and every warm-up). A warm-up belongs to the ``worker`` whose connections it warms; what
    is measured goes to whichever worker is free.
    """

    seq: int
    round: int
    endpoint: str
    kind: Kind
    connection: Connection
    client: str
    warmup: bool
    due_ns: int | None
    worker: int | None = None
    arm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one client saw of one request.

    ``ttfb_ns`` runs from the last request byte to the first response byte. ``first_event_ns``,
    ``first_reasoning_ns``, ``ttft_ns``, ``last_token_ns`` and ``total_ns`` run from the start of
    the request, as a user feels it: the first act on the wire (the name lookup of a new connection,
    the send on a kept one).
    """

    outcome: str
    failed_phase: str | None = None
    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None

    dns_ns: int | None = None
    tcp_ns: int | None = None
    tls_ns: int | None = None
    send_ns: int | None = None
    ttfb_ns: int | None = None
    first_event_ns: int | None = None
    first_reasoning_ns: int | None = None
    ttft_ns: int | None = None
    last_token_ns: int | None = None
    total_ns: int | None = None
    token_offsets_ns: tuple[int, ...] | None = None
    token_coalesced: tuple[bool, ...] | None = None

    ttfb_app_ns: int | None = None
    ttfb_socket_ns: int | None = None
    ttfb_kernel_ns: int | None = None
    ttfb_layer: str | None = None
    wakeup_late_ns: int | None = None
    rtt_ns: int | None = None
    min_rtt_ns: int | None = None
    retransmits: int | None = None
    clock_step: bool | None = None

    server_ttft_ms: float | None = None
    server_e2e_ms: float | None = None

    reused: bool | None = None
    http_version: str | None = None
    peer_ip: str | None = None
    tls_version: str | None = None
    edge: str | None = None
    request_id: str | None = None

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    model: str | None = None
    fingerprint: str | None = None
    bytes: int | None = None
    answer_sha256: str | None = None
    flags: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Reply):
    """The row: one per scheduled request, whatever became of it."""

    run_id: str
    seq: int
    round: int
    endpoint: str
    region: str | None
    kind: str
    streamed: bool
    client: str
    connection: str
    arm: str | None = None
    warmup: bool
    vantage: str
    started_at: str
    due_ns: int | None
    late_ns: int | None
    request_sha256: str


_REPLY = tuple(f.name for f in fields(Reply))
COLUMNS = tuple(f.name for f in fields(Sample) if f.name not in _REPLY) + _REPLY
"""The columns of a run's rows, in the order in which they are stored and shown."""


@dataclass(frozen=True, slots=True)
class Check:
    """What the preflight learned of one endpoint. ``outcome`` is ``ok`` when it can be measured."""

    endpoint: str
    host: str
    outcome: str
    detail: str = ""
    resolves: bool = False
    tls: bool = False
    key: bool | None = None
    models: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is true of all rows of one run; stored as ``run.json``.

    ``model`` is the one that every request asks for, None where there is no such one; ``models``
    has that of each arm, and is empty without arms. ``reason`` says why a run was stopped,
    ``before`` what was true of its parts before it was resumed. ``watch`` is what only a run of a
    watch has: every how many seconds a round was asked for, and the gaps between its rounds.
    ``tour`` is what only a run has that was measured together with those of other vantages, under
    one ``plan.batch``: see `bench.vantage`.
    """

    run_id: str
    plan: Plan
    plan_sha256: str
    provider: str
    simulated: bool
    vantage: str
    model: str | None
    endpoints: tuple[Endpoint, ...]
    preflight: tuple[Check, ...]
    scheduled: int
    started_at: str
    versions: Mapping[str, str]
    clock: Mapping[str, Any]
    platform: Mapping[str, Any]
    models: Mapping[str, str | None] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    status: str = "running"
    reason: str | None = None
    before: tuple[Mapping[str, Any], ...] = ()
    watch: Mapping[str, Any] | None = None
    tour: Mapping[str, Any] | None = None
    finished_at: str | None = None
    schema_version: int = SCHEMA_VERSION

    def _repr_html_(self) -> str:
        from bench.html import card, table  # words of HTML only where they are shown

        asked = [[e.name, e.region or "routes by itself", e.url] for e in self.endpoints]
        unfit = [[c.endpoint, c.outcome, c.detail] for c in self.preflight if c.outcome != "ok"]
        sentence = f"{self.run_id}: {self.scheduled} requests of {self.provider}"
        state = f"{self.status}, {'simulated' if self.simulated else 'real'}, from {self.vantage}"
        left_out = table(("left out", "why", "detail"), unfit, names=3) if unfit else ""
        return card(state, sentence, table(("endpoint", "region", "url"), asked, names=3), left_out)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something the reader of a number must know: evidence, likely cause, and what to do.

    ``vantage`` is the one that it is about, where there are several; empty: of all.
    """

    code: str
    text: str
    advice: str = ""
    vantage: str = ""
