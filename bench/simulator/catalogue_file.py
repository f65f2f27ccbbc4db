"""The catalogue that a fleet writes of itself, so that it is one more provider to everything."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.model import Endpoint
from bench.simulator.profile import Model

_EVIDENCE = "simulated"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What stands in the file."""

    key: str
    endpoints: tuple[Endpoint, ...]
    models: tuple[Model, ...]


def write(path: Path, catalogue: Catalogue) -> None:
    """Writes the file, next to ``ca.pem``."""
    parts = [_provider(catalogue.key)]
    parts += [_endpoint(endpoint) for endpoint in catalogue.endpoints]
    parts += [_model(model) for model in catalogue.models]
    path.write_text("\n".join(parts), encoding="utf-8")


def _provider(key: str) -> str:
    lines = ["[provider]", 'name = "fleet"', 'api = "/v1"', "simulated = true"]
    return _text([*lines, f"key = {_quoted(key)}", 'ca = "ca.pem"'])


def _endpoint(endpoint: Endpoint) -> str:
    lines = ["[[endpoints]]", f"name = {_quoted(endpoint.name)}"]
    if endpoint.region is not None:
        lines.append(f"region = {_quoted(endpoint.region)}")
    lines.append(f"url = {_quoted(endpoint.url)}")
    lines.append(f"connect = {_quoted(endpoint.connect or '')}")
    if endpoint.latitude is not None and endpoint.longitude is not None:
        lines += [f"latitude = {endpoint.latitude}", f"longitude = {endpoint.longitude}"]
    return _text([*lines, f"evidence = {_quoted(_EVIDENCE)}"])


def _model(model: Model) -> str:
    price = model.usd_per_million
    rates = f"input = {price.input}, cached_input = {price.cached_input}, output = {price.output}"
    lines = ["[[models]]", f"id = {_quoted(model.id)}", f"usd_per_million = {{ {rates} }}"]
    if "none" in model.efforts:
        lines.append('parameters = { reasoning_effort = "none" }')
    return _text([*lines, f"evidence = {_quoted(_EVIDENCE)}"])


def _quoted(text: str) -> str:
    return json.dumps(text)  # a JSON string is a TOML basic string


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
