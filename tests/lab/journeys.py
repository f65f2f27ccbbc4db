"""What a client sees over the delay line.

Each function runs in a namespace, see `tests.lab.inside`; all times are in ns, all results JSON.
"""

from __future__ import annotations

import gc
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.clients.http import HttpClient
from bench.model import Endpoint
from bench.wire.connect import Family
from tests.lab.delay_line import FAR, delay_line
from tests.lab.inside import ordinary_priority
from tests.lab.lab import HOST, Lab, lab_request, start_lab

DNS_MS, RTT_MS = 10.0, 20.0


@contextmanager
def far_lab() -> Iterator[Lab]:
    """The lab's server at the other end of the line; the caller becomes an ordinary process."""
    with (
        tempfile.TemporaryDirectory(prefix="lab-") as folder,
        delay_line(RTT_MS, DNS_MS) as line,
        start_lab(Path(folder), FAR, line.far) as lab,
    ):
        ordinary_priority()
        gc.freeze()
        gc.disable()
        _warm_up(lab)
        yield lab


def _warm_up(lab: Lab) -> None:
    """A relay's first packets pay for its cold pages: a millisecond that no later one pays."""
    for address in FAR * 5:
        socket.create_connection((address, lab.tls_port), timeout=5).close()


def by_name(lab: Lab) -> Endpoint:
    """The lab, to be looked up."""
    return Endpoint("far", f"https://{HOST}:{lab.tls_port}")


def cold(count: int, family: Family = "any") -> list[dict[str, Any]]:
    """New connections by name: the phases of each."""
    with far_lab() as lab:
        client = HttpClient(replace(lab.settings(), family=family))
        rows = [client.send(by_name(lab), lab_request(f"cold-{n}"), "cold") for n in range(count)]
        fields = (
            "outcome",
            "error",
            "dns_ns",
            "tcp_ns",
            "tls_ns",
            "rtt_ns",
            "min_rtt_ns",
            "peer_ip",
        )
        truths = lab.truths()
    return [
        {name: getattr(row, name) for name in fields}
        | {"handshake_ns": truths[f"cold-{n}"][0].handshake_ns}
        for n, row in enumerate(rows)
    ]


def think(count: int, delay_ms: float) -> list[dict[str, int]]:
    """A kept connection: kernel and socket TTFB, round trips, and the server's own word."""
    with far_lab() as lab:
        client = HttpClient(lab.settings())
        rows = [
            client.send(by_name(lab), lab_request(f"think-{n}", delay_ms), "warm")
            for n in range(count)
        ]
        client.close()
        truths = lab.truths()
    fields = ("ttfb_kernel_ns", "ttfb_socket_ns", "rtt_ns", "min_rtt_ns")
    return [
        {name: getattr(row, name) for name in fields}
        | {"true_ns": truths[f"think-{n}"][0].delay_ns}
        for n, row in enumerate(rows)
    ]


def cold_curl(count: int) -> dict[str, list[int]]:
    """The same by curl, a process for each; nothing where curl is not installed."""
    if shutil.which("curl") is None:
        return {}
    with far_lab() as lab:
        target = f"https://{HOST}:{lab.tls_port}/v1/models?id=curl"
        times = "%{time_namelookup} %{time_connect} %{time_appconnect}"
        command = ["curl", "-s", "--cacert", str(lab.ca), "-o", "/dev/null", "-w", times, target]
        said = [
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
            for _ in range(count)
        ]
    marks = [[0.0, *(float(text) for text in line.split())] for line in said]
    return {
        name: [round((mark[index + 1] - mark[index]) * 1e9) for mark in marks]
        for index, name in enumerate(("dns", "tcp", "tls"))
    }
