"""Arms: variants of one plan, asked in the same rounds so that they can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.errors import PlanError
from bench.model import Plan
from bench.words import quoted

_OWN = ("model", "prompt_file")
_FORM = "write NAME=KEY:VALUE[,KEY:VALUE], such as short=prompt-file:short.txt or b=model:grok-4.3"


def variants(plan: Plan) -> dict[str | None, Plan]:
    """Arm → the plan that it asks; ``{None: plan}`` without arms."""
    if not plan.arms:
        return {None: plan}
    return {name: _variant(plan, name) for name in plan.arms}


def _variant(plan: Plan, name: str) -> Plan:
    arm = plan.arms[name]
    return replace(
        plan,
        arms={},
        model=arm.model or plan.model,
        messages=plan.messages if arm.messages is None else arm.messages,
        parameters={**plan.parameters, **arm.parameters},
    )


def parse_arm(text: str) -> tuple[str, Mapping[str, Any]]:
    """Name and keys of an arm in one word: ``short=prompt-file:short.txt,reasoning_effort:low``.

    Keys are ``model`` and ``prompt-file``; any other is a parameter of the request, its value JSON
    or else text. A name alone is the plan unchanged. Raises PlanError with the form.
    """
    name, _, rest = text.partition("=")
    values: dict[str, Any] = {"parameters": {}}
    for part in filter(None, rest.split(",")):
        key, colon, value = (word.strip() for word in part.partition(":"))
        if not (key and colon and value):
            raise PlanError(f"--arm {quoted(text)}: cannot read {quoted(part)}; {_FORM}")
        own = key.replace("-", "_")
        if own in _OWN:
            values[own] = value
        else:
            values["parameters"][key] = _value(value)
    return name.strip(), values


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
