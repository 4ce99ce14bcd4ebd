"""How long a request may take: as long as the settings say, or less where its caller says so."""

from __future__ import annotations

import re

from lading.http.problems import HttpError

FIELD = b"x-request-timeout-ms"
_NUMBER = re.compile(rb"[0-9]{1,9}")


def timeout_s(timeout_ms: bytes, default_s: float) -> float:
    """Seconds that an answer may take, by the value of `X-Request-Timeout-Ms`; empty where the caller says nothing.

    Raises:
        HttpError: 400 for what is no whole number of milliseconds.
    """
    if not timeout_ms:
        return default_s
    if not _NUMBER.fullmatch(timeout_ms) or not int(timeout_ms):
        detail = "`X-Request-Timeout-Ms` is a whole number of milliseconds, at least 1"
        raise HttpError(400, "The request cannot be answered", detail, "request.timeout")
    return min(default_s, int(timeout_ms) / 1000)
