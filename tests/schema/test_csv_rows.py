"""CSV read by columns gives what it gives cell by cell: the same rows, or the same problems."""

import csv
import io

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lading.errors import LadingError
from lading.schema.csv_rows import CsvRows
from lading.schema.csv_text import MISSING_TEXTS
from lading.schema.decode import Decoder
from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.typed import TypedRows

ODD = [
    *("", " ", "0", "-0", "-0.0", "0.0", "1", "1.0", "01", "+1", ".5", "1.", "1e2", "1E+2", " 1", "1 ", "\t1", "1\r"),
    *("nan", "NaN", "NA", "null", "None", "inf", "-inf", "Infinity", "1_0", "0x10", "1e400", "-1e400", "5e-324"),
    *(
        "true",
        "false",
        "True",
        "FALSE",
        "1,2",
        "1,",
        ",",
        "[1]",
        "1],[2",
        '"1"',
        "'",
        "1\n2",
        "\n",
        "x:y",
        "é",
        "\u0661",
    ),
    *("9007199254740993", "9223372036854775807", "9223372036854775808", "127", "128", "1" * 64, "1" * 65, "0" * 70),
    *("2024-02-29", " 2024-02-29", "2023-02-29", "2024-02-29T10:00:00+01:00", "\xa01", "\x0b1", "1\x0c"),
]
TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(sorted(MISSING_TEXTS)),
    st.integers().map(str),
    st.floats().map(repr),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
)


class CellByCell:
    """Reads nothing by columns."""

    def of_numbers(self, body):
        return None

    def of_lines(self, header, lines):
        return None


def outcome(decoder, body):
    try:
        decoded = decoder.csv(body)
    except LadingError as error:
        return type(error).__name__, error.code, str(error), repr(getattr(error, "problems", ()))
    return repr([tuple(row) for row in decoded.rows])


def by_both_ways(schema, body):
    decoder, strict_only = Decoder(schema), Decoder(schema)
    strict_only._csv = CellByCell()
    assert outcome(decoder, body) == outcome(strict_only, body)
    return outcome(decoder, body)


@st.composite
def tables(draw, schema, rows_of):
    """Lines of texts below a header, most of them right."""
    header = [*draw(st.permutations(schema.names)), *draw(st.sampled_from([(), schema.unused, schema.unused[:1]]))]
    rows = draw(st.lists(rows_of(schema), min_size=1, max_size=3))
    lines = [[_text(row.get(name, "any")) for name in header] for row in rows]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        lines[draw(st.integers(0, len(lines) - 1))][draw(st.integers(0, len(header) - 1))] = draw(TEXTS)
    if draw(st.integers(0, 5)) == 0:
        header[draw(st.integers(0, len(header) - 1))] = draw(st.sampled_from([*header, "other", ""]))
    return [header, *lines]


def _text(value):
    return "" if value is None else str(value)


@given(data=st.data(), schema=...)
def test_any_table_is_read_alike_by_columns_and_cell_by_cell(data, schema: Schema, rows_of):
    text = io.StringIO()
    ending = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    csv.writer(text, lineterminator=ending, quoting=quoting).writerows(data.draw(tables(schema, rows_of)))
    event(by_both_ways(schema, text.getvalue().encode())[0])


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("other", ["1", "x"])
@pytest.mark.parametrize(
    "field",
    [
        Field("a"),
        Field("a", dtype="float32"),
        Field("a", domain=Interval(0, 100)),
        Field("a", domain=(1.0, 0.5, 0.0)),
        Field("a", "int", "int8"),
        Field("a", "int", "int64", domain=Interval(0.5, None)),
        Field("a", "bool", "bool"),
        Field("a", "category", "str", categories=("1", "NA", "x:y")),
        Field("a", "category", "int64", categories=(0, 1)),
        Field("a", "date", "datetime64[ns]"),
        Field("a", "text", "str"),
    ],
    ids=repr,
)
def test_each_odd_text_is_read_alike(field, other, nullable):
    schema = Schema("regression", (Field("b"), replace(field, nullable=nullable)), (Output("prediction"),))
    for odd in sorted({*ODD, *MISSING_TEXTS}):
        for body in (f"a,b\n{odd},{other}\n", f'b,a\n{other},"{odd}"\n1,1\n', f"a,b\r\n{odd},2\r\n\r\n{odd},3"):
            by_both_ways(schema, body.encode())


@given(st.text('01.,-e \n\r"x', max_size=30))
def test_any_text_of_numbers_is_read_alike(text):
    fields = Field("a", nullable=True), Field("b", "int", "int64", nullable=True)
    schema = Schema("regression", fields, (Output("prediction"),))
    by_both_ways(schema, b"b,a\n" + text.encode())
    by_both_ways(Schema("regression", fields[:1], (Output("prediction"),)), b"a\n" + text.encode())


def test_good_numbers_are_read_all_at_once_and_good_columns_one_by_one():
    fields = Field("a", nullable=True), Field("b", "int", "int64"), Field("t", "text", "str")
    numbers = Schema("regression", fields[:2], (Output("prediction"),))
    rows = CsvRows(numbers, TypedRows(numbers.inputs))
    assert rows.of_numbers(b"b,a\r\n1,0.5\r\n2,\r\n") == [(0.5, 1), (None, 2)]
    mixed = Schema("regression", fields, (Output("prediction"),), ("extra",))
    rows = CsvRows(mixed, TypedRows(mixed.inputs))
    assert rows.of_numbers(b"b,a,t\n1,0.5,2\n") is None
    assert rows.of_lines(["t", "extra", "b", "a"], [["x", "y", "1", "0.5"], ["", "", "2", "NA"]]) is None
    assert rows.of_lines(["t", "extra", "b", "a"], [["x", "y", "1", "0.5"], ["z", "", "2", "NA"]]) == [
        (0.5, 1, "x"),
        (None, 2, "z"),
    ]
