"""One image as pixels, read with Pillow. It is anybody's bytes: its head is looked at before it is decoded.

Formats are an allow-list, by content and not by name. What it costs to decode is known from its head: the pixels, and
for a JPEG how often all of them are gone over.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from lading.errors import EnvironmentMismatch
from lading.schema.cells import Complaint
from lading.schema.fields import Image
from lading.schema.image_head import picture_only
from lading.schema.table import Array

MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}
"""The formats that are taken, as Pillow names them."""
_WHITE = (255, 255, 255, 255)
_SCANS = 16
"""Times that a JPEG may go over all pixels before it costs more: an ordinary progressive one has about ten scans."""
MAX_SENT_SIDE = 65_535
"""Pixels a side: to resize a longer one takes memory for each of them."""
_SLOW = "bmp_rle"  # which Pillow decodes in Python
_START_OF_SCAN = b"\xff\xda"


def prepare(max_pixels: int) -> None:
    """Import what reads images, and have Pillow refuse what it would only warn of.

    Raises:
        EnvironmentMismatch: it is not installed.
    """
    if find_spec("PIL") is None:
        raise EnvironmentMismatch(
            "the model takes images, and Pillow is not installed", hint='pip install "lading[image]"'
        )
    import PIL.Image
    import PIL.WebPImagePlugin  # of the formats that are taken, the one that Pillow does not load by itself

    PIL.Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.filterwarnings("error", category=PIL.Image.DecompressionBombWarning)


class ImageFile:
    """An image of which only the head was read.

    Attributes:
        cost: pixels to decode.

    Raises:
        Complaint: it cannot be read, is of a format that is not taken, or has several frames.
    """

    def __init__(self, data: bytes) -> None:
        import PIL.Image

        if not data:
            raise Complaint("image.unreadable", "expected an image, got an empty file")
        try:
            self._image: Any = PIL.Image.open(io.BytesIO(picture_only(data)), formats=tuple(MEDIA_TYPES))
            # A photograph of a telephone may hold a second image, for other screens: the first is the photograph.
            is_moving = self._image.format != "MPO" and getattr(self._image, "is_animated", False)
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
            self.cost = _TOO_MANY
            return
        # Of broken files Pillow raises nearly anything.
        except Exception:
            raise _unreadable() from None
        if is_moving:
            raise Complaint("image.frames", "expected an image of one frame, got several")
        if any(tile[0] == _SLOW for tile in self._image.tile):
            raise Complaint("image.unreadable", "a BMP is to be without compression")
        width, height = self._image.size
        scans = data.count(_START_OF_SCAN) if self._image.format in ("JPEG", "MPO") else 1
        self.cost = width * height * max(1, scans // _SCANS) if max(width, height) <= MAX_SENT_SIDE else _TOO_MANY

    def pixels(self, wanted: Image) -> Array:
        """The pixels as the model takes them: (columns,) float64.

        Raises:
            Complaint: it breaks off, or is broken in the middle.
        """
        try:
            levels = _levels(self._image, wanted)
        except Exception:
            raise _unreadable() from None
        if wanted.invert:
            levels = 255 - levels
        low, high = wanted.scale
        return levels.reshape(-1) * (high - low) / 255 + low


_TOO_MANY = 2**62


def _unreadable() -> Complaint:
    *others, last = MEDIA_TYPES
    return Complaint("image.unreadable", f"not an image that can be read: {', '.join(others)} or {last}, and whole")


def _levels(image: Any, wanted: Image) -> Array:
    """The levels, 0 to 255, of an image brought upright, to the colors and to the size that are wanted."""
    import PIL.Image
    import PIL.ImageOps

    image.load()
    mode = "L" if wanted.gray else "RGB"
    with contextlib.suppress(Exception):  # what else a camera wrote may be broken: then the image is as it stands
        PIL.ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        image = PIL.Image.fromarray((np.asarray(image) // 257).astype(np.uint8))  # of 16 bits
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode != mode:
        # Other color models are known to each other through this one.
        image = image.convert("RGB").convert(mode)
    image = image.resize((wanted.width, wanted.height))
    if image.mode == "RGBA":
        paper = PIL.Image.new("RGBA", image.size, _WHITE)
        image = PIL.Image.alpha_composite(paper, image).convert(mode)
    return np.asarray(image, dtype=np.float64)
