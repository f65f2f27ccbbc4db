"""The loggers of HTTP libraries write headers down, and what a server echoes: they are capped."""

from __future__ import annotations

import logging

_HTTP = ("httpx", "httpx2", "httpcore", "httpcore2", "h2", "h11", "hpack", "hyperframe")
_LIBRARIES = (*_HTTP, "openai", "grpc", "xai_sdk")


def hush() -> None:
    """Let those loggers say warnings and worse only, whatever their levels are or will be.

    For the whole process, as loggers are; may be called again.
    """
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LIBRARIES:
            logging.getLogger(name).addFilter(_is_serious)


def _is_serious(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
