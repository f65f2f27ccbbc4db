"""Text from servers and from files, wherever it is shown: it is letters, and nothing happens."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.cli.letters import printable
from bench.cli.shell import print_json, say, tell
from bench.clients import make_client
from bench.clients.outcome import MAX_ERROR_CHARACTERS, clean, describe_error
from bench.frame import tidy
from bench.key import Key
from bench.model import Caution, Endpoint
from bench.plan import make_plan
from bench.report import OUTPUTS, Findings
from bench.report import verdict as verdicts
from bench.report.markdown import escape
from bench.report.verdict.annotate import command
from bench.request import build_request
from bench.stats.verdict import Verdict
from tests.conftest import Authority
from tests.faults.answers import grpc
from tests.faults.case import first
from tests.faults.clients import present, why_missing
from tests.faults.lane import Ground
from tests.faults.matrix import meet, plan
from tests.faults.server import Conversation, fault_server
from tests.faults.steps import begin, body, for_ever
from tests.faults.trust import HOST
from tests.lab.inside import require
from tests.synthetic import rows, run
from tests.verdicts import REGRESSED, STRATUM, SUSPECT

EVIL = {
    "HTML": "</script><script>alert(1)</script><img src=x onerror=alert(2)>",
    "Markdown": "|a|[x](javascript:alert(1))`rm -rf`**b**~~c~~<b>![i](https://e.test/i)",
    "a terminal's commands": "\x1b[2J\x1b]0;title\x07\x9b31m\rover\x08\x7f",
    "letters that turn lines around": "\u202eexe.txt\u2066\u200f\u061c",
    "GitHub's commands": "\n::error::x\r\n::set-env name=A::b%0A##[add-mask]",
    "a spreadsheet's formulas": "=cmd|' /C calc'!A0",
    "half a letter": "\ud800 \udfff",
}
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]"
)


def test_a_report_shows_foreign_text_and_does_nothing() -> None:
    """Must: in each of its forms, wherever a name or an error can stand."""
    text = " ".join(text for name, text in EVIL.items() if name != "half a letter")
    table = rows(12, vantage=text)
    for row in table:
        row |= {"error": text, "model": text, "request_id": text}
        if row["endpoint"] == "global":
            row["outcome"] = text
    runs = [run(vantage=text)]
    frame = tidy(table, runs)
    shown = {name: OUTPUTS[name](Findings(frame)) for name in ("html", "md", "text")}
    for name, page in shown.items():
        assert not _STEERING.search(page), name
        assert not re.search(r"^::", page, re.MULTILINE), name
    assert "over" in shown["text"]
    for name in ("html", "md"):
        assert not re.search(r"<script>alert|<img[^>]*onerror", shown[name])


@pytest.mark.parametrize("evil", EVIL)
def test_a_verdict_shows_foreign_text_and_does_nothing(evil: str) -> None:
    """Must: in every form in which CI reads it; JUnit stays XML, JSON stays JSON."""
    text = EVIL[evil]
    stratum = replace(STRATUM, client=text, model=text)
    judged = tuple(
        replace(one, endpoint=text, stratum=stratum, reason=text) for one in (REGRESSED, SUSPECT)
    )
    found = Verdict("history", text, text, False, judged, (Caution("c", text, text),))
    for name in ("text", "step-summary", "annotations", "junit"):
        shown = verdicts.OUTPUTS[name]([found])
        assert not _STEERING.search(shown), name
        assert name in ("text", "annotations") or "<script>" not in shown
        shown.encode()
    for line in verdicts.OUTPUTS["annotations"]([found]).splitlines():
        assert line.startswith(("::error title=", "::warning title="))
    ElementTree.fromstring(verdicts.OUTPUTS["junit"]([found]))  # noqa: S314  # our own
    json.loads(verdicts.OUTPUTS["json"]([found]))


@pytest.mark.parametrize("evil", EVIL)
def test_markdown_holds_foreign_text_in_one_cell(evil: str) -> None:
    """Must: no pipe, link, code, emphasis or tag of its own; one line."""
    shown = escape(EVIL[evil])
    assert not _STEERING.search(shown)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[|`*_\[\]~!#]", shown)
    assert "<" not in shown
    assert ">" not in shown


@pytest.mark.parametrize("evil", EVIL)
def test_a_workflow_command_stays_one(evil: str) -> None:
    """Must: GitHub sees one command and its data, on one line."""
    shown = command("warning", EVIL[evil], EVIL[evil])
    assert len(shown.splitlines()) == 1
    head, _, _ = shown.removeprefix("::warning title=").partition("::")
    assert ":" not in head
    assert "," not in head
    assert not re.search(r"%(?!25|0A|0D|3A|2C)", shown)


@pytest.mark.parametrize("evil", EVIL)
def test_a_terminal_gets_letters_only(evil: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Must: results, progress, complaints and JSON alike; JSON still says what was said."""
    say(EVIL[evil])
    tell(EVIL[evil])
    plain = EVIL[evil].encode("utf-8", "replace").decode()
    out, err = capsys.readouterr()
    assert not _STEERING.search((out + err).replace("\r\n", "\n"))
    print_json({"error": plain})
    out, _ = capsys.readouterr()
    assert not _STEERING.search(out)
    assert json.loads(out) == {"error": plain}


