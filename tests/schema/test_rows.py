"""The second pass: each shape is checked by the same rules, and every problem has its spot."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import InputError
from lading.schema.fields import Field, Output, Schema
from lading.schema.problems import MAX_COUNTED, MAX_LISTED
from lading.schema.rows import RowChecker

FIELDS = (Field("age"), Field("city", "text", "str", nullable=True), Field("a/b", "int", "int64"))
CHECKER = RowChecker(Schema("regression", FIELDS, (Output("prediction"),), unused=("id",)))
GOOD = {"age": 1, "city": "Bonn", "a/b": 2}
WIDE = RowChecker(Schema("regression", tuple(Field(f"pixel{i}") for i in range(500)), (Output("prediction"),)))


def problems(call, *args, **options):
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    return caught.value.problems


def test_a_row_is_a_tuple_in_the_order_of_the_schema():
    assert CHECKER.object({"a/b": 2, "city": None, "age": 1}) == (1.0, None, 2)
    assert CHECKER.array([1, "Bonn", 2]) == (1.0, "Bonn", 2)
    assert CHECKER.objects([GOOD, GOOD | {"id": 7}]) == [(1.0, "Bonn", 2)] * 2
    assert CHECKER.arrays([[1, "Bonn", 2]]) == [(1.0, "Bonn", 2)]
    assert CHECKER.arrays([[2, 9, 1, "Bonn"]], columns=["a/b", "id", "age", "city"]) == [(1.0, "Bonn", 2)]
    assert CHECKER.text_object({"age": "1", "city": "", "a/b": "2"}) == (1.0, None, 2)
    assert CHECKER.texts(["id", "city", "a/b", "age"], [["x", "Bonn", "2", "1"]]) == [(1.0, "Bonn", 2)]


def test_the_pointer_of_an_object_has_the_name():
    (problem,) = problems(CHECKER.object, GOOD | {"a/b": True})
    assert (problem.pointer, problem.column, problem.row) == ("/a~1b", "a/b", None)


def test_the_pointer_of_one_of_many_has_the_row_and_what_it_stands_in():
    (problem,) = problems(CHECKER.objects, [GOOD, GOOD | {"a/b": True}], "instances")
    assert (problem.pointer, problem.column, problem.row) == ("/instances/1/a~1b", "a/b", 1)


def test_the_pointer_of_an_array_has_the_place_in_the_line():
    (problem,) = problems(CHECKER.arrays, [[2, "Bonn", "x"]], "data", columns=["a/b", "city", "age"])
    assert (problem.pointer, problem.column, problem.row) == ("/data/0/2", "age", 0)
    (problem,) = problems(CHECKER.array, ["x", "Bonn", 2], "X")
    assert (problem.pointer, problem.column, problem.row) == ("/X/0", "age", None)


def test_a_missing_column_says_what_it_takes():
    found = problems(CHECKER.object, {})
    assert [(p.code, p.column, p.detail) for p in found] == [
        ("schema.missing_column", "age", "missing (required, number)"),
        ("schema.missing_column", "city", "missing (required, string or null)"),
        ("schema.missing_column", "a/b", "missing (required, integer)"),
    ]


def test_a_column_is_missing_even_where_null_may_stand():
    (problem,) = problems(CHECKER.object, {"age": 1, "a/b": 2})
    assert (problem.column, problem.expected) == ("city", "string or null")


def test_only_a_column_that_is_absent_was_meant():
    found = problems(CHECKER.object, GOOD | {"ages": 1})
    assert [(p.pointer, p.column, p.suggestion) for p in found] == [("/ages", "ages", None)]
    found = problems(CHECKER.object, {"Age": 1, "city": "", "a/b": 2})
    assert [(p.pointer, p.column, p.suggestion) for p in found] == [("/Age", "Age", "age"), ("", "age", None)]


def test_names_of_which_none_is_known_may_be_values():
    found = problems(CHECKER.arrays, [[1, 2]], columns=["Jane", "Cities"])
    assert [(p.pointer, p.column, p.suggestion) for p in found[:2]] == [
        ("/columns/0", None, None),
        ("/columns/1", None, "city"),
    ]
    assert found[0].detail == "column 0 is not a column of this model"


def test_wrong_names_come_before_the_cells_below_them():
    found = problems(CHECKER.arrays, [["x"]], columns=["age"])
    assert {problem.code for problem in found} == {"schema.missing_column"}


@pytest.mark.parametrize("row", [None, 5, "text", [], [GOOD]])
def test_a_row_that_is_no_object_is_one_problem(row):
    (problem,) = problems(CHECKER.objects, [row])
    assert (problem.pointer, problem.code, problem.expected) == ("/0", "schema.wrong_row", "an object")


def test_a_line_is_as_long_as_the_names():
    (problem,) = problems(CHECKER.arrays, [[1, "Bonn", 2, 4]], columns=["age", "city", "a/b"])
    assert (problem.expected, problem.got) == ("3 values", "4 values")


@pytest.mark.parametrize("rows", [[{}] * 100, [{"zzz": 1}] * 100, [{f"pixels{i}": 1 for i in range(2000)}] * 3])
def test_however_many_problems_there_are_few_are_described(rows, monkeypatch):
    described = []
    monkeypatch.setattr("lading.schema.rows.Problem", lambda *args, **rest: described.append(args))
    with pytest.raises(InputError) as caught:
        WIDE.objects(rows)
    assert caught.value.total == sum(500 + len(row) for row in rows)
    assert len(described) == MAX_LISTED


@pytest.mark.parametrize("row", [{}, {"zzz": 1}, {f"pixel{i}": "" for i in range(500)}])
def test_checking_ends_before_millions_are_counted(row):
    def rows():
        for position in range(10_000):
            assert position * 500 <= MAX_COUNTED
            yield row

    with pytest.raises(InputError) as caught:
        WIDE.objects(rows())
    assert MAX_COUNTED <= caught.value.total < MAX_COUNTED + 500


def test_however_many_names_are_unknown_few_are_compared(monkeypatch):
    compared = []
    monkeypatch.setattr("lading.schema.problems.suggest", lambda name, known: compared.append(len(known)))
    problems(WIDE.object, {f"pixels{i}": 1 for i in range(2000)})
    assert compared == [500] * 4


@given(data=st.data(), schema=...)
def test_a_row_is_the_same_in_every_shape(data, schema: Schema, rows_of):
    row = data.draw(rows_of(schema))
    checker = RowChecker(schema)
    expected = repr(checker.object(row))
    order = data.draw(st.permutations(schema.names))
    assert repr(checker.array(list(row.values()))) == expected
    assert repr(checker.arrays([[row[name] for name in order]], columns=order)[0]) == expected


@given(data=st.data(), schema=...)
def test_a_row_without_one_column_or_with_one_more_has_one_problem(data, schema: Schema, rows_of):
    row = data.draw(rows_of(schema))
    name = data.draw(st.sampled_from(schema.names))
    found = problems(RowChecker(schema).object, {key: value for key, value in row.items() if key != name})
    assert [(p.code, p.column) for p in found] == [("schema.missing_column", name)]
    stranger = "stranger" + "".join(schema.names) + "".join(schema.unused)
    found = problems(RowChecker(schema).object, row | {stranger: 1})
    assert [p.code for p in found] == ["schema.unknown_column"]


def test_problems_travel_without_what_they_lack():
    (problem,) = problems(CHECKER.object, GOOD | {"age": "x"})
    assert msgspec.to_builtins(problem) == {
        "pointer": "/age",
        "code": "schema.wrong_type",
        "detail": "expected number, got a string",
        "column": "age",
        "expected": "number",
        "got": "a string",
    }
