"""What may leave a model, and what it becomes on the way out."""

import json
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.engine.answers import Answer, AnswerFormat, Checked, OutputCheck
from lading.errors import PredictionFailed
from lading.flavors.flavor import Predictions
from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.unusual import Warning

EVERYTHING = slice(0, None)


def schema(*outputs: Output) -> Schema:
    return Schema("unknown", (Field("x"),), outputs)


FORMAT = AnswerFormat(schema(Output("prediction")))


def check(prediction: Any, *probabilities: Any, **output: Any) -> Checked:
    """The check of these predictions, as NumPy has them, by an output of these rules."""
    array = prediction if isinstance(prediction, np.ndarray) else np.array(prediction)
    output = {"shape": (-1, *array.shape[1:])} | output
    checker = OutputCheck(schema(Output("prediction", **output)))
    return checker.check(Predictions(array, tuple(map(np.array, probabilities))), len(array))


def objects(*cells: Any) -> np.ndarray[Any, Any]:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def refused(checked: Checked, *, proba: bool = False) -> list[str | None]:
    """The code of the reason not to answer each row alone."""
    reasons = [checked.refuse(slice(row, row + 1), proba=proba) for row in range(len(checked.predictions))]
    return [None if reason is None else reason.code for reason in reasons]


# --- what becomes of values


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (np.array([1, 2], dtype=np.uint8), [1, 2]),
        (np.array([True, False]), [True, False]),
        (np.array([0.1], dtype=np.float32), [float(np.float32(0.1))]),
        (np.array(["a", "ü"]), ["a", "ü"]),
        (np.array([b"a", b"\xff"]), ["a", "\ufffd"]),
        (np.array([[b"a", b"b"], [b"c", b"d"]]), [["a", "b"], ["c", "d"]]),
        (np.array(["2024-02-29", "2025-01-01"], dtype="M8[D]"), ["2024-02-29", "2025-01-01"]),
        (np.array([["2024", "2025"], ["2026", "2027"]], dtype="M8[Y]"), [["2024", "2025"], ["2026", "2027"]]),
        (objects("a", 1, 1.5, True), ["a", 1, 1.5, True]),
        (objects(np.str_("a"), np.int64(1), np.float32(1.5), np.bool_(True)), ["a", 1, 1.5, True]),
        (np.array([[np.int64(1), "a"]], dtype=object), [[1, "a"]]),
        (np.array([[1.5, 2.5], [3.5, 4.5]]), [[1.5, 2.5], [3.5, 4.5]]),
        (np.array([2**64 - 1], dtype=np.uint64), [2**64 - 1]),
    ],
    ids=lambda part: str(part.dtype) if isinstance(part, np.ndarray) else "",
)
def test_values_leave_as_json_has_them(array: Any, values: list[Any]):
    checked = check(array)
    assert refused(checked) == [None] * len(values)
    assert msgspec.json.decode(msgspec.json.encode(checked.predictions)) == values
    assert repr(checked.predictions) == repr(values)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_finite_numbers_come_through_json_bit_for_bit(numbers: list[float]):
    checked = check(numbers)
    assert checked.refuse(EVERYTHING, proba=True) is None
    for read in (json.loads, msgspec.json.decode):
        came = read(msgspec.json.encode(FORMAT.object(Answer(checked.predictions), is_single=False)))["predictions"]
        assert [struct.pack("d", number) for number in came] == [struct.pack("d", number) for number in numbers]


@pytest.mark.parametrize("number", [5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0])
def test_the_smallest_and_the_largest_numbers_come_through_json(number: float):
    (came,) = json.loads(msgspec.json.encode(check([number]).predictions))
    assert struct.pack("d", came) == struct.pack("d", number)


# --- what may not leave


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.0, np.nan, 2.0]),
        np.array([1.0, np.inf, 2.0]),
        np.array([1.0, -np.inf, 2.0], dtype=np.float16),
        np.array([[1.0, 1.0], [1.0, np.nan], [2.0, 2.0]]),
        objects("a", None, "b"),
        objects(1, float("nan"), 2),
        objects(1, np.float64("inf"), 2),
        objects("a", b"b", "c"),
        objects("a", {"b": 1}, "c"),
        objects("a", ["b"], "c"),
        objects("a", object(), "c"),
        objects("a", 1j, "c"),
        objects("a", np.datetime64("2024"), "c"),
        objects("a", "half of a pair: \ud800", "c"),
        np.array(["2024", "NaT", "2025"], dtype="M8[D]"),
        np.array(["a", "\udfff", "c"]),
    ],
    ids=lambda array: f"{array.dtype} {type(array.ravel()[len(array.ravel()) // 2]).__name__}",
)
def test_only_the_row_that_is_no_plain_finite_value_is_refused(array: Any):
    assert refused(check(array)) == [None, "output.not_finite", None]


