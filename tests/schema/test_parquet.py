"""Parquet files give what their values give as an Arrow stream; no file does more than be refused."""

import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import SCALE
from tests.schema import arrow_fuzz
from tests.schema.parquet_bombs import BOMBS

from lading.errors import InputError, LadingError
from lading.schema.decode import Decoder, Limits
from lading.schema.fields import Field, Output, Schema
from lading.schema.parquet import pages as parquet_pages
from lading.schema.parquet.thrift import (
    BINARY,
    FALSE,
    I8,
    I16,
    I32,
    I64,
    LIST,
    STRUCT,
    TRUE,
    ThriftReader,
    struct_bytes,
)

HERE = Path(__file__).parent
MUTATED = 100_000 if SCALE == "full" else 1500
MAX_GROWTH_MB = 100
OUTPUTS = (Output("prediction"),)
EVERYTHING = Schema("regression", arrow_fuzz.FIELDS, OUTPUTS)
TABLE = arrow_fuzz.TABLE


def parquet(table, **how):
    body = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), body, **how)
    return body.getvalue()


def schema_of(*fields, unused=()):
    return Schema("regression", fields, OUTPUTS, unused)


def rows(body, schema=EVERYTHING):
    return list(Decoder(schema).parquet(body).rows)


def refusal(body, schema=EVERYTHING, limits=None):
    with pytest.raises(LadingError) as caught:
        Decoder(schema, limits).parquet(body)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": "none"},
        {"data_page_version": "2.0"},
        {"use_dictionary": False},
        {"use_dictionary": False, "compression": "none", "data_page_version": "2.0"},
        {"row_group_size": 2},
        {"row_group_size": 1, "data_page_size": 1, "write_page_index": True},
        {"store_schema": False},
        {"version": "1.0", "use_deprecated_int96_timestamps": True},
    ],
    ids=str,
)
def test_the_rows_of_a_file_are_those_of_a_stream(how):
    assert rows(parquet(TABLE, **how)) == list(Decoder(EVERYTHING).arrow(arrow_fuzz.stream()).rows)


def test_what_pandas_writes_is_taken():
    import pandas

    frame = pandas.DataFrame({"a": [0.5, None], "t": pandas.Categorical(["x", "y"]), "a.b": ["p", "q"]})
    schema = schema_of(Field("a.b", "text", "str"), Field("a", nullable=True), Field("t", "text", "str"))
    assert rows(frame.to_parquet(), schema) == [("p", 0.5, "x"), ("q", None, "y")]


@pytest.mark.parametrize(
    "column",
    [
        *(pa.array([1, 2, 3], type_) for type_ in (pa.float16(), pa.float32(), pa.int8(), pa.uint32(), pa.int64())),
        *(pa.array([1, 2], type_) for type_ in (pa.date32(), pa.timestamp("ms", "Asia/Tokyo"), pa.timestamp("ns"))),
    ],
    ids=lambda column: str(column.type),
)
def test_each_type_is_read_as_from_a_stream(column):
    is_moment = pa.types.is_temporal(column.type)
    schema = schema_of(Field("a", "date", "datetime64[ns]") if is_moment else Field("a"))
    table, body = pa.table({"a": column}), io.BytesIO()
    with pa.ipc.new_stream(body, table.schema) as writer:
        writer.write_table(table)
    assert rows(parquet(table), schema) == list(Decoder(schema).arrow(body.getvalue()).rows)


@pytest.mark.parametrize("column", [[b"1"], [pa.scalar(1, pa.time32("s"))], [pa.scalar(1, pa.decimal128(9))]], ids=str)
def test_other_types_are_not_taken(column):
    (problem,) = refusal(parquet({"a": pa.array(column)}), schema_of(Field("a"))).problems
    assert (problem.code, problem.column) == ("schema.wrong_type", "a")


def test_problems_are_those_of_a_stream():
    body = parquet({"A": [1.0], "b": ["x"]})
    codes = [problem.code for problem in refusal(body, schema_of(Field("a"), Field("b"))).problems]
    assert codes == ["schema.unknown_column", "schema.missing_column"]
    (problem,) = refusal(parquet({"a": [1.0, None]}), schema_of(Field("a"))).problems
    assert (problem.pointer, problem.code, problem.row) == ("/1/0", "schema.null", 1)


def test_rows_and_cells_are_bounded_before_they_are_read():
    body = parquet({"a": [1.0] * 5, "b": [1.0] * 5}, compression="zstd")
    schema = schema_of(Field("a"), Field("b"))
    for limits in (Limits(max_rows=4), Limits(max_cells=9)):
        assert refusal(body, schema, limits).code == "input.too_large"


def test_a_column_that_is_not_needed_is_not_read():
    table = pa.table({"note": ["x" * 1000], "a": [1.0]})
    body = parquet(table, compression={"note": "zstd", "a": "snappy"})
    assert rows(body, schema_of(Field("a"), unused=("note",))) == [(1.0,)]


