"""Status and body → outcome. Pure; the words are those of `bench.model.OUTCOMES`."""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import json
import math
import re
from typing import Any

MAX_ERROR_CHARACTERS = 240
MAX_RETRY_AFTER_S = 3600.0

_DECODER = json.JSONDecoder()
_LAST_STATUS = 599
_EDGE_ANSWERS = (200, 400, 401, 403, 404)
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+"
)
"""Line ends, a terminal's commands, and what reorders or hides the text around it."""

_KEYLIKE = re.compile(r"\b(?:xai|sk|key)-[\w*.-]{3,}|\b[A-Za-z0-9_-]{2,}\*{2,}[A-Za-z0-9_-]*")


def classify(status: int, body: bytes, kind: str) -> str:
    """The outcome that a complete HTTP response stands for, by its status and error body."""
    if status > _LAST_STATUS:
        return "protocol_error"
    if kind == "edge" and status in _EDGE_ANSWERS:
        return "ok"
    if 200 <= status < 300:
        return "ok"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == 400:
        return "bad_key" if b"api key" in body.lower() else "bad_request"
    if status == 503:
        return "capacity" if _says_capacity(body) else "server_error"
    if status >= 400:
        return "bad_request" if status < 500 else "server_error"
    return "protocol_error"


_BY_STATUS = {401: "bad_key", 403: "forbidden", 404: "model_missing", 429: "rate_limited"}


def classify_stream_error(event: dict[str, Any]) -> str:
    """The outcome of an error that arrives inside a stream which began with 200."""
    text = f"{event.get('code')} {event.get('error')}".lower()
    if "capacity" in text or "currently unavailable" in text:
        return "capacity"
    if "resource-exhausted" in text or "too many requests" in text:
        return "rate_limited"
    return "stream_error"


def describe_error(body: bytes) -> str:
    """An error body as known fields, or length and hash; never the body as it came.

    Control characters and what looks like (part of) a key are taken out.
    """
    fields = parse_json(body)
    if not isinstance(fields, dict) or not (fields.get("code") or fields.get("error")):
        return f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}"
    inner = fields.get("error")
    code, text = fields.get("code"), inner
    if isinstance(inner, dict):
        code, text = inner.get("code") or inner.get("type"), inner.get("message")
    return clean(": ".join(str(part) for part in (code, text) if part))


def clean(text: str) -> str:
    """A server's text made fit to store: one line, bounded, nothing that looks like a key."""
    one_line = _CONTROL.sub(" ", text)
    short = _KEYLIKE.sub("[key]", one_line)[:MAX_ERROR_CHARACTERS]
    if short.isprintable():
        return short
    # Of what is left alone: no pattern names the characters that are not assigned, or only tag.
    return "".join(letter if letter.isprintable() else " " for letter in short)


def parse_json(body: bytes | str) -> Any:
    """The JSON value, or None for anything that is not JSON. Never raises."""
    try:
        return _decode(body) if isinstance(body, str) else json.loads(body)
    except (ValueError, RecursionError):
        return None


def _decode(text: str) -> Any:
    """As `json.loads`, which looks for white space on both sides of each value."""
    if text[:1] == "{":
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return value
    return _DECODER.decode(text)


def retry_after_s(value: str | None, now: dt.datetime) -> float | None:
    """Seconds that a Retry-After header asks for, capped at an hour; None for junk.

    Takes seconds and the HTTP date forms; a time in the past is 0.
    """
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else _seconds_until(value, now)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _seconds_until(value: str, now: dt.datetime) -> float:
    moment = email.utils.parsedate_to_datetime(value)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - now).total_seconds()


def milliseconds(value: str | None) -> float | None:
    """A timing header's value, or None unless it is a finite number that is not negative."""
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number < 1e9 else None


def _says_capacity(body: bytes) -> bool:
    fields = parse_json(body)
    if not isinstance(fields, dict):
        return False
    text = json.dumps(fields).lower()
    return "capacity" in text or "currently unavailable" in text
