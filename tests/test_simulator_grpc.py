"""gRPC in the fleet: on the addresses of REST, and gone without its stubs while REST stays."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.clients import Settings, make_client
from bench.key import Key
from bench.model import Request
from bench.plan import make_plan
from bench.request import build_request
from bench.simulator import Fleet, grpc_shapes, shapes
from bench.simulator.asked import BadBody
from bench.simulator.grpc_exchange import is_grpc
from bench.wire.trust import trust

if not os.environ.get("CI"):  # in CI its absence is a failure
    pytest.importorskip("xai_sdk", reason="pip install 'regionbench[xai]'")


def chat(*, stream: bool = True) -> Request:
    plan = make_plan(stream=stream)
    return build_request("chat", plan, api="/v1", model="grok-4", parameters={}, nonce="0" * 16)


@pytest.fixture
def without_stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet whose xai-sdk is an empty package."""
    (tmp_path / "xai_sdk").mkdir()
    (tmp_path / "xai_sdk" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Fleet.start("steady") as fleet:
        yield fleet


def test_without_stubs_rest_is_served_and_grpc_is_not_implemented(without_stubs: Fleet) -> None:
    """And the fleet's own log says why."""
    fleet, where = without_stubs, without_stubs.endpoints[1]
    settings = Settings(trust(fleet.ca), Key(fleet.key), 10.0)
    rest, grpc = make_client("httpx", settings), make_client("xai-sdk", settings)
    models = build_request(
        "models", make_plan(), api="/v1", model=None, parameters={}, nonce="0" * 16
    )
    assert rest.send(where, models, "cold").outcome == "ok"
    reply = grpc.send(where, chat(), "cold")
    rest.close()
    grpc.close()
    assert (reply.outcome, (reply.error or "")[:13]) == ("bad_request", "UNIMPLEMENTED")
    assert "no gRPC" in (fleet.folder / "stderr.log").read_text()


def test_stubs_are_loaded_without_the_sdk_around_them() -> None:
    """A fleet starts in a fraction of the time that the SDK's import takes."""
    import subprocess

    code = "from bench.simulator import grpc_shapes as g; import sys; assert g.load() is not None;"
    code += "print('grpc' in sys.modules, 'xai_sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0\5abc", b"\1\0\0\0\0", b"\0\0\0\0\3\xff\xff\xff"])
def test_bytes_that_are_no_message_are_bad_bodies(body: bytes) -> None:
    """Short, of another length, compressed, and no protobuf."""
    words = grpc_shapes.load()
    assert words is not None
    with pytest.raises(BadBody):
        words.read(body, streamed=True)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (shapes.NO_KEY, 16),
        (shapes.WRONG_KEY, 16),
        (shapes.no_model("m"), 5),
        (shapes.no_effort("m"), 3),
        (shapes.too_many("m", 2, 2), 8),
        (shapes.SERVER_ERROR, 13),
        (shapes.AT_CAPACITY, 14),
        (shapes.bad_body("x"), 3),
        (grpc_shapes.UNIMPLEMENTED, 12),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else str(value.status),
)
def test_refusals_have_the_services_statuses(refusal: Any, status: int) -> None:
    """The same refusal that REST makes, in gRPC's words."""
    found = dict(grpc_shapes.trailers(refusal))
    assert found[b"grpc-status"] == str(status).encode()
    assert found[b"grpc-message"].isascii()


def test_text_in_trailers_is_percent_encoded() -> None:
    """Line breaks, percent signs and what is not ASCII would break the header."""
    found = dict(grpc_shapes.trailers(shapes.Refusal(500, "x", "50 % für\ndich")))
    assert found[b"grpc-message"] == b"50 %25 f%C3%BCr%0Adich"


def test_grpc_needs_http2() -> None:
    """HTTP/1.1 has no trailers: there, the content type changes nothing."""
    headers = [(b"content-type", b"application/grpc+proto")]
    assert is_grpc({"http_version": "2", "headers": headers})
    assert not is_grpc({"http_version": "1.1", "headers": headers})
    assert not is_grpc({"http_version": "2", "headers": []})
