"""A peer that benchmarks LLM endpoints, as its users start it: guidellm's time to first token.

It brings torch along, so it lives in an environment of its own; GUIDELLM names its program when
that is not on the PATH. It needs a streamed chat; the first token travels with the head here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

from bench.clients.http import HttpClient
from tests.benchmarks.fidelity_contestants import KERNEL
from tests.benchmarks.fidelity_figures import Cell, Sheet
from tests.benchmarks.fidelity_load import LOOPS, busy
from tests.lab.lab import Lab, lab_request

PEER = "guidellm"
DELAY_MS = 5.0
"""What the lab takes when a request does not say; guidellm's cannot say."""

_TIMEOUT_S = 120
_CASE = "first token 5 ms"


def peer(sheet: Sheet, lab: Lab, folder: Path, *, quick: bool) -> None:
    """guidellm and the product in blocks, idle and on a busy host."""
    program = os.environ.get("GUIDELLM") or shutil.which(PEER)
    if program is None:
        sheet.notes[PEER] = "not installed"
        return
    count = 20 if quick else 100
    for condition, loops in {"idle": 0, "loaded": LOOPS}.items():
        with busy(loops):
            lab.forget()
            _keep(sheet, lab, Cell(condition, _CASE, PEER), _theirs(program, lab, count, folder))
            measured, alone = _ours(lab, count)
            _keep(sheet, lab, Cell(condition, _CASE, KERNEL), measured)
            _alone(sheet, Cell(condition, _CASE, KERNEL), alone)


def _keep(sheet: Sheet, lab: Lab, cell: Cell, measured: list[int]) -> None:
    """Pairs in order: one request at a time. The first opened the connection and is left out."""
    streams = [truth for truth in lab.truths()[""] if truth.tokens_ns]
    pairs = list(zip(measured, streams, strict=True))[1:]
    sheet.add(
        cell,
        0,
        [ns - truth.delay_ns for ns, truth in pairs],
        [ns - truth.user_delay_ns for ns, truth in pairs],
    )
    lab.forget()


def _alone(sheet: Sheet, cell: Cell, alone: list[bool]) -> None:
    """The same without the rows that say themselves that their first token shared a read: the
    kernel keeps but the last stamp of what waits to be read."""
    kept = [ns for ns, single in zip(sheet.wire[cell][0], alone[1:], strict=True) if single]
    sheet.add(cell._replace(contestant="regionbench, not merged"), 0, kept)


def _ours(lab: Lab, count: int) -> tuple[list[int], list[bool]]:
    """The first token's time, and whether it had a read for itself."""
    asked = lab_request("", DELAY_MS, stream=True)
    with closing(HttpClient(lab.settings())) as client:
        rows = [client.send(lab.endpoint(), asked, "warm") for _ in range(count)]
    alone = [not (row.token_coalesced or (True,))[0] for row in rows]
    return [row.ttft_ns or 0 for row in rows], alone


def _theirs(program: str, lab: Lab, count: int, folder: Path) -> list[int]:
    prompts, report = folder / "prompts.jsonl", folder / "guidellm.json"
    prompts.write_text("".join(f'{{"prompt": "which planet {n}"}}\n' for n in range(count + 20)))
    target = f"target=https://127.0.0.1:{lab.tls_port}"
    form = "request_format=/v1/chat/completions"
    options = {
        "--backend": f"kind=openai_http,{target},model=lab,verify=false,{form}",
        "--profile": "kind=synchronous",
        "--constraint": f"kind=max_requests,count={count}",
        "--data": f"kind=json_file,path={prompts}",
        "--output": f"kind=json,path={report}",
    }
    words = [word for pair in options.items() for word in pair]
    subprocess.run(
        [program, "run", *words, "--disable-console"],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)},
        capture_output=True,
        check=True,
        timeout=_TIMEOUT_S,
    )
    done = json.loads(report.read_text())["benchmarks"][0]["requests"]["successful"]
    done.sort(key=lambda request: float(request["request_start_time"]))
    return [round(request["time_to_first_token_ms"] * 1e6) for request in done]
