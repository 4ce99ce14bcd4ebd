from typing import Any

import msgspec
import pytest

from lading.bundle.declared import Declared, declare, declared_from, read_declared
from lading.bundle.image import DeclaredImage
from lading.bundle.manifest import Manifest, decode_manifest, encode_manifest
from lading.errors import BundleError, SettingsError
from lading.schema.fields import Field, Image, Interval, Output, Schema


def schema(count: int = 4, **rest: Any) -> Schema:
    return Schema(
        "classification", tuple(Field(f"x{place}", **rest) for place in range(count)), (Output("prediction"),)
    )


def declared(size: str = "2x2", *, gray: bool = True, **rest: Any) -> Schema:
    return declare(schema(**rest), Declared(image=DeclaredImage(size, gray)))


def test_columns_become_pixels_of_any_level():
    found = declare(schema(kind="int", dtype="int64"), Declared(image=DeclaredImage("2x2", True, True, (0.0, 1.0))))
    assert found.image == Image(2, 2, gray=True, invert=True, scale=(0.0, 1.0))
    assert {(field.kind, field.dtype, field.seen) for field in found.inputs} == {
        ("float", "float64", Interval(0.0, 1.0))
    }


def test_options_and_lading_toml_say_the_same():
    by_option = declared_from(image="28x28", gray=True, invert=True, scale="0..1")
    by_table = read_declared({"image": {"size": "28x28", "gray": True, "invert": True, "scale": [0, 1]}})
    assert by_option.image == by_table.image == DeclaredImage("28x28", True, True, (0.0, 1.0))


def test_single_precision_stays():
    assert {field.dtype for field in declared(dtype="float32").inputs} == {"float32"}


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("2x3", "an image of 2x3 in gray has 6 numbers, the model takes 4"),
        ("28", "the size of an image"),
        ("2x2x1", "the size of an image"),
        ("0x4", "1 to 4096 pixels"),
        ("9999x1", "1 to 4096 pixels"),
        ("\u0662x2", "the size of an image"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(size: str, words: str):
    with pytest.raises(SettingsError, match=words):
        declared(size)


@pytest.mark.parametrize("rest", [{"kind": "text", "dtype": "str"}, {"domain": (1.0, 2.0)}])
def test_columns_that_are_no_plain_numbers_are_no_pixels(rest: Any):
    with pytest.raises(SettingsError, match="`x0` is not a plain number"):
        declared(**rest)


@pytest.mark.parametrize("scale", [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf"))])
def test_a_scale_that_is_none_is_refused(scale: tuple[float, float]):
    with pytest.raises(SettingsError, match="the scale of an image"):
        declare(schema(), Declared(image=DeclaredImage("2x2", gray=True, scale=scale)))


def test_what_is_said_of_no_image_is_refused():
    with pytest.raises(SettingsError, match="said of an image"):
        declared_from(gray=True)
    with pytest.raises(SettingsError, match="unknown key `grey`"):
        read_declared({"image": {"size": "2x2", "grey": True}})


@pytest.mark.parametrize(
    "image", [Image(2, 3, gray=True), Image(-2, -2, gray=True), Image(2, 2, True, False, (1.0, 0.0))]
)
def test_a_manifest_whose_image_does_not_fit_is_refused(image: Image):
    manifest = Manifest(name="m", version="1", flavor="f", model="model/m", class_name="M", model_schema=declared())
    assert decode_manifest(encode_manifest(manifest)) == manifest
    broken = msgspec.structs.replace(manifest, model_schema=msgspec.structs.replace(declared(), image=image))
    with pytest.raises(BundleError):
        decode_manifest(encode_manifest(broken))
