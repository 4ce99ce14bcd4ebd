"""Arrow streams give what their values give as rows: the same table, or the same problems."""

import io
import re
import struct
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lading.errors import BrokenInput, InputError, LadingError, TooLarge
from lading.schema.arrow import messages as arrow_messages
from lading.schema.cells import whole
from lading.schema.decode import Decoder, Limits
from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.rows import RowChecker
from lading.schema.table import Table
from lading.schema.values import plain

OUTPUTS = (Output("prediction"),)
TYPES = [
    *(pa.float64(), pa.float32(), pa.float16(), pa.int64(), pa.uint64(), pa.int8(), pa.bool_(), pa.null()),
    *(pa.string(), pa.large_string(), pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("us", "Asia/Tokyo")),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.uint32(), pa.int64())),
]


def stream(columns, batches=1, **options):
    """A stream of columns, in so many batches."""
    table = pa.Table.from_arrays([*columns.values()], names=[*columns])
    return stream_of(table, max(1, -(-len(table) // batches)), **options)


def stream_of(table, size=None, **options):
    body = io.BytesIO()
    with pa.ipc.new_stream(body, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, size)
    return body.getvalue()


def schema_of(*fields, unused=()):
    return Schema("regression", fields, OUTPUTS, unused)


def problems(schema, body):
    with pytest.raises(InputError) as caught:
        Decoder(schema).arrow(body)
    return caught.value.problems


def code_of(body, schema=None, limits=None):
    with pytest.raises(LadingError) as caught:
        Decoder(schema or schema_of(Field("a")), limits).arrow(body)
    assert "\n" not in caught.value.message
    return caught.value.code


def by_rows(schema, columns):
    """What the values give as rows."""
    whole_ones = {field.name for field in schema.inputs if field.value_kind == "int"}
    cells = [
        [whole(plain(_in_utc(value))) if name in whole_ones else plain(_in_utc(value)) for value in column.to_pylist()]
        for name, column in columns.items()
    ]
    try:
        rows = RowChecker(schema).arrays(map(list, zip(*cells, strict=True)), columns=[*columns])
    except InputError as error:
        return error.problems, error.total
    return told(Table.from_rows(schema.inputs, rows))


def _in_utc(value):
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def by_stream(schema, body):
    try:
        table = Decoder(schema).arrow(body).rows
    except InputError as error:
        return error.problems, error.total
    assert isinstance(table, Table)
    return told(table)


def told(table):
    matrix = table.matrix
    return [(str(column.dtype), repr(column.tolist())) for column in table.columns.values()], repr(matrix.tolist())


@st.composite
def arrays(draw, field, values):
    """A column of values in one of the types that hold them."""
    if field.value_kind == "date" and draw(st.booleans()):
        values = [value and datetime.fromisoformat(value) for value in values]
    for type_ in [*draw(st.lists(st.sampled_from(TYPES), max_size=3)), None]:
        try:
            array = pa.array(values, type_)
            array.validate(full=True)
            array.to_pylist()  # which has no dates beyond those of Python
            return array
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            continue
    return pa.array([str(value) for value in values])


@st.composite
def tables(draw, schema, rows_of, kin_of):
    """Columns that the schema takes, most of them, in any order."""
    rows = draw(st.lists(rows_of(schema), min_size=1, max_size=4))
    columns = {}
    for field in draw(st.permutations(schema.inputs)):
        values = [row[field.name] for row in rows]
        if draw(st.integers(0, 4)) == 0:
            values[-1] = draw(kin_of(field))
        columns[field.name] = draw(arrays(field, values))
    return columns | {name: pa.array([["any"]] * len(rows)) for name in schema.unused[:1]}


@given(data=st.data(), schema=...)
def test_any_columns_are_read_as_their_values_are(data, schema: Schema, rows_of, kin_of):
    columns = data.draw(tables(schema, rows_of, kin_of))
    body = stream(columns, data.draw(st.integers(1, 3)))
    result = by_stream(schema, body)
    assert result == by_rows(schema, columns)
    event("rows" if isinstance(result[1], str) else "problems")


FIELDS = [
    *(Field("a"), Field("a", dtype="float32"), Field("a", domain=Interval(0, 1)), Field("a", domain=(0.0, 1.0))),
    *(Field("a", nullable=True), Field("a", dtype="Float64", nullable=True), Field("a", "int", "Int64", nullable=True)),
    *(Field("a", "int", "int64"), Field("a", "int", "int8"), Field("a", "int", "int64", domain=Interval(0.5, 3))),
    *(Field("a", "bool", "bool"), Field("a", "bool", "object", nullable=True, null="none")),
    *(Field("a", "text", "str"), Field("a", "category", "str", categories=("x", "y"), nullable=True)),
    *(Field("a", "category", "int64", categories=(0, 1)), Field("a", "category", "object", categories=(0.5, 1.0))),
    *(Field("a", "date", "datetime64[ns]"), Field("a", "date", "str", nullable=True)),
    Field("a", "date", "datetime64[us]", nullable=True, domain=("2024-02-29",)),
]
COLUMNS = [
    pa.array([0.0, -0.0, 1.0]),
    pa.array([0.5, None]),
    pa.array([0.5, np.nan]),
    pa.array([1.0, np.inf]),
    pa.array([-1e39, 1e300]),
    pa.array(np.array([0.5, 65504.0], dtype=np.float16)),
    pa.array([1, 2, 2**53 + 1]),
    pa.array([1, None, 2**53 + 1]),
    pa.array([2**63, 1], pa.uint64()),
    pa.array([127, -128], pa.int8()),
    pa.array([True, False]),
    pa.array([True, None]),
    pa.array([None, None]),
    pa.array(["x", "y", "x"]),
    pa.array(["x", None], pa.large_string()),
    pa.array(["x", "y", "x", None]).dictionary_encode(),
    pa.array([0, 1, 1, 0]).dictionary_encode(),
    pa.DictionaryArray.from_arrays([0, 1, None], pa.array([0.5, None])),
    pa.array(["2024-02-29", "2024-02-29T10:00:00+02:00"]),
    pa.array([date(2024, 2, 29), None]),
    pa.array([date(2024, 2, 29)], pa.date64()),
    pa.array([datetime(2024, 2, 29, 10, 30, 0, 5), None]),
    pa.array([datetime(2024, 2, 29, 10, tzinfo=UTC)], pa.timestamp("ms", "Europe/Berlin")),
    pa.array([datetime(2500, 1, 1)], pa.timestamp("s")),
    pa.array([datetime(2024, 2, 29, 10, 30, 0, 5), None], pa.timestamp("ns")),
]


@pytest.mark.parametrize("field", FIELDS, ids=repr)
@pytest.mark.parametrize("beside", [Field("b"), Field("b", "text", "str")], ids=["numbers", "texts"])
def test_each_type_is_checked_as_its_values_are(field, beside):
    schema = schema_of(beside, field)
    for column in COLUMNS:
        other = pa.array([1.5] * len(column)) if beside.kind == "float" else pa.array(["t"] * len(column))
        columns = {"a": column, "b": other}
        assert by_stream(schema, stream(columns, 2)) == by_rows(schema, columns)


def test_the_rows_of_a_stream_are_those_of_json():
    fields = (
        Field("a"),
        Field("n", "int", "int64", nullable=True),
        Field("t", "text", "str"),
        Field("b", "bool", "bool"),
    )
    when = Field("d", "date", "datetime64[ns]", nullable=True)
    columns = {
        "t": pa.array(["x", "y"]),
        "d": pa.array([datetime(2024, 2, 29), None]),
        "a": pa.array([0.5, 1.0]),
        "b": pa.array([True, False]),
        "n": pa.array([None, 7]),
    }
    rows = Decoder(schema_of(*fields, when)).arrow(stream(columns)).rows
    expected = [(0.5, None, "x", True, datetime(2024, 2, 29)), (1.0, 7, "y", False, None)]
    assert (list(rows), rows[1], rows[-2], list(rows[1:])) == (expected, expected[1], expected[0], expected[1:])


@pytest.mark.parametrize("type_", [pa.date32(), pa.timestamp("s"), pa.timestamp("ms", "UTC")], ids=str)
@pytest.mark.parametrize("end", ["min", "max"])
def test_a_date_of_another_year_than_people_have_is_none(type_, end):
    width = np.int32 if type_ == pa.date32() else np.int64
    count = getattr(np.iinfo(width), end) + (end == "min")
    column = pa.array(np.array([0, count], dtype=width)).view(type_)
    for dtype in ("datetime64[us]", "str"):
        (problem,) = problems(schema_of(Field("a", "date", dtype, nullable=True)), stream({"a": column}))
        assert (problem.pointer, problem.code, problem.row) == ("/1/0", "schema.not_a_date", 1)


def test_names_are_checked_as_in_csv():
    schema = schema_of(Field("a"), Field("b"), unused=("note",))
    one = pa.array([1.0])
    found = problems(schema, stream({"A": one, "b": one}))
    assert [(problem.pointer, problem.code, problem.suggestion) for problem in found] == [
        ("/columns/0", "schema.unknown_column", "a"),
        ("", "schema.missing_column", None),
    ]
    twice = pa.Table.from_arrays([one, one, one], names=["a", "b", "a"])
    assert [problem.code for problem in problems(schema, stream_of(twice))] == ["schema.columns"]
    assert len(Decoder(schema).arrow(stream({"note": pa.array([[{"x": 1}]]), "b": one, "a": one})).rows) == 1


@pytest.mark.parametrize(
    "column",
    [
        *(pa.array([[1.0]]), pa.array([{"x": 1.0}]), pa.array([b"1"]), pa.array([1], pa.time32("s"))),
        *(pa.array([1], pa.duration("s")), pa.array([Decimal(1)]), pa.array(["1"], pa.string_view())),
        pa.RunEndEncodedArray.from_arrays([1], [1.0]),
    ],
    ids=lambda column: str(column.type),
)
def test_other_types_are_not_taken(column):
    (problem,) = problems(schema_of(Field("a")), stream({"a": column}))
    assert (problem.pointer, problem.code, problem.column) == ("/columns/0", "schema.wrong_type", "a")
    assert problem.detail == "expected number, got an Arrow type that is not taken"


def test_rows_and_cells_are_bounded_by_what_the_stream_says():
    body = stream({"a": pa.array([1.0] * 5), "b": pa.array([1.0] * 5)}, 2)
    schema = schema_of(Field("a"), Field("b"))
    assert code_of(body, schema, Limits(max_rows=4)) == "input.too_large"
    assert code_of(body, schema, Limits(max_cells=9)) == "input.too_large"
    assert len(Decoder(schema, Limits(5, 10)).arrow(body).rows) == 5
    with pytest.raises(InputError):
        Decoder(schema).arrow(stream({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())}))


def test_a_stream_may_say_any_number_of_rows_and_nothing_is_made_of_them():
    table = pa.table({"a": pa.nulls(7)})
    said = stream_of(table).replace((7).to_bytes(8, "little"), (2**62).to_bytes(8, "little"))
    with pytest.raises(TooLarge):
        Decoder(schema_of(Field("a", nullable=True))).arrow(said)


def test_a_batch_of_less_than_no_rows_hides_no_others():
    with pytest.raises(TooLarge):
        Decoder(schema_of(Field("a", nullable=True))).arrow(_said_to_have([2**62, 5 - 2**62]))


def _said_to_have(rows):
    """A stream of gaps whose batches say that they have so many rows."""
    first, *rest = stream({"a": pa.nulls(14)}, 2).split((7).to_bytes(8, "little"))
    counts = [count.to_bytes(8, "little", signed=True) for count in rows for _ in range(len(rest) // len(rows))]
    return first + b"".join(count + part for count, part in zip(counts, rest, strict=True))


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_buffers_are_refused_before_they_are_read(compression):
    numbers, texts = pa.array([0.0] * 1000), pa.array(["x" * 1000]).dictionary_encode()
    for column in (numbers, texts):
        assert code_of(stream({"a": column}, compression=compression)) == "input.arrow_feature"


def test_dictionaries_come_once_and_before_the_rows():
    pieces = pa.chunked_array([pa.array(["x"]).dictionary_encode(), pa.array(["x", "y"]).dictionary_encode()])
    schema = schema_of(Field("a", "text", "str"))
    replaced = stream_of(pa.table({"a": pieces}))
    assert code_of(replaced, schema) == "input.arrow_feature"
    together = stream_of(pa.table({"a": pieces}), unify_dictionaries=True)
    assert code_of(together, schema) == "input.arrow_feature"
    assert list(Decoder(schema).arrow(stream_of(pa.table({"a": pieces}).unify_dictionaries())).rows) == [
        ("x",),
        ("x",),
        ("y",),
    ]


def test_batches_are_few(monkeypatch):
    body = stream({"a": pa.array([1.0] * 6)}, 3)
    assert len(Decoder(schema_of(Field("a"))).arrow(body).rows) == 6
    monkeypatch.setattr(arrow_messages, "MAX_BATCHES", 2)
    assert code_of(body) == "input.arrow_feature"


def test_columns_that_share_their_bytes_do_not_become_more_than_the_body():
    text, count = pa.array(["x" * 100_000]), 30
    names = [f"t{place}" for place in range(count)]
    body = stream(dict.fromkeys(names, text))
    spread = pa.ipc.open_stream(body).read_all()
    assert spread.nbytes > count * 100_000
    schema = schema_of(*(Field(name, "text", "str") for name in names))
    assert len(Decoder(schema).arrow(body).rows) == 1
    shared = _with_shared_buffers(body)
    assert len(shared) < 2 * 100_000
    assert pa.ipc.open_stream(shared).read_all() == spread
    assert code_of(shared, schema) == "input.not_arrow"


def _with_shared_buffers(body):
    """The stream cut behind the first column, to whose buffers all columns refer."""
    reader = pa.ipc.MessageReader.open_stream(body)
    schema, batch = reader.read_next_message(), reader.read_next_message()
    metadata = bytearray(batch.metadata.to_pybytes())
    # Of each column stand the place and the size of its gaps, of its offsets, and of its texts.
    sizes = [found.start() for found in re.finditer(re.escape(struct.pack("<q", 100_000)), metadata)]
    for behind in (8, 24):
        for size in sizes:
            metadata[size - behind : size - behind + 8] = metadata[sizes[0] - behind : sizes[0] - behind + 8]
    length = struct.unpack_from("<q", metadata, sizes[0] - 8)[0] + 100_000
    kept = metadata.replace(struct.pack("<q", batch.body.size), struct.pack("<q", length))
    prefix, end = struct.pack("<Ii", 0xFFFFFFFF, len(kept)), struct.pack("<Ii", 0xFFFFFFFF, 0)
    return schema.serialize().to_pybytes() + prefix + kept + batch.body.to_pybytes()[:length] + end


@pytest.mark.parametrize("body", [b"", b"\0" * 100, b"ARROW1\0\0", b'{"a": 1}', b"\xff" * 64, b"a\n1\n"])
def test_what_is_no_stream_is_broken(body):
    assert code_of(body) == "input.not_arrow"


def test_a_file_is_no_stream():
    body = io.BytesIO()
    with pa.ipc.new_file(body, pa.schema({"a": pa.float64()})) as writer:
        writer.write_table(pa.table({"a": [1.0]}))
    assert code_of(body.getvalue()) == "input.not_arrow"


def test_no_change_of_a_stream_does_more_than_break_it():
    script = Path(__file__).with_name("arrow_fuzz.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    tried, refused = map(int, done.stdout.split())
    assert tried > 5000
    assert tried / 2 < refused < tried


def test_an_error_holds_no_value():
    body = stream({"a": pa.array(["canary"])})
    with pytest.raises(InputError) as caught:
        Decoder(schema_of(Field("a"))).arrow(body)
    assert "canary" not in repr(caught.value.problems)
    with pytest.raises(BrokenInput) as broken:
        Decoder(schema_of(Field("a"))).arrow(body.replace(b"canary", b"canar\xff")[:-40])
    assert "canar" not in str(broken.value)
