"""Image files for tests: real ones in every format and mode, and ones that lie about themselves."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
RAMP = np.arange(784, dtype=np.uint8).reshape(28, 28)
"""28x28 levels, no two neighbors alike."""


def saved(image: Any, format: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image, or of an array of levels, in a format."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def noise(width: int = 64, height: int = 48) -> Image.Image:
    """A picture in gray that compresses badly; always the same."""
    levels = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    return Image.fromarray(levels)


def moving(format: str) -> bytes:
    """Two frames."""
    return saved(noise().convert("RGB"), format, save_all=True, append_images=[noise().convert("RGB").rotate(9)])


def png(width: int, height: int, depth: int = 8, color: int = 0, data: bytes = b"") -> bytes:
    """A PNG that says it has so many pixels, and holds next to none (https://www.w3.org/TR/png-3/)."""
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, data = chunk
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def said_to_be(format: str, width: int, height: int) -> bytes:
    """A small file of a format whose head says another size; each side has 16 bits, of WebP 14 and of PNG 32."""
    if format == "PNG":
        return png(width, height)
    file = bytearray(saved(noise(), format, **({"lossless": True} if format == "WEBP" else {})))
    if format == "JPEG":
        place = file.index(b"\xff\xc0") + 5  # height and width in the frame's head (ITU-T T.81, B.2.2)
        file[place : place + 4] = struct.pack(">HH", height, width)
    elif format == "GIF":
        file[6:10] = struct.pack("<HH", width, height)  # the logical screen
    elif format == "BMP":
        file[18:26] = struct.pack("<ii", width, height)  # BITMAPINFOHEADER
    else:  # VP8L: 14 bits each, less one (RFC 9649, 3.4)
        file[21:25] = struct.pack("<I", (width - 1) & 0x3FFF | ((height - 1) & 0x3FFF) << 14)
    return bytes(file)
