"""Providers, endpoints, models and prices: data from TOML, checked, never code.

A catalogue of your own (any OpenAI-compatible service) has the same three tables as
``catalogues/xai.toml``: ``[provider]``, ``[[endpoints]]``, ``[[models]]``.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bench.errors import CatalogueError
from bench.model import Endpoint
from bench.words import brief, has_json, key

_MAX_BYTES = 1_000_000
_MOST_USD = 1e6
_PRINTED = re.compile(r"[!-~]+")
_PATH = r"^(/[A-Za-z0-9._~%-]+)*/?$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Price(_Strict):
    """USD per million tokens."""

    input: float = Field(ge=0, le=_MOST_USD)
    output: float = Field(ge=0, le=_MOST_USD)
    cached_input: float | None = Field(default=None, ge=0, le=_MOST_USD)

    def usd(self, prompt: int, completion: int, cached: int = 0) -> float:
        """Cost of one request; ``prompt`` includes ``cached``, ``completion`` the reasoning."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = max(0, prompt - cached)
        return (fresh * self.input + cached * cached_price + completion * self.output) / 1e6


class Model(_Strict):
    """A model, what it costs, and the parameters it is measured with unless the plan differs."""

    id: str = Field(min_length=1)
    usd_per_million: Price | None = None
    parameters: dict[str, Any] = {}
    evidence: str = ""

    @field_validator("parameters")
    @classmethod
    def _sayable(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        if not has_json(parameters):
            raise ValueError("write values that JSON has: no date, no nan, no infinity")
        return parameters


class Provider(_Strict):
    """Who answers. ``key`` may be written down only for a simulated service."""

    name: str = Field(min_length=1)
    api: str = Field(default="/v1", pattern=_PATH)
    key_env: str | None = None
    key_url: str | None = None
    key: str | None = None
    ca: Path | None = None
    simulated: bool = False

    @model_validator(mode="after")
    def _no_real_key(self) -> Provider:
        if self.key is not None and not self.simulated:
            raise ValueError("a key may stand here only if simulated = true; use key_env instead")
        return self


class _Entry(_Strict):
    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str
    region: str | None = None
    connect: str | None = None
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    price_factor: float = Field(default=1.0, gt=0, le=1000)
    evidence: str = ""
    note: str = ""

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            known = parts.scheme == "https" and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known or not _PRINTED.fullmatch(url):
            raise ValueError("write https:// and a host: a key is sent over verified TLS only")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("write scheme, host, port and path only")
        return url.rstrip("/")

    @field_validator("connect")
    @classmethod
    def _address(cls, connect: str) -> str:
        address, _, port = connect.rpartition(":")
        try:
            ip_address(address.removeprefix("[").removesuffix("]"))
            known = port.isascii() and port.isdigit() and 0 < int(port) < 65536
        except ValueError:
            known = False
        if not known or (":" in address) != address.startswith("["):
            raise ValueError("write an address and a port, such as 127.0.0.1:8443 or [::1]:8443")
        return connect


class Catalogue(_Strict):
    """A provider with its endpoints and models, in the order of the file."""

    provider: Provider
    entries: tuple[_Entry, ...] = Field(alias="endpoints", min_length=1)
    models: tuple[Model, ...] = ()
    source: str = ""

    @field_validator("entries")
    @classmethod
    def _distinct(cls, entries: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
        names = [entry.name for entry in entries]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{', '.join(twice)} stands here twice; give each endpoint its own name"
            )
        return entries

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All endpoints, as the rest of the product knows them."""
        kept = set(Endpoint.__dataclass_fields__)
        return tuple(Endpoint(**entry.model_dump(include=kept)) for entry in self.entries)

    def choose(self, names: tuple[str, ...]) -> tuple[Endpoint, ...]:
        """The named endpoints in the order named; all when none is named.

        Raises CatalogueError for a name that is not here, naming those that are.
        """
        known = {endpoint.name: endpoint for endpoint in self.endpoints}
        for name in names:
            if name not in known:
                raise CatalogueError(
                    f"no endpoint {name!r} in {self.source}; it has {', '.join(known)}"
                )
        return tuple(known[name] for name in dict.fromkeys(names)) if names else self.endpoints

    def model(self, model_id: str | None) -> Model | None:
        """The entry of a model, or None when the catalogue does not know it."""
        return next((model for model in self.models if model.id == model_id), None)

    def usd(
        self, endpoint: str, model_id: str | None, prompt: int, completion: int
    ) -> float | None:
        """What one request should cost there, uncached; None when the price is not known."""
        model = self.model(model_id)
        if model is None or model.usd_per_million is None:
            return None
        factor = next((e.price_factor for e in self.entries if e.name == endpoint), 1.0)
        return factor * model.usd_per_million.usd(prompt, completion)


def shipped() -> tuple[str, ...]:
    """Names of the catalogues that come with the product."""
    folder = resources.files("bench") / "catalogues"
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    )


def load_catalogue(name: str) -> Catalogue:
    """A shipped catalogue by name, or one from a TOML file by path.

    Raises CatalogueError, naming the file, the key and the remedy.
    """
    if name in shipped():
        text = (resources.files("bench") / "catalogues" / f"{name}.toml").read_text("utf-8")
        return _parse(text, name, Path())
    path = Path(name)
    return _parse(_read(path), str(path), path.parent)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        names = ", ".join(("fleet", *shipped()))
        raise CatalogueError(
            f"no catalogue {str(path)!r} ({reason}); use a TOML file or one of: {names}"
        ) from None
    if len(data) > _MAX_BYTES:
        raise CatalogueError(f"{path}: larger than {_MAX_BYTES} bytes; this is not a catalogue")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CatalogueError(f"{path}: not UTF-8 text; save it as UTF-8") from None


def _parse(text: str, source: str, folder: Path) -> Catalogue:
    try:
        catalogue = Catalogue.model_validate({**tomllib.loads(text), "source": source})
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(
            f"{source}: not valid TOML: {brief(error)}; correct it there"
        ) from None
    except (RecursionError, ValidationError) as error:
        raise CatalogueError(f"{source}: {first_complaint(error)}") from None
    ca = catalogue.provider.ca
    if ca is None:
        return catalogue
    provider = catalogue.provider.model_copy(update={"ca": (folder / ca).absolute()})
    return catalogue.model_copy(update={"provider": provider})


def first_complaint(error: Exception) -> str:
    """The first thing wrong, in one sentence: the key, what is the matter, what was found."""
    if not isinstance(error, ValidationError):
        return "nested too deeply; write it flat"
    complaints = error.errors(include_url=False)
    # A misspelt key is missing too; its spelling is the better advice.
    misspelt = [c for c in complaints if c["type"] == "extra_forbidden"]
    complaint = (misspelt or complaints)[0]
    place = brief(key(*complaint["loc"])) or "the file"
    if complaint["type"] == "extra_forbidden":
        return f"{place}: there is no such key; remove it or correct its spelling"
    if complaint["type"] == "missing":
        return f"{place}: missing; add it"
    said = brief(complaint["msg"].removeprefix("Value error, "), 240)
    own = complaint["type"] == "value_error"  # these say what to write instead
    return f"{place}: {said}" if own else f"{place}: {said}; correct it"
