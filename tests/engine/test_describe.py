"""What a model gives, read off its answers to a probe."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from lading.engine.describe import ask, describe
from lading.errors import UnsupportedModel
from lading.flavors.flavor import Predictions
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Task, Value
from lading.schema.table import Table

FIELDS = (Field("a"), Field("b"))


class Fake:
    """A predictor that gives what a test tells it."""

    class_name = "Fake"
    metadata: Mapping[str, Any] = MappingProxyType({})
    knows_inputs = True

    def __init__(
        self, give: Any, *, proba: Any = None, task: Task = "unknown", classes: tuple[tuple[Value, ...], ...] = ()
    ) -> None:
        self.give = give
        self.proba = proba
        self.task = task
        self.classes = classes
        self.has_probabilities = proba is not None

    def learn(self) -> Learned:
        return Learned(FIELDS, named=True, wants="array")

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        return Predictions(self.give(table.rows), self.proba(table.rows) if proba else ())


def probabilities(*widths: int) -> Any:
    return lambda rows: tuple(np.full((rows, width), 1 / width) for width in widths)


DATATYPES = {
    "BOOL": lambda rows: np.ones(rows, bool),
    "INT64": lambda rows: np.ones(rows, np.int32),
    "FP64": lambda rows: np.ones(rows, np.float32),
    "BYTES": lambda rows: np.full(rows, "a"),
}


@pytest.mark.parametrize("datatype", DATATYPES)
def test_the_datatype_is_that_of_the_answer(datatype: str) -> None:
    assert describe(Fake(DATATYPES[datatype]), FIELDS).outputs[0].datatype == datatype


def test_unsigned_integers_and_objects_have_datatypes_too() -> None:
    assert describe(Fake(lambda rows: np.ones(rows, np.uint8)), FIELDS).outputs[0].datatype == "INT64"
    assert describe(Fake(lambda rows: np.full(rows, "a", object)), FIELDS).outputs[0].datatype == "BYTES"


def test_several_values_a_row_have_the_names_of_the_targets() -> None:
    fake = Fake(lambda rows: np.ones((rows, 2)))
    assert describe(fake, FIELDS).outputs[0].shape == (-1, 2)
    assert describe(fake, FIELDS, targets=("x", "y")).outputs[0].columns == ("x", "y")
    assert describe(fake, FIELDS, targets=("x",)).outputs[0].columns == ()


def test_one_value_a_row_has_no_names() -> None:
    assert describe(Fake(lambda rows: np.ones(rows)), FIELDS, targets=("x",)).outputs[0].columns == ()


def test_probabilities_are_named_by_the_classes() -> None:
    fake = Fake(lambda rows: np.full(rows, "a"), proba=probabilities(3), classes=(("a", "b", "c"),))
    prediction, output = describe(fake, FIELDS).outputs
    assert prediction.classes == output.columns == ("a", "b", "c")
    assert output.shape == (-1, 3)


def test_answers_that_are_none_of_the_classes_are_of_no_class() -> None:
    fake = Fake(lambda rows: np.full(rows, "d"), classes=(("a", "b", "c"),))
    schema = describe(fake, FIELDS)
    assert (schema.task, schema.outputs[0].classes) == ("unknown", ())


def test_probabilities_without_classes_are_numbered() -> None:
    assert describe(Fake(lambda rows: np.zeros(rows), proba=probabilities(2)), FIELDS).outputs[1].columns == ("0", "1")


def test_one_matrix_for_several_targets_is_named_by_them() -> None:
    fake = Fake(lambda rows: np.zeros((rows, 3)), proba=probabilities(3), classes=((0, 1),) * 3)
    assert describe(fake, FIELDS, targets=("x", "y", "z")).outputs[1].columns == ("x", "y", "z")
    assert describe(fake, FIELDS).outputs[1].columns == ("0", "1", "2")


def test_a_matrix_for_each_target_has_as_many_as_targets() -> None:
    fake = Fake(lambda rows: np.zeros((rows, 2)), proba=probabilities(2, 3), classes=((0, 1), (0, 1, 2)))
    assert describe(fake, FIELDS).outputs[1].shape == (-1, 2)


def test_the_schema_keeps_task_inputs_and_what_is_unused() -> None:
    schema = describe(Fake(lambda rows: np.ones(rows), task="regression"), FIELDS, unused=("c",))
    assert (schema.task, schema.inputs, schema.unused) == ("regression", FIELDS, ("c",))


@pytest.mark.parametrize("shape", [(), (3,), (8, 2, 2), (9,)])
def test_no_value_a_row_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedModel, match="for 8 rows, expected a value a row"):
        describe(Fake(lambda rows: np.zeros(shape)), FIELDS)


def fail(rows: int) -> Any:
    raise ValueError("the first line\nand another")


def test_a_failing_model_is_told_in_one_line_with_what_mends_it() -> None:
    with pytest.raises(UnsupportedModel) as caught:
        describe(Fake(fail), FIELDS)
    assert caught.value.message.endswith("ValueError: the first line")
    assert caught.value.hint is not None
    assert "--data" in caught.value.hint


def test_who_gave_data_is_not_told_to_give_data() -> None:
    probe = Table.from_rows(FIELDS, [(1.0, 2.0)])
    with pytest.raises(UnsupportedModel) as caught:
        describe(Fake(fail), FIELDS, probe=probe)
    assert caught.value.hint is None


def leave(rows: int) -> Any:
    raise SystemExit(3)


def test_a_model_that_ends_the_program_is_a_failing_one() -> None:
    with pytest.raises(UnsupportedModel, match="SystemExit: 3"):
        ask(Fake(leave), Table.from_rows(FIELDS, [(1.0, 2.0)]))
