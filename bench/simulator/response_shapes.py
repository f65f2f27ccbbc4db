"""The shapes of ``/v1/responses``: the object, and the named events of its stream. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.simulator.shapes import Answer, Usage, compact

Item = dict[str, Any]


def usage(of: Usage) -> Item:
    """Here, unlike in chat, ``output_tokens`` includes the reasoning."""
    return {
        "input_tokens": of.prompt,
        "input_tokens_details": {"cached_tokens": of.cached},
        "output_tokens": of.completion + of.reasoning,
        "output_tokens_details": {"reasoning_tokens": of.reasoning},
        "total_tokens": of.prompt + of.completion + of.reasoning,
        "num_sources_used": 0,
        "num_server_side_tools_used": 0,
        "cost_in_usd_ticks": of.ticks,
    }


def response(answer: Answer) -> bytes:
    """The body of an unstreamed response."""
    return compact(_object(answer, _end(answer), _output(answer), usage(answer.usage)))


def opening(answer: Answer) -> bytes:
    """The events before the first token, which carry no text."""
    events = _Events()
    body = _object(answer, "in_progress", [], None)
    return events.of("response.created", response=body) + events.of(
        "response.in_progress", response=body
    )


def pieces(answer: Answer) -> Iterator[bytes]:
    """One piece per token, with the events that open and close its item around it; the last
    piece, after the last token, completes the response."""
    events = _Events(2)
    closing = b""
    if answer.reasoning:
        yield from _reasoning(answer, events)
        closing = _reasoning_end(answer, events)
    yield from _message(answer, events, closing)
    end = _end(answer)
    body = _object(answer, end, _output(answer), usage(answer.usage))
    yield _message_end(answer, events) + events.of(f"response.{end}", response=body)


class _Events:
    """Numbers the events of one stream."""

    def __init__(self, number: int = 0) -> None:
        self._number = number

    def of(self, kind: str, **fields: object) -> bytes:
        data = {"type": kind, "sequence_number": self._number} | fields
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + compact(data) + b"\n\n"


def _reasoning(answer: Answer, events: _Events) -> Iterator[bytes]:
    at = {"item_id": _reasoning_id(answer), "output_index": 0, "summary_index": 0}
    empty = _reasoning_item(answer, "", "in_progress") | {"summary": []}
    head = events.of("response.output_item.added", output_index=0, item=empty)
    part = {"type": "summary_text", "text": ""}
    head += events.of("response.reasoning_summary_part.added", **at, part=part)
    for token in answer.reasoning:
        yield head + events.of("response.reasoning_summary_text.delta", **at, delta=token)
        head = b""


def _reasoning_end(answer: Answer, events: _Events) -> bytes:
    text = "".join(answer.reasoning)
    at = {"item_id": _reasoning_id(answer), "output_index": 0, "summary_index": 0}
    part = {"type": "summary_text", "text": text}
    item = _reasoning_item(answer, text, "completed")
    return (
        events.of("response.reasoning_summary_text.done", **at, text=text)
        + events.of("response.reasoning_summary_part.done", **at, part=part)
        + events.of("response.output_item.done", output_index=0, item=item)
    )


def _message(answer: Answer, events: _Events, head: bytes) -> Iterator[bytes]:
    index = 1 if answer.reasoning else 0
    at = {"item_id": _message_id(answer), "output_index": index, "content_index": 0}
    empty = _message_item(answer, "", "in_progress") | {"content": []}
    head += events.of("response.output_item.added", output_index=index, item=empty)
    head += events.of("response.content_part.added", **at, part=_part(""))
    for token in answer.content:
        delta = events.of("response.output_text.delta", **at, delta=token, logprobs=[])
        yield head + delta
        head = b""


def _message_end(answer: Answer, events: _Events) -> bytes:
    text, index = "".join(answer.content), 1 if answer.reasoning else 0
    at = {"item_id": _message_id(answer), "output_index": index, "content_index": 0}
    item = _message_item(answer, text, _end(answer))
    return (
        events.of("response.output_text.done", **at, text=text, logprobs=[])
        + events.of("response.content_part.done", **at, part=_part(text))
        + events.of("response.output_item.done", output_index=index, item=item)
    )


def _end(answer: Answer) -> str:
    return "completed" if answer.finish == "stop" else "incomplete"


def _output(answer: Answer) -> list[Item]:
    message = _message_item(answer, "".join(answer.content), _end(answer))
    if not answer.reasoning:
        return [message]
    return [_reasoning_item(answer, "".join(answer.reasoning), "completed"), message]


def _object(answer: Answer, status: str, output: list[Item], used: Item | None) -> Item:
    short = status == "incomplete"
    return {
        "id": str(answer.id),
        "object": "response",
        "created_at": answer.created,
        "model": answer.model.id,
        "status": status,
        "output": output,
        "usage": used,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if short else None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": "detailed"},
        "store": True,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "user": None,
    }


def _part(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message_item(answer: Answer, text: str, status: str) -> Item:
    head = {"id": _message_id(answer), "type": "message", "role": "assistant"}
    return head | {"status": status, "content": [_part(text)]}


def _reasoning_item(answer: Answer, text: str, status: str) -> Item:
    summary = [{"type": "summary_text", "text": text}]
    head = {"id": _reasoning_id(answer), "type": "reasoning"}
    return head | {"summary": summary, "status": status}


def _message_id(answer: Answer) -> str:
    return f"msg_{answer.id}"


def _reasoning_id(answer: Answer) -> str:
    return f"rs_{answer.id}"
