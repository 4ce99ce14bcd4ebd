"""Whatever a body is, the quick way and the strict pass give the same rows, and what is refused is refused in full."""

import json
from datetime import datetime

import msgspec
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from lading.errors import BrokenInput, InputError, LadingError, TooLarge
from lading.schema import decode
from lading.schema.decode import Decoder, Limits
from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.problems import MAX_LISTED
from lading.schema.quick import QuickJson
from lading.schema.table import Table

OUTPUTS = (Output("prediction"),)
FIELDS = (Field("a"), Field("b", "int", "int64"))
MANY = settings(max_examples=3 * settings().max_examples)


def schema_of(*fields, unused=()):
    return Schema("regression", fields or FIELDS, OUTPUTS, unused)


def decoder_of(*fields, **options):
    return Decoder(schema_of(*fields, **options))


def rows(body, *fields, **options):
    decoded = decoder_of(*fields, **options).json(body if isinstance(body, bytes) else body.encode())
    return list(decoded.rows)


def problems(call, *args):
    with pytest.raises(InputError) as caught:
        call(*args)
    return caught.value.problems


def outcome(decoder, body):
    """What comes of a body: rows to the last bit, or the error with all of its problems."""
    try:
        decoded = decoder.json(body)
    except LadingError as error:
        return type(error).__name__, error.code, str(error), msgspec.json.encode(getattr(error, "problems", ()))
    return repr([tuple(row) for row in decoded.rows]), decoded.is_single


SPECIAL = [
    *("null", "true", "false", '""', "[]", "{}", "[1]", '{"a":1}', "[[]]", '"1"', '"true"', '"null"', '"NaN"'),
    *("0", "-0", "0.0", "-0.0", "1.0", "1e2", "1E+2", "1e-400", "1e400", "-1e400", "NaN", "Infinity", "01"),
    *("-Infinity", "1.", ".5", "+1", "-", "0x10", "1_0", "1e", "tru", "nul", "'a'", "5e-324", "1e308", "1e309"),
    *("9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e39"),
    *("18446744073709551615", "18446744073709551616", "340282356779733661637539395458142568448", "127", "128"),
    *('"2024-02-29"', '"2023-02-29"', '"2024-02-29T24:00"', '"2024-02-29T10:00+25:00"', '"a:b"', '"\\u003a"'),
    *(
        '"\\ud83d\\ude00"',
        '"\\ud83d"',
        '"\\ude00"',
        '"\\u0000"',
        '"\\x41"',
        '"\t"',
        '"a\\/b"',
        '"é"',
        "65504.1",
    ),
    *("1" * 64, "1" * 65, "0." + "1" * 62, "0." + "1" * 63, "1" + "0" * 63, "-" + "9" * 64, "4.9e-324"),
]
TOKENS = st.one_of(
    st.sampled_from(SPECIAL),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?[0-9]{1,22}([.][0-9]{1,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.text(max_size=4).map(json.dumps),
)


@st.composite
def keys(draw, name):
    """A key as JSON, plain or with some of its characters escaped."""
    plain = json.dumps(name, ensure_ascii=draw(st.booleans()))
    if name and draw(st.integers(0, 5)) == 0:
        return '"' + "".join(f"\\u{unit:04x}" for unit in _utf16(name)) + '"'
    return plain


def _utf16(text):
    data = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2)]


@st.composite
def wrong_values(draw, field, kin_of):
    """A value as JSON that is probably not what the field asks for, if only by a little."""
    return json.dumps(draw(kin_of(field))) if draw(st.booleans()) else draw(TOKENS)


