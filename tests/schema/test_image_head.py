"""What is no picture is left out of a file before anybody reads it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Picture
from tests.images import FORMATS, RAMP, moving, noise, saved

from lading.schema.image_head import picture_only


def pixels(file: bytes) -> np.ndarray:
    with Picture.open(io.BytesIO(file)) as image:
        return np.asarray(image)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def segment(mark: int, data: bytes) -> bytes:
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data


@pytest.mark.parametrize("format", FORMATS)
def test_the_pixels_stay_as_they_are(format: str):
    file = saved(noise().convert("RGB"), format)
    assert (pixels(picture_only(file)) == pixels(file)).all()


def test_inks_and_orientation_stay():
    inks = saved(Picture.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")
    assert (pixels(picture_only(inks)) == pixels(inks)).all()
    exif = Picture.Exif()
    exif[0x0112] = 6
    for format in ("JPEG", "PNG"):
        with Picture.open(io.BytesIO(picture_only(saved(RAMP, format, exif=exif)))) as image:
            assert image.getexif()[0x0112] == 6


def test_words_and_profiles_of_a_png_are_left_out():
    whole = saved(RAMP)
    bomb = zlib.compress(bytes(1 << 20))
    words = chunk(b"zTXt", b"a\0\0" + bomb) * 63 + chunk(b"iCCP", b"a\0\0" + bomb) * 9
    assert picture_only(whole[:33] + words + whole[33:]) == whole


def test_segments_of_applications_and_filling_of_a_jpeg_are_left_out():
    whole = saved(noise(), "JPEG")
    more = b"".join(segment(mark, b"Exif\0\0 and more") * 99 for mark in (0xE2, 0xE3, 0xFE)) + b"\xff" * 9999
    made = picture_only(whole[:2] + more + whole[2:])
    assert len(made) <= len(whole)
    assert (pixels(made) == pixels(whole)).all()
    assert picture_only(whole[:2] + segment(0xE1, b"x") * 9999 + whole[2:]).count(b"\xff\xe1") == 1


def test_what_is_moving_is_still_said_to_be():
    with Picture.open(io.BytesIO(picture_only(moving("PNG")))) as image:
        assert image.is_animated


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_what_breaks_off_is_no_error(length: int):
    for file in (saved(RAMP), saved(noise(), "JPEG")):
        assert len(picture_only(file[:length])) <= max(length, 8)
