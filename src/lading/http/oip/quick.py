"""The quick way from a plain request for an inference to checked rows; None wherever it cannot vouch for the body.

It vouches for what decodes by the protocol's and the schema's types, has no more colons than its keys need, so that no
key stands twice, and no run of digits that is too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from lading.http.dialect import Asked
from lading.http.oip.datatypes import MAX_FP32
from lading.http.oip.outputs import Outputs
from lading.http.oip.request import is_id
from lading.schema.fields import Schema
from lading.schema.quick import QuickJson, has_long_number
from lading.schema.table import Row
from lading.schema.typed import UNREADABLE, TypedRows, cell_type

_Parameters = dict[str, str | int | float | bool]
_KINDS = {"FP64": {"float"}, "FP32": {"float"}, "INT64": {"int"}, "BOOL": {"bool"}, "BYTES": {"text", "date"}}
"""Kinds of columns whose typed decoding takes nothing that a datatype does not have."""


class _Output(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    parameters: _Parameters | UnsetType = UNSET


class _Input(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: Raw
    parameters: _Parameters | UnsetType = UNSET


class _Request(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    inputs: list[_Input]
    id: str | UnsetType = UNSET
    parameters: _Parameters | UnsetType = UNSET
    outputs: list[_Output] | UnsetType = UNSET


class QuickInfer:
    """Typed decoding for plain requests; made once from the schema, which has to suit (`QuickJson.suits`)."""

    def __init__(self, schema: Schema, outputs: Outputs) -> None:
        self._request = msgspec.json.Decoder(_Request)
        self._outputs = outputs
        self._known = frozenset(outputs.names)
        self._names = schema.names
        self._kinds = [field.value_kind for field in schema.inputs]
        self._all_kinds = set(self._kinds)
        self._rows = TypedRows(schema.inputs)
        self._usual = tuple(range(len(schema.inputs)))
        # Most columns share their type, and with it the decoder.
        types = [cell_type(field) for field in schema.inputs]
        decoders = {each: msgspec.json.Decoder(list.__class_getitem__(each)) for each in set(types)}
        self._columns: list[Any] = [decoders[each] for each in types]

    @staticmethod
    def suits(schema: Schema) -> bool:
        """Whether it can tell the names of the columns apart."""
        return QuickJson.suits(schema)

    def read(self, body: bytes) -> Asked | None:
        """What a body asks for; its rows are not bounded yet."""
        try:
            request = self._request.decode(body)
            if body.count(b":") != _colons(request) or has_long_number(body):
                return None
            wanted = self._wanted(request.outputs)
            request_id = None if request.id is UNSET else request.id
            if not wanted or not (request_id is None or is_id(request_id)):
                return None
            rows = self._read(request.inputs)
        except UNREADABLE:
            return None
        return Asked(rows, False, self._outputs.have_probabilities(wanted), request_id, wanted) if rows else None

    def _wanted(self, asked: list[_Output] | UnsetType) -> tuple[str, ...]:
        """Names of the outputs that are asked for; none where one of them is not, or stands twice."""
        if not asked:
            return self._outputs.names
        names = tuple(each.name for each in asked)
        return names if self._known.issuperset(names) and len(set(names)) == len(names) else ()

    def _read(self, tensors: list[_Input]) -> Sequence[Row] | None:
        is_alone = len(tensors) == len(self._names) == 1
        if len(tensors) == 1 and len(tensors[0].shape) == 2 and (is_alone or tensors[0].shape[1] != 1):
            return self._whole(tensors[0])
        named = {self._names[0] if is_alone else tensor.name: tensor for tensor in tensors}
        if named.keys() != {*self._names} or len(tensors) != len(named):
            return None
        rows = tensors[0].shape[0] if tensors[0].shape else 0
        columns = [
            self._column(named[name], rows, kind, decoder)
            for name, kind, decoder in zip(self._names, self._kinds, self._columns, strict=True)
        ]
        return self._rows.finish(list(zip(*columns, strict=True)))

    def _column(self, tensor: _Input, rows: int, kind: str, decoder: Any) -> list[Any]:
        if tensor.shape not in ([rows], [rows, 1]) or kind not in _KINDS.get(tensor.datatype, ()):
            raise msgspec.ValidationError
        cells: list[Any] = decoder.decode(tensor.data)
        if len(cells) != rows or (tensor.datatype == "FP32" and not _are_short(cells)):
            raise msgspec.ValidationError
        return cells

    def _whole(self, tensor: _Input) -> Sequence[Row] | None:
        width, rows = len(self._names), tensor.shape[0] if tensor.shape else 0
        if tensor.shape != [rows, width] or not self._all_kinds <= _KINDS.get(tensor.datatype, set()):
            return None
        lines = self._lines(bytes(tensor.data), rows, width)
        if len(lines) != rows or (tensor.datatype == "FP32" and not all(map(_are_short, lines))):
            return None
        return self._rows.finish(lines)

    def _lines(self, data: bytes, rows: int, width: int) -> list[Row]:
        """The rows in the data of a tensor, nested or flat."""
        if data[1:].lstrip()[:1] == b"[":
            return self._rows.decode(data, self._usual)
        if rows == 1:
            return self._rows.decode(b"[%b]" % data, self._usual)
        if not self._rows.is_uniform:
            raise msgspec.ValidationError
        cells = self._columns[0].decode(data)
        if len(cells) != rows * width:
            raise msgspec.ValidationError
        return list(zip(*[iter(cells)] * width, strict=True))


def _are_short(cells: Sequence[Any]) -> bool:
    """Whether all are numbers of 32 bits, and none is missing."""
    return None not in cells and min(cells) >= -MAX_FP32 and max(cells) <= MAX_FP32


def _colons(request: _Request) -> int:
    """How many colons the keys need, where no text has one."""
    count = 1 + 4 * len(request.inputs) + (request.id is not UNSET)
    if request.outputs is not UNSET:
        count += 1 + len(request.outputs)
    for each in (request, *request.inputs, *(request.outputs or ())):
        if each.parameters is not UNSET:
            count += 1 + len(each.parameters)
    return count