@st.composite
def objects(draw, schema, rows_of, kin_of):
    """A row as JSON, right or almost."""
    row = draw(rows_of(schema))
    pairs = [(draw(keys(name)), json.dumps(value, ensure_ascii=draw(st.booleans()))) for name, value in row.items()]
    spot = draw(st.integers(0, len(pairs) - 1))
    change = draw(st.sampled_from(["none"] * 6 + ["value"] * 3 + ["drop", "twin", "misspell", "unused"]))
    if change == "value":
        pairs[spot] = (pairs[spot][0], draw(wrong_values(schema.inputs[spot], kin_of)))
    elif change == "drop":
        del pairs[spot]
    elif change == "twin":
        name = json.loads(pairs[spot][0])
        pairs.append((draw(keys(name)), draw(st.sampled_from([pairs[spot][1], "1"]))))
    elif change == "misspell":
        pairs[spot] = (json.dumps(json.loads(pairs[spot][0]) + "x"), pairs[spot][1])
    elif change == "unused" and schema.unused:
        pairs.append((draw(keys(schema.unused[0])), draw(TOKENS)))
    pairs = draw(st.permutations(pairs))
    space = draw(st.sampled_from(["", " ", "\n", "\t\r\n"]))
    return "{" + space + f",{space}".join(f"{key}{space}:{space}{value}" for key, value in pairs) + space + "}"


@st.composite
def lines(draw, schema, rows_of, kin_of):
    values = [json.dumps(value) for value in draw(rows_of(schema)).values()]
    if draw(st.integers(0, 2)) == 0:
        spot = draw(st.integers(0, len(values) - 1))
        values[spot] = draw(wrong_values(schema.inputs[spot], kin_of))
    return "[" + ",".join(values) + "]"


@st.composite
def bodies(draw, schema, rows_of, kin_of):
    """A body of any shape, right, almost right, or damaged."""
    shape = draw(st.sampled_from(["object", "list", "instances", "arrays", "X", "flat", "split"]))
    of_objects = shape in ("object", "list", "instances")
    rows = draw(st.lists((objects if of_objects else lines)(schema, rows_of, kin_of), min_size=1, max_size=3))
    joined = ",".join(rows)
    names = json.dumps(draw(st.permutations(schema.names)) if shape == "split" else schema.names)
    text = {
        "object": rows[0],
        "list": f"[{joined}]",
        "instances": f'{{"instances":[{joined}]}}',
        "arrays": f'{{ "instances" : [{joined}]}}',
        "X": f'{{"X":[{joined}]}}',
        "flat": f'{{"X":{rows[0]}}}',
        "split": f'{{"columns":{names},"data":[{joined}]}}',
    }[shape]
    return draw(damaged(text.encode()))


@st.composite
def damaged(draw, body):
    how = draw(st.sampled_from(["not"] * 12 + ["cut", "flip", "insert", "twice"]))
    spot = draw(st.integers(0, len(body) - 1))
    if how == "cut":
        return body[:spot]
    if how == "flip":
        return body[:spot] + bytes([body[spot] ^ draw(st.integers(1, 255))]) + body[spot + 1 :]
    if how == "insert":
        return (
            body[:spot]
            + draw(st.sampled_from([b",", b":", b'"', b"{", b"\\", b"0", b" ", b"\0", b"\xff"]))
            + body[spot:]
        )
    end = draw(st.integers(spot, len(body)))
    return body[:end] + body[spot:] if how == "twice" else body


@MANY
@given(data=st.data(), schema=...)
def test_the_quick_way_gives_what_the_strict_pass_gives(data, schema: Schema, rows_of, kin_of):
    decoder, strict_only = Decoder(schema), Decoder(schema)
    strict_only._quick = None
    body = data.draw(bodies(schema, rows_of, kin_of))
    result = outcome(decoder, body)
    assert result == outcome(strict_only, body)
    event(result[0] if result[0] in ("BrokenInput", "InputError") else "rows")


