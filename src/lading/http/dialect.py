"""How predictions are asked for and answered in JSON: a dialect for each kind of route, which both roads speak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from starlette.responses import Response

from lading.engine.answers import Answer
from lading.errors import LadingError
from lading.http.problems import problem
from lading.schema.table import Row
from lading.service import Service


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a body asks for.

    Attributes:
        rows: checked rows.
        is_single: they came as one object, so that one answer goes back.
        proba: probabilities are wanted, too.
        id: that the body gives the request; None where it gives none.
        outputs: names of those that are wanted.
    """

    rows: Sequence[Row]
    is_single: bool = False
    proba: bool = False
    id: str | None = None
    outputs: tuple[str, ...] = ()


class Dialect(Protocol):
    """One of them. Made once there is a model."""

    def read(self, body: bytes) -> Asked:
        """What a body of JSON asks for.

        Raises:
            BrokenInput: it cannot be read.
            InputError: it does not fit the schema; lists every problem.
            TooLarge: it has more rows or cells than one request may have.
        """

    def write(self, answer: Answer, asked: Asked, request_id: str) -> bytes:
        """The body of an answer."""

    def refuse(self, error: LadingError, request_id: str) -> Response:
        """The answer that tells an error."""


class Native:
    """Lading's own: rows in the shapes that people send, and problems."""

    def __init__(self, service: Service) -> None:
        self._decoder = service.decoder
        self._format = service.format

    def read(self, body: bytes) -> Asked:
        """What a body of JSON asks for; see `Dialect`."""
        decoded = self._decoder.json(body)
        return Asked(decoded.rows, decoded.is_single)

    def write(self, answer: Answer, asked: Asked, request_id: str) -> bytes:
        """The body of an answer."""
        return self._format.json(answer, is_single=asked.is_single, request_id=request_id)

    def refuse(self, error: LadingError, request_id: str) -> Response:
        """The problem that tells an error."""
        return problem(error, request_id)
