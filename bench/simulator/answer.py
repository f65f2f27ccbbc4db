"""What a model answers, and the script by which it is sent: pieces of bytes, each with its time.

Pure. Times in a script are milliseconds from the moment the region starts to serve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from bench.simulator import response_shapes, shapes
from bench.simulator.asked import Asked
from bench.simulator.profile import Model, Region
from bench.simulator.service import Draw
from bench.simulator.shapes import Answer, Refusal, Usage

Piece = tuple[float, bytes]

_CACHE_BLOCK = 64
_CONTENT = "Earth is the planet that we live on , and it is the third one from the sun ."
_REASONING = "The user asks a short question , so a short answer is best ."


@dataclass(frozen=True, slots=True)
class Script:
    """``head_ms`` is when the headers go out; each piece of the body has its own time. ``cut``:
    the connection breaks after the last piece. ``refusal``: what ends a stream in its middle."""

    head_ms: float
    pieces: Iterator[Piece]
    metrics: dict[str, float] | None = None
    cut: bool = False
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """An answer in one API's words: at once, token by token and then the tail, and an error in
    the middle of that. ``opening`` is what comes before the first token, if anything."""

    whole: Callable[[Answer], bytes]
    stream: Callable[[Answer, Asked], Iterator[bytes]]
    error: Callable[[Refusal], bytes]
    opening: Callable[[Answer], bytes] | None = None


def _error_event(refusal: Refusal) -> bytes:
    return b"data: " + shapes.error_body(refusal.code, refusal.error) + b"\n\n"


def _chat_stream(answer: Answer, asked: Asked) -> Iterator[bytes]:
    yield from shapes.chat_chunks(answer)
    yield shapes.chat_tail(answer, asked.include_usage)


CHAT = Voice(shapes.chat_completion, _chat_stream, _error_event)
RESPONSES = Voice(
    response_shapes.response,
    lambda answer, _: response_shapes.pieces(answer),
    _error_event,
    response_shapes.opening,
)


def tokens_of(asked: Asked, model: Model) -> tuple[int, int, str]:
    """Reasoning tokens, content tokens and the finish reason. The limit does not bound reasoning,
    as with the service."""
    reasoning = 0 if asked.effort == "none" else model.reasoning_tokens
    wanted = model.completion_tokens
    if asked.max_tokens is not None and asked.max_tokens < wanted:
        return reasoning, asked.max_tokens, "length"
    return reasoning, wanted, "stop"


def compose(
    asked: Asked, model: Model, region: Region, *, name: UUID, created: int, cached: bool
) -> Answer:
    """The answer to a question; the same words everywhere, so that only time differs."""
    reasoning, content, finish = tokens_of(asked, model)
    prompt = asked.prompt_tokens(model)
    hit = prompt // _CACHE_BLOCK * _CACHE_BLOCK if cached else 0
    counts = (prompt, hit, reasoning + content)
    ticks = shapes.cost_ticks(model.usd_per_million, region.price_factor, counts)
    return Answer(
        name,
        created,
        model,
        _words(_REASONING, reasoning),
        _words(_CONTENT, content),
        finish,
        Usage(prompt, hit, content, reasoning, ticks),
    )


def _words(text: str, count: int) -> tuple[str, ...]:
    source = text.split()
    words = (source[n % len(source)] for n in range(count))
    return tuple(word if n == 0 else f" {word}" for n, word in enumerate(words))


def script(
    answer: Answer, asked: Asked, voice: Voice, drawn: Draw, accept_ms: float = 0.0
) -> Script:
    """How the answer is sent. A stream's headers go out after ``accept_ms``, long before its
    first token; an unstreamed answer comes as a whole at the end."""
    if not asked.streamed:
        end, body, cut = drawn.service_ms, voice.whole(answer), drawn.failure == "truncated"
        whole = iter([(end, body[: len(body) // 2] if cut else body)])
        return Script(end, whole, _metrics(drawn), cut)
    stream, times = voice.stream(answer, asked), _times(drawn)
    refusal = shapes.AT_CAPACITY if drawn.failure == "stream_error" else None
    if drawn.failure in ("stream_error", "truncated"):
        stream, times = _broken(stream, drawn, voice, refusal), times[: _kept(drawn) + 1]
    opening = [] if voice.opening is None else [(accept_ms, voice.opening(answer))]
    # Times first: zip takes no piece that it has no time for.
    pieces = chain(opening, zip(times, stream, strict=False))
    return Script(accept_ms, pieces, cut=drawn.failure == "truncated", refusal=refusal)


def _metrics(drawn: Draw) -> dict[str, float]:
    itl = sum(drawn.gaps_ms) / len(drawn.gaps_ms) if drawn.gaps_ms else 0.0
    return {"ttft": drawn.ttft_ms, "mean-itl": itl, "e2e": drawn.service_ms}


def _times(drawn: Draw) -> list[float]:
    """When each token is sent, and the tail together with the last."""
    times = [drawn.ttft_ms]
    for gap in drawn.gaps_ms:
        times.append(times[-1] + gap)
    return [*times, times[-1]]


def _kept(drawn: Draw) -> int:
    return (len(drawn.gaps_ms) + 1) // 2


def _broken(
    stream: Iterable[bytes], drawn: Draw, voice: Voice, refusal: Refusal | None
) -> Iterator[bytes]:
    """The first half of the tokens, and then, unless the line is cut, an error inside the 200."""
    whole = iter(stream)
    for _ in range(_kept(drawn)):
        yield next(whole)
    if refusal is not None:
        yield voice.error(refusal)