@given(data=st.data(), schema=...)
def test_the_quick_way_takes_no_value_that_the_strict_pass_refuses(data, schema: Schema, rows_of, kin_of):
    decoder, strict_only = Decoder(schema), Decoder(schema)
    strict_only._quick = None
    row = {json.dumps(name): json.dumps(value) for name, value in data.draw(rows_of(schema)).items()}
    for key, field in zip(row, schema.inputs, strict=True):
        kin = [json.dumps(data.draw(kin_of(field))) for _ in range(5)]
        for value in (*SPECIAL, *kin):
            changed = row | {key: value}
            text = "{" + ",".join(f"{name}:{cell}" for name, cell in changed.items()) + "}"
            for body in (text, f"[{text}]", '{"X":[[' + ",".join(changed.values()) + "]]}"):
                assert outcome(decoder, body.encode()) == outcome(strict_only, body.encode())


@given(data=st.data(), schema=...)
def test_good_bodies_of_the_plain_shapes_go_the_quick_way(data, schema: Schema, rows_of, as_json):
    row = data.draw(rows_of(schema))
    cells = list(row.values())
    shapes = {
        "object": (row, len(row)),
        "list": ([row], len(row)),
        "instances": ({"instances": [row]}, len(row) + 1),
        "arrays": ({"instances": [cells]}, 1),
        "X": ({"X": [cells]}, 1),
        "split": ({"columns": list(row)[::-1], "data": [cells[::-1]]}, 2),
        "index": ({"columns": list(row), "index": [7], "data": [cells]}, 3),
    }
    shape = data.draw(st.sampled_from(sorted(shapes)))
    value, keys = shapes[shape]
    body = as_json(value)
    assume(shape not in schema.names and not {"columns", "data", "index"} & {*schema.names})
    assume(QuickJson.suits(schema) and (body.count(b":") == keys or (b"\\" not in body and shape != "object")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "parse_json", None)
        assert Decoder(schema).json(body).is_single == (shape == "object")


@given(data=st.data(), schema=...)
def test_every_shape_gives_the_same_row(data, schema: Schema, rows_of, as_json, exactly):
    row = data.draw(rows_of(schema))
    names = data.draw(st.permutations(schema.names))
    decoder = Decoder(schema)
    expected = exactly([decoder.json(as_json(row)).rows[0]])
    for body in (
        {name: row[name] for name in names},
        [row],
        {"instances": [row]},
        {"instances": [list(row.values())]},
        {"X": [list(row.values())]},
        {"X": list(row.values())},
        {"columns": names, "data": [[row[name] for name in names]]},
        {"columns": names, "index": [7], "data": [[row[name] for name in names]]},
    ):
        assert exactly(list(decoder.json(as_json(body)).rows)) == expected
        assert exactly(list(decoder.value(body).rows)) == expected


@pytest.mark.parametrize("cell", ["1.5", "-0.0", "2", "null", "1e400", '"1"', "9007199254740993"])
@pytest.mark.parametrize("field", [Field("a"), Field("a", nullable=True), Field("a", dtype="float32")], ids=repr)
def test_many_objects_are_read_as_few_are(field, cell):
    schema = schema_of(field, Field("b", domain=Interval(0, 1)))
    decoder, strict_only = Decoder(schema), Decoder(schema)
    strict_only._quick = None
    lines = ['{"a":0.1,"b":0.5}'] * 80
    lines[70] = f'{{"b":0.25,"a":{cell}}}'
    for body in (f"[{','.join(lines)}]", f'{{"instances":[{",".join(lines)}]}}'):
        assert outcome(decoder, body.encode()) == outcome(strict_only, body.encode())


def test_many_objects_of_floats_are_a_table():
    body = ("[" + ",".join(['{"a":0.5}'] * 100) + "]").encode()
    assert isinstance(decoder_of(Field("a")).json(body).rows, Table)
    assert isinstance(decoder_of(Field("a", "int", "int64")).json(body.replace(b"0.5", b"5")).rows, list)


@pytest.mark.parametrize(
    ("body", "is_single"),
    [
        ('{"a": 1, "b": 2}', True),
        ('{"b": 2, "a": 1}', True),
        ('[{"a": 1, "b": 2}]', False),
        ('{"instances": [{"a": 1, "b": 2}]}', False),
        ('{"instances": [[1, 2]]}', False),
        ('{"X": [[1, 2]]}', False),
        ('{"X": [1, 2]}', False),
        ('{"X": [{"a": 1, "b": 2}]}', False),
        ('{"columns": ["b", "a"], "data": [[2, 1]]}', False),
        ('{"columns": ["b", "a"], "index": [4], "data": [[2, 1]]}', False),
    ],
)
def test_a_body_says_whether_it_is_one_row(body, is_single):
    decoded = decoder_of().json(body.encode())
    assert (list(decoded.rows), decoded.is_single) == ([(1.0, 2)], is_single)


def test_values_in_x_are_rows_of_a_model_of_one_column():
    assert rows('{"X": [1, 2.5]}', Field("a")) == [(1.0,), (2.5,)]
    with pytest.raises(InputError) as caught:
        rows('{"X": [1, "b"]}', Field("a"))
    assert [(problem.pointer, problem.row) for problem in caught.value.problems] == [("/X/1", 1)]


def test_csv_names_its_columns_in_any_order():
    decoded = decoder_of().csv(b"b,a\r\n2,1\r\n-3,0.5\r\n")
    assert (list(decoded.rows), decoded.is_single) == ([(1.0, 2), (0.5, -3)], False)


def test_a_query_string_is_one_row():
    decoded = decoder_of().query([("b", "2"), ("a", "1e1")])
    assert (list(decoded.rows), decoded.is_single) == ([(10.0, 2)], True)


def test_a_query_parameter_stands_once():
    with pytest.raises(BrokenInput, match="twice"):
        decoder_of().query([("a", "1"), ("b", "2"), ("a", "1")])


@pytest.mark.parametrize("name", ["X", "instances", "columns", "data"])
def test_a_column_may_have_the_name_of_a_shape(name):
    assert rows(json.dumps({name: 1.5}), Field(name)) == [(1.5,)]
    assert rows(json.dumps({"X": [[1.5], [2]]}), Field(name)) == [(1.5,), (2.0,)]
    assert rows(json.dumps([{name: 1.5}]), Field(name)) == [(1.5,)]


def test_unused_columns_are_taken_and_ignored_in_every_shape():
    decoder = decoder_of(unused=("note",))
    row = {"a": 1, "b": 2, "note": {"any": ["thing"]}}
    split = {"columns": ["note", "a", "b"], "data": [["x", 1, 2]]}
    for body in (row, [row], {"instances": [row]}, split):
        assert list(decoder.json(json.dumps(body).encode()).rows) == [(1.0, 2)]
    assert list(decoder.csv(b"a,note,b\n1,anything,2\n").rows) == [(1.0, 2)]
    assert list(decoder.query([("note", ""), ("a", "1"), ("b", "2")]).rows) == [(1.0, 2)]


def test_a_moment_is_decoded_where_the_model_wants_moments():
    moment = Field("when", "date", "datetime64[ns]")
    assert rows('{"when": "2024-02-29T12:00:00+02:00"}', moment) == [(datetime(2024, 2, 29, 10),)]
    assert rows('{"when": "2024-02-29"}', Field("when", "date", "str")) == [("2024-02-29",)]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("5", "expected an object or a list of objects, got an integer"),
        ("1.5", "expected an object or a list of objects, got a number"),
        ("null", "expected an object or a list of objects, got null"),
        ("true", "expected an object or a list of objects, got a boolean"),
        ('"text"', "expected an object or a list of objects, got a string"),
        ("[]", "expected at least one row, got none"),
        ('{"instances": []}', "expected at least one row, got none"),
        ('{"X": []}', "expected at least one row, got none"),
        ('{"columns": ["a", "b"], "data": []}', "expected at least one row, got none"),
    ],
)
def test_what_is_no_row_is_of_the_wrong_shape(body, detail):
    (problem,) = problems(rows, body)
    assert (problem.pointer, problem.code, problem.detail) == ("", "schema.wrong_shape", detail)


