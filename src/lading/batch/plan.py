"""What is to be done with every row, told once to whoever scores."""

from __future__ import annotations

import msgspec

from lading.batch.kinds import Kind
from lading.schema.fields import Schema


class Plan(msgspec.Struct, frozen=True):
    """What is to be done with every row.

    Attributes:
        inputs: the columns that are read of each file.
        lead: the columns of the output in front of the answers.
        answers: the columns of the answers.
        proba: whether probabilities are asked for.
        kind: of the output.
        arrow_schema: of the output, as Arrow writes it, where that is Parquet or Arrow.
    """

    inputs: tuple[str, ...]
    lead: tuple[str, ...]
    answers: tuple[str, ...]
    proba: bool
    kind: Kind
    arrow_schema: bytes = b""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the output."""
        return self.lead + self.answers


def accepting(schema: Schema, columns: tuple[str, ...]) -> Schema:
    """The schema that takes these columns beside its own, and ignores them."""
    more = tuple(name for name in columns if name not in schema.names and name not in schema.unused)
    return msgspec.structs.replace(schema, unused=schema.unused + more)
