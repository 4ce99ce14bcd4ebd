"""Images over HTTP: forms, bodies and JSON, and whatever else somebody calls an image."""

import asyncio
import base64
import io
import threading
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from tests.images import FORMATS, moving, noise, said_to_be, saved

import lading
from lading.schema import images

from .conftest import Client, make

PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> lading.Model:
    """A classifier of digits of 8x8 pixels from 0 to 16, white on black; asked with ink on paper."""
    folder = tmp_path_factory.mktemp("digits")
    model = SGDClassifier(random_state=0).fit(*load_digits(return_X_y=True))
    joblib.dump(model, folder / "digits.pkl.gz")
    image = {"size": "8x8", "gray": True, "invert": True, "scale": [0, 16]}
    packed = lading.pack(folder / "digits.pkl.gz", path=folder / "digits.lading", image=image, output="digit")
    return lading.load(packed.path)


@pytest.fixture
def client(digits: lading.Model, connect: Callable[..., Client]) -> Client:
    return connect(make(digits))


def drawn(place: int) -> bytes:
    """One of the digits as ink on paper: each of its levels comes back exactly."""
    levels = load_digits().images[place]
    return saved(np.round(255 - levels * 255 / 16).astype(np.uint8))


SEVEN = drawn(7)


@pytest.mark.parametrize(
    "sent",
    [
        {"files": {"file": ("7.png", SEVEN, "image/png")}},
        {"files": {"any name": ("7", SEVEN)}},
        {"content": SEVEN, "headers": PNG},
        {"content": SEVEN, "headers": {"content-type": "image/jpeg"}},
        {"json": {"image": base64.b64encode(SEVEN).decode()}},
    ],
)
def test_one_image_is_one_answer(client: Client, sent: dict[str, Any]):
    answer = client.post("/predict", **sent)
    assert (answer.status_code, answer.json()) == (200, {"digit": 7})


@pytest.mark.parametrize(
    "sent",
    [
        {"files": [("a", ("a.png", drawn(1))), ("a", ("b.png", drawn(2)))]},
        {"json": [{"image": base64.b64encode(drawn(place)).decode()} for place in (1, 2)]},
    ],
)
def test_several_images_are_several_answers(client: Client, sent: dict[str, Any]):
    assert client.post("/predict", **sent).json() == {"digit": [1, 2]}


def test_over_http_the_accuracy_is_the_model_s_own(client: Client, digits: lading.Model):
    levels, labels = load_digits(return_X_y=True)
    files = [("file", (f"{place}.png", drawn(place))) for place in range(500)]
    answers = client.post("/predict", files=files).json()["digit"]
    own = digits.predict(levels[:500].tolist())
    assert answers == own.tolist()
    assert np.mean(answers == labels[:500]) > 0.9


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"%PDF-1.7", "application/pdf", 415, "input.content_type"),
        (b"<svg/>", "image/svg+xml", 415, "input.content_type"),
        (b"%PDF-1.7", "image/png", 422, "schema.invalid"),
        (saved(noise(), "JPEG")[:700], "image/jpeg", 422, "schema.invalid"),
        (moving("GIF"), "image/gif", 422, "schema.invalid"),
        (said_to_be("PNG", 65500, 65500), "image/png", 413, "input.too_large"),
        (said_to_be("JPEG", 65500, 65500), "image/jpeg", 413, "input.too_large"),
        (b"", "image/png", 422, "schema.invalid"),
    ],
)
def test_what_is_no_image_is_refused(client: Client, body: bytes, kind: str, status: int, code: str):
    answer = client.post("/predict", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_each_file_that_is_no_image_is_named(client: Client):
    files = [("f", ("a.pdf", b"%PDF")), ("f", ("b.png", SEVEN)), ("f", ("c.svg", b"<svg/>"))]
    answer = client.post("/predict", files=files)
    assert answer.status_code == 422
    assert [problem["row"] for problem in answer.json()["errors"]] == [0, 2]


def test_a_model_of_columns_takes_no_images(double: Any, connect: Callable[..., Client]):
    answer = connect(make(double)).post("/predict", content=SEVEN, headers=PNG)
    assert (answer.status_code, answer.json()["detail"]) == (415, "this model takes no images")


HEADS = st.builds(
    lambda file, changes, end: bytes(_changed(file, changes))[:end],
    st.sampled_from([saved(noise(16, 16).convert("RGB"), format) for format in FORMATS])
    | st.builds(said_to_be, st.sampled_from(FORMATS), *[st.sampled_from([0, 1, 28, 6000, 16383, 65500])] * 2),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=6),
    st.none() | st.integers(0, 200),
)
"""Files whose heads say anything."""


def _changed(file: bytes, changes: list[tuple[int, int]]) -> bytearray:
    changed = bytearray(file)
    for place, value in changes:
        changed[place % len(changed)] = value
    return changed


@given(st.lists(HEADS, min_size=1, max_size=3))
def test_no_head_is_answered_with_an_error_of_the_service(asked: Callable[[list[bytes]], int], files: list[bytes]):
    assert asked(files) in (200, 413, 422)


@pytest.fixture(scope="module")
def asked(digits: lading.Model) -> Callable[[list[bytes]], int]:
    """The status of the answer to images in a form."""
    app = make(digits)

    def status(files: list[bytes]) -> int:
        client = Client(app.asgi)
        try:
            return client.post("/predict", files=[("f", ("f.png", file)) for file in files]).status_code
        finally:
            client.close()

    return status


def test_probes_are_answered_while_an_image_is_decoded(
    digits: lading.Model, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
):
    begun, go_on = threading.Event(), threading.Event()
    decode = images.ImageFile.pixels

    def slowly(file: Any, wanted: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return decode(file, wanted)

    monkeypatch.setattr(images.ImageFile, "pixels", slowly)
    client = connect(make(digits))

    async def meanwhile() -> list[int]:
        asking = asyncio.create_task(client._client.post("/predict", content=SEVEN, headers=PNG))
        await asyncio.to_thread(begun.wait, 20)
        health = await client._client.get("/health")
        go_on.set()
        return [health.status_code, (await asking).status_code]

    assert client.run(meanwhile()) == [200, 200]


def test_no_image_takes_the_lane(digits: lading.Model, double: Any):
    """There a body is decoded in the event loop, and an image takes as long as its size says."""
    with_images, without = (make(model) for model in (digits, double))
    assert (with_images.service.is_quick, without.service.is_quick) == (False, True)


def test_the_page_and_the_schema_tell_of_the_image(client: Client):
    assert "-F file=@image.png" in client.get("/").text
    assert client.get("/schema").json()["image"]["width"] == 8
    content = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "image/png", "application/json"} <= set(content)


def test_a_large_picture_is_brought_to_size(client: Client):
    large = Picture.open(io.BytesIO(SEVEN)).resize((800, 800), Picture.Resampling.NEAREST)
    assert client.post("/predict", files={"f": saved(large, "JPEG")}).json() == {"digit": 7}
