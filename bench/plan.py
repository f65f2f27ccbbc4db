"""TOML or arguments → a checked `Plan`. Errors name the key and the remedy."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.arms import variants
from bench.errors import PlanError
from bench.model import ASKING, CONNECTIONS, KINDS, Arm, Message, Plan
from bench.objective import parse_objective
from bench.words import brief, has_json, key, quoted

_MAX_BYTES = 1_000_000
_MAX_PROMPT_CHARACTERS = 200_000
_RESERVED = ("model", "messages", "input", "store", "stream", "stream_options", "n")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_RULE = "a name has up to 64 of A-Z a-z 0-9 . _ - and begins with a letter or a digit"
_adapter = TypeAdapter(Plan)

TEMPLATE = """\
# A plan for regionbench: every key is optional and shown with its default.
# Run it with: regionbench run plan.toml

catalogue = "xai"          # xai, fleet (local, simulated), or the path of a TOML file of your own
endpoints = []             # names from the catalogue; empty: all of them
model = "auto"             # auto: a model that every measured endpoint lists
kinds = ["chat"]           # chat, responses, models (GET /v1/models), edge (the same, no key: free)
connections = ["warm"]     # warm: kept alive and warmed first; cold: a new connection every time
stream = true              # false: the whole answer at once (carries the server's own timing)
http2 = false

rounds = 30                # each round asks every endpoint once, in random order
warmup_rounds = 1          # rounds in front whose rows are kept but not counted
seed = 1                   # draws the orders
# rate = 2.0               # open loop: requests per second over all endpoints; absent: closed loop
pause_ms = 0.0             # closed loop: wait between requests
concurrency = 1            # requests in flight at once, each on a connection of its own
timeout_s = 60.0           # for a whole request, from first act to last byte

objectives = []            # what `regionbench gate` holds the run to: "ttft.p95 <= 800ms"
# batch = "2026-03-14"     # runs of one batch are one run to the gate, in several sittings

# The request. Every endpoint of a round is sent the same bytes; a nonce of constant length, one a
# round, goes in front of the first message so that prompt caches do not answer.
[[messages]]
role = "user"
content = "Answer with one word: which planet do we live on?"

[parameters]
max_completion_tokens = 16
# reasoning_effort = "none"   # absent: what the catalogue says of the model

# Variants to compare, two or more, all asked in every round. Each may change the model, the
# messages (or name a prompt_file beside this one) and parameters; the rest is as above.
# [arms.short]
# prompt_file = "short.txt"
# [arms.long]
# prompt_file = "long.txt"
# parameters = { reasoning_effort = "low" }
"""


def make_plan(values: Mapping[str, Any] | None = None, **more: Any) -> Plan:
    """A checked plan from keys of `Plan`; what is absent has the default.

    Raises PlanError, naming the first key that is wrong and what to write instead.
    """
    merged = {**(values or {}), **more}
    _reject_unknown(merged, Plan, "plan")
    arms = merged.get("arms")
    for name, arm in arms.items() if isinstance(arms, Mapping) else ():
        if isinstance(arm, Mapping):
            _reject_unknown(arm, Arm, f"plan: {key('arms', name)}")
    try:
        plan = _adapter.validate_python(merged)
    except ValidationError as error:
        raise PlanError(_complaint(error)) from None
    return check_plan(plan)


def check_plan(plan: Plan) -> Plan:
    """The plan itself, for one that was made by changing another. Raises PlanError."""
    for complaint in _complaints(plan):
        raise PlanError(f"plan: {complaint}")
    for text in plan.objectives:
        parse_objective(text)
    return plan


def read_plan(path: Path, **more: Any) -> Plan:
    """The plan in a TOML file, overridden by ``more``. Raises PlanError naming file and key."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise PlanError(
            f"cannot read the plan {path}: {error.strerror}; `regionbench init` writes one"
        ) from None
    if len(data) > _MAX_BYTES:
        raise PlanError(f"{path}: larger than {_MAX_BYTES} bytes; this is not a plan")
    try:
        values = with_prompts(tomllib.loads(data.decode("utf-8")), path.parent)
        return make_plan(values, **more)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PlanError(f"{path}: not valid TOML: {brief(error)}; correct it there") from None
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None