def test_texts_and_numbers_of_one_batch_leave_as_they_are():
    texts = objects(*["a", np.str_("b"), "ü"])
    assert (refused(check(texts)), check(texts).predictions) == ([None] * 3, ["a", "b", "ü"])
    assert {type(value) for value in check(texts).predictions} == {str}
    assert [type(value) for value in check(objects("a", 1, np.int8(2), True)).predictions] == [str, int, int, bool]


@pytest.mark.parametrize(
    "array",
    [np.array([1j]), np.array([1], dtype="m8[s]"), np.zeros(1, dtype=[("a", int)]), np.array([1], np.longdouble)],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_nothing_that_json_has_are_refused(array: Any):
    assert refused(check(array)) == ["output.not_finite"]


@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (np.zeros(2), 3),
        (np.zeros(4), 3),
        (np.zeros(0), 1),
        (np.float64(1.0), 1),
        (np.zeros((3, 1, 1)), 3),
        (np.zeros((3, 1)), 3),
        (np.zeros((1, 3)), 3),
    ],
    ids=str,
)
def test_another_shape_than_a_value_a_row_fails_the_batch(array: Any, rows: int):
    checker = OutputCheck(schema(Output("prediction")))
    with pytest.raises(PredictionFailed) as raised:
        checker.check(Predictions(np.asarray(array)), rows)
    assert raised.value.code == "output.shape"


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 3), (2, 2)])
def test_another_number_of_values_a_row_than_described_fails_the_batch(shape: tuple[int, ...]):
    checker = OutputCheck(schema(Output("prediction", shape=(-1, 2))))
    assert checker.check(Predictions(np.zeros((3, 2))), 3).predictions == [[0.0, 0.0]] * 3
    with pytest.raises(PredictionFailed):
        checker.check(Predictions(np.zeros(shape)), 3)


def test_of_several_rows_the_first_that_may_not_leave_is_named():
    error = check([1.0, 2.0, np.nan, np.inf]).refuse(slice(1, 4), proba=False)
    assert error is not None
    assert error.message == "the model's answer is not a finite value; row 1 is the first"


# --- a declared range


def test_only_rows_outside_of_the_range_are_refused_and_its_bounds_are_inside():
    checked = check([-1.0, 0.0, 5.0, 10.0, 10.5], range=Interval(0, 10))
    assert refused(checked) == ["output.out_of_range", None, None, None, "output.out_of_range"]


def test_an_open_bound_holds_on_one_side_only():
    assert refused(check([-9e99, 0.0, 0.1], range=Interval(None, 0))) == [None, None, "output.out_of_range"]


def test_one_value_of_a_row_outside_of_the_range_is_enough():
    checked = check([[1.0, 2.0], [1.0, 11.0]], range=Interval(0, 10))
    assert refused(checked) == [None, "output.out_of_range"]


def test_a_row_that_is_not_finite_hides_no_other_that_is_out_of_range():
    checked = check([1.0, np.nan, 11.0], range=Interval(0, 10))
    assert refused(checked) == [None, "output.not_finite", "output.out_of_range"]


def test_texts_where_a_range_was_declared_fail():
    with pytest.raises(PredictionFailed, match="is not a number"):
        check(["a"], range=Interval(0, 10))


# --- labels


def test_labels_stand_for_classes():
    checked = check([2, 0, 1], classes=(0, 1, 2), labels=("a", "b", "c"))
    assert checked.predictions == ["c", "a", "b"]


def test_labels_stand_for_classes_of_other_kinds():
    assert check([True, False], classes=(False, True), labels=("no", "yes")).predictions == ["yes", "no"]
    assert check([1.5, 0.5], classes=(0.5, 1.5), labels=("low", "high")).predictions == ["high", "low"]
    assert check(objects("y", "x"), classes=("x", "y"), labels=("X", "Y")).predictions == ["Y", "X"]


