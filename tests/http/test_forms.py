"""Forms: values that are filled in, files of rows, and everything that a form may be instead."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import BrokenInput, LadingError, TooLarge
from lading.http.multipart import boundary_of, parts_of

from .conftest import Client, make

BEGIN = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv; x=y\r\n\r\n'
END = b"\r\n--B--\r\n"


@pytest.fixture
def client(double: Any, connect: Callable[..., Client]) -> Client:
    return connect(make(double))


def test_parts_have_names_files_kinds_and_bytes():
    (part,) = parts_of(BEGIN + b"x\r\n\0--B" + END, b"B", max_parts=9)
    assert part == ("file", "a.csv", "text/csv", b"x\r\n\0--B")


def test_the_boundary_may_be_quoted():
    assert boundary_of(b'multipart/form-data; boundary="a b"') == b"a b"
    assert boundary_of(b"multipart/form-data") == b""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B",
        b"--B\r\n\r\n",
        BEGIN + b"x",
        (BEGIN + b"x" + END)[:-5],
        b"junk",
        BEGIN.replace(b"form-data", b"attachment") + b"x" + END,
        BEGIN.replace(b'name="file"; ', b"") + b"x" + END,
        BEGIN.replace(b'name="file"', b'name="\xff"') + b"x" + END,
        b"--B\r\n" + b"a: b\r\n" * 100 + b"\r\nx" + END,
        BEGIN.replace(b"a.csv", b";" * 99) + b"x" + END,
        BEGIN.replace(b"a.csv", b"a" * 2000) + b"x" + END,
    ],
)
def test_a_form_that_is_none_is_refused(body: bytes):
    with pytest.raises(BrokenInput, match="the form cannot be read"):
        parts_of(body, b"B", max_parts=9)


@pytest.mark.parametrize("boundary", [b"", b"B" * 300])
def test_a_boundary_that_is_none_is_refused(boundary: bytes):
    with pytest.raises(BrokenInput):
        parts_of(BEGIN + b"x" + END, boundary, max_parts=9)


def test_there_are_at_most_so_many_parts():
    one = BEGIN + b"x\r\n"
    assert len(parts_of(one * 9 + b"--B--\r\n", b"B", max_parts=9)) == 9
    with pytest.raises(TooLarge):
        parts_of(one * 10 + b"--B--\r\n", b"B", max_parts=9)


@given(st.lists(st.sampled_from([BEGIN, END, b"--B", b"\r\n", b"--", b"x", b"\r\n\r\n", b"a: b"]), max_size=12))
def test_whatever_comes_is_parts_or_refused(pieces: list[bytes]):
    try:
        parts = parts_of(b"".join(pieces), b"B", max_parts=5)
    except LadingError:
        return
    assert len(parts) <= 5


# --- what a form of a model of columns holds


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ({"files": {"x": (None, "1.5")}}, {"prediction": 3.0}),
        ({"files": {"file": ("rows.csv", b"x\n1\n2\n", "application/octet-stream")}}, {"predictions": [2.0, 4.0]}),
        ({"files": {"file": ("rows", b"x\n1\n", "text/csv")}}, {"predictions": [2.0]}),
        ({"files": {"file": ("row.json", b'{"x": 4}')}}, {"prediction": 8.0}),
    ],
)
def test_values_and_files_of_rows_are_taken(client: Client, sent: dict[str, Any], answer: dict[str, Any]):
    told = client.post("/predict", **sent)
    assert told.status_code == 200
    assert told.json() == answer | {"id": told.headers["x-request-id"]}


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ([("a", ("a.csv", b"x\n1\n")), ("b", ("b.csv", b"x\n1\n"))], 400, "input.form"),
        ([("a", ("a.csv", b"x\n1\n")), ("x", (None, "1"))], 400, "input.form"),
        ([("x", (None, b"\xff"))], 400, "input.form"),
        ([("x", (None, "1")), ("x", (None, "2"))], 400, "input.duplicate_key"),
        ([("x", (None, "long"))], 422, "schema.invalid"),
        ([("a", ("a.exe", b"MZ"))], 415, "input.content_type"),
        ([("a", ("a.pkl", b"\x80\x05."))], 415, "input.content_type"),
        ([("a", ("a.png", b"\x89PNG", "image/png"))], 415, "input.content_type"),
    ],
)
def test_other_forms_are_refused(client: Client, files: Any, status: int, code: str):
    told = client.post("/predict", files=files)
    assert (told.status_code, told.json()["code"]) == (status, code)


def test_a_file_is_named_by_nobody(client: Client, caplog: pytest.LogCaptureFixture):
    """No word of a form gets into answers or logs."""
    told = client.post("/predict", files={"canary": ("../canary.csv", io.BytesIO(b"canary\n1\n"), "text/csv")})
    assert told.status_code == 422
    assert "canary" not in caplog.text
    broken = client.post(
        "/predict", content=b"canary" * 9, headers={"content-type": "multipart/form-data; boundary=canary"}
    )
    assert broken.status_code == 400
    assert "canary" not in broken.text + caplog.text
