"""What a fitted scikit-learn estimator knows of its own inputs, with no data at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lading.errors import UnsupportedModel
from lading.schema import fitted
from lading.schema.clues import SOME_WORDS, Clues
from lading.schema.fields import Field
from lading.schema.trail import Trail


@dataclass(frozen=True)
class Learned:
    """What a model knows of its inputs.

    Attributes:
        fields: the input columns, in the model's order.
        named: whether the model knows its column names; else they are `x0 … xn`.
        wants: what `predict` is to be given: a matrix, a pandas frame, or a one-dimensional array of texts.
        notes: what could not be known, one short sentence each.
        said: columns whose kind the author said; of these data tell no more than ranges and examples.
    """

    fields: tuple[Field, ...]
    named: bool
    wants: Literal["array", "frame", "texts"]
    notes: tuple[str, ...] = ()
    said: frozenset[str] = frozenset()


def learn_inputs(model: object) -> Learned:
    """The inputs of a fitted model, as far as the model itself knows them.

    Raises:
        UnsupportedModel: not even the number of inputs can be known, or what it takes is not columns.
    """
    source = _source(model)
    if fitted.is_a(source, fitted.VECTORIZERS):
        return _learn_text(model, source)
    trail = Trail(source)
    names = fitted.names(source)
    columns = dict(zip(names or _numbered(len(trail.columns)), trail.columns, strict=True))
    notes = list(trail.notes)
    if source is not model:
        notes.append(_distrust(model, source, trail.columns))
    wants: Literal["array", "frame"] = "frame" if names and _needs_frame(model, columns) else "array"
    if wants == "frame" and source is model:
        # A ColumnTransformer asks a frame only for the columns that it uses.
        columns = {name: column for name, column in columns.items() if column.is_required}
    fields = tuple(column.as_field(name) for name, column in columns.items())
    return Learned(fields, names is not None, wants, (*notes, *_guesses(columns)))


def walk(model: object) -> Iterator[object]:
    """Every estimator in a model, fitted or not: itself first, then what it holds in attributes and containers.

    An estimator has `get_params` and `fit`. Each one comes once, whatever circles there are.
    """
    return (part for part in _parts(model) if hasattr(type(part), "get_params") and hasattr(type(part), "fit"))


def _parts(model: object) -> Iterator[object]:
    seen: set[int] = set()
    stack = [model]
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if _is_part(part):
            yield part
        stack.extend(item for item in reversed(_held(part)) if type(item) not in _PLAIN)


_PLAIN = frozenset({type(None), bool, int, float, str, bytes, np.float64, np.int64, np.str_})


def _held(part: object) -> list[Any]:
    if isinstance(part, list | tuple):
        return list(part)
    if isinstance(part, dict):
        return list(part.values())
    if isinstance(part, np.ndarray):
        return list(part.flat) if part.dtype == object else []
    return list(vars(part).values()) if _is_part(part) else []


def _is_part(value: object) -> bool:
    # Not every part is an estimator: calibration keeps its pairs in plain objects, and so do strangers' classes.
    kind = type(value)
    if not hasattr(value, "__dict__"):
        return False
    if hasattr(kind, "predict") or hasattr(kind, "predict_proba"):
        return True
    return hasattr(kind, "fit") and (hasattr(kind, "transform") or hasattr(kind, "get_params"))


def _source(model: object) -> object:
    """The outermost part that says what it takes."""
    for part in _parts(model):
        if fitted.is_a(part, {"DictVectorizer", "FeatureHasher"}):
            hint = "encode columns with a ColumnTransformer and a OneHotEncoder instead"
            raise UnsupportedModel(f"`{fitted.class_name(part)}` takes dictionaries, not columns", hint=hint)
        if fitted.is_a(part, fitted.VECTORIZERS) or fitted.width(part) is not None:
            return part
    hint = "fit it before saving it, or give its training data: --data train.csv"
    raise UnsupportedModel(f"`{fitted.class_name(model)}` does not say how many inputs it takes", hint=hint)


def _learn_text(model: object, vectorizer: object) -> Learned:
    fitted.refuse_file_reader(vectorizer)
    words = next(filter(None, map(fitted.words, walk(model))), SOME_WORDS)
    return Learned((Field("text", kind="text", dtype="str", example=words),), False, "texts")


def _numbered(count: int) -> list[str]:
    return [f"x{position}" for position in range(count)]


def _distrust(model: object, source: object, columns: Iterable[Clues]) -> str:
    """What to say of columns that another part names; whether nulls come through to it is not known."""
    for column in columns:
        column.refuses_null = True
    outer, inner = fitted.class_name(model), fitted.class_name(source)
    return f"{outer} does not say what it takes: its inputs are those of the {inner} inside of it"


def _needs_frame(model: object, columns: Mapping[str, Clues]) -> bool:
    """Whether a model that was fitted on a frame would miss more than the names if it were given an array."""
    fields = (column.as_field(name) for name, column in columns.items())
    if any(field.dtype in ("str", "object", "category") for field in fields):
        return True
    return any(_is_for_frames(part) for part in _parts(model))


def _is_for_frames(part: object) -> bool:
    if fitted.is_stranger(part) or fitted.is_own_function(fitted.get(part, "func")):
        return True
    if (fitted.get(part, "_sklearn_output_config") or {}).get("transform", "default") != "default":
        return True
    return any(_is_by_name(columns) for _, _, columns in fitted.branches(part))


def _is_by_name(columns: object) -> bool:
    bounds = (columns.start, columns.stop) if isinstance(columns, slice) else columns
    return any(isinstance(name, str) for name in np.ravel(np.asarray(bounds, dtype=object)))


def _guesses(columns: Mapping[str, Clues]) -> Iterator[str]:
    """What is to be said of columns of which nothing is known."""
    unknown = {name: column for name, column in columns.items() if not column.is_known}
    for hidden_by in sorted({column.hidden_by for column in unknown.values()} - {""}):
        names = [name for name, column in unknown.items() if column.hidden_by == hidden_by]
        listed = ", ".join(f"`{name}`" for name in names[:3])
        if len(names) == 1:
            yield f"column {listed} goes through {hidden_by}: taken for a number; --data tells"
        else:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield f"columns {listed}{more} go through {hidden_by}: taken for numbers; --data tells"
    blank = sum(not column.hidden_by for column in unknown.values())
    if blank:
        yield f"no usual value is known of {blank} of {len(columns)} columns: their example is 0; --data tells"
