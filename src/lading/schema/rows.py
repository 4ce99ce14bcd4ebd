"""The second pass: checks every cell of every row and lists every problem, each with its spot and its column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from lading.schema.cells import Complaint, cell_checker, expectation, read_cell
from lading.schema.fields import Field, Schema
from lading.schema.problems import Problem, Problems, pointer, presentable, type_name
from lading.schema.table import Row

Spot = tuple[str | int, ...]


class RowChecker:
    """Turns rows of any shape into checked tuples in the schema's order, or raises `InputError` with all problems."""

    def __init__(self, schema: Schema) -> None:
        self._fields = schema.inputs
        self._known = {field.name: field for field in schema.inputs}
        self._unused = frozenset(schema.unused)
        self._checks = [(field, cell_checker(field)) for field in schema.inputs]

    def object(self, row: Mapping[str, Any]) -> Row:
        """The one row that an object is."""
        problems = Problems()
        checked = self._object(row, (), None, problems)
        problems.raise_any()
        return checked

    def objects(self, rows: Sequence[Any], *within: str) -> list[Row]:
        """The rows of a list of objects, which stands in the body under the keys `within`."""
        problems = Problems()
        checked = [self._object(row, (*within, position), position, problems) for position, row in enumerate(rows)]
        problems.raise_any()
        return checked

    def array(self, line: Sequence[Any], *within: str) -> Row:
        """The one row that a list of values in the schema's order is."""
        problems = Problems()
        width = len(self._fields)
        checked = self._array(line, width, range(width), within, None, problems)
        problems.raise_any()
        return checked

    def arrays(self, lines: Iterable[Any], *within: str, columns: Sequence[Any] | None = None) -> list[Row]:
        """The rows of a list of lists, in the schema's order or in that of the `columns` given."""
        problems = Problems()
        order = self._order(columns, problems)
        problems.raise_any()
        width = len(self._fields) if columns is None else len(columns)
        checked = [
            self._array(line, width, order, (*within, position), position, problems)
            for position, line in enumerate(lines)
        ]
        problems.raise_any()
        return checked

    def cells(self, values: Sequence[Any], *within: str) -> list[Row]:
        """The rows of a list of values for a schema of one column."""
        problems = Problems()
        ((field, check),) = self._checks
        checked: list[Row] = []
        for position, value in enumerate(values):
            try:
                checked.append((check(value),))
            except Complaint as complaint:
                problems.add(_cell_problem, complaint, field, (*within, position), position)
        problems.raise_any()
        return checked

    def text_object(self, texts: Mapping[str, str]) -> Row:
        """The one row of named texts, as a query string has them."""
        return self.object({name: self._read(name, text) for name, text in texts.items()})

    def texts(self, header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[Row]:
        """The rows of lines of texts below a header, as CSV has them."""
        fields = [self._known.get(name) for name in header]
        cells = (
            [read_cell(field, text) if field else None for field, text in zip(fields, line, strict=True)]
            for line in lines
        )
        return self.arrays(cells, columns=header)

    def _read(self, name: str, text: str) -> Any:
        field = self._known.get(name)
        return read_cell(field, text) if field else text

    def _object(self, row: Any, spot: Spot, position: int | None, problems: Problems) -> Row:
        if not isinstance(row, dict):
            problems.add(_wrong_row, spot, position, "an object", type_name(row))
            return ()
        if row.keys() != self._known.keys():
            self._report_names(row, spot, position, problems)
        cells = []
        for field, check in self._checks:
            if field.name in row:
                try:
                    cells.append(check(row[field.name]))
                except Complaint as complaint:
                    problems.add(_cell_problem, complaint, field, (*spot, field.name), position)
        return tuple(cells)

    def _array(
        self, line: Any, width: int, order: Sequence[int], spot: Spot, position: int | None, problems: Problems
    ) -> Row:
        if not isinstance(line, list):
            problems.add(_wrong_row, spot, position, "an array", type_name(line))
            return ()
        if len(line) != width:
            problems.add(_wrong_row, spot, position, f"{width} values", f"{len(line)} values")
            return ()
        cells = []
        for (field, check), index in zip(self._checks, order, strict=True):
            try:
                cells.append(check(line[index]))
            except Complaint as complaint:
                problems.add(_cell_problem, complaint, field, (*spot, index), position)
        return tuple(cells)

    def _order(self, columns: Sequence[Any] | None, problems: Problems) -> list[int]:
        """Where in a line each field stands."""
        if columns is None:
            return list(range(len(self._fields)))
        if not all(isinstance(name, str) for name in columns) or len(set(columns)) != len(columns):
            problems.add(_wrong_columns)
            return []
        places = {name: index for index, name in enumerate(columns)}
        self._report_columns(places, problems)
        return [places.get(field.name, 0) for field in self._fields]

    def _report_columns(self, places: Mapping[str, int], problems: Problems) -> None:
        absent = self._known.keys() - places.keys()
        # Where no name is known, the line of names may have been forgotten, and these may be values.
        are_names = not places.keys().isdisjoint(self._known)
        for name, index in places.items():
            if name not in self._known and name not in self._unused:
                shown = presentable(name) if are_names else None
                meant = problems.suggest(name, absent)
                problems.add(_unknown_column, shown, f"column {index}", ("columns", index), None, meant)
        self._report_missing(absent, (), None, problems)

    def _report_names(self, row: Mapping[str, Any], spot: Spot, position: int | None, problems: Problems) -> None:
        absent = self._known.keys() - row.keys()
        for index, name in enumerate(row):
            if name not in self._known and name not in self._unused:
                problems.add(_unknown_key, name, index, spot, position, problems.suggest(name, absent))
        self._report_missing(absent, spot, position, problems)

    def _report_missing(self, absent: Set[str], spot: Spot, position: int | None, problems: Problems) -> None:
        if problems.is_full:
            problems.count(len(absent))
            return
        for field in self._fields:
            if field.name in absent:
                problems.add(_missing_column, field, spot, position)


def _missing_column(field: Field, spot: Spot, position: int | None) -> Problem:
    wanted = expectation(field)
    detail = f"missing (required, {wanted})"
    return Problem(pointer(*spot), "schema.missing_column", detail, column=field.name, row=position, expected=wanted)


def _unknown_key(name: str, index: int, spot: Spot, position: int | None, meant: str | None) -> Problem:
    shown = presentable(name)
    return _unknown_column(shown, f"key {index}", (*spot, name) if shown else spot, position, meant)


def _unknown_column(shown: str | None, what: str, spot: Spot, position: int | None, meant: str | None) -> Problem:
    detail = "not a column of this model" + (f": did you mean `{meant}`?" if meant else "")
    if shown is None:
        detail = f"{what} is {detail}"
    return Problem(pointer(*spot), "schema.unknown_column", detail, column=shown, row=position, suggestion=meant)


def _wrong_columns() -> Problem:
    detail = "expected the names of the columns, each once"
    return Problem("/columns", "schema.columns", detail, expected="names, each once")


def _wrong_row(spot: Spot, position: int | None, expected: str, got: str) -> Problem:
    hint = ": values without names go in `X`" if (expected, got) == ("an object", "an array") else ""
    detail = f"expected {expected}, got {got}{hint}"
    return Problem(pointer(*spot), "schema.wrong_row", detail, row=position, expected=expected, got=got)


def _cell_problem(complaint: Complaint, field: Field, spot: Spot, position: int | None) -> Problem:
    return Problem(
        pointer(*spot),
        complaint.code,
        complaint.detail,
        column=field.name,
        row=position,
        expected=expectation(field),
        got=complaint.got,
    )