@pytest.mark.parametrize("codec", ["gzip", "zstd", "brotli", "lz4"])
def test_other_compressions_are_refused_with_the_way_to_write_it(codec):
    error = refusal(parquet(TABLE, compression=codec))
    assert error.code == "input.parquet_feature"
    assert 'compression="snappy"' in error.message


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_encodings_that_may_become_anything_are_refused(encoding):
    body = parquet({"t": ["x"]}, use_dictionary=False, column_encoding=encoding)
    assert refusal(body, schema_of(Field("t", "text", "str"))).code == "input.parquet_feature"


def test_nested_columns_are_refused():
    for column in ([[1.0]], [{"x": 1.0}], [[{"x": [1.0]}]]):
        assert refusal(parquet({"a": [1.0], "n": column}), schema_of(Field("a"), unused=("n",))).code == (
            "input.parquet_feature"
        )


def test_an_encrypted_file_is_refused():
    body = parquet(TABLE)
    assert "encrypted" in refusal(body[:-4] + b"PARE").message


def test_long_metadata_are_refused_before_they_are_read():
    error = refusal(parquet(TABLE.replace_schema_metadata({"long": "x" * 100_000})))
    assert (error.code, "metadata" in error.message) == ("input.parquet_feature", True)


def test_texts_that_are_no_utf8_are_refused():
    body = parquet({"t": ["canary"]}, compression="none", use_dictionary=False, write_statistics=False)
    error = refusal(body.replace(b"canary", b"canar\xff"), schema_of(Field("t", "text", "str")))
    assert error.code == "input.not_parquet"
    assert "canar" not in str(error)


@pytest.mark.parametrize("body", [b"", b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", b"\0" * 99, b"a\n1\n"])
def test_what_is_no_file_is_broken(body):
    assert refusal(body).code == "input.not_parquet"


def test_pages_are_bounded(monkeypatch):
    body = parquet({"a": [1.0] * 6}, row_group_size=1)
    assert len(rows(body, schema_of(Field("a")))) == 6
    monkeypatch.setattr(parquet_pages, "MAX_PAGES", 5)
    assert refusal(body, schema_of(Field("a"))).code == "input.parquet_feature"


# --- attacks, in processes of their own


def test_no_small_file_becomes_a_large_one(tmp_path):
    for name, (_, make) in BOMBS.items():
        (tmp_path / name).write_bytes(make())
    told = _run("parquet_bombs.py", *(str(tmp_path / name) for name in BOMBS)).splitlines()
    outcomes = {name: (outcome, int(growth)) for name, outcome, growth in (line.split("\t") for line in told)}
    assert {name: outcome for name, (outcome, _) in outcomes.items()} == {n: code for n, (code, _) in BOMBS.items()}
    assert max(growth for _, growth in outcomes.values()) < MAX_GROWTH_MB


def test_no_change_of_a_file_does_more_than_break_it():
    tried, refused, growth_mb = map(int, _run("parquet_fuzz.py", str(MUTATED), "17").split())
    assert tried > MUTATED
    assert tried / 2 < refused < tried
    assert growth_mb < MAX_GROWTH_MB


def _run(script, *arguments):
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout


# --- Thrift

_FIELD = st.one_of(
    st.tuples(st.just(I8), st.integers(0, 255)),
    *(
        st.tuples(st.just(kind), st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
        for kind, bits in ((I16, 16), (I32, 32), (I64, 64))
    ),
    st.sampled_from([(TRUE, True), (FALSE, False)]),
    st.tuples(st.just(BINARY), st.binary(max_size=200)),
)


def _structs(inner):
    lists = st.tuples(st.just(LIST), st.lists(inner, max_size=20) | st.lists(st.binary(max_size=9), max_size=20))
    fields = st.dictionaries(st.integers(1, 2000), _FIELD | lists | st.tuples(st.just(STRUCT), inner), max_size=5)
    return fields.map(lambda made: {(name, kind): value for name, (kind, value) in made.items()})


@given(st.recursive(st.just({}), _structs, max_leaves=10))
def test_what_is_written_is_read_again(fields):
    body = struct_bytes(fields)
    reader = ThriftReader(body)
    assert (reader.struct(), reader.place) == (fields, len(body))


@pytest.mark.parametrize(
    "body", [b"\x1c" * 99, b"\x19" + b"\x19" * 99, b"\x16" + b"\xff" * 12, b"\x1b\x01", b"\x18\x7f"]
)
def test_what_is_no_struct_is_refused(body):
    with pytest.raises((ValueError, IndexError)):
        ThriftReader(body).struct()


def test_an_arrow_file_is_read_as_the_stream_in_it():
    body = io.BytesIO()
    with pa.ipc.new_file(body, TABLE.schema) as writer:
        writer.write_table(TABLE, 2)
    whole = body.getvalue()
    decoder = Decoder(EVERYTHING)
    assert list(decoder.arrow_file(whole).rows) == list(decoder.arrow(arrow_fuzz.stream()).rows)
    for place in range(0, len(whole), 7):
        with pytest.raises(LadingError) as caught:
            decoder.arrow_file(whole[:place])
        assert caught.value.code == "input.not_arrow"
    with pytest.raises(InputError):
        Decoder(schema_of(Field("a"))).arrow_file(whole)
