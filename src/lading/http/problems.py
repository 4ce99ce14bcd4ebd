"""Errors as RFC 9457 problems: which status each has, and what it tells."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
from starlette.responses import Response

from lading import errors
from lading.errors import InputError, LadingError, RateLimited, Refused, Unauthenticated

MEDIA_TYPE = "application/problem+json"
_SPREAD_S = 2

# The first class that an error is one of decides.
_STATUSES: tuple[tuple[type[LadingError], int, str], ...] = (
    (errors.BrokenInput, 400, "The body cannot be read"),
    (errors.TooLarge, 413, "Too large"),
    (errors.InputError, 422, "The input does not fit the schema"),
    (errors.UsageError, 400, "The request cannot be answered"),
    (errors.Unauthenticated, 401, "Who asks is not known"),
    (errors.Denied, 403, "Not allowed"),
    (errors.RateLimited, 429, "Too often"),
    (errors.DeadlineExceeded, 504, "Too late"),
    (errors.Refused, 503, "Not now"),
    (errors.FeaturesInvalid, 500, "A feature does not fit"),
    (errors.PredictionFailed, 500, "The model failed"),
    (errors.LadingError, 500, "Internal error"),
)


class HttpError(LadingError):
    """An error that only HTTP knows: a route, a method, a content type."""

    def __init__(self, status: int, title: str, detail: str, code: str, **headers: str) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.title = title
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def status_of(error: LadingError) -> tuple[int, str]:
    """The status and the title of an error."""
    if isinstance(error, HttpError):
        return error.status, error.title
    return next((status, title) for kind, status, title in _STATUSES if isinstance(error, kind))


def problem(error: LadingError, request_id: str) -> Response:
    """The answer that tells the error."""
    status, title = status_of(error)
    body: dict[str, Any] = {
        "type": f"urn:lading:error:{error.code}",
        "title": title,
        "status": status,
        "code": error.code,
        "detail": error.message,
        "id": request_id,
    }
    if isinstance(error, InputError):
        body["errors"] = error.problems
        body["total"] = error.total
    return Response(msgspec.json.encode(body) + b"\n", status, headers=headers_of(error), media_type=MEDIA_TYPE)


def headers_of(error: LadingError) -> dict[str, str]:
    """The fields that the answer to an error has, whatever its body is."""
    if isinstance(error, HttpError):
        return error.headers
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": error.challenge}
    if isinstance(error, RateLimited):
        return {"Retry-After": retry_after(error.retry_after_s), **error.fields}
    if isinstance(error, Refused):
        return {"Retry-After": retry_after(error.retry_after_s)}
    return {}


def retry_after(seconds: float = 1.0) -> str:
    """The whole number of seconds, `seconds` at least, after which to try again.

    It is another one each time: callers who are refused together are not to come back together.
    """
    return str(math.ceil(seconds) + random.randint(0, _SPREAD_S))
