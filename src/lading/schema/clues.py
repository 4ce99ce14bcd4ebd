"""What the parts of a fitted model give away about one input column, and the field that this makes."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from lading.schema.fields import Field, Interval, Value

SOME_WORDS = "a few words"
"""The example of a text where no vocabulary is known."""


@dataclass
class Clues:
    """What is known of one input column so far.

    Attributes:
        is_required: whether `predict` fails on a frame without it.
        takes_null: whether something on a trail takes missing values.
        refuses_null: whether something on a trail does not.
        null: what a missing value was in training.
        categories: what an encoder was fitted on.
        closed: whether an encoder refuses other categories.
        dtype: the dtype in which the model wants categories, where their type does not say it.
        text: an example, of a column of texts.
        usual: a common value.
        filler: what stands in for a missing category, so is no good example.
        seen: the range in training.
        splits: where trees split.
        hidden_by: the class of the estimator behind which nothing is known.
    """

    is_required: bool = False
    takes_null: bool = False
    refuses_null: bool = False
    null: Literal["nan", "none"] = "nan"
    categories: tuple[Value, ...] = ()
    closed: bool = False
    dtype: str = ""
    text: str = ""
    usual: Value | None = None
    filler: Value | None = None
    seen: Interval | None = None
    splits: list[float] = field(default_factory=list)
    hidden_by: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anything is known of its values."""
        return bool(self.categories or self.text or self.splits or self.seen) or self.usual is not None

    def as_field(self, name: str) -> Field:
        """The field that this column is."""
        nullable = self.takes_null and not self.refuses_null
        new = functools.partial(Field, name, nullable=nullable, null=self.null if nullable else "nan")
        if self.categories:
            return self._as_category(new)
        if self.text or isinstance(self.usual, str):
            return new(kind="text", dtype="str", example=self.text or self.usual)
        return new(example=self._number(), seen=self.seen)

    def _as_category(self, new: Callable[..., Field]) -> Field:
        good = [value for value in self.categories if value != self.filler] or self.categories
        example = next((value for value in good if value == self.usual), good[0])
        types = {type(value) for value in self.categories}
        if types == {bool} and (len(self.categories) == 2 or not self.closed):
            return new(kind="bool", dtype=self.dtype or "bool", example=example)
        dtype = self.dtype or _DTYPES.get(frozenset(types), "object")
        return new(kind="category", dtype=dtype, categories=self.categories, closed=self.closed, example=example)

    def _number(self) -> float:
        if isinstance(self.usual, int | float):
            number = float(self.usual)
        elif self.splits:
            number = statistics.median(self.splits)
        else:
            return 1.0 if self.hidden_by else 0.0  # what is hidden may be a logarithm or a divisor
        rounded = float(round(number)) if abs(number) >= 100 else float(f"{number:.3g}")
        return rounded if self.seen is None or rounded in self.seen else number


_DTYPES = {
    frozenset({str}): "str",
    frozenset({bool}): "bool",
    frozenset({int}): "int64",
    frozenset({float}): "float64",
}
