"""One contestant in a process of its own: waits for its turn, asks so often, says what that cost.

python -m tests.benchmarks.rowcost_players '{"who": …, "catalogue": …, "streamed": …, …}'

A line with a number on standard input is a turn of so many requests; the answer is a line with the
CPU time of all threads that they took, in ns. What only the first requests cost is nobody's: there
are some before the first turn.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.awake import Pulse, beating
from bench.catalogue import Catalogue, load_catalogue
from bench.clients import make_client
from bench.clients.slot import open_slot
from bench.model import Endpoint, Plan, Request, Trial
from bench.plan import make_plan
from bench.prepare import Prepared, Where, prepare
from bench.probe import Stop, measure
from bench.schedule import schedule
from bench.session import bench_for, execute
from bench.wire.clock import Clock, now_ns
from bench.wire.trust import trust

PLAIN, READ, RUN = "httpx", "httpx, answer read", "run"
WARMUPS = 16
_ENDLESS = 1_000_000
_DEADLINE_NS = 60_000_000_000


@dataclass(frozen=True)
class Task:
    """What a contestant asks: ``tokens`` of a streamed answer, or the same at once."""

    who: str
    catalogue: str
    streamed: bool
    tokens: int
    http2: bool = False

    def plan(self) -> Plan:
        """As many rounds as anybody could want: who ends the measuring is the other side."""
        return make_plan(
            catalogue=self.catalogue, endpoints=("near",), rounds=_ENDLESS, warmup_rounds=0,
            stream=self.streamed, http2=self.http2,
            parameters={"max_completion_tokens": self.tokens},
        )  # fmt: skip

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def cpu_ns() -> int:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round((used.ru_utime + used.ru_stime) * 1e9)


class Turns:
    """Counts requests and hands the turn back when there were enough."""

    def __init__(self) -> None:
        self._left = WARMUPS
        self._began_ns: int | None = None

    def count(self, _: object = None) -> None:
        """One request is over. Ends the process when the other side went away."""
        self._left -= 1
        if self._left:
            return
        spent_ns = 0 if self._began_ns is None else cpu_ns() - self._began_ns
        sys.stdout.write(f"{spent_ns}\n")
        sys.stdout.flush()
        self._left = int(sys.stdin.readline() or sys.exit())
        self._began_ns = cpu_ns()


# Whoever asks: each gives an endless series of requests, one per item


@dataclass(frozen=True)
class Scene:
    """What a task is played with."""

    task: Task
    catalogue: Catalogue
    folder: Path

    @property
    def where(self) -> Where:
        """The run's own folder, on the disk."""
        return Where(results=self.folder)

    def prepared(self) -> Prepared:
        """The plan, ready to run."""
        return prepare(self.task.plan(), self.catalogue, self.where)

    def asked(self, prepared: Prepared) -> tuple[Endpoint, Callable[[Trial], Request]]:
        """The one endpoint, and what it is asked."""
        return prepared.endpoints[0], bench_for(prepared, "rowcost", Pulse(Clock())).request_for


def plain(scene: Scene, take: Callable[[httpx.Response], object]) -> Iterator[object]:
    """httpx as it comes, its connection kept: the same bytes sent, and read to their end."""
    prepared = scene.prepared()
    endpoint, request_for = scene.asked(prepared)
    url = f"https://{endpoint.connect}"
    host = urlsplit(endpoint.url).hostname or ""
    known = {"authorization": f"Bearer {scene.catalogue.provider.key}", "host": host}
    context = trust(scene.catalogue.provider.ca)
    told = {"sni_hostname": host}
    with httpx.Client(verify=context, http2=scene.task.http2, trust_env=False, timeout=60) as http:
        for trial in schedule(prepared.plan, [endpoint.name]):
            request = request_for(trial)
            headers = dict(request.headers) | known
            with http.stream(
                request.method, url + request.path, headers=headers, content=request.body,
                extensions=told,
            ) as response:  # fmt: skip
                take(response)
            assert response.status_code == 200
            yield response


def passed_over(response: httpx.Response) -> None:
    """The bytes, and nothing else."""
    for _ in response.iter_raw():
        pass


def understood(response: httpx.Response) -> None:
    """What a program has to do that wants the tokens: lines and JSON."""
    if "event-stream" not in response.headers["content-type"]:
        json.loads(response.read())
        return
    for line in response.iter_lines():
        if line.startswith("data: {"):
            json.loads(line.removeprefix("data: "))


def collected(asking: Iterable[object]) -> Iterator[object]:
    """The garbage collection as `bench.probe` has it, so that a stage differs in itself alone."""
    gc.collect()
    gc.freeze()
    gc.disable()
    for number, response in enumerate(asking, 1):
        if number % 16 == 0:
            gc.collect()
        yield response


def wire(scene: Scene) -> Iterator[object]:
    """httpx's requests over the product's sockets: stamps, TCP_INFO and a record."""
    prepared = scene.prepared()
    endpoint, request_for = scene.asked(prepared)
    slot, template = open_slot(prepared.settings, endpoint), None
    key = ("authorization", f"Bearer {scene.catalogue.provider.key}")
    for trial in schedule(prepared.plan, [endpoint.name]):
        request = request_for(trial)
        template = template or slot.http.build_request(
            request.method, endpoint.url + request.path, headers=[*request.headers, key],
            content=request.body,
        )  # fmt: skip
        built = httpx.Request(
            template.method, template.url, headers=template.headers,
            stream=httpx.ByteStream(request.body), extensions=template.extensions,
        )  # fmt: skip
        slot.wire.begin(now_ns() + _DEADLINE_NS)
        with closing(slot.wire.transport.handle_request(built)) as response:
            assert isinstance(response.stream, httpx.SyncByteStream)
            for _ in response.stream:
                pass
        yield slot.wire.finish()


def client(scene: Scene) -> Iterator[object]:
    """The product's client: events parsed, the reply put together."""
    prepared = scene.prepared()
    endpoint, request_for = scene.asked(prepared)
    sender = make_client("httpx", prepared.settings)
    for trial in schedule(prepared.plan, [endpoint.name]):
        reply = sender.send(endpoint, request_for(trial), "warm")
        assert reply.outcome == "ok", reply
        yield reply


def probe(scene: Scene) -> Iterator[object]:
    """The loop around the client: schedule, admission, rows, collection; nothing is stored."""
    prepared = scene.prepared()
    with beating() as pulse:
        yield from measure(
            bench_for(prepared, "rowcost", pulse),
            schedule(prepared.plan, [prepared.endpoints[0].name]),
            Stop(),
        )


_ASKING: dict[str, Callable[[Scene], Iterator[object]]] = {
    PLAIN: lambda scene: plain(scene, passed_over),
    READ: lambda scene: plain(scene, understood),
    "httpx, collected": lambda scene: collected(plain(scene, passed_over)),
    "wire": lambda scene: collected(wire(scene)),
    "client": lambda scene: collected(client(scene)),
    "probe": probe,
}


def play(scene: Scene) -> None:
    """Requests until nobody wants more. ``run`` is `regionbench run` itself."""
    turns = Turns()
    if scene.task.who == RUN:
        execute(scene.prepared(), scene.where, watch=turns.count)
        return
    for _ in _ASKING[scene.task.who](scene):
        turns.count()


def main() -> None:
    """The command."""
    task = Task(**json.loads(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="rowcost-", dir=Path.cwd()) as folder:
        play(Scene(task, load_catalogue(task.catalogue), Path(folder)))


if __name__ == "__main__":
    main()