def read_prompt(path: Path) -> tuple[Message, ...]:
    """A prompt file as one user message. Raises PlanError when it cannot be read or is too long."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_PROMPT_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text, or no path"
        raise PlanError(
            f"cannot read the prompt file {brief(path)}: {reason}; name a text file"
        ) from None
    return (Message("user", text),)


def with_prompts(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Keys of a plan with each ``prompt_file``, its own and its arms', read as ``messages``.

    Files lie in ``folder`` unless their path is absolute. Raises PlanError as `read_prompt` does,
    and where there are ``messages`` too.
    """
    known = dict(values)
    if isinstance(arms := known.get("arms"), Mapping):
        known["arms"] = {
            name: with_prompts(arm, folder) if isinstance(arm, Mapping) else arm
            for name, arm in arms.items()
        }
    if (file := known.pop("prompt_file", None)) is not None:
        if "messages" in known:
            raise PlanError("messages and prompt_file exclude each other: remove one")
        known["messages"] = read_prompt(folder / str(file))
    return known


def plan_sha256(plan: Plan) -> str:
    """Digest of everything that a plan measures: equal digests, the same thing was measured.

    What only names or judges the run is left out; so are arms where there are none, as the digests
    of plans from before there were any have to stay what they were.
    """
    said = dataclasses.asdict(plan)
    for name in ("objectives", "batch", *(() if plan.arms else ("arms",))):
        del said[name]
    return hashlib.sha256(canonical(said)).hexdigest()


def canonical(value: Any) -> bytes:
    """The one JSON spelling of a value: sorted keys, no blanks, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", errors="surrogatepass")


def _reject_unknown(values: Mapping[str, Any], of: type[Plan | Arm], place: str) -> None:
    known = [field.name for field in dataclasses.fields(of)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
            raise PlanError(f"{place}: there is no key {quoted(name)}; {hint}")


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = brief(key(*first["loc"]))
    if first["type"] == "missing":
        return f"plan: {place}: missing; add it"
    return f"plan: {place}: {first['msg']} (found {quoted(first['input'])})"


def _complaints(plan: Plan) -> list[str]:
    rules = {
        "rounds: write 1 or more": plan.rounds >= 1,
        "rounds: more than a million will not end; write less": plan.rounds <= 1_000_000,
        "warmup_rounds: write 0 or more": plan.warmup_rounds >= 0,
        "concurrency: write 1 to 256": 1 <= plan.concurrency <= 256,
        "timeout_s: write more than 0 and at most 3600": 0 < plan.timeout_s <= 3600,
        "pause_ms: write 0 or more, at most an hour": 0 <= plan.pause_ms <= 3_600_000,
        "rate: write requests per second, more than 0 and at most 10000": plan.rate is None
        or 0 < plan.rate <= 10_000,
        "rate and pause_ms exclude each other: an open loop has no pauses": not (
            plan.rate and plan.pause_ms
        ),
        f"kinds: name at least one of {', '.join(KINDS)}": bool(plan.kinds),
        f"connections: name at least one of {', '.join(CONNECTIONS)}": bool(plan.connections),
        "clients: name at least one": bool(plan.clients),
        "arms: name two or more to compare, or none": len(plan.arms) != 1,
        f"arms: only {' and '.join(ASKING)} have any; name no other kind": not plan.arms
        or set(plan.kinds) <= set(ASKING),
        f"batch: {_NAME_RULE}": plan.batch is None or _NAME.fullmatch(plan.batch) is not None,
    }
    complaints = [text for text, holds in rules.items() if not holds]
    complaints += [f"{key('arms', n)}: {_NAME_RULE}" for n in plan.arms if not _NAME.fullmatch(n)]
    for arm, variant in variants(plan).items():
        complaints += _asked_complaints(variant, f"arms.{arm}." if arm else "")
    for name in ("kinds", "connections", "clients", "endpoints"):
        values = getattr(plan, name)
        if len(set(values)) != len(values):
            complaints.append(f"{name}: something stands there twice; name each once")
    return complaints


def _asked_complaints(plan: Plan, place: str) -> list[str]:
    contents = [message.content for message in plan.messages]
    rules = {
        "messages: write at least one, none of them empty": bool(contents)
        and all(content.strip() for content in contents),
        f"messages: at most {_MAX_PROMPT_CHARACTERS} characters together": sum(map(len, contents))
        <= _MAX_PROMPT_CHARACTERS,
    }
    complaints = [f"{place}{text}" for text, holds in rules.items() if not holds]
    unsaid = [name for name, value in plan.parameters.items() if not has_json(value)]
    if unsaid:
        complaints.append(
            f"{place}{key('parameters', unsaid[0])}: no value of JSON; write a finite number, a"
            " text, true, false, or a list or table of them"
        )
    taken = [name for name in _RESERVED if name in plan.parameters]
    if taken:
        complaints.append(f"{place}parameters.{taken[0]}: set by regionbench itself; remove it")
    return complaints
