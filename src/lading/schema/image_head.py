"""What of an image file is not its picture, left out before it is read: words, color profiles and notes.

A few bytes of these make a reader of images take a lot of memory, or time, without a pixel being decoded. What is kept
is what the picture needs: of a PNG its pixels, palette, transparency and orientation; of a JPEG everything but the
segments of applications, of which the first orientation and the color model of the inks stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"acTL"})
"""Of PNG (https://www.w3.org/TR/png-3/); the last says that it is moving."""
_MAX_EXIF_BYTES = 1 << 16
_APPLICATIONS = range(0xE0, 0xF0)
_ORIENTATION, _INKS, _COMMENT, _SCAN = 0xE1, 0xEE, 0xFE, 0xDA
_FILL = re.compile(rb"\xff+")


def picture_only(data: bytes) -> bytes:
    """The file without what is not its picture; of other formats, and what is broken, as it is."""
    if data.startswith(_PNG):
        return _PNG + b"".join(_chunks(data))
    return _JPEG + b"".join(_segments(data)) if data.startswith(_JPEG) else data


def _chunks(data: bytes) -> Iterator[bytes]:
    """The chunks of a PNG that are kept: length, kind, data, checksum."""
    place, exif = len(_PNG), 0
    while place + 12 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        exif += kind == b"eXIf"
        if kind in _CHUNKS and (kind != b"eXIf" or (exif == 1 and length <= _MAX_EXIF_BYTES)):
            yield data[place : place + 12 + length]
        place += 12 + length
    yield data[place:]


def _segments(data: bytes) -> Iterator[bytes]:
    """The segments of a JPEG that are kept (ITU-T T.81, B.1), and everything from the first scan on."""
    place, exif = len(_JPEG), 0
    while (found := _FILL.match(data, place)) is not None and found.end() + 3 <= len(data):
        mark, length = data[found.end()], int.from_bytes(data[found.end() + 1 : found.end() + 3])
        if mark == _SCAN or length < 2:
            break
        end = found.end() + 1 + length
        exif += mark == _ORIENTATION
        is_kept = mark == _INKS or (mark == _ORIENTATION and exif == 1)
        if is_kept or (mark not in _APPLICATIONS and mark != _COMMENT):
            yield b"\xff" + data[found.end() : end]
        place = end
    yield data[place:]
