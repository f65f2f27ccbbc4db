"""The second rank of the fault matrix: what a parser must not fall for. A line per fault."""

from __future__ import annotations

from functools import partial

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.faults.case import Case, second
from tests.faults.steps import (
    RIGHT,
    Step,
    bare_lf,
    begin,
    begin_sized,
    begin_with,
    both_framings,
    end,
    fields,
    fin,
    for_ever,
    frame,
    head,
    part,
    raw,
    reset,
    rest,
    said,
    silence,
    together,
)

_http1 = partial(second, http="1.1")
_http2 = partial(second, http="2")
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_CHUNKED = _OK + b"transfer-encoding: chunked\r\n\r\n"
_LONG = _OK + b"x: " + b"a" * 300_000 + b"\r\n"
_HUGE = _OK + b"content-length: 9999999999999\r\n\r\n{}"
_NOTHING = b"HTTP/1.1 204 None\r\ncontent-length: 2\r\n\r\n{}"
_MORE = (begin_sized, part, rest, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"))
_EARLY = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n"


def _nonsense(name: str, data: bytes, last: Step = silence) -> Case:
    return _http1(name, "protocol_error", "ttfb", raw(data), last)


def _lengths(*values: bytes) -> bytes:
    lines = b"".join(b"content-length: %s\r\n" % value for value in values)
    return _OK + lines + b"\r\n{}"


HTTP1 = (
    _nonsense("a garbage status line", b"\x00\x01garbage\r\n\r\n"),
    *(
        _nonsense(f"status {text!r}", f"HTTP/1.1 {text} X\r\ncontent-length: 0\r\n\r\n".encode())
        for text in ("", "2x0", "-1", "99", "1000")
    ),
    _nonsense("a header without a colon", _OK + b"oops\r\n\r\n"),
    _nonsense("a header with NUL", _OK + b"x: a\x00b\r\n\r\n"),
    _nonsense("a header with a bare CR", _OK + b"x: a\rb: c\r\n\r\n"),
    _nonsense("a header that begins with a fold", b"HTTP/1.1 200 Said\r\n x: a\r\n\r\n"),
    _http1(
        "a folded header",
        "ok",
        None,
        begin_with(("retry-after", "\r\n\t7")),
        *RIGHT[1:],
        whole=True,
        keeps=True,
        says={"retry_after_s": 7.0},
    ),
    _http1("lines that end in a bare LF", "ok", None, bare_lf, whole=True, keeps=True),
    _http1("Content-Length with chunked", "ok", None, both_framings, whole=True, keeps=True),
    _http1("a header of 300 kB", "protocol_error", "ttfb", together(raw(_LONG), silence)),
    *(
        _nonsense(f"Content-Length {' and '.join(v.decode() for v in values)}", _lengths(*values))
        for values in ((b"-5",), (b"ten",), (b"5, 6",), (b"5", b"6"))
    ),
    _nonsense("a Content-Length of 400 digits", _lengths(b"9" * 400)),
    _http1("status 700", "protocol_error", "body", said(700, b"{}"), whole=True, keeps=True),
    _http1("more than its Content-Length", "ok", None, *_MORE, whole=True, keeps=True),
    _http1("204 with a body", "protocol_error", "body", raw(_NOTHING), whole=True, keeps=True),
    _http1("a huge Content-Length cut", "truncated", "body", raw(_HUGE), fin),
    # What has no header yet when it ends is a header that was cut
    _http1("HTTP/0.9", "truncated", "ttfb", raw(b"<html>hello</html>\r\n"), fin),
    _http1("a header cut in half", "truncated", "ttfb", raw(_OK[:24]), fin),
    _http1("100, then FIN", "truncated", "ttfb", raw(b"HTTP/1.1 100 Continue\r\n\r\n"), fin),
    *(
        _http1(f"a chunk of size {size}", "protocol_error", "body", raw(_CHUNKED + data), silence)
        for size, data in (
            ("zz", b"zz\r\n{}\r\n"),
            ("-2", b"-2\r\n{}\r\n"),
            ("1 with 2 bytes", b"1\r\n{}\r\n0\r\n\r\n"),
            ("9 × 400", b"9" * 400 + b"\r\n{}\r\n"),
        )
    ),
    _http1("a huge chunk cut", "truncated", "body", raw(_CHUNKED + b"fffffff\r\n{}"), fin),
    _http1(
        "a thousand 103s, then the answer",
        "ok",
        None,
        raw(_EARLY * 1000),
        *RIGHT,
        whole=True,
        keeps=True,
    ),
    _http1("103s for ever", "timeout", "ttfb", for_ever(raw(_EARLY))),
)

_GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xffgarbage"

EITHER = (
    second(
        "204 without a body",
        "protocol_error",
        "body",
        head(204, ("content-length", "0")),
        *((end,)),
        whole=True,
        keeps=True,
    ),
    second(
        "gzip, though identity was asked for",
        "protocol_error",
        "body",
        said(200, _GZIP, ("content-encoding", "gzip")),
        whole=True,
        keeps=True,
    ),
    *(
        second(
            f"{name} while idle",
            "ok",
            None,
            *RIGHT,
            whole=True,
            keeps=True,
            before=(step,),
            connection="warm",
            says={"reused": False},
        )
        for name, step in (("FIN", fin), ("RST", reset))
    ),
)


def _bad_hpack(stream: int) -> HeadersFrame:
    return HeadersFrame(stream, b"\xff\xff\xff\xff\xff", flags=["END_HEADERS"])


def _push(stream: int) -> PushPromiseFrame:
    return PushPromiseFrame(stream, promised_stream_id=2, data=b"\x82", flags=["END_HEADERS"])


_SHUT = frame(lambda _: SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
_RST = frame(lambda stream: RstStreamFrame(stream, error_code=2))
_TWO_STATUSES = [(":status", "200"), (":status", "200"), ("content-type", "application/json")]

HTTP2 = (
    _http2("RST_STREAM before the headers", "stream_error", "ttfb", _RST, silence),
    _http2("RST_STREAM after the headers", "stream_error", "body", begin, part, _RST, silence),
    _http2(
        "GOAWAY with an error",
        "stream_error",
        "ttfb",
        *(frame(lambda _: GoAwayFrame(0, last_stream_id=0, error_code=2)), silence),
    ),
    _http2(
        "GOAWAY, and the answer all the same",
        "client_fault",
        "ttfb",
        together(
            frame(lambda stream: GoAwayFrame(0, last_stream_id=stream, error_code=0)), *RIGHT, fin
        ),
    ),
    _http2(
        "GOAWAY that leaves this request out",
        "stream_error",
        "ttfb",
        *(frame(lambda _: GoAwayFrame(0, last_stream_id=1, error_code=0)), fin),
        connection="warm",
    ),
    *(
        _http2(name, "protocol_error", "ttfb", *steps, silence)
        for name, *steps in (
            ("headers that HPACK cannot read", frame(_bad_hpack)),
            ("no :status", fields(_TWO_STATUSES[2:]), end),
            ("two :status", fields(_TWO_STATUSES), end),
            ("DATA before the headers", frame(lambda stream: DataFrame(stream, b"{}"))),
            ("DATA on stream 0", raw(b"\0\0\2\0\0\0\0\0\0{}")),
            ("a push that nobody wanted", frame(_push)),
        )
    ),
    # h2 waits for the whole of a frame before it minds its length
    _http2(
        "a frame that is too large",
        "timeout",
        "ttfb",
        *(raw(b"\xff\xff\xff\0\0\0\0\0\1" + b"x" * 100), silence),
    ),
    _http2(
        "HTTP/1.1 instead",
        "timeout",
        "ttfb",
        *(raw(_OK + b"content-length: 2\r\n\r\n{}"), silence),
    ),
    _http2(
        "headers without their end",
        "timeout",
        "ttfb",
        frame(lambda stream: HeadersFrame(stream, b"\x88")),
        frame(lambda stream: ContinuationFrame(stream, b"")),
        silence,
    ),
    _http2(
        "pings for ever",
        "timeout",
        "ttfb",
        for_ever(frame(lambda _: PingFrame(0, b"12345678"))),
    ),
    _http2(
        "window updates for ever",
        "timeout",
        "ttfb",
        for_ever(frame(lambda _: WindowUpdateFrame(0, window_increment=1))),
    ),
    _http2(
        "no window to send in",
        "timeout",
        "send",
        silence,
        before=(_SHUT,),
        early=True,
        connection="warm",
        unsent=True,
    ),
    _http2(
        "ALPN: HTTP/1.1 only",
        "ok",
        None,
        *RIGHT,
        tls="no ALPN for HTTP/2",
        whole=True,
        keeps=True,
        connection="cold",
        says={"http_version": "HTTP/1.1"},
    ),
)

SECOND_RANK: tuple[Case, ...] = (*HTTP1, *EITHER, *HTTP2)
