"""Verdicts as JUnit XML: a suite a verdict, a test case a cell, never one a request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bench.stats import verdict_words as words
from bench.stats.verdict import Judged, Verdict
from bench.stats.verdict_words import Verdicts
from bench.units import NS_PER_MS, NS_PER_S
from bench.words import clean


def render(verdicts: Verdicts) -> str:
    """Regressed is a failure, inconclusive is skipped, a cell without any request is an error.

    ``time`` is the observed quantile in seconds, so that a CI's trend of durations shows latency.
    """
    root = Element("testsuites", {"name": "regionbench", **_counts(words.cells(verdicts))})
    for verdict in verdicts:
        _suite(root, verdict)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(root: Element, verdict: Verdict) -> None:
    name = clean(f"{verdict.b} against {verdict.a}")
    suite = SubElement(root, "testsuite", {"name": name, **_counts(verdict.judged)})
    suite.set("skipped", str(sum(_kind(one) == "skipped" for one in verdict.judged)))
    for one in verdict.judged:
        _case(suite, one)
    if verdict.cautions:
        said = (clean(f"{c.text} {c.advice}") for c in verdict.cautions)
        SubElement(suite, "system-out").text = "\n".join(said)


def _case(suite: Element, one: Judged) -> None:
    place = clean(f"regionbench.{one.endpoint}")
    about = {"name": clean(one.name), "classname": place, "time": f"{_seconds(one):.3f}"}
    case = SubElement(suite, "testcase", about)
    said = f"{words.moved(one)}: {words.because(one)}"
    if (kind := _kind(one)) is None:
        seen = words.change(one, one.detectable)
        SubElement(case, "system-out").text = f"{said}; detectable: {seen}"
        return
    found = SubElement(case, kind, {"message": said})
    found.text = f"{clean(one.name)}\n{said}\ninterval {words.interval(one)}, n = {one.n}"
    if kind != "skipped":
        found.set("type", one.state if one.n else "no samples")


def _seconds(one: Judged) -> float:
    """0 for shares and for what is not known or infinite."""
    if one.measure == "failure_rate" or one.observed is None or math.isinf(one.observed):
        return 0.0
    return one.observed * NS_PER_MS / NS_PER_S


def _kind(one: Judged) -> str | None:
    if one.state == "regressed":
        return "failure"
    if one.state == "ok":
        return None
    return "skipped" if one.n else "error"


def _counts(found: Sequence[Judged]) -> dict[str, str]:
    kinds = [_kind(one) for one in found]
    return {
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
    }
