"""What answers say, as the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lading.schema.fields import Schema


class AnswerColumns:
    """Predictions, and probabilities where they are asked for, as named columns; made once from the schema.

    One prediction a row is the column of the output's name; of several, each has a column `prediction NAME`. The
    probabilities are columns `probability CLASS`.
    """

    def __init__(self, schema: Schema) -> None:
        self._output = schema.outputs[0]

    def of(self, predictions: Sequence[Any], probabilities: Sequence[Any] | None = None) -> dict[str, list[Any]]:
        """The columns of some rows' answers, of which there is at least one; each has a value a row."""
        output = self._output
        columns = _columns(output.name, predictions, output.columns)
        return columns if probabilities is None else columns | _columns("probability", probabilities)


def _columns(name: str, values: Sequence[Any], names: Sequence[str] = ()) -> dict[str, list[Any]]:
    first = values[0]
    if isinstance(first, Mapping):
        return {f"{name} {key}": [value[key] for value in values] for key in first}
    if not isinstance(first, list):
        return {name: list(values)}
    columns: dict[str, list[Any]] = {}
    for place, part in enumerate(zip(*values, strict=True)):
        columns |= _columns(f"{name} {names[place] if names else place}", part)
    return columns
