"""The answer for the rows of a request, which are completed first where some columns are looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from lading.bundle.lookups import UnknownKeys
from lading.schema.decode import Decoded, Decoder, Limits
from lading.schema.fields import Schema
from lading.schema.table import Row
from lading.service import Service

Again = Callable[[Decoder], Decoded]
"""Reads the request once more, by another decoder."""


async def answer_of(
    service: Service, rows: Sequence[Row], again: Again | None, timeout_s: float, *, proba: bool, context: Any
) -> Any:
    """The answer, or its error raised; keys that are not known are told with the spots where they stand.

    Args:
        service: what answers.
        rows: of the request, checked.
        again: reads the request once more; None where the service looks nothing up.
        timeout_s: that all of it may take.
        proba: whether probabilities are asked for.
        context: for the records of the request.

    Raises:
        LadingError: as `Service.complete` and `Service.predict_async`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    try:
        rows = await service.complete(rows, timeout_s)
    except UnknownKeys as error:
        assert again is not None
        raise await asyncio.to_thread(error.located, service.schema, _reader(service, again)) from None
    return await service.predict_async(rows, deadline - loop.time(), proba=proba, context=context)


def _reader(service: Service, again: Again) -> Callable[[Schema], Decoded]:
    limits = Limits(service.settings.max_rows, service.settings.max_cells)
    return lambda schema: again(Decoder(schema, limits))
