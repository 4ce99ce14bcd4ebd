"""Request ids: the caller's own made harmless, or a new one; in the headers, in the body, in the log."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.http.ids import MAX_CHARS, harmless, ids_of

Client = Any
HARMLESS = re.compile(r"[A-Za-z0-9._:/@+=-]{0,128}")


def test_an_id_is_made_where_none_came():
    first, second = ids_of([]), ids_of([])
    assert re.fullmatch("[0-9a-f]{32}", first.request)
    assert first.request == first.correlation
    assert first != second


def test_the_callers_ids_are_taken():
    ids = ids_of([(b"x-request-id", b"mine"), (b"x-correlation-id", b"ours")])
    assert (ids.request, ids.correlation) == ("mine", "ours")


def test_a_correlation_alone_leaves_the_request_its_own_id():
    ids = ids_of([(b"x-correlation-id", b"ours")])
    assert ids.correlation == "ours"
    assert re.fullmatch("[0-9a-f]{32}", ids.request)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"5f0c7b7e-3a4e-4c55-9d2e-1b7f2f4f7a10", "5f0c7b7e-3a4e-4c55-9d2e-1b7f2f4f7a10"),
        (b"a\r\nSet-Cookie: x", "aSet-Cookie:x"),
        (b"\x1b[31mred\x1b[0m", "31mred0m"),
        (b"%s{}${jndi:ldap://x}", "sjndi:ldap://x"),
        ("ünïcode".encode(), "ncode"),
        (b"a" * 500, "a" * 128),
        (b"\0" * 600 + b"a", ""),
        (b"<script>", "script"),
        (b"", ""),
    ],
)
def test_what_could_mean_something_elsewhere_is_left_out(sent: bytes, kept: str):
    assert harmless(sent) == kept


@given(st.binary(max_size=1000))
def test_whatever_comes_is_harmless(sent: bytes):
    assert HARMLESS.fullmatch(harmless(sent))
    assert len(harmless(sent)) <= MAX_CHARS


def test_an_id_of_which_nothing_is_left_is_made_new():
    assert re.fullmatch("[0-9a-f]{32}", ids_of([(b"x-request-id", b"\r\n\x1b")]).request)


@pytest.mark.parametrize("path", ["/predict", "/health", "/metadata", "/openapi.json", "/metrics", "/", "/unheard-of"])
def test_every_answer_returns_the_ids(client: Client, path: str):
    answer = client.get(path, headers={"X-Request-ID": "mine-1", "X-Correlation-ID": "ours-2"})
    assert (answer.headers["x-request-id"], answer.headers["x-correlation-id"]) == ("mine-1", "ours-2")


def test_a_harmful_id_comes_back_harmless(client: Client):
    answer = client.post("/predict", json={"x": 1}, headers={"X-Request-ID": "a\x1b[31m %s {}"})
    assert answer.headers["x-request-id"] == answer.json()["id"] == "a31ms"


def test_a_refusal_has_the_id_too(client: Client, problem_of: Any):
    answer = client.post("/predict", json={"y": 1}, headers={"X-Request-ID": "mine"})
    assert problem_of(answer, 422, "schema.invalid")["id"] == "mine"
