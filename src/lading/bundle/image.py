"""What the author says of images that a model takes: `[image]` in `lading.toml`, or `--image 28x28 --gray`."""

from __future__ import annotations

import math
import re

import msgspec

from lading.errors import SettingsError
from lading.schema.fields import Field, Image, Interval, Schema

MAX_SIDE = 4096
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})", re.ASCII)
_HINT = "--image 28x28 --gray; width first"


class DeclaredImage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The image whose pixels a model's columns are; see `Image` for the words. Its size is `28x28`, width first."""

    size: str
    gray: bool = False
    invert: bool = False
    scale: tuple[float, float] = (0.0, 255.0)


def image_from(
    size: str | None, *, gray: bool, invert: bool, scale: tuple[float, float] | None
) -> DeclaredImage | None:
    """What the options of a command line declare.

    Raises:
        SettingsError: something is said of an image, but not its size.
    """
    if size is None:
        if gray or invert or scale is not None:
            raise SettingsError("--gray, --invert and --scale are said of an image", hint=_HINT)
        return None
    return DeclaredImage(size, gray, invert, scale or (0.0, 255.0))


def declare_image(schema: Schema, said: DeclaredImage) -> Schema:
    """The schema of a model whose columns are the pixels of an image: plain numbers, whatever their places saw.

    Raises:
        SettingsError: it has other numbers of columns than the image of pixels, or columns that are no plain numbers.
    """
    found = _SIZE.fullmatch(said.size)
    if found is None:
        raise SettingsError("the size of an image is its width and its height in pixels", hint=_HINT)
    image = Image(int(found[1]), int(found[2]), said.gray, said.invert, said.scale)
    check_image(image)
    if image.columns != len(schema.inputs):
        raise SettingsError(
            f"an image of {image} has {image.columns} numbers, the model takes {len(schema.inputs)}", hint=_HINT
        )
    for field in schema.inputs:
        if field.kind not in ("int", "float") or field.domain is not None:
            raise SettingsError(f"`{field.name}` is not a plain number, and so not a pixel")
    pixels = tuple(_pixel(field, image.scale) for field in schema.inputs)
    return msgspec.structs.replace(schema, inputs=pixels, image=image)


def check_image(image: Image) -> None:
    """Refuse an image that has no size, or a scale that is none.

    Raises:
        SettingsError: says what is wrong.
    """
    if not (0 < image.width <= MAX_SIDE and 0 < image.height <= MAX_SIDE):
        raise SettingsError(f"an image is 1 to {MAX_SIDE} pixels wide and high", hint=_HINT)
    low, high = image.scale
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SettingsError("the scale of an image is MIN..MAX, and MIN is below MAX", hint="--scale 0..1")


def _pixel(field: Field, scale: tuple[float, float]) -> Field:
    """The field of a pixel, which may be any from black to white, whatever its place saw in training."""
    dtype = field.dtype if field.dtype.startswith("float") else "float64"
    return msgspec.structs.replace(field, kind="float", dtype=dtype, nullable=False, seen=Interval(*scale))
