"""Certificates that are right, and each way in which one can be wrong."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import trustme

HOST = "api.fleet.test"
BOTH = "both.test"
"""A name that is looked up, where a network of the tests' own has names."""


class Contexts:
    """Server contexts by name, each made once."""

    def __init__(self, ca: trustme.CA) -> None:
        self._ca = ca
        self._good = {http2: self._offer(self._issue(ca), http2) for http2 in (False, True)}

    def good(self, http2: bool) -> ssl.SSLContext:
        """What a client must believe."""
        return self._good[http2]

    def bad(self, name: str, http2: bool) -> ssl.SSLContext:
        """One of `BAD`."""
        return self._offer(BAD[name](self._ca), http2 and name != "no ALPN for HTTP/2")

    @staticmethod
    def _issue(ca: trustme.CA) -> ssl.SSLContext:
        return _with_certificate(ca, HOST, BOTH)

    @staticmethod
    def _offer(context: ssl.SSLContext, http2: bool) -> ssl.SSLContext:
        context.set_alpn_protocols(["h2"] if http2 else ["http/1.1"])
        return context


def _with_certificate(
    ca: trustme.CA, *names: str, days: tuple[int, int] | None = None
) -> ssl.SSLContext:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    begins, ends = (now + dt.timedelta(days=d) for d in days or (-1, 30))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, not_before=begins, not_after=ends).configure_cert(context)
    return context


@cache
def _stranger() -> trustme.CA:
    return trustme.CA()


def _old(ca: trustme.CA) -> ssl.SSLContext:
    context = _with_certificate(ca, HOST)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old on purpose
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _self_signed(_: trustme.CA) -> ssl.SSLContext:
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        key, cert = Path(folder) / "key.pem", Path(folder) / "cert.pem"
        words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={HOST}"
        files = ["-keyout", str(key), "-out", str(cert), "-addext", f"subjectAltName=DNS:{HOST}"]
        subprocess.run(["openssl", *words.split(), *files], capture_output=True, check=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
    return context


BAD: Mapping[str, Callable[[trustme.CA], ssl.SSLContext]] = {
    "untrusted": lambda _: _with_certificate(_stranger(), HOST),
    "self-signed": _self_signed,
    "expired": lambda ca: _with_certificate(ca, HOST, days=(-10, -5)),
    "not yet valid": lambda ca: _with_certificate(ca, HOST, days=(5, 10)),
    "another name": lambda ca: _with_certificate(ca, "other.test"),
    "older than 1.2": _old,
    "no ALPN for HTTP/2": lambda ca: _with_certificate(ca, HOST),
}