@given(st.text())
def test_what_is_printed_steers_nothing(text: str) -> None:
    """Must: for every text; letters, line ends and blanks stay as they are."""
    shown = printable(text)
    assert len(shown) == len(text)
    assert not _STEERING.search(shown)
    assert all(a in (b, "?") for a, b in zip(shown, text, strict=True))


@given(st.text())
@example("hidden \U000e0073\U000e0065 tags, \ufff9notes\ufffb, not assigned: \U000895de")
def test_what_is_kept_of_an_error_is_one_short_harmless_line(text: str) -> None:
    """Must: as it is stored, before anything shows it. Letters that nobody can see hide text, and
    what is not assigned today may be such a letter tomorrow."""
    kept = clean(text)
    assert len(kept) <= MAX_ERROR_CHARACTERS
    assert kept.isprintable()
    assert not _STEERING.search(kept)
    kept.encode()


@given(st.binary(max_size=2000))
def test_an_error_body_is_never_stored_as_it_came(body: bytes) -> None:
    """Must: known fields, else its length and hash."""
    kept = describe_error(body)
    assert len(kept) <= MAX_ERROR_CHARACTERS
    if not body.lstrip().startswith(b"{"):
        assert kept.startswith(f"{len(body)} bytes, sha256 ")


def test_an_object_without_known_fields_is_length_and_hash() -> None:
    """Must: what else stands in it is nobody's business."""
    assert describe_error(b'{"prompt": "a secret"}').startswith("22 bytes, sha256 ")


def test_the_product_writes_no_csv() -> None:
    """Must: no cell can be a formula. Rows leave as Parquet; who makes CSV of a frame does it with
    `df.to_csv`, and then owns what a spreadsheet makes of it."""
    for path in Path("bench").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"\bto_csv\b|\bto_excel\b|\bimport csv\b", text), path
    sheet = io.StringIO()
    csv.writer(sheet).writerow([EVIL["a spreadsheet's formulas"]])
    assert sheet.getvalue().lstrip('"').startswith("=")  # nothing else would have escaped it


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "at once"])
def test_no_body_is_taken_without_end(
    streamed: bool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Must: more than a client takes is a protocol_error, and the reading ends."""
    names = [name for name in present()[0] if name != "xai-sdk"]
    for module in ("http", "openai_sdk", "curl", "openai_js"):
        monkeypatch.setattr(f"bench.clients.{module}.MAX_BODY_BYTES", 200_000)
    kind = b"text/event-stream" if streamed else b"application/json"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\n\r\n"
    piece = b'data: {"choices":[]}\n\n' * 1000

    def script(conversation: Conversation) -> None:
        conversation.send(head)
        for _ in range(1000):
            conversation.send(piece)

    plan = make_plan(stream=streamed)
    request = build_request("chat", plan, api="/v1", model="m", parameters={}, nonce="")
    settings = replace(authority.settings(20), key=Key("a-key"), ca=authority.file)
    for name in names:
        client = make_client(name, settings)
        with fault_server(script, authority.server(HOST)) as server:
            reply = client.send(
                Endpoint("e", f"https://{HOST}", connect=server.address), request, "cold"
            )
        client.close()
        assert (reply.outcome, server.completed) == ("protocol_error", 0), name
        assert "more than 200000 bytes" in str(reply.error), name


def test_a_grpc_stream_is_not_taken_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Must: gRPC bounds each message, this client their sum; the call ends with its channel."""
    require(why_missing("xai-sdk"))
    monkeypatch.setattr("bench.clients.xai_sdk.MAX_BODY_BYTES", 20_000)
    flood = for_ever(body(grpc(streamed=True).part * 100), pause_s=0.001)
    case = first("a flood", "protocol_error", "body", begin, flood, shape="stream")
    met = meet(Ground(tmp_path), plan(["xai-sdk"], [case]))
    assert [cell.problems for cell in met] == [(), ()]
    assert {cell.error for cell in met} == {"a stream of more than 20000 bytes"}
