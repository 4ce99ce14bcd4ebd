"""Log lines on stderr: for people on a terminal, JSON elsewhere; requests a batch at a time."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from lading.http.access_log import logger as access
from lading.settings import LogFormat


def configure_logs(log_format: LogFormat) -> None:
    """Send this process's log records to stderr."""
    is_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    formatter = TextFormatter() if is_text else JsonFormatter()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    access.handlers = [_RequestsHandler(sys.stderr, formatter)]
    access.propagate = False
    warnings.showwarning = _log_warning
    for noisy, level in {"uvicorn": logging.ERROR, "uvicorn.error": logging.ERROR, "asyncio": logging.WARNING}.items():
        logging.getLogger(noisy).setLevel(
            level
        )  # uvicorn warns of every request that is refused, which we log ourselves


class _RequestsHandler(logging.Handler):
    """Writes the lines of requests, and does nothing else: they come many times a second, and from one thread."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter) -> None:
        super().__init__()
        self._stream = stream
        self._format = formatter.format

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record; nobody is told when that is not possible, as with every handler."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(self._format(record) + "\n")
            self._stream.flush()
        return True


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log a warning of a library without its words: they may repeat values."""
    logging.getLogger("lading.warnings").warning("%s in %s line %d", category.__name__, filename, lineno)


class TextFormatter(logging.Formatter):
    """`12:00:01 INFO message`; a batch of requests is a line each."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        if hasattr(record, "entries"):
            return "\n".join(f"{clock}  {line}" for line in record.getMessage().split("\n"))
        return f"{clock}  {record.levelname}  {record.getMessage()}{_kind(record)}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        entries: Sequence[Any] | None = getattr(record, "entries", None)
        if entries is not None:
            return _encode_lines(entries)[:-1].decode()
        told = {"logger": record.name, "message": record.getMessage() + _kind(record)}
        return _encode(record.levelname.lower(), record.created, told)


_encode_lines = msgspec.json.Encoder().encode_lines


def _encode(level: str, seconds: float, told: dict[str, Any]) -> str:
    told["time"] = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode({"level": level, **told}).decode()


def _kind(record: logging.LogRecord) -> str:
    """The kind of an exception, without its words: they may repeat values."""
    error = record.exc_info[1] if record.exc_info else None
    return f" ({type(error).__name__})" if error is not None else ""