@pytest.mark.parametrize(
    ("body", "spot", "detail"),
    [
        ("[1]", "/0", "expected an object, got an integer"),
        ('[{"a": 1, "b": 2}, []]', "/1", "expected an object, got an array: values without names go in `X`"),
        ('{"instances": [null]}', "/instances/0", "expected an object, got null"),
        ('{"instances": [[1, 2], {}]}', "/instances/1", "expected an array, got an object"),
        ('{"X": [3, [1, 2]]}', "/X/0", "expected an array, got an integer"),
        ('{"X": [[]]}', "/X/0", "expected 2 values, got 0 values"),
        ('{"X": [1, 2, 3]}', "/X", "expected 2 values, got 3 values"),
        ('{"columns": ["a", "b"], "data": [[1, 2], 3]}', "/data/1", "expected an array, got an integer"),
    ],
)
def test_a_row_of_the_wrong_kind_is_named_by_its_spot(body, spot, detail):
    (problem,) = problems(rows, body)
    assert (problem.pointer, problem.code, problem.detail) == (spot, "schema.wrong_row", detail)


@pytest.mark.parametrize("columns", [["a", "a"], ["a", 1], [["a"], "b"], [None, "a", "b"]])
def test_columns_are_names_each_once(columns):
    (problem,) = problems(rows, json.dumps({"columns": columns, "data": [[1] * len(columns)]}))
    assert (problem.pointer, problem.code) == ("/columns", "schema.columns")


