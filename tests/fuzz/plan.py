"""Plans from TOML: `bench.plan`."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

from bench.arms import variants
from bench.errors import PlanError
from bench.model import Plan
from bench.plan import TEMPLATE, make_plan, plan_sha256, read_plan
from bench.request import build_request
from bench.schedule import schedule
from tests.fuzz import place
from tests.fuzz.promises import sentence
from tests.fuzz.target import Target


def check(data: bytes) -> None:
    """A plan that can be scheduled, sent, stored and resumed; or a sentence."""
    file = place.file("plan.toml", data)
    try:
        plan = read_plan(file)
    except PlanError as error:
        sentence(error, file)
        return
    list(itertools.islice(schedule(plan, ("a", "b")), 3))
    for variant in variants(plan).values():
        _sent(variant)
    stored = json.loads(json.dumps(dataclasses.asdict(plan), allow_nan=False))
    assert plan_sha256(make_plan(stored)) == plan_sha256(plan)


def _sent(plan: Plan) -> None:
    """Its bodies are JSON as everybody reads it."""
    for kind in plan.kinds:
        request = build_request(
            kind, plan, api="/v1", model=plan.model, parameters={}, nonce="0" * 16
        )
        json.loads(request.body or b"{}", parse_constant=_refuse)


def _refuse(word: str) -> Any:
    raise AssertionError(f"{word} in a body")


_KEYS = [field.name.encode() + b" = " for field in dataclasses.fields(Plan)]

TARGET = Target(
    "a plan that can be scheduled, sent, stored and resumed, or one PlanError",
    check,
    (*_KEYS, b"[arms.a]\n", b"[arms.b]\n", b"[[messages]]\n", b"[parameters]\n", b'role = "user"\n')
    + (b"prompt_file = ", b'"\\ud800"', b"\\u0000", b"nan", b"-inf", b"1e999", b"9" * 30, b"\xff")
    + (b"1979-05-27", b"07:32:00", b"{ a = 1 }", b"'''", b'"""', b"\xef\xbb\xbf", b"[[[[[[[[")
    + tuple(
        line.partition("#")[0].strip().encode() for line in TEMPLATE.splitlines() if "=" in line
    ),
)
