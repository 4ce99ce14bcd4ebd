import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image as Picture
from tests.conftest import SCALE
from tests.images import FORMATS, RAMP, moving, noise, png, said_to_be, saved

from lading.errors import InputError, TooLarge
from lading.schema.decode import Decoded, Decoder, Limits
from lading.schema.fields import Field, Image, Output, Schema

GRAY = Image(28, 28, gray=True)


def decoder(image: Image = GRAY, **limits: int) -> Decoder:
    fields = tuple(Field(f"x{place}") for place in range(image.columns))
    return Decoder(Schema("classification", fields, (Output("prediction"),), image=image), Limits(**limits))


def pixels(file: bytes, image: Image = GRAY) -> Any:
    """The row of an image file, as the image that it is of."""
    (row,) = decoder(image).images([file], is_single=True).rows
    return np.array(row).reshape(image.height, image.width, image.channels).squeeze()


def problems(*files: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        decoder().images(files, is_single=False)
    return [(problem.pointer, problem.code) for problem in caught.value.problems]


def in_json(value: Any) -> Decoded:
    return decoder().json(msgspec.json.encode(value))


def in_base64(file: bytes) -> str:
    return base64.b64encode(file).decode()


# --- pixels


def test_an_image_of_the_right_size_is_its_pixels():
    assert (pixels(saved(RAMP)) == RAMP).all()


def test_what_is_dark_becomes_light_in_the_scale_that_is_asked_for():
    row = pixels(saved(RAMP), Image(28, 28, gray=True, invert=True, scale=(-1.0, 1.0)))
    assert row == pytest.approx((255 - RAMP.astype(float)) * 2 / 255 - 1)


def test_the_colors_of_a_pixel_stand_side_by_side():
    row = pixels(saved(Picture.new("RGB", (2, 2), (10, 20, 30))), Image(2, 2))
    assert row.shape == (2, 2, 3)
    assert (row == [10, 20, 30]).all()


def test_an_image_of_another_size_is_resized_as_pillow_does_it():
    assert (pixels(saved(noise())) == np.asarray(noise().resize((28, 28)))).all()


@pytest.mark.parametrize("format", FORMATS)
def test_formats_are_told_by_content(format: str):
    assert pixels(saved(noise().convert("RGB"), format)).std() > 10


@pytest.mark.parametrize(
    ("picture", "level"),
    [
        (Picture.new("1", (9, 9), 1), 255),
        (Picture.new("LA", (9, 9), (0, 0)), 255),
        (Picture.new("LA", (9, 9), (0, 128)), 127),
        (Picture.new("RGBA", (9, 9), (0, 0, 0, 0)), 255),
        (Picture.new("RGBA", (9, 9), (7, 7, 7, 255)), 7),
        (Picture.fromarray(np.full((9, 9), 257 * 100, np.uint16)), 100),
        (Picture.new("RGB", (9, 9), (102, 102, 102)).convert("P"), 102),
    ],
)
def test_other_modes_become_gray_and_what_is_transparent_is_white(picture: Any, level: int):
    assert pixels(saved(picture)) == pytest.approx(level, abs=1)


def test_a_color_of_a_palette_may_be_transparent():
    picture = Picture.new("P", (9, 9), 3)
    picture.putpalette([0] * 30)
    assert (pixels(saved(picture, transparency=3)) == 255).all()


def test_inks_become_light():
    assert (pixels(saved(Picture.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")) == 255).all()
    assert (pixels(saved(Picture.new("CMYK", (16, 16), (0, 0, 0, 255)), "JPEG")) == 0).all()


@pytest.mark.parametrize("levels", [RAMP, RAMP.astype(np.uint16) * 257])
def test_a_photograph_is_turned_upright(levels: Any):
    exif = Picture.Exif()
    exif[0x0112] = 6  # the orientation: to be turned by 90 degrees, clockwise (CIPA DC-008, 4.6.4)
    assert (pixels(saved(levels, exif=exif)) == np.rot90(RAMP, -1)).all()


def test_the_first_image_of_a_telephone_s_two_is_taken():
    picture = noise().convert("RGB")
    assert pixels(saved(picture, "MPO", save_all=True, append_images=[picture])).std() > 10


# --- what is refused


@pytest.mark.parametrize(
    "file",
    [
        b"%PDF-1.7\n1 0 obj\n",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"",
        b"7",
        saved(noise(), "TIFF"),
        saved(noise(), "PPM"),
        saved(noise(), "ICO"),
        saved(noise(), "JPEG")[:700],
        saved(noise())[:-300],
        png(0, 0),
        png(28, 28),
    ],
)
def test_what_is_no_whole_image_is_refused(file: bytes):
    assert problems(file) == [("/0", "image.unreadable")]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_moving_images_are_refused(format: str):
    assert problems(moving(format)) == [("/0", "image.frames")]


def test_so_many_images_that_are_refused_are_not_all_looked_at():
    with pytest.raises(InputError) as caught:
        decoder().images([moving("GIF")] * 5000, is_single=False)
    assert caught.value.total == 100


def test_every_problem_is_told():
    assert problems(b"no", saved(RAMP), moving("GIF")) == [("/0", "image.unreadable"), ("/2", "image.frames")]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "GIF"])
def test_an_image_of_too_many_pixels_is_not_decoded(format: str):
    with pytest.raises(TooLarge, match="more than 40000000 pixels"):
        decoder().images([said_to_be(format, 65500, 65500)], is_single=True)


def test_a_webp_has_at_most_16383_pixels_a_side_and_those_are_too_many():
    with pytest.raises(TooLarge):
        decoder().images([said_to_be("WEBP", 16383, 16383)], is_single=True)


@pytest.mark.parametrize(("width", "height"), [(39_999_999, 1), (1, 39_999_999)])
def test_an_image_that_is_very_long_is_not_decoded(width: int, height: int):
    """To resize it would take memory for each pixel of its side, and hold everybody up."""
    with pytest.raises(TooLarge):
        decoder().images([png(width, height, depth=1)], is_single=True)


def test_a_compressed_bmp_which_is_decoded_in_python_is_refused():
    file = bytearray(saved(noise(), "BMP"))
    file[30:34] = (1).to_bytes(4, "little")  # biCompression: BI_RLE8
    assert problems(bytes(file)) == [("/0", "image.unreadable")]


def test_the_images_of_a_request_are_bounded_together():
    one = saved(noise(100, 100))
    assert len(decoder(max_image_pixels=30_000).images([one] * 3, is_single=False).rows) == 3
    with pytest.raises(TooLarge):
        decoder(max_image_pixels=30_000).images([one] * 4, is_single=False)


def test_a_jpeg_that_goes_over_its_pixels_again_and_again_costs_as_many():
    file = saved(noise(100, 100), "JPEG", progressive=True)
    again = file + b"\xff\xda" * 16 * 4
    assert len(decoder(max_image_pixels=30_000).images([file], is_single=True).rows) == 1
    with pytest.raises(TooLarge):
        decoder(max_image_pixels=30_000).images([again], is_single=True)


def test_there_are_at_most_so_many_images_in_a_request():
    with pytest.raises(TooLarge):
        decoder(max_rows=2).images([saved(RAMP)] * 3, is_single=False)
    with pytest.raises(InputError):
        decoder().images([], is_single=False)


def test_no_broken_file_does_more_than_be_refused_and_memory_is_bounded():
    script = Path(__file__).with_name("image_fuzz.py")
    count = 100_000 if SCALE == "full" else 3000
    done = subprocess.run([sys.executable, str(script), str(count)], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    tried, refused, largest, more = map(int, done.stdout.split())
    assert tried > count
    assert tried / 2 < refused < tried
    # The largest that is taken has 160 MB in four channels, of which Pillow needs a second copy.
    assert largest < 600
    assert more < 100


# --- in JSON


@pytest.mark.parametrize(
    "form", [lambda text: text, lambda text: f"data:image/png;base64,{text}", lambda text: {"b64": text}]
)
def test_an_image_in_json_is_one_row(form: Any):
    decoded = in_json({"image": form(in_base64(saved(RAMP)))})
    assert decoded.is_single
    assert (np.array(decoded.rows[0]) == RAMP.reshape(-1)).all()


@pytest.mark.parametrize(
    "form",
    [
        lambda text: [{"image": text}] * 2,
        lambda text: [text, text],
        lambda text: {"instances": [{"b64": text}, {"image": {"b64": text}}]},
        lambda text: {"instances": [text, text]},
    ],
)
def test_images_in_json_are_rows(form: Any):
    decoded = in_json(form(in_base64(saved(RAMP))))
    assert not decoded.is_single
    assert len(decoded.rows) == 2


def test_pixels_may_be_sent_as_numbers():
    row = RAMP.reshape(-1).tolist()
    assert len(in_json({"X": [row, row]}).rows) == 2
    assert in_json(dict(zip((f"x{place}" for place in range(784)), row, strict=True))).is_single


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, [("", "schema.missing_column")]),
        ({"picture": "x"}, [("", "schema.missing_column")]),
        ({"image": "x", "y": 1}, [("", "schema.missing_column")]),
        ({"image": 4}, [("", "schema.wrong_type")]),
        ({"image": None}, [("", "schema.wrong_type")]),
        ({"image": "%%%"}, [("", "image.encoding")]),
        ({"image": "AAAA"}, [("", "image.unreadable")]),
        ([{"image": "AAAA"}, 3], [("/0", "image.unreadable"), ("/1", "schema.wrong_type")]),
        ({"instances": [{"b64": "AA"}]}, [("/instances/0", "image.encoding")]),
    ],
)
def test_what_is_wrong_is_told_with_its_place(value: Any, told: list[tuple[str, str]]):
    with pytest.raises(InputError) as caught:
        in_json(value)
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == told
    assert {problem.column for problem in caught.value.problems} == {"image"}


def test_base64_may_have_line_ends():
    wrapped = "\n".join(map("".join, zip(*[iter(in_base64(saved(RAMP)))] * 4, strict=True)))
    assert (np.array(in_json({"image": wrapped}).rows[0]) == RAMP.reshape(-1)).all()
