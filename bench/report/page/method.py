"""How it was measured, with which settings, and how to measure it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bench import words
from bench.report.again import FILE
from bench.report.document import Document
from bench.report.page.markup import command, data, details, escape, number, table, verbatim

_METHOD = (
    "A failed request counts as slower than every answer. Quantiles are order statistics "
    "with distribution-free intervals; differences are Hodges and Lehmann's estimate on "
    "logarithms, paired by round, with the signed-rank interval, wider where requests resemble "
    "those before them; all at 95 %. Places hold together at 95 %.",
    "Connecting (DNS, TCP, TLS) and the round trip end at the edge, the service's nearest machine; "
    "the wait for the first byte and the first token goes on behind the edge. An endpoint is the "
    "name that was asked: which region served a request is unknown, unless Routing says otherwise.",
)


def method(doc: Document) -> Iterator[str]:
    """Method in words, what was spent, settings that are not the default in their own table."""
    yield from (f"<p>{escape(text)}</p>" for text in _METHOD)
    yield f"<p>{number(doc, 'rows')} rows; left out: {_left_out(doc)}; spent: {_spent(doc)}.</p>"
    changed, usual = (_alike(doc, changed=one) for one in (True, False))
    if changed:
        rows = [[escape(name), _said(s["value"]), _said(s["default"])] for name, s in changed]
        head = ("setting", "value", "default")
        yield table("Settings that are not the default", head, rows, words_in=True)
    if usual:
        rows = [[escape(name), _said(s["value"])] for name, s in usual]
        inside = table("Settings at their default", ("setting", "value"), rows, words_in=True)
        yield details("All other settings", inside)


def _alike(doc: Document, *, changed: bool) -> list[tuple[str, Document]]:
    """Settings by name, one for all runs that have the same; where some have another, whose."""
    found: dict[str, list[Document]] = {}
    for setting in doc["settings"]:
        if setting["changed"] == changed:
            found.setdefault(f"{setting['name']} {setting['value']!r}", []).append(setting)
    return [(_name(doc, same), same[0]) for same in found.values()]


def _name(doc: Document, same: list[Document]) -> str:
    name = str(same[0]["name"])
    everywhere = len(same) == len(doc["runs"])
    return name if everywhere else f"{name} ({words.named([s['run_id'] for s in same])})"


def _said(value: object) -> str:
    return escape(words.setting(value))


def _left_out(doc: Document) -> str:
    parts = [
        f"{escape(name)} {number(doc, f'left_out.{name}')}"
        for name, n in doc["left_out"].items()
        if n
    ]
    return ", ".join(parts) or "none"


def _spent(doc: Document) -> str:
    tokens = [
        f"{number(doc, f'totals.{name}')} {name.replace('_', ' ')}"
        for name in ("prompt_tokens", "completion_tokens")
    ]
    cost = data(doc, "totals.cost_usd", words.money(doc["totals"]["cost_usd"]))
    return ", ".join([*tokens, cost])


def again(doc: Document) -> Iterator[str]:
    """The exact command and the plan it reads, of each run."""
    plans: dict[str, list[Document]] = {}
    for run in doc["runs"]:
        if run["again"]:
            plans.setdefault(run["again"]["plan_toml"], []).append(run)
    for toml, runs in plans.items():
        names = words.named([str(run["run_id"]) for run in runs])
        whose = f" of {escape(names)}" if len(plans) > 1 else ""
        yield f"<p>Save the plan{whose} as {FILE}, then:</p>"
        yield command(runs[-1]["again"]["command"])
        yield verbatim(toml, f"{FILE}{whose}")
    if not plans:
        yield "<p>These rows came without a plan, so there is no command that repeats them.</p>"


def raw(doc: Document) -> Iterator[str]:
    """Where the rows are, and what is known of each run."""
    yield (
        "<p>Every number above is in the JSON that this file carries, in its element "
        "<code>data</code>. Every request is a row beside this file:</p>"
    )
    folder = f"results/{(doc['run_ids'] or ['RUN'])[0]}"
    yield command(shlex.join(["python3", "-c", f'import bench; print(bench.load("{folder}"))']))
    yield "<p>More pictures, such as ridgeline, quantiles, layers or cadence:</p>"
    yield command(shlex.join(["regionbench", "plot", folder, "ridgeline"]))
    for run in doc["runs"]:
        facts = [[escape(k), _said(v)] for k, v in run.items() if v and k != "again"]
        inside = table(f"Facts of run {run['run_id']}", ("fact", "value"), facts, words_in=True)
        yield details(f"Run {run['run_id']}", inside)