@pytest.mark.parametrize(
    ("body", "spot"),
    [
        ('{"a": 1, "b": "2"}', "/b"),
        ('[{"a": 1, "b": 2}, {"a": 1, "b": "2"}]', "/1/b"),
        ('{"instances": [{"a": 1, "b": "2"}]}', "/instances/0/b"),
        ('{"instances": [[1, "2"]]}', "/instances/0/1"),
        ('{"X": [[1, "2"]]}', "/X/0/1"),
        ('{"X": [1, "2"]}', "/X/1"),
        ('{"columns": ["b", "a"], "data": [["2", 1]]}', "/data/0/0"),
    ],
)
def test_the_pointer_of_a_problem_leads_to_its_cell(body, spot):
    (problem,) = problems(rows, body)
    assert (problem.pointer, problem.column, problem.code) == (spot, "b", "schema.wrong_type")
    value = json.loads(body)
    for part in problem.pointer.split("/")[1:]:
        value = value[int(part) if isinstance(value, list) else part]
    assert value == "2"


def test_every_problem_of_every_row_is_listed_at_once():
    body = [{"a": None, "B": 1}, {"a": 1, "b": 2}, {"a": "x", "b": 2.5, "c": 0}]
    found = problems(rows, json.dumps(body))
    assert [(p.row, p.pointer, p.code, p.column) for p in found] == [
        (0, "/0/B", "schema.unknown_column", "B"),
        (0, "/0", "schema.missing_column", "b"),
        (0, "/0/a", "schema.null", "a"),
        (2, "/2/c", "schema.unknown_column", "c"),
        (2, "/2/a", "schema.wrong_type", "a"),
        (2, "/2/b", "schema.wrong_type", "b"),
    ]
    assert (found[0].suggestion, found[2].expected, found[2].got) == ("b", "number", "null")
    assert found[0].detail == "not a column of this model: did you mean `b`?"


def test_more_problems_than_are_listed_are_counted():
    with pytest.raises(InputError) as caught:
        decoder_of().json(json.dumps([{"a": 1}] * 300).encode())
    assert (len(caught.value.problems), caught.value.total) == (MAX_LISTED, 300)


