"""Answers as JSON or, for who accepts that, as tables: CSV, an Arrow stream, a Parquet file."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from lading.engine.answer_columns import AnswerColumns
from lading.engine.answers import Answer
from lading.http.content import ARROW, CSV, JSON, PARQUET
from lading.schema.fields import Schema
from lading.service import Service

Columns = Mapping[str, Sequence[Any]]
_VARY = {"vary": "accept"}


async def response_of(scope: Scope, service: Service, kind: str, answer: Answer, *, is_single: bool) -> Response:
    """The answer to a request in a media type that `accepted` gave."""
    if kind == JSON:
        body = service.format.json(answer, is_single=is_single, request_id=scope["lading"].ids.request)
        # No cache keeps what is answered to POST.
        headers = {} if scope["method"] == "POST" else _VARY
    else:
        body = await _table(kind, service.schema, answer)
        headers = {"content-type": kind, "x-warnings": str(len(answer.warnings)), **_VARY}
    response = Response(body, media_type=JSON if kind == JSON else None, headers=headers)
    response.headers["x-model"] = service.label
    return response


async def _table(kind: str, schema: Schema, answer: Answer) -> bytes:
    if kind == CSV:
        return table_bytes(kind, schema, answer)
    # The first one imports a library, which takes longer than anything may in the event loop.
    return await asyncio.to_thread(table_bytes, kind, schema, answer)


def table_bytes(kind: str, schema: Schema, answer: Answer) -> bytes:
    """The columns of an answer (see `AnswerColumns`) in a media type other than JSON."""
    made = AnswerColumns(schema)
    columns = made.of(answer.predictions, answer.probabilities)
    if kind == CSV:
        return _csv(columns)
    output = schema.outputs[0]
    datatype = "BYTES" if output.labels else output.datatype
    predicted = made.of(answer.predictions[:1])
    datatypes = {name: datatype if name in predicted else "FP64" for name in columns}
    return _WRITERS[kind]({name: _array(datatypes[name], values) for name, values in columns.items()})


def _csv(columns: Columns) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # whose lines end as RFC 4180 says
    writer.writerow(columns)
    writer.writerows(zip(*([_cell(value) for value in column] for column in columns.values()), strict=True))
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """The value as CSV of a request has it."""
    return str(value).lower() if isinstance(value, bool) else value


def _array(datatype: str, values: Sequence[Any]) -> Any:
    """The values as an Arrow array of what travels; as texts, where one of them is something else."""
    import pyarrow

    types = {"FP64": pyarrow.float64(), "INT64": pyarrow.int64(), "BOOL": pyarrow.bool_(), "BYTES": pyarrow.string()}
    try:
        return pyarrow.array(values, types[datatype])
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
        return pyarrow.array([str(_cell(value)) for value in values])


def _arrow(arrays: Mapping[str, Any]) -> bytes:
    import pyarrow

    table = pyarrow.table(arrays)
    body = io.BytesIO()
    with pyarrow.ipc.new_stream(body, table.schema) as writer:
        writer.write_table(table)
    return body.getvalue()


def _parquet(arrays: Mapping[str, Any]) -> bytes:
    import pyarrow.parquet

    body = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), body, compression="snappy")
    return body.getvalue()


_WRITERS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {ARROW: _arrow, PARQUET: _parquet}
