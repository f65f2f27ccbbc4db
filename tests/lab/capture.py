"""A packet capture of our own on a namespace's loopback, to hold kernel stamps against.

A capture at the client's host sees a request when it is handed to the device and an answer when
the device hands it up: on loopback each packet passes twice, going out and coming in.
"""

from __future__ import annotations

import socket
import struct
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.clients.http import HttpClient
from tests.lab.inside import ordinary_priority
from tests.lab.lab import lab_request, start_lab

_ETH_P_ALL, _OUTGOING, _HOST, _TCP = 3, 4, 0, 6
_SO_TIMESTAMPNS = 35
_BUFFER_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment with payload."""

    at_ns: int
    outgoing: bool
    to_port: int
    from_port: int


class Capture:
    """Everything that passes ``lo``, with the kernel's stamps."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock.bind(("lo", _ETH_P_ALL))
        self._sock.setblocking(False)

    def close(self) -> None:
        """Stop capturing."""
        self._sock.close()

    def segments(self) -> list[Segment]:
        """What passed since the last call."""
        found: list[Segment] = []
        while True:
            try:
                packet, ancillary, _, address = self._sock.recvmsg(65536, 256)
            except BlockingIOError:
                return found
            at_ns = _stamp(ancillary)
            if address[2] in (_OUTGOING, _HOST) and (ports := _ports(packet)) is not None:
                found.append(Segment(at_ns, address[2] == _OUTGOING, ports[1], ports[0]))


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("=qq", data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    raise OSError("a captured packet has no stamp")


def _ports(packet: bytes) -> tuple[int, int] | None:
    """Source and destination of an IPv4 TCP segment that carries bytes."""
    if packet[0] >> 4 != 4 or packet[9] != _TCP:
        return None
    total, header = int.from_bytes(packet[2:4], "big"), (packet[0] & 15) * 4
    source, target = struct.unpack_from("!HH", packet, header)
    payload = total - header - (packet[header + 12] >> 4) * 4
    return (source, target) if payload else None


def compare(count: int, delay_ms: float = 5.0) -> list[list[int]]:
    """For each request: TTFB by the client's kernel stamps, and by the capture, in ns."""
    pairs: list[list[int]] = []
    with (
        tempfile.TemporaryDirectory(prefix="lab-") as folder,
        start_lab(Path(folder), ("127.0.0.1",)) as lab,
        closing(HttpClient(lab.settings())) as client,
        closing(Capture()) as capture,
    ):
        ordinary_priority()
        client.send(lab.endpoint(), lab_request("first", 1.0), "warm")
        capture.segments()
        for number in range(count):
            reply = client.send(lab.endpoint(), lab_request(f"c-{number}", delay_ms), "warm")
            assert reply.ttfb_kernel_ns is not None, reply
            pairs.append([reply.ttfb_kernel_ns, _ttfb(capture.segments(), lab.tls_port)])
    return pairs


def _ttfb(segments: list[Segment], port: int) -> int:
    asked = [s.at_ns for s in segments if s.outgoing and s.to_port == port]
    answered = [s.at_ns for s in segments if not s.outgoing and s.from_port == port]
    return answered[0] - asked[-1]
