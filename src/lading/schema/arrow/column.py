"""One column of an Arrow stream: as an array where it is of numbers, or as the plain values that JSON would hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lading.schema.fields import Value
from lading.schema.table import Array

_EPOCH = 1970
_FIRST_YEAR, _LAST_YEAR = 1, 9999


class ArrowColumn:
    """The validated chunks (`pyarrow.Array`) of one column, none of which is empty; all of one flat type."""

    def __init__(self, chunks: Sequence[Any]) -> None:
        self._chunks = chunks
        self._is_dictionary = bool(chunks) and hasattr(chunks[0], "dictionary")

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    @property
    def bytes(self) -> int:
        """How many bytes of buffers it refers to."""
        if not self._is_dictionary:
            return sum(int(chunk.nbytes) for chunk in self._chunks)
        indices = sum(int(chunk.indices.nbytes) for chunk in self._chunks)
        return indices + int(self._chunks[0].dictionary.nbytes)

    def numbers(self) -> Array | None:
        """Its numbers or booleans, gaps as NaN: the buffer itself where there is one chunk of numbers without gaps.

        None where it has gaps among booleans, or is of something else.
        """
        if self._is_dictionary:
            return None
        parts: list[Array] = [chunk.to_numpy(zero_copy_only=False) for chunk in self._chunks]
        if any(part.dtype.kind not in "biuf" for part in parts):
            return None
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def cells(self) -> list[Value | None]:
        """Its values as JSON would hold them: dates as ISO 8601 texts; what is missing, and NaN, as None."""
        if not self._is_dictionary:
            return [cell for chunk in self._chunks for cell in _cells(chunk)]
        # A stream has one dictionary for a column.
        known = dict(enumerate(_cells(self._chunks[0].dictionary)))
        return [known.get(place) for chunk in self._chunks for place in _places(chunk.indices)]


def _places(indices: Any) -> list[Any]:
    places: list[Any] = indices.to_pylist() if indices.null_count else indices.to_numpy().tolist()
    return places


def _cells(chunk: Any) -> list[Value | None]:
    values: Array = chunk.to_numpy(zero_copy_only=False)
    kind = values.dtype.kind
    if kind == "M":
        return _days(values) if str(chunk.type).startswith("date") else _moments(values, chunk.type.tz)
    if kind == "f" and chunk.null_count:
        # Among whole numbers a gap has made floats of all of them.
        return [None if cell is None or cell != cell else cell for cell in chunk.to_pylist()]
    if kind == "f":
        return [None if cell != cell else cell for cell in values.tolist()]
    cells: list[Value | None] = values.tolist()
    return cells


def _days(values: Array) -> list[Value | None]:
    return _texts(values, "D", "")


def _moments(values: Array, zone: str | None) -> list[Value | None]:
    # Arrow holds moments of any zone in UTC. Beyond microseconds nothing is told: no text of a request could.
    return _texts(values, "us", "+00:00" if zone else "")


def _texts(values: Array, unit: str, offset: str) -> list[Value | None]:
    """ISO 8601 texts; the empty text, which is no date, for a year that is not of four digits."""
    years = values.astype("datetime64[Y]").astype(np.int64) + _EPOCH
    is_known = (years >= _FIRST_YEAR) & (years <= _LAST_YEAR)
    dates = np.where(is_known, values, np.datetime64("NaT")).astype(f"datetime64[{unit}]").tolist()
    texts = [None if date is None else date.isoformat() + offset for date in dates]
    is_beyond = ~is_known & ~np.isnat(values)
    return ["" if beyond else text for text, beyond in zip(texts, is_beyond, strict=True)] if is_beyond.any() else texts
