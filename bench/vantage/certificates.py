"""A private authority for one cluster, and a certificate for each of its three parts.

Whoever holds one of these keys can run programs on every worker: they are for this cluster alone.
The authority's own key is not kept; to let somebody else in, make all of them again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UsageError

PARTS = ("scheduler", "worker", "client")
CA = "ca.pem"


def write_certificates(folder: Path, hosts: Sequence[str] = ()) -> list[Path]:
    """``ca.pem``, and a certificate and key for each of `PARTS`, all readable by their owner only.

    ``hosts`` are names and addresses that the certificates say beside ``localhost``; Dask itself
    asks for the authority alone. Raises UsageError where a file is there already or cannot be made.
    """
    import trustme

    authority = trustme.CA(organization_name="regionbench vantages")
    content = {CA: authority.cert_pem.bytes()}
    for part in PARTS:
        issued = authority.issue_cert("localhost", *hosts, common_name=f"regionbench {part}")
        content[f"{part}.crt"] = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        content[f"{part}.key"] = issued.private_key_pem.bytes()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [_write(folder / name, data) for name, data in content.items()]
    except FileExistsError as error:
        raise UsageError(f"{error.filename} is there already: name another folder") from None
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path
