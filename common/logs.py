"""Structured JSON logs for Cloud Logging: one constant message per event, the rest as fields."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_context: ContextVar[dict[str, Any] | None] = ContextVar("log_context", default=None)
_SECRET_WORDS = ("authorization", "token", "secret", "password", "api_key", "prompt", "webhook")


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Adds fields (request id, trace, execution id) to every line logged inside."""
    token = _context.set({**(_context.get() or {}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def add_to_log(**fields: Any) -> None:
    """Adds fields to the present context, e.g. the execution id once it is known."""
    if (current := _context.get()) is not None:
        current.update(fields)


class JsonFormatter(logging.Formatter):
    """Renders a record as one line that Cloud Logging understands."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **(_context.get() or {}),
            **_redacted(getattr(record, "fields", {})),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, default=str, ensure_ascii=False)


def _redacted(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: "[redacted]" if any(word in name.lower() for word in _SECRET_WORDS) else value
        for name, value in fields.items()
    }


class Log:
    """`log.info("execution settled", status=...)`: a constant message and its fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"tarsify.{name}")

    def debug(self, message: str, **fields: Any) -> None:
        self._logger.debug(message, extra={"fields": fields})

    def info(self, message: str, **fields: Any) -> None:
        self._logger.info(message, extra={"fields": fields})

    def warning(self, message: str, **fields: Any) -> None:
        self._logger.warning(message, extra={"fields": fields})

    def error(self, message: str, *, exception: BaseException | None = None, **fields: Any) -> None:
        self._logger.error(message, exc_info=exception, extra={"fields": fields})

    def critical(self, message: str, **fields: Any) -> None:
        self._logger.critical(message, extra={"fields": fields})


def configure(level: str) -> None:
    """Sends Tarsify's logs to standard output; safe to call again."""
    logger = logging.getLogger("tarsify")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        logger.propagate = False
    logger.setLevel(level)
