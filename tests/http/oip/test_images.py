"""Images as tensors: of pixels, in each shape that clients give them, or of files in base64."""

import base64
from typing import Any

import pytest
from sklearn.datasets import load_digits

from .conftest import tensor

Client = Any

PATH = "/v2/models/digits/infer"
LEVELS = load_digits().images[7]


@pytest.mark.parametrize("shape", [(1, 64), (1, 8, 8), (1, 8, 8, 1)])
@pytest.mark.parametrize("is_nested", [True, False])
def test_pixels_are_the_columns(digits_client: Client, shape: tuple[int, ...], is_nested: bool):
    data = (LEVELS.reshape(shape) if is_nested else LEVELS.ravel()).tolist()
    sent = tensor("input-0", data, shape=list(shape), datatype="FP32")
    answer = digits_client.post(PATH, json={"inputs": [sent]}).json()
    assert answer["outputs"] == [tensor("digit", [7], datatype="INT64")]


@pytest.mark.parametrize(("shape", "is_nested"), [([2], False), ([2, 1], True)])
def test_files_are_images(digits_client: Client, seven: bytes, shape: list[int], is_nested: bool):
    text = base64.b64encode(seven).decode()
    sent = tensor("image", [[text]] * 2 if is_nested else [text] * 2, shape=shape, datatype="BYTES")
    assert digits_client.post(PATH, json={"inputs": [sent]}).json()["outputs"][0]["data"] == [7, 7]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (["", "!"], "inputs[0].data[0]: expected an image, got an empty file; inputs[0].data[1]: expected"),
        (["!"], "inputs[0].data[0]: expected an image in base64"),
        ([None], "inputs[0].data[0]: expected an image in base64"),
        ([3], "inputs[0].data[0]: expected an image in base64"),
    ],
)
def test_what_is_no_image_is_told_with_its_place(digits_client: Client, error_of: Any, data: list[Any], words: str):
    sent = tensor("image", data, datatype="BYTES")
    assert error_of(digits_client.post(PATH, json={"inputs": [sent]}), 400).startswith(words)


def test_an_image_of_another_size_is_no_row(digits_client: Client, error_of: Any):
    sent = tensor("input-0", [0] * 49, shape=[1, 7, 7])
    answer = digits_client.post(PATH, json={"inputs": [sent]})
    assert error_of(answer, 400) == "inputs[0].shape: expected 64 values a row, got 49"


def test_metadata_tell_of_one_tensor(digits_client: Client):
    told = digits_client.get("/v2/models/digits").json()
    assert told["inputs"] == [{"name": "X", "datatype": "FP64", "shape": [-1, 64]}]
