"""What a loaded model gives, found out by asking it for a few rows."""

from __future__ import annotations

from lading.errors import EnvironmentMismatch, UnsupportedModel
from lading.flavors.flavor import Predictions, Predictor
from lading.flavors.modules import place_of
from lading.flavors.results import WrongAnswer
from lading.schema.fields import PREDICTION, Datatype, Field, Output, Schema, Value
from lading.schema.synthetic import draw_rows
from lading.schema.table import Array, Table

PROBE_ROWS = 8
_HINT = "pack it with the data it was trained on: lading pack MODEL --data train.csv --target NAME"


def describe(
    predictor: Predictor,
    fields: tuple[Field, ...],
    *,
    probe: Table | None = None,
    unused: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
) -> Schema:
    """The schema of a model whose inputs are known: the outputs are read off its answers to the probe.

    Raises:
        UnsupportedModel: it fails on the probe, or its answers are not one or several values a row.
    """
    table = probe or Table.from_rows(fields, draw_rows(fields, None, PROBE_ROWS))
    predictions = ask(predictor, table, hint=None if probe else _HINT)
    prediction = _prediction(predictor, predictions, targets)
    outputs = [prediction]
    if predictions.probabilities:
        outputs.append(_probabilities(predictor, predictions, targets))
    # Code of the author's may give something else than the model's classes.
    is_other = bool(predictor.classes) and len(predictor.classes) == 1 and not prediction.classes
    task = "unknown" if is_other and len(prediction.shape) == 1 else predictor.task
    return Schema(task, fields, tuple(outputs), unused)


def ask(predictor: Predictor, table: Table, *, hint: str | None = None) -> Predictions:
    """The predictions for a probe.

    Raises:
        UnsupportedModel: there are none; says why, and `hint` what to do.
    """
    try:
        predictions = predictor.predict(table, proba=predictor.has_probabilities)
    except EnvironmentMismatch:
        raise
    except WrongAnswer as error:
        raise UnsupportedModel(str(error), hint=error.hint) from error
    # A model is anybody's code and may raise anything.
    except (Exception, SystemExit) as error:
        reason = str(error).split("\n")[0][:300] + place_of(error)
        message = f"{predictor.class_name} cannot answer rows of its own schema: {type(error).__name__}: {reason}"
        raise UnsupportedModel(message, hint=hint) from error
    shape = predictions.prediction.shape
    if len(shape) not in (1, 2) or shape[0] != table.rows:
        raise UnsupportedModel(f"{predictor.class_name} gives {shape} for {table.rows} rows, expected a value a row")
    return predictions


def _prediction(predictor: Predictor, predictions: Predictions, targets: tuple[str, ...]) -> Output:
    array = predictions.prediction
    is_single = array.ndim == 1
    width = 1 if is_single else array.shape[1]
    return Output(
        PREDICTION,
        datatype=_datatype(array),
        shape=(-1,) if is_single else (-1, width),
        classes=_classes(predictor, array) if is_single else (),
        columns=targets if len(targets) == width and not is_single else (),
    )


def _classes(predictor: Predictor, array: Array) -> tuple[Value, ...]:
    """The classes of a model that has one target, where the answers are among them."""
    classes = predictor.classes[0] if len(predictor.classes) == 1 else ()
    return classes if set(array.tolist()) <= set(classes) else ()


def _probabilities(predictor: Predictor, predictions: Predictions, targets: tuple[str, ...]) -> Output:
    arrays = predictions.probabilities
    if len(arrays) > 1:
        return Output("probabilities", shape=(-1, len(arrays)))
    width = arrays[0].shape[1]
    is_single = predictions.prediction.ndim == 1
    # One matrix for several targets has a column a target, and no classes.
    # Custom code around a model leaves its probabilities as they are.
    classes = getattr(predictor, "inner", predictor).classes
    known = classes[0] if is_single and classes else targets
    names = known if len(known) == width else range(width)
    return Output("probabilities", shape=(-1, width), columns=tuple(str(name) for name in names))


def _datatype(array: Array) -> Datatype:
    datatypes: dict[str, Datatype] = {"b": "BOOL", "i": "INT64", "u": "INT64", "f": "FP64"}
    if array.dtype.kind == "O" and {type(value) for value in array.flat} <= {int, float}:
        return "FP64"
    return datatypes.get(array.dtype.kind, "BYTES")
