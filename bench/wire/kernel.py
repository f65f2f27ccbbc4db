"""What the kernel knows of a TCP socket: packet time stamps and TCP_INFO. Linux only.

Elsewhere every function here answers "unknown" and the layers above fall back.
Constants: linux/net_tstamp.h, linux/tcp.h (struct tcp_info), linux/errqueue.h.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass

SO_TIMESTAMPING = 37
_TX_SOFTWARE, _RX_SOFTWARE, _SOFTWARE = 1 << 1, 1 << 3, 1 << 4
_OPT_ID, _OPT_TSONLY = 1 << 7, 1 << 11
_FLAGS = _TX_SOFTWARE | _RX_SOFTWARE | _SOFTWARE | _OPT_ID | _OPT_TSONLY
_STAMP = struct.Struct("=qq")
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ORIGIN_TIMESTAMPING = 4
_MSG_ERRQUEUE = getattr(socket, "MSG_ERRQUEUE", 0x2000)
_IP_RECVERR, _IPV6_RECVERR = 11, 25

ANCILLARY_BYTES = 256
_TCP_INFO_RTT, _TCP_INFO_RETRANS, _TCP_INFO_MIN_RTT = 68, 100, 148

Ancillary = list[tuple[int, int, bytes]]


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """Smoothed and minimal round trip in ns, and segments sent again, of one connection."""

    rtt_ns: int
    min_rtt_ns: int | None
    retransmits: int


def enable_stamps(sock: socket.socket) -> bool:
    """Ask for software stamps of what is received and sent; False where they do not exist."""
    if sys.platform != "linux" or sys.byteorder != "little":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, _FLAGS)
    except OSError:
        return False
    return True


def stamp_of(ancillary: Ancillary) -> int | None:
    """The receive (or transmit) stamp in a message's ancillary data, ns of CLOCK_REALTIME."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING and len(data) >= 16:
            seconds, nanoseconds = _STAMP.unpack_from(data)
            if seconds:
                return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


def drain_sent(sock: socket.socket, limit: int = 64) -> dict[int, int]:
    """Transmit stamps that wait in the error queue: last byte's number → ns of CLOCK_REALTIME."""
    stamps: dict[int, int] = {}
    for _ in range(limit):
        try:
            _, ancillary, _, _ = sock.recvmsg(
                1, ANCILLARY_BYTES, _MSG_ERRQUEUE | socket.MSG_DONTWAIT
            )
        except OSError:
            break
        number, stamp = _byte_number(ancillary), stamp_of(ancillary)
        if number is not None and stamp is not None:
            stamps[number] = stamp
    return stamps


def _byte_number(ancillary: Ancillary) -> int | None:
    for _, kind, data in ancillary:
        if kind in (_IP_RECVERR, _IPV6_RECVERR) and len(data) >= _EXTENDED_ERROR.size:
            _, origin, _, _, _, _, number = _EXTENDED_ERROR.unpack_from(data)
            if origin == _ORIGIN_TIMESTAMPING:
                return int(number)
    return None


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """RTT and retransmissions as the kernel counts them, or None where it does not tell."""
    if sys.platform != "linux":
        return None
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return None
    if len(raw) < _TCP_INFO_RETRANS + 4:
        return None
    rtt_us, retransmits = _u32(raw, _TCP_INFO_RTT), _u32(raw, _TCP_INFO_RETRANS)
    min_us = _u32(raw, _TCP_INFO_MIN_RTT) if len(raw) >= _TCP_INFO_MIN_RTT + 4 else None
    unknown = min_us is None or min_us == 0xFFFFFFFF
    return TcpInfo(rtt_us * 1000, None if unknown else (min_us or 0) * 1000, retransmits)


def _u32(raw: bytes, offset: int) -> int:
    return int.from_bytes(raw[offset : offset + 4], sys.byteorder)
