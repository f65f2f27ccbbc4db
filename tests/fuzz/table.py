"""The parsers that are fuzzed: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from tests.fuzz.target import Target

TARGETS: Mapping[str, str] = {
    "sse": "sse:TARGET",
    "chat": "answers:CHAT",
    "responses": "answers:RESPONSES",
    "headers": "headers:TARGET",
    "plan": "plan:TARGET",
    "catalogue": "catalogue:TARGET",
    "profile": "profile:TARGET",
    "options": "options:TARGET",
    "jsonl": "jsonl:TARGET",
    "runjson": "runjson:TARGET",
    "frame": "frame:TARGET",
    "parquet": "parquet:TARGET",
    "foreign": "foreign:TARGET",
    "wire": "wire:TLS",
    "http1": "wire:HTTP1",
    "http2": "wire:HTTP2",
    "grpc": "grpc:TARGET",
    "curl": "curl:TARGET",
    "node": "node:TARGET",
}


def find(name: str) -> Target:
    """A target by its name; imported only now, so that an engine can watch the import."""
    module, _, attribute = TARGETS[name].partition(":")
    target: Target = getattr(import_module(f"tests.fuzz.{module}"), attribute)
    return target


def corpus(name: str) -> Path:
    """Where the committed inputs of a target are."""
    return Path(__file__).parent / "corpus" / name
