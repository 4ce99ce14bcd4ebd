"""From images to checked rows: files of them, or base64 in JSON, all problems at once."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lading.errors import TooLarge
from lading.schema.cells import Complaint
from lading.schema.fields import Image, Schema
from lading.schema.image_file import ImageFile, prepare
from lading.schema.problems import Problem, Problems, pointer, type_name
from lading.schema.table import Table, matrix_dtype

KEY = "image"
"""What an image is called in JSON."""
_INNER = "b64"  # as TensorFlow Serving has it: {"b64": "..."}
_EXPECTED = "an image in base64"
_DATA_URL = re.compile(r"data:[a-z0-9.+/-]{1,64};base64,")
_SPACES = str.maketrans("", "", " \r\n")


class Images:
    """Reads images; made once from the schema.

    Args:
        schema: says what image the columns are the pixels of.
        wanted: that image.
        max_pixels: that the images of one request may have together.

    Raises:
        EnvironmentMismatch: what reads images is not installed.
    """

    def __init__(self, schema: Schema, wanted: Image, max_pixels: int) -> None:
        prepare(max_pixels)
        self._fields = schema.inputs
        self._dtype = matrix_dtype(schema.inputs)
        self._names = frozenset(schema.names)
        self._wanted = wanted
        self._max_pixels = max_pixels

    def are_in(self, value: Any) -> bool:
        """Whether a parsed JSON value is an image or a list of images, and no columns."""
        first = next(iter(value), None) if isinstance(value, list) else value
        if isinstance(first, dict):
            return self._names.isdisjoint(first)
        return isinstance(value, list) and isinstance(first, str)

    def one(self, value: Any) -> Table:
        """The row of an image in JSON."""
        return self._table([value], _from_json, lambda position: ((), None))

    def many(self, values: Sequence[Any], *within: str) -> Table:
        """The rows of a list of images in JSON, which stands in the body under the keys `within`."""
        return self._table(values, _from_json, lambda position: ((*within, position), position))

    def files(self, files: Sequence[bytes]) -> Table:
        """The rows of image files.

        Raises:
            InputError: files that cannot be read; lists every problem.
            TooLarge: all images together have too many pixels.
        """
        return self._table(files, ImageFile, lambda position: ((position,), position))

    def _table(self, values: Sequence[Any], read: Callable[[Any], ImageFile], spot: Callable[[int], _Spot]) -> Table:
        problems = Problems()
        matrix = np.zeros((len(values), len(self._fields)), dtype=self._dtype)
        left = self._max_pixels
        # One at a time, as an image takes memory as soon as its head is read.
        for position, value in enumerate(values):
            try:
                file = read(value)
                left -= file.cost
                if left < 0:
                    raise TooLarge(
                        f"more than {self._max_pixels} pixels in the images of one request (max_image_pixels)"
                    )
                if not problems.total:
                    matrix[position] = file.pixels(self._wanted)
            except Complaint as complaint:
                problems.add(_problem, complaint, *spot(position))
            if problems.is_full:  # what is refused has a cost too
                break
        problems.raise_any()
        return Table(self._fields, len(matrix), matrix=matrix)


_Spot = tuple[tuple[str | int, ...], int | None]


def _problem(complaint: Complaint, parts: tuple[str | int, ...], row: int | None) -> Problem:
    return Problem(pointer(*parts), complaint.code, complaint.detail, column=KEY, row=row, got=complaint.got)


def _from_json(value: Any) -> ImageFile:
    """The image in `{"image": "..."}`, `{"image": {"b64": "..."}}`, `{"b64": "..."}` or a text."""
    for key in (KEY, _INNER):
        if isinstance(value, Mapping) and set(value) == {key}:
            value = value[key]
    if isinstance(value, Mapping):
        raise Complaint("schema.missing_column", f"missing (required, {_EXPECTED}, alone)")
    if not isinstance(value, str):
        raise Complaint("schema.wrong_type", f"expected {_EXPECTED}, got {type_name(value)}", got=type_name(value))
    if (prefix := _DATA_URL.match(value)) is not None:
        value = value[prefix.end() :]
    try:
        return ImageFile(binascii.a2b_base64(value.translate(_SPACES), strict_mode=True))
    except ValueError:
        raise Complaint("image.encoding", f"expected {_EXPECTED}", got="a string") from None
