"""Which certificates are believed: the system's, or those of a named file, always verified."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import certifi

from bench.errors import UsageError


def trust(ca: Path | None) -> ssl.SSLContext:
    """A verifying TLS context, 1.2 or newer, meant to be shared by all connections.

    ``ca`` wins over SSL_CERT_FILE, which wins over the system's store; where the system has none,
    certifi's bundle serves. Raises UsageError when a named file holds no certificate.
    """
    # Not create_default_context: it obeys SSLKEYLOGFILE, which would bare the key.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    named = ca or os.environ.get("SSL_CERT_FILE")
    if named:
        _load(context, Path(named))
        return context
    context.load_default_certs()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(certifi.where())
    return context


def _load(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "it holds no certificate"
        raise UsageError(f"cannot use {file} as CA file: {reason}; give a PEM file") from None
