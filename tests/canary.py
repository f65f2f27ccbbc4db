"""A key that must appear nowhere, and a search that finds it however it is written."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pyarrow.parquet as pq

CANARY = "cNry~7Qw2+Zk9/Xv5=Tb3.Lm8_Hd6!Rf4"
"""Like nothing that a service calls a key, so that only knowing it can hide it."""

SLICE = 12
"""So many characters of it in a row are a leak."""

LOUD = """\
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
for name in (
    "httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2", "h2", "hpack",
    "hpack.hpack", "openai", "openai._base_client", "grpc", "grpc._channel", "asyncio",
):
    logging.getLogger(name).setLevel(logging.DEBUG)
"""
"""What a person in search of a fault would put before everything."""

VERBOSE = {
    "PYTHONFAULTHANDLER": "1",
    "OPENAI_LOG": "debug",
    "HTTPX_LOG_LEVEL": "trace",
    "GRPC_VERBOSITY": "DEBUG",
    "GRPC_TRACE": "all",
    "NODE_DEBUG": "http,https,net,tls,undici,fetch",
    "NODE_OPTIONS": "--trace-warnings",
}


_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}[\s:]?){12,}")


def leaks(data: bytes) -> list[str]:
    """The ways in which ``data`` holds the canary or a slice of it."""
    readings = {
        "as it is": [data],
        "URL encoding": [unquote_to_bytes(data)],
        "base64": _from_base64(data),
        "hex": _from_hex(data),
    }
    return [way for way, found in readings.items() if any(map(holds, found))]


def leaking_files(folder: Path) -> dict[str, list[str]]:
    """Files below ``folder`` whose names or bytes hold it; Parquet is unpacked too."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            data += repr(table.to_pylist()).encode() + repr(table.schema.metadata).encode()
        if ways := leaks(data):
            found[str(path.relative_to(folder))] = ways
    return found


_SLICES = {CANARY[start : start + SLICE].encode() for start in range(len(CANARY) - SLICE + 1)}


def holds(data: bytes) -> bool:
    """Whether it, or a slice of it, stands there as it is."""
    return any(part in data for part in _SLICES)


def _from_base64(data: bytes) -> Iterator[bytes]:
    for run in _BASE64.findall(data):
        standard = run.translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4):
            part = standard[start:]
            yield base64.b64decode(part[: len(part) // 4 * 4])


def _from_hex(data: bytes) -> Iterator[bytes]:
    for run in _HEX.findall(data):
        digits = re.sub(rb"[\s:]", b"", run)
        yield binascii.unhexlify(digits[: len(digits) // 2 * 2])
