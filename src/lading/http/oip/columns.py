"""From tensors to checked rows: one for each column, or one for all; or images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import cycle
from typing import Any, NamedTuple

from lading.errors import InputError
from lading.http.oip.datatypes import DATATYPES, fitter
from lading.http.oip.tensors import Tensor
from lading.schema.cells import Cell, Complaint, cell_checker, expectation
from lading.schema.decode import Decoder
from lading.schema.fields import Field, Schema
from lading.schema.problems import Problem, Problems, pointer, presentable
from lading.schema.table import Row


class TensorRows:
    """Reads tensors by one schema; made once.

    Args:
        schema: of requests.
        decoder: reads images by it.
    """

    def __init__(self, schema: Schema, decoder: Decoder) -> None:
        self._fields = schema.inputs
        self._known = frozenset(schema.names)
        self._unused = frozenset(schema.unused)
        self._decoder = decoder

    def check_names(self, names: Sequence[tuple[int, str]], problems: Problems) -> None:
        """Add the names that are no columns' or stand twice, and the columns that are missing.

        Args:
            names: of the tensors, with their places; each is for one column.
            problems: to add to.
        """
        absent = self._known - {name for _, name in names}
        seen: set[str] = set()
        for place, name in names:
            if name in seen:
                problems.add(_twice, place)
            elif name not in self._known and name not in self._unused:
                problems.add(_unknown, place, name, problems.suggest(name, absent))
            seen.add(name)
        for field in self._fields:
            if field.name in absent:
                problems.add(_missing, field)

    def is_whole(self, tensor: Tensor) -> bool:
        """Whether a tensor that comes alone is all columns, whatever it is called, and not one of several."""
        return len(self._fields) == 1 or tensor.width > 1 or self._is_images(tensor)

    def is_one_row(self, tensor: Tensor) -> bool:
        """Whether a tensor that comes alone is no column's, and has as many elements in a row as there are columns."""
        width = len(self._fields)
        return len(tensor.shape) == 1 and tensor.rows == width > 1 and tensor.name not in self._known

    def whole(self, tensor: Tensor) -> Sequence[Row]:
        """The rows of one tensor that has all columns, in the schema's order.

        Raises:
            InputError: it does not fit; lists every problem.
            TooLarge: it has more rows or cells than one request may have.
        """
        if self._is_images(tensor):
            return self._images(tensor)
        width = len(self._fields)
        if tensor.width != width:
            raise InputError([_wrong_width(tensor, width)])
        self._decoder.bound(tensor.rows)
        problems = Problems()
        cells = _cells(tensor, self._checks, problems)
        problems.raise_any()
        return list(zip(*[iter(cells)] * width, strict=True))

    def of_columns(self, tensors: Sequence[Tensor]) -> Sequence[Row]:
        """The rows of tensors that are a column each, whose names have been checked. Raises as `whole`."""
        rows = tensors[0].rows
        problems = Problems()
        for tensor in tensors:
            if tensor.width != 1 or tensor.rows != rows:
                problems.add(_wrong_column, tensor, tensors[0].place)
        problems.raise_any()
        self._decoder.bound(rows)
        checks = {check.field.name: check for check in self._checks}
        cells = {each.name: _cells(each, [checks[each.name]], problems) for each in tensors if each.name in checks}
        problems.raise_any()
        return list(zip(*(cells[field.name] for field in self._fields), strict=True))

    @cached_property
    def _checks(self) -> list[_Check]:
        return [_Check(field, fitter(field), cell_checker(field)) for field in self._fields]

    def _is_images(self, tensor: Tensor) -> bool:
        """Whether it holds images as files in base64: pixels are numbers."""
        return self._decoder.takes_images and tensor.datatype == "BYTES" and tensor.width == 1

    def _images(self, tensor: Tensor) -> Sequence[Row]:
        problems = [
            Problem(pointer(*tensor.spot(index)), "schema.wrong_type", "expected an image in base64")
            for index, element in enumerate(tensor.data)
            if not isinstance(element, str)
        ]
        if problems:
            raise InputError(problems)
        try:
            return self._decoder.value(list(tensor.data)).rows
        except InputError as error:
            told = [_at(tensor, problem) for problem in error.problems]
            raise InputError(told, total=error.total) from None


class _Check(NamedTuple):
    field: Field
    fit: Callable[[object], object]
    cell: Callable[[object], Cell]


def _cells(tensor: Tensor, checks: Sequence[_Check], problems: Problems) -> list[Cell]:
    """The cells that the elements of a tensor are, which belong to columns by turns."""
    datatype = DATATYPES[tensor.datatype]
    cells: list[Cell] = []
    is_number = datatype.is_number
    for index, (element, check) in enumerate(zip(tensor.data, cycle(checks), strict=False)):
        try:
            # What is null is of every datatype, and for the column to say.
            if element is not None:
                datatype.check(element)
            cells.append(check.cell(check.fit(element) if is_number else element))
        except Complaint as complaint:
            problems.add(_cell_problem, complaint, tensor, index, check.field, index // len(checks))
    return cells


def _cell_problem(complaint: Complaint, tensor: Tensor, index: int, field: Field, row: int) -> Problem:
    return Problem(
        pointer(*tensor.spot(index)),
        complaint.code,
        complaint.detail,
        column=field.name,
        row=row,
        expected=expectation(field),
        got=complaint.got,
    )


def _twice(place: int) -> Problem:
    return Problem(pointer("inputs", place, "name"), "schema.columns", "another input has this name")


def _unknown(place: int, name: str, meant: str | None) -> Problem:
    shown = presentable(name)
    detail = "not a column of this model" + (f": did you mean `{meant}`?" if meant else "")
    place_of_name = pointer("inputs", place, "name")
    return Problem(place_of_name, "schema.unknown_column", detail, column=shown, suggestion=meant)


def _missing(field: Field) -> Problem:
    wanted = expectation(field)
    detail = f"missing (required, {wanted})"
    return Problem(pointer("inputs"), "schema.missing_column", detail, column=field.name, expected=wanted)


def _wrong_width(tensor: Tensor, width: int) -> Problem:
    detail = f"expected {width} values a row, got {tensor.width}"
    return Problem(pointer("inputs", tensor.place, "shape"), "schema.wrong_row", detail)


def _wrong_column(tensor: Tensor, first: int) -> Problem:
    detail = f"expected [n] or [n, 1], with as many rows as inputs[{first}]"
    return Problem(pointer("inputs", tensor.place, "shape"), "schema.wrong_shape", detail)


def _at(tensor: Tensor, problem: Problem) -> Problem:
    """The problem with an image, in its place among the elements."""
    spot: tuple[Any, ...] = tensor.spot(problem.row or 0)
    return Problem(pointer(*spot), problem.code, problem.detail, got=problem.got)
