"""The one place that speaks Dask: whom a scheduler knows, and one question to one of them.

Questions are no tasks: ``Client.run`` reaches a worker beside the scheduler's graph, once, and
nobody repeats it. So there are no retries to forbid, no stealing, no worker that takes over.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.errors import UsageError

CONNECT_S = 15.0
_IDENTITY_S = 5.0
_PORT = 8786
_INSTALL = "needs the extra: pip install 'regionbench[dask]'"


class Unheard(Exception):
    """A worker could not be reached, or did not answer in time."""


class Unable(Exception):
    """A worker was reached, and cannot run what it was asked to."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files that let this machine into a cluster; None: as Dask's own configuration says."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process as its scheduler knows it."""

    address: str
    name: str


class Cluster:
    """What a tour asks of Dask. Safe for several threads."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def workers(self) -> tuple[Worker, ...]:
        """All of them, by address. Raises Unheard."""
        found = self._identity()["workers"]
        return tuple(Worker(address, str(found[address]["name"])) for address in sorted(found))

    def _identity(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._client.sync(
                self._client.scheduler.identity, n_workers=-1, callback_timeout=_IDENTITY_S
            )
        except Exception as error:  # whatever Dask and its loop raise for a line that is down
            raise Unheard(type(error).__name__) from None
        return found

    def ask(
        self, worker: Worker, question: Callable[..., Any], *words: str, timeout_s: float
    ) -> object:
        """What the function returns there. Raises Unheard and Unable."""
        try:
            answers = self._client.run(
                question, *words, workers=[worker.address], on_error="return",
                callback_timeout=timeout_s,
            )  # fmt: skip
            answer = answers[worker.address]
        except Exception as error:  # whatever Dask and its loop raise for a line that is down
            raise Unheard(type(error).__name__) from None
        if isinstance(answer, OSError | TimeoutError):
            raise Unheard(type(answer).__name__)
        if isinstance(answer, Exception):
            raise Unable(f"{type(answer).__name__}: {answer!s:.200}")
        return answer


@contextmanager
def connected(
    scheduler: Any, tls: Tls | None = None, *, insecure: bool = False
) -> Iterator[Cluster]:
    """The cluster behind an address, or behind a ``distributed.Client`` of the caller's own.

    Raises UsageError: without the extra, for an address that is not encrypted unless ``insecure``,
    and where nobody answers.
    """
    if not isinstance(scheduler, str):
        yield Cluster(_own(scheduler))
        return
    client = _connect(scheduler, tls or Tls(), insecure)
    try:
        yield Cluster(client)
    finally:
        with suppress(Exception):  # a scheduler that is gone says so here once more
            client.close(timeout=2)


def _own(client: Any) -> Any:
    if not hasattr(client, "run") or not hasattr(client, "scheduler_info"):
        raise UsageError(f"scheduler: give an address or a distributed.Client, not {client!r:.60}")
    if client.asynchronous:
        raise UsageError("scheduler: this Client is asynchronous; make one without that")
    return client


def _connect(address: str, tls: Tls, insecure: bool) -> Any:
    _check_address(address, insecure)
    try:
        from distributed import Client, Security
    except ImportError:
        raise UsageError(f"--scheduler {_INSTALL}") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        security = None if insecure else _security(Security, tls)
        _try(address)
        return Client(
            address, security=security, timeout=CONNECT_S, set_as_default=False, name="regionbench"
        )
    except UsageError:
        raise
    except Exception as error:  # OpenSSL's, Dask's and the system's
        advice = "" if insecure else ", and do all certificates come from one authority"
        raise UsageError(
            f"--scheduler {address} does not answer ({type(error).__name__}): is it running"
            f"{advice}?"
        ) from None


def _security(kind: Any, tls: Tls) -> Any:
    """Dask's, with everything that a client of an encrypted cluster needs."""
    files = {"tls_ca_file": tls.ca, "tls_client_cert": tls.cert, "tls_client_key": tls.key}
    given = {name: str(file) for name, file in files.items() if file is not None}
    found = kind(require_encryption=True, **given)
    try:
        context = found.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        raise UsageError(f"--tls-ca, --tls-cert, --tls-key: cannot be used ({error})") from None
    if context is None:
        raise UsageError(
            "--scheduler tls://…: name the files with --tls-ca, --tls-cert and --tls-key, or in"
            " Dask's configuration"
        )
    return found


def _try(address: str) -> None:
    """Raises OSError where nobody listens: Dask would take half a minute to say so."""
    parts = urlsplit(address)
    socket.create_connection((parts.hostname, parts.port or _PORT), _IDENTITY_S).close()


def _check_address(address: str, insecure: bool) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("tls", "tcp") or not parts.hostname or not parts.netloc:
        raise UsageError(f"--scheduler {address}: write tls://HOST:PORT, such as tls://host:8786")
    if parts.scheme == "tcp" and not insecure:
        raise UsageError(
            f"--scheduler {address}: whoever reaches an unencrypted scheduler can run programs on"
            " all of its workers; start it with TLS (`regionbench vantages --write-tls DIR` makes"
            " the files), or say --insecure-scheduler on a network that nobody else is on"
        )
    if parts.scheme == "tls" and insecure:
        raise UsageError("--insecure-scheduler: tls:// is secure; leave the option out")