# --- probabilities


def with_probabilities(*targets: Any, columns: tuple[str, ...] = ()) -> Checked:
    rows = len(targets[0])
    checker = OutputCheck(schema(Output("prediction"), Output("probabilities", columns=columns)))
    return checker.check(Predictions(np.zeros(rows), tuple(map(np.array, targets))), rows)


def test_probabilities_are_named_by_class():
    checked = with_probabilities([[0.25, 0.75], [1.0, 0.0]], columns=("no", "yes"))
    assert checked.probabilities == [{"no": 0.25, "yes": 0.75}, {"no": 1.0, "yes": 0.0}]


def test_probabilities_of_unnamed_classes_are_numbered():
    assert with_probabilities([[0.25, 0.75]]).probabilities == [{"0": 0.25, "1": 0.75}]


def test_probabilities_of_several_targets_are_lists_a_row():
    checked = with_probabilities([[0.1, 0.9], [0.2, 0.8]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert checked.probabilities == [[[0.1, 0.9], [1.0, 0.0, 0.0]], [[0.2, 0.8], [0.0, 1.0, 0.0]]]


def test_where_none_were_asked_for_there_are_none():
    assert check([1.0]).probabilities is None


def test_probabilities_that_are_not_finite_refuse_only_who_asked():
    checked = with_probabilities([[0.5, 0.5], [np.nan, np.nan]], columns=("no", "yes"))
    assert refused(checked, proba=True) == [None, "output.not_finite"]
    assert refused(checked, proba=False) == [None, None]


def test_each_target_is_looked_at():
    checked = with_probabilities([[0.5], [np.nan], [0.5]], [[np.inf], [0.5], [0.5]])
    assert refused(checked, proba=True) == ["output.not_finite", "output.not_finite", None]


@pytest.mark.parametrize("shape", [(2, 2), (4, 2), (3,), (3, 3), (3, 1), (3, 2, 1)], ids=str)
def test_probabilities_of_another_shape_fail_the_batch(shape: tuple[int, ...]):
    checker = OutputCheck(schema(Output("prediction"), Output("probabilities", columns=("no", "yes"))))
    with pytest.raises(PredictionFailed) as raised:
        checker.check(Predictions(np.zeros(3), (np.zeros(shape),)), 3)
    assert raised.value.code == "output.shape"


# --- the body


def test_an_output_that_has_a_name_stands_alone_under_it():
    own = AnswerFormat(schema(Output("score")))
    assert own.json(Answer([1.5]), is_single=True, request_id="me") == b'{"score":1.5}\n'
    assert own.json(Answer([1, 2]), is_single=False, request_id="me") == b'{"score":[1,2]}\n'


def test_what_is_said_beside_a_named_output_stays():
    own = AnswerFormat(schema(Output("sc\u00f6re")))
    warning = Warning("x", "range.outside_seen", "outside", 1, 0)
    body = json.loads(own.json(Answer([1.5], [{"a": 1.0}], [warning]), is_single=True, request_id="me"))
    assert list(body) == ["sc\u00f6re", "probabilities", "warnings"]


def test_one_object_gets_a_prediction_and_a_list_gets_predictions():
    answer = Answer(["a", "b"], [{"a": 1.0}, {"a": 0.0}])
    assert FORMAT.object(answer, is_single=True) == {"prediction": "a", "probabilities": {"a": 1.0}}
    assert FORMAT.object(answer, is_single=False) == {
        "predictions": ["a", "b"],
        "probabilities": [{"a": 1.0}, {"a": 0.0}],
    }


def test_warnings_and_the_id_stand_beside_the_answer_where_there_are_any():
    warning = Warning("x", "range.outside_seen", "outside", 1, 0)
    body = FORMAT.object(Answer([1.0], warnings=[warning]), is_single=True, request_id="me")
    assert list(body) == ["prediction", "warnings", "id"]
    assert json.loads(msgspec.json.encode(body))["warnings"][0]["column"] == "x"


def test_a_whole_number_beyond_what_can_be_written_does_not_leave():
    assert refused(check(np.array([10**20, 10**400], object))) == [None, "output.not_finite"]
