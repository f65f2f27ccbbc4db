"""Must: a traceback that shows locals shows no key, wherever a request is ended by surprise.

A notebook's second Ctrl-C raises KeyboardInterrupt in the midst of a library that holds the request
in the clear; rich, IPython and others then print what stands in each frame.
"""

from __future__ import annotations

import gc
import io
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import pytest
from rich.console import Console
from rich.traceback import Traceback

from bench.catalogue import load_catalogue
from bench.clients import CLIENTS, Settings, make_client
from bench.errors import KeyMissing
from bench.key import Key, find_key
from bench.model import Endpoint
from bench.plan import make_plan
from bench.request import build_request
from tests.canary import CANARY, leaks
from tests.conftest import Authority
from tests.echo import echo_server
from tests.faults.clients import why_missing
from tests.faults.trust import HOST
from tests.lab.inside import require

POINTS = {"openai-js": 3}
"""At how many calls a request is ended, from its first to its last; a Node for each takes time."""

OURS = ("/bench/", "/httpx/", "/httpcore/", "/h11/", "/openai/", "/xai_sdk/", "/grpc/")
LOCKS = "/httpcore/_synchronization.py"
"""Who is ended within its release stays locked, and httpcore's own tidying up waits for it."""


class Surprise(BaseException):
    """What nobody catches, as KeyboardInterrupt."""


@dataclass
class Ender:
    """Counts the calls of Python functions that a request consists of, and ends it at one."""

    at: int = 0
    calls: int = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and any(part in file for part in OURS) and not file.endswith(LOCKS):
            self.calls += 1
            if self.calls == self.at:
                raise Surprise

    def ends(self, act: Callable[[], object]) -> BaseException | None:
        """What ``act`` raised."""
        sys.setprofile(self)
        try:
            act()
        except BaseException as error:
            return error
        finally:
            sys.setprofile(None)
        return None


def request(name: str, settings: Settings, endpoint: Endpoint, *, bare: bool) -> None:
    """Make a client and ask once; ``bare`` without the seal."""
    plan = make_plan()
    asked = build_request("chat", plan, api="/v1", model="m", parameters={}, nonce="")
    make: Any = make_client
    client = (make.__wrapped__ if bare else make)(name, settings)
    try:
        send: Any = getattr(type(client), "fetch", type(client).send)
        (send.__wrapped__ if bare else send)(client, endpoint, asked, "cold")
    finally:
        client.close()


def plain(error: BaseException) -> str:
    """The locals of each frame, as Python's own printer and IPython's show them."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    values = [value for frame in frames for value in frame.f_locals.values()]
    return "\n".join([*traceback.format_exception(error), *map(_repr, values)])


def _repr(value: object) -> str:
    """Of what may be half made."""
    try:
        return repr(value)
    except Exception:
        return "?"


def rich(error: BaseException) -> str:
    """What rich's makes of it, which looks into dataclasses and lists as well."""
    page = Console(file=io.StringIO(), width=4000)
    view: dict[str, Any] = {"locals_max_length": 10_000, "locals_max_string": 100_000}
    trace = error.__traceback__
    page.print(Traceback.from_exception(type(error), error, trace, show_locals=True, **view))
    assert isinstance(page.file, io.StringIO)
    return page.file.getvalue()


def leaks_key(error: BaseException) -> bool:
    """Whether either shows it."""
    return bool(leaks(plain(error).encode()) or leaks(rich(error).encode()))


@pytest.fixture(scope="module")
def where(authority: Authority) -> Iterator[tuple[Settings, Endpoint]]:
    """A server that answers, and a canary for a key."""
    settings = replace(authority.settings(10), key=Key(CANARY), ca=authority.file)
    with echo_server(authority.server(HOST)) as heard:
        yield settings, Endpoint("e", f"https://{HOST}/everywhere", connect=heard.address)


@pytest.mark.parametrize("bare", [False, True], ids=["sealed", "control"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_request_that_ends_anywhere_shows_no_key(
    name: str, bare: bool, where: tuple[Settings, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At calls spread over the whole of it; without the seal the same ones do show it."""
    require(why_missing(name))

    def act() -> None:
        request(name, *where, bare=bare)

    act()  # what is imported at first use is no part of it
    whole = Ender()
    assert whole.ends(act) is None
    count = POINTS.get(name, 12)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # a destructor's are dropped
    ends = {at: Ender(at).ends(act) for at in range(1, whole.calls, -(-whole.calls // count))}
    ended = {at: error for at, error in ends.items() if isinstance(error, Surprise)}
    leaking = [at for at, error in ended.items() if leaks(plain(error).encode())]
    shown = leaking[-1:] if bare else list(ended)[-2:]  # rich takes its time
    assert all(bool(leaks(rich(ended[at]).encode())) == bare for at in shown)
    assert len(ended) > len(ends) / 2
    assert bool(leaking) == bare, leaking
    del ends, ended
    gc.collect()  # of requests that were left in their midst, under the hook above


def test_a_traceback_still_says_where_it_was_raised(where: tuple[Settings, Endpoint]) -> None:
    """The note has the lines of code below the seal, without any value."""
    whole = Ender()
    whole.ends(lambda: request("httpx", *where, bare=False))
    error = Ender(whole.calls * 2 // 3).ends(lambda: request("httpx", *where, bare=False))
    assert error is not None
    assert 'bench/clients/http.py", line' in "".join(error.__notes__)


def test_a_key_that_cannot_be_one_is_in_no_frame_of_its_error() -> None:
    """What is wrong with it is said; what it was stands in no local of what raised."""
    provider = load_catalogue("xai").provider
    variables = _Quiet(XAI_API_KEY=f"{CANARY} ")
    find: Any = find_key
    for found, leaking in ((find, False), (find.__wrapped__, True)):
        with pytest.raises(KeyMissing) as caught:
            found(provider, environ=variables)
        assert leaks_key(caught.value) == leaking


class _Quiet(dict[str, str]):
    """So that this test's own frame does not show it."""

    def __repr__(self) -> str:
        return "an environment"
