"""The columns of an output: what they are called, of what Arrow type they are, and how rows of them are written."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lading.batch.kinds import Kind
from lading.batch.plan import Plan
from lading.batch.rows import cells_of
from lading.errors import LadingError
from lading.schema.fields import Output, Schema

_ARROW_TYPES = {"BOOL": "bool", "INT64": "int64", "FP64": "float64"}


def answer_names(schema: Schema, *, proba: bool) -> tuple[str, ...] | None:
    """The columns of the answers, in their order; None where the schema does not say them."""
    output = schema.outputs[0]
    names = _names(output.name, output) if len(output.shape) > 1 else (output.name,)
    if not proba:
        return names
    probabilities = next(output for output in schema.outputs if output.name == "probabilities")
    return (*names, *_names("probability", probabilities)) if probabilities.columns else None


def _names(word: str, output: Output) -> tuple[str, ...]:
    return tuple(f"{word} {name}" for name in output.columns or range(output.shape[1]))


def arrow_types(schema: Schema, plan: Plan, known: Mapping[str, Any]) -> bytes:
    """The Arrow schema of an output: columns have the types that they have in the input, where these are `known`."""
    import pyarrow as pa

    fields = {field.name: _ARROW_TYPES.get(field.datatype, "string") for field in schema.inputs}
    output = schema.outputs[0]
    answer = "string" if output.labels else _ARROW_TYPES.get(output.datatype, "string")
    lead = [(name, known.get(name) or _named(pa, fields.get(name, "string"))) for name in plan.lead]
    predicted = output.shape[1] if len(output.shape) > 1 else 1
    answers = [
        (name, _named(pa, answer) if place < predicted else pa.float64()) for place, name in enumerate(plan.answers)
    ]
    data: bytes = pa.schema(lead + answers).serialize().to_pybytes()
    return data


def _named(pa: Any, name: str) -> Any:
    return pa.type_for_alias(name)


class RowWriter:
    """Rows in the form that the output has, one block behind the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._data = bytearray()

    def write(self, columns: Sequence[Any]) -> None:
        """Add columns, in the plan's order: lists of JSON values, or of Arrow's."""
        self._data += _ENCODERS[self._plan.kind](self._plan, columns)

    def take(self) -> bytes:
        """Everything so far."""
        return bytes(self._data)


def head(plan: Plan) -> bytes:
    """What stands in front of all rows."""
    return _csv_lines([plan.names]) if plan.kind == "csv" else b""


def _csv(plan: Plan, columns: Sequence[Any]) -> bytes:
    return _csv_lines(zip(*map(_simple, map(cells_of, columns)), strict=True))


def _csv_lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _simple(cells: list[Any]) -> list[Any]:
    return [_text(cell) if isinstance(cell, dict | list | bytes) else cell for cell in cells]


def _jsonl(plan: Plan, columns: Sequence[Any]) -> bytes:
    rows = zip(*map(cells_of, columns), strict=True)
    return _json.encode_lines([dict(zip(plan.names, row, strict=True)) for row in rows])


_json = msgspec.json.Encoder(enc_hook=str)


def _arrow(plan: Plan, columns: Sequence[Any]) -> bytes:
    """A message of Arrow's: a table of one batch, without the schema, which the plan has."""
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.py_buffer(plan.arrow_schema))
    arrays = [_array(pa, column, field) for column, field in zip(columns, schema, strict=True)]
    rows = len(arrays[0]) if arrays else 0
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema) if rows else schema.empty_table()
    data: bytes = batch.serialize().to_pybytes()
    return data


def _array(pa: Any, column: Any, field: Any) -> Any:
    try:
        if not isinstance(column, list):
            chunks = column.combine_chunks() if column.type == field.type else column.cast(field.type).combine_chunks()
            return pa.concat_arrays(chunks.chunks) if isinstance(chunks, pa.ChunkedArray) else chunks
        if pa.types.is_string(field.type):
            column = [cell if cell is None else _text(cell) for cell in column]
        return pa.array(column, type=field.type, from_pandas=True)
    except (pa.ArrowException, TypeError, OverflowError):
        raise LadingError(
            f"`{field.name}` has values that are not of its type, {field.type}",
            hint="write to CSV or JSON lines, where each value is of its own type",
        ) from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json.encode(value).decode()


_ENCODERS: dict[Kind, Any] = {"csv": _csv, "jsonl": _jsonl, "parquet": _arrow, "arrow": _arrow}