def test_columns_are_named_where_the_names_are_wrong():
    found = problems(rows, '{"columns": ["a", "bb", "\\n"], "data": [[1, 2, 3]]}')
    assert [(p.pointer, p.code, p.column, p.suggestion) for p in found] == [
        ("/columns/1", "schema.unknown_column", "bb", "b"),
        ("/columns/2", "schema.unknown_column", None, None),
        ("", "schema.missing_column", "b", None),
    ]


def test_csv_without_its_line_of_names_repeats_none_of_its_values():
    found = problems(decoder_of().csv, b"Jane Roe,42\nJohn Doe,43\n")
    assert {p.code for p in found} == {"schema.unknown_column", "schema.missing_column"}
    assert b"Roe" not in msgspec.json.encode(found)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "input.empty"),
        (b" \n\t ", "input.empty"),
        (b"{", "input.not_json"),
        (b'{"a": 1,}', "input.not_json"),
        (b"{'a': 1}", "input.not_json"),
        (b"a=1&b=2", "input.not_json"),
        (b'\xef\xbb\xbf{"a": 1, "b": 2}', "input.not_json"),
        ('{"a": 1, "b": 2}'.encode("utf-16"), "input.not_utf8"),
        (b'{"a": 1, "b": "\xff"}', "input.not_utf8"),
        (rb'{"a": 1, "b": "\ud800"}', "input.not_utf8"),
        (b'{"a": 1, "b": 2, "a": 1}', "input.duplicate_key"),
        (rb'{"a": 1, "b": 2, "\u0061": 1}', "input.duplicate_key"),
        (b'[{"a": 1, "b": 2}, {"a": 1, "b": 2, "b": 2}]', "input.duplicate_key"),
        (b'{"instances": [], "instances": [{"a": 1, "b": 2}]}', "input.duplicate_key"),
        (b'{"X": [[1, 2]], "X": [[3, 4]]}', "input.duplicate_key"),
        (b'{"a": {"x": 1, "x": 2}, "b": 2}', "input.duplicate_key"),
        (b'{"a": NaN, "b": 2}', "input.not_finite"),
        (b'{"a": -Infinity, "b": 2}', "input.not_finite"),
        (b'{"a": 1' + b"0" * 64 + b', "b": 2}', "input.long_number"),
        (b'{"a": 0.' + b"1" * 63 + b', "b": 2}', "input.long_number"),
        (b'{"a": ' + b"7" * 10**5 + b', "b": 2}', "input.long_number"),
        (b'{"a": 1e' + b"0" * 10**5 + b', "b": 2}', "input.long_number"),
        (b"[" * 33 + b"]" * 33, "input.too_deep"),
        (b"[" * 10**5, "input.too_deep"),
        (b"[" * 10**6, "input.too_deep"),
        (b'{"a":' * 10**5, "input.too_deep"),
        (b'{"a": 1, "b": ' + b"[" * 10**5 + b"]" * 10**5 + b"}", "input.too_deep"),
        (b'{"instances": ' + b"[" * 10**5 + b"]" * 10**5 + b"}", "input.too_deep"),
        (b'{"X": ' + b'[{"a":' * 10**5, "input.too_deep"),
        (b'{"columns": ' + b"[" * 10**5, "input.too_deep"),
    ],
)
def test_what_cannot_be_read_is_broken(body, code):
    with pytest.raises(BrokenInput) as caught:
        rows(body)
    assert caught.value.code == code
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E999", "9" * 20 + "e299"])
def test_a_number_beyond_64_bits_is_not_finite(number):
    (problem,) = problems(rows, f'{{"a": {number}, "b": 2}}')
    assert (problem.code, problem.detail) == ("schema.not_finite", "expected a finite number of 64 bits")


LIMITED = Decoder(schema_of(), Limits(max_rows=3, max_cells=5))


