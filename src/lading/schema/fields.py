"""The schema as pure data: inputs, outputs, and the words for them.

A *kind* is what a column means to people (`category`, `date`); a *datatype* is what travels, named exactly as in
the Open Inference Protocol (`FP64`, `BYTES`). A kind determines the datatype, never the other way round.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Kind = Literal["bool", "int", "float", "category", "text", "date"]
Datatype = Literal["BOOL", "INT64", "FP64", "BYTES"]
Task = Literal["classification", "regression", "outlier", "clustering", "transform", "unknown"]
Value = bool | int | float | str
"""One cell that may travel: never NaN or infinite; missing is `None` beside it."""

KINDS: tuple[Kind, ...] = get_args(Kind)

PREDICTION = "prediction"
"""The name of an output that its author gave none."""
MAX_FIELDS = 100_000
"""Columns that a schema may have."""
MAX_NAME_CHARS = 256


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A closed interval; an absent bound is open."""

    minimum: float | None = msgspec.field(default=None, name="min")
    maximum: float | None = msgspec.field(default=None, name="max")

    def __contains__(self, value: float) -> bool:
        """True where neither bound is passed."""
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    def __str__(self) -> str:
        if self.minimum is None:
            return "any number" if self.maximum is None else f"at most {self.maximum:.12g}"
        if self.maximum is None:
            return f"at least {self.minimum:.12g}"
        return f"{self.minimum:.12g} to {self.maximum:.12g}"


class Field(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One input column.

    Attributes:
        name: the column's name; unnamed columns are `x0 … xn`.
        kind: what the column means.
        dtype: NumPy or pandas name of the dtype in which the model wants the column (`float64`, `str`, `category`, …).
        nullable: whether `null` may be sent: training had missing values, or the model says it takes them.
        null: what the model was trained with where a value is missing in a column of objects.
        categories: the values seen, for a category.
        closed: whether a value outside `categories` is refused (else it only warns).
        domain: declared by the author and refused outside: the only values, or an interval.
        seen: range seen in training; outside it an answer only carries a warning.
        example: a believable value, from training or from the model.
        description: the author's words.
    """

    name: str
    kind: Kind = "float"
    dtype: str = "float64"
    nullable: bool = False
    null: Literal["nan", "none"] = "nan"
    categories: tuple[Value, ...] = ()
    closed: bool = True
    domain: tuple[Value, ...] | Interval | None = None
    seen: Interval | None = None
    example: Value | None = None
    description: str = ""

    @property
    def values(self) -> tuple[Value, ...]:
        """The only values allowed, or nothing when the field is not limited to some."""
        if isinstance(self.domain, tuple):
            return self.domain
        return self.categories if self.kind == "category" and self.closed else ()

    @property
    def interval(self) -> Interval | None:
        """The declared interval, if there is one."""
        return self.domain if isinstance(self.domain, Interval) else None

    @property
    def value_kind(self) -> Literal["bool", "int", "float", "text", "date"]:
        """What a single value must be: for a category, what its categories are made of."""
        if self.kind != "category":
            return self.kind
        kinds = {type(value) for value in self.categories}
        if kinds <= {bool}:
            return "bool" if kinds else "text"
        if kinds <= {int}:
            return "int"
        return "float" if kinds <= {int, float} else "text"

    @property
    def datatype(self) -> Datatype:
        """The Open Inference Protocol's name of what travels."""
        return _DATATYPES[self.value_kind]


_DATATYPES: dict[str, Datatype] = {
    "bool": "BOOL",
    "int": "INT64",
    "float": "FP64",
    "text": "BYTES",
    "date": "BYTES",
}


class Output(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One output.

    Attributes:
        name: `prediction`, or the author's own word for it; or `probabilities`.
        datatype: as in the Open Inference Protocol.
        shape: `(-1,)` for one value a row, `(-1, k)` for k values a row.
        classes: the classes as the model knows them, in the order of the probabilities.
        labels: what is answered in place of `classes`, where the author said so.
        columns: names of the k values, where they are known.
        range: where the author said so, numbers outside are never answered.
    """

    name: str
    datatype: Datatype = "FP64"
    shape: tuple[int, ...] = (-1,)
    classes: tuple[Value, ...] = ()
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    range: Interval | None = None


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image that a request may bring in place of the columns: these are its pixels, line by line.

    Attributes:
        width: in pixels, as the model takes it; images of other sizes are resized.
        height: the same.
        gray: a pixel is one number; else it is three, for red, green and blue.
        invert: what is dark becomes light, and the other way round.
        scale: what black and white become; between them numbers are in proportion.
    """

    width: int
    height: int
    gray: bool = False
    invert: bool = False
    scale: tuple[float, float] = (0.0, 255.0)

    @property
    def channels(self) -> int:
        """Numbers a pixel."""
        return 1 if self.gray else 3

    @property
    def columns(self) -> int:
        """Numbers an image."""
        return self.width * self.height * self.channels

    def __str__(self) -> str:
        return f"{self.width}x{self.height} in {'gray' if self.gray else 'color'}"


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes and gives.

    Attributes:
        task: what kind of answer it gives.
        inputs: the columns, in the model's order.
        outputs: the prediction first; probabilities, where the model gives them, second.
        unused: columns that the training data had beside the inputs; accepted in requests and ignored.
        image: what the columns are the pixels of, where the author said so.
    """

    task: Task
    inputs: tuple[Field, ...]
    outputs: tuple[Output, ...]
    unused: tuple[str, ...] = ()
    image: Image | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs, in the model's order."""
        return tuple(field.name for field in self.inputs)

    @property
    def has_probabilities(self) -> bool:
        """Whether `proba` can be asked for."""
        return any(output.name == "probabilities" for output in self.outputs)
