"""A certificate authority that lives as long as the fleet, and the server's TLS settings."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

import trustme

_ALPN = ["h2", "http/1.1"]


def server_context(names: Iterable[str], ca_file: Path) -> ssl.SSLContext:
    """TLS for all ``names`` (hosts and addresses); writes the CA to ``ca_file`` as PEM. The keys
    stay in this process."""
    authority = trustme.CA(organization_name="regionbench fleet")
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_ALPN)
    authority.issue_cert(*names).configure_cert(context)
    return context
