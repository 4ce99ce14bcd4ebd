"""Log lines: text on a terminal, JSON elsewhere, a batch of requests at a time, and no words of exceptions."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from lading.http.access_log import Entry, logger
from lading.serve.logs import JsonFormatter, TextFormatter, configure_logs


def record(message: str = "loaded", **rest: object) -> logging.LogRecord:
    """A record as a logger makes it."""
    return logging.makeLogRecord({"name": "lading.x", "levelname": "INFO", "msg": message, "created": 0.0} | rest)


def failing(text: str) -> object:
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root, show = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    requests, propagate = logger.handlers, logger.propagate
    yield
    logger.handlers, logger.propagate = requests, propagate
    root.handlers[:] = handlers
    root.setLevel(level)
    warnings.showwarning = show


def entry(number: int) -> Entry:
    return Entry("1970-01-01T00:00:01.500+00:00", "POST", "/predict", 200, number, 0.25, f"id-{number}", f"id-{number}")


def test_a_record_is_one_line_of_json():
    line = JsonFormatter().format(record("two\nlines"))
    assert "\n" not in line
    assert json.loads(line) == {
        "level": "info",
        "logger": "lading.x",
        "message": "two\nlines",
        "time": "1970-01-01T00:00:00.000+00:00",
    }


def test_requests_of_a_batch_are_a_line_each_as_json_and_as_text():
    batch = record("first\nsecond", entries=[entry(1), entry(2)])
    lines = [json.loads(line) for line in JsonFormatter().format(batch).splitlines()]
    assert [(line["rows"], line["request_id"]) for line in lines] == [(1, "id-1"), (2, "id-2")]
    assert lines[0]["time"] == "1970-01-01T00:00:01.500+00:00"
    assert [line.split("  ", 1)[1] for line in TextFormatter().format(batch).splitlines()] == ["first", "second"]


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_of_an_exception_only_its_kind_is_told(formatter: logging.Formatter):
    line = formatter.format(record("a caller failed", exc_info=failing("a secret")))
    assert "a caller failed (ValueError)" in line
    assert "secret" not in line


@pytest.mark.usefixtures("_logs_as_before")
@pytest.mark.parametrize(
    ("log_format", "is_terminal", "is_json"),
    [("auto", True, False), ("auto", False, True), ("text", False, False), ("json", True, True)],
)
def test_the_format_is_what_was_said_or_what_the_terminal_wants(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log_format: Any,
    is_terminal: bool,
    is_json: bool,
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    configure_logs(log_format)
    logger.info("%s", "text", extra={"entries": [entry(3)]})
    logging.getLogger("uvicorn.error").info("chatter")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("{") is is_json
