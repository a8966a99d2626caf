"""Structured JSON logs for Cloud Logging: one constant message per event, the rest as fields."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
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


_encode = json.JSONEncoder(default=str).encode


class JsonFormatter(logging.Formatter):
    """Renders a record as one line that Cloud Logging understands."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "severity": record.levelname,
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "message": record.getMessage(),
            "logger": record.name,
            **(_context.get() or {}),
            **_redacted(getattr(record, "fields", {})),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = "".join(_told(record.exc_info[1]))
        return _encode(line)


def _told(error: BaseException) -> Iterator[str]:
    """The chain of an exception, the cause first, as Python prints it but without its data."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _told(earlier)
        yield "\nThis led to:\n\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}: {_reason(error)}\n"


def _reason(error: BaseException) -> str:
    """An exception's message without the customers' data that some libraries put into theirs.

    PostgreSQL's errors quote whole rows and SQLAlchemy the parameters; pydantic quotes inputs.
    """
    report: Any = getattr(getattr(error, "orig", error), "args", None) or ("",)
    if isinstance(report[0], dict):  # pg8000: SQLSTATE, message, constraint
        return " ".join(str(report[0].get(key, "")) for key in ("C", "M", "n")).strip()
    if callable(listed := getattr(error, "errors", None)) and hasattr(error, "error_count"):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in listed())
    return str(getattr(error, "orig", error))


def _redacted(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: "[redacted]" if _sounds_secret(name) else value for name, value in fields.items()}


@lru_cache(1000)
def _sounds_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)


class Log:
    """`log.info("execution settled", status=...)`: a constant message and its fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"tarsify.{name}")

    def info(self, message: str, **fields: Any) -> None:
        self._log(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._log(logging.WARNING, message, fields)

    def error(self, message: str, *, exception: BaseException | None = None, **fields: Any) -> None:
        self._log(logging.ERROR, message, fields, exception)

    def critical(self, message: str, **fields: Any) -> None:
        self._log(logging.CRITICAL, message, fields)

    def _log(
        self,
        level: int,
        message: str,
        fields: dict[str, Any],
        exception: BaseException | None = None,
    ) -> None:
        """Without looking for the caller's file and line, which nobody reads and which costs a
        third of a line."""
        if not self._logger.isEnabledFor(level):
            return
        raised = (type(exception), exception, exception.__traceback__) if exception else None
        record = self._logger.makeRecord(
            self._logger.name, level, "", 0, message, (), raised, extra={"fields": fields}
        )
        self._logger.handle(record)


class StandardOutput(logging.Handler):
    """Writes to whatever standard output is now: a stream kept from the start may be gone."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Without a lock: a line is one write, and no request waits for another one's line."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.buffer.write((self.format(record) + "\n").encode())
            sys.stdout.buffer.flush()
        except Exception:  # a log line must never cost a request
            self.handleError(record)


_OURS = logging.getLogger("tarsify")
_OUTPUT = StandardOutput()
_OUTPUT.setFormatter(JsonFormatter())


def configure(level: str) -> None:
    """Sends our logs, and libraries' warnings, to standard output; safe to call again."""
    if logging.getLevelName(_OURS.level) != level:  # setting it costs, and this is every request
        logging.getLogger().addHandler(_OUTPUT)
        _OURS.setLevel(level)