@pytest.mark.parametrize(
    ("count", "limit"),
    [(3, "more than 5 cells"), (4, "more than 3 rows")],
)
def test_more_rows_or_cells_than_allowed_are_too_large(count, limit):
    pairs, names = [[1, 2]] * count, [{"a": 1, "b": 2}] * count
    split = {"columns": ["b", "a"], "data": pairs}
    for body in (
        names,
        {"instances": names},
        {"instances": pairs},
        {"X": pairs},
        split,
        [{}] * count,
        {"X": [[]] * count},
    ):
        with pytest.raises(TooLarge, match=limit):
            LIMITED.json(json.dumps(body).encode())
    with pytest.raises(TooLarge, match=limit):
        LIMITED.csv(b"a,b\n" + b"1,2\n" * count)


def test_as_many_rows_as_allowed_are_taken():
    assert len(LIMITED.json(b'{"X": [[1, 2], [3, 4]]}').rows) == 2


MARK = "4711004711"
CANARY = f"canary-{MARK}"
CANARIES = [CANARY, [CANARY], {"key": CANARY}, {"a": {CANARY: 1}}, [[CANARY]], int(MARK), float(f"-{MARK}.5"), None]


@given(data=st.data(), schema=...)
def test_no_value_is_repeated_in_any_problem(data, schema: Schema, as_json):
    values = [data.draw(st.sampled_from(CANARIES)) for _ in schema.names]
    row = dict(zip(schema.names, values, strict=True))
    extra, canary = data.draw(st.sampled_from([{}, {"zzz": CANARY}])), data.draw(st.sampled_from(CANARIES))
    shapes = [row | extra, [row], [canary], canary, {"instances": [row, canary]}, {"instances": canary}]
    shapes += [
        {"X": values},
        {"X": [values, canary]},
        {"X": canary},
        {"columns": [*row, "zzz"], "data": [[*values, 1]]},
    ]
    body = data.draw(damaged(as_json(data.draw(st.sampled_from(shapes)))))
    result = outcome(Decoder(schema), body)
    assert isinstance(result[1], bool) or MARK not in repr(result)


@given(data=st.data(), schema=...)
def test_no_text_is_repeated_in_any_problem(data, schema: Schema):
    decoder = Decoder(schema)
    texts = [
        data.draw(st.sampled_from([CANARY, f" {CANARY}", f"{MARK}x", f"{MARK}e999", MARK * 8])) for _ in schema.names
    ]
    csv = "\n".join([",".join(f'"{CANARY}"' for _ in texts), ",".join(texts), CANARY]).encode()
    lines = data.draw(st.sampled_from([csv, csv[:-2], csv + b'"', csv + b"\xff"]))
    for read, body in ((decoder.csv, lines), (decoder.query, list(zip(schema.names, texts, strict=True)))):
        try:
            read(body)
        except LadingError as error:
            told = str(error).encode() + msgspec.json.encode(getattr(error, "problems", ()))
            assert MARK.encode() not in told


def test_a_key_that_may_be_anything_is_not_repeated():
    for key in ("jane@example.org", "x" * 65, "a\nb", "1", "<script>"):
        (problem,) = problems(rows, json.dumps({"a": 1, "b": 2, key: 3}))
        assert (problem.pointer, problem.column) == ("", None)
        assert problem.detail == "key 2 is not a column of this model"


def test_a_domain_beyond_the_dtype_does_not_widen_it():
    (problem,) = problems(rows, '{"a": 300}', Field("a", "int", "int8", domain=(1, 300)))
    assert problem.detail == "expected an integer from -128 to 127"


def test_an_interval_and_a_set_of_values_bind_both_ways():
    small, few = Field("a", domain=Interval(0, 1)), Field("b", "int", "int64", domain=(1, 2))
    assert rows('{"a": 1, "b": 2}', small, few) == [(1.0, 2)]
    found = problems(rows, '{"a": 1.5, "b": 3}', small, few)
    assert [(p.code, p.detail) for p in found] == [
        ("schema.out_of_domain", "expected number, 0 to 1"),
        ("schema.not_allowed", "not one of 1, 2"),
    ]
