"""schemathesis against a running fleet, with our own description of the paths it serves."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import bench.simulator
from bench.simulator import Fleet

if not os.environ.get("CI"):  # in CI its absence is a failure
    pytest.importorskip("schemathesis", reason="pip install schemathesis")
schemathesis: Any = importlib.import_module("schemathesis")
checks: Any = importlib.import_module("schemathesis.specs.openapi.checks")
validators: Any = importlib.import_module("jsonschema_rs")

DOCUMENT = json.loads((Path(bench.simulator.__file__).parent / "openapi.json").read_text())
MODELS = {"enum": ["grok-4", "bare", "absent"]}
EFFORTS = {"enum": ["none", "low", None]}
FAST = """
about = "Answers at once."
edge_rtt_ms = 0.0
[[models]]
id = "grok-4"
created = 1752019200
fingerprint = "fp_1"
usd_per_million = { input = 3, cached_input = 0.75, output = 15 }
efforts = ["none", "low"]
completion_tokens = 4
reasoning_tokens = 2
[[models]]
id = "bare"
created = 1
fingerprint = "fp_2"
usd_per_million = { input = 1, cached_input = 1, output = 1 }
efforts = ["none", "low"]
completion_tokens = 2
reasoning_tokens = 0
[[regions]]
name = "near"
latitude = 0
longitude = 0
rtt_ms = 0.0
models = ["grok-4", "bare"]
service = { ttft_ms = 1.0, sigma = 0.0, token_ms = 0.1 }
"""


def _schema() -> Any:
    """The document, narrowed to what this fleet can answer: any text would mostly give 404, or,
    as an effort, 400, which is right of the service and wrong to schemathesis."""
    document = json.loads(json.dumps(DOCUMENT))
    schemas = document["components"]["schemas"]
    chat, responses = (schemas[name]["properties"] for name in ("ChatRequest", "ResponsesRequest"))
    chat["model"] = responses["model"] = MODELS
    chat["reasoning_effort"] = EFFORTS
    responses["reasoning"]["anyOf"][0]["properties"]["effort"] = EFFORTS
    return schemathesis.openapi.from_dict(document)


schema = _schema()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    path = tmp_path_factory.mktemp("profile") / "fast.toml"
    path.write_text(FAST)
    with Fleet.start(path) as running:
        yield running
        seen = {(deed["path"], deed["status"]) for deed in running.truth()}
    # Refusals alone would satisfy every check and say nothing of the answers.
    assert {(name, 200) for name, _ in seen if name in DOCUMENT["paths"]} <= seen


def _validator(name: str) -> Any:
    whole = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return validators.validator_for(whole)


EVENTS = {
    "/v1/chat/completions": _validator("ChatCompletionChunk"),
    "/v1/responses": _validator("ResponseEvent"),
}


def events_are_as_described(_ctx: Any, response: Any, case: Any) -> None:
    """JSON Schema describes an event's data but does not look into it; this does."""
    if "text/event-stream" not in response.headers.get("content-type", [""])[0]:
        return
    data = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    chat = case.path == "/v1/chat/completions"
    assert (data[-1] == "[DONE]") is chat
    for text in data[:-1] if chat else data:
        EVENTS[case.path].validate(json.loads(text))


@schema.parametrize()  # type: ignore[untyped-decorator]  # schemathesis types none
@hypothesis.settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_no_request_finds_a_500_or_a_shape_that_is_not_described(case: Any, fleet: Fleet) -> None:
    """Valid and invalid bodies, methods and headers, over TLS; every answer is as described."""
    case.call_and_validate(
        base_url=f"https://{fleet.endpoints[1].connect}",
        headers={"authorization": f"Bearer {fleet.key}"},
        verify=str(fleet.ca),
        additional_checks=[events_are_as_described],
        # The service says 400 to a wrong key, not 401; keys have tests of their own.
        excluded_checks=[checks.ignored_auth],
    )
