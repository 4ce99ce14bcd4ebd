"""Whichever road a request of the protocols takes, its answer is the same, to the byte."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.conftest import make
from tests.http.roads import Road, Told

from .conftest import IRIS, matrix, tensor

PATHS = ("/v2/models/iris/infer", "/v2/models/iris/versions/1.0.0/infer", "/v1/models/iris:predict")
HEAD = "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
COLUMNS = [tensor(name, [1.5], datatype="FP32") for name in IRIS]
BODIES = [
    {"inputs": [matrix()]},
    {"inputs": [matrix()], "id": "mine", "outputs": [{"name": "prediction"}]},
    {"inputs": [matrix(name="X", parameters={"content_type": "np"})], "parameters": {"a": 1}},
    {"inputs": COLUMNS},
    {"inputs": COLUMNS[1:]},
    {"inputs": [*COLUMNS[1:], COLUMNS[0] | {"data": ["a"]}]},
    {"inputs": [matrix([[1, 2, 3]])]},
    {"inputs": [matrix() | {"datatype": "FP16"}]},
    {"inputs": [matrix()], "outputs": [{"name": "other"}]},
    {"instances": [[5.1, 3.5, 1.4, 0.2]]},
    {"instances": [[5.1, 3.5, 1.4, 50], dict.fromkeys(IRIS, 1)]},
    {"instances": [dict.fromkeys(IRIS, 1)], "signature_name": "a"},
    {"instances": []},
    {"instances": 3},
    {},
    3,
]
TEXTS = [json.dumps(body).encode() for body in BODIES] + [b"", b"[", b"\xff", b'{"inputs":[],"inputs":[]}', b"[" * 99]


@pytest.fixture(scope="module")
def roads(iris: Any) -> Iterator[tuple[asyncio.Runner, Road, Road]]:
    """The lane and the ordinary road, each before a service of its own."""
    with asyncio.Runner() as runner:
        yield runner, Road(make(iris), lane=True), Road(make(iris), lane=False)


def both(roads: Any, *portions: bytes) -> tuple[Told, Told]:
    runner, lane, ordinary = roads
    return tuple(runner.run(road.tell(portions)) for road in (lane, ordinary))  # type: ignore[return-value]


def request(path: str, body: bytes, *fields: str) -> bytes:
    head = (HEAD % (path, len(body))).replace("Host: x\r\n", "".join(f"{field}\r\n" for field in ("Host: x", *fields)))
    return head.encode() + body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", TEXTS)
def test_each_request_gets_the_same_answer(roads: Any, path: str, body: bytes):
    lane, ordinary = both(roads, request(path, body))
    assert lane == ordinary
    assert lane.data.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(("path", "body"), list(zip(PATHS, (TEXTS[0], TEXTS[1], TEXTS[9]), strict=True)))
def test_a_plain_request_takes_the_lane(roads: Any, monkeypatch: pytest.MonkeyPatch, path: str, body: bytes):
    runner, lane, _ = roads
    monkeypatch.setattr(lane.config, "loaded_app", None)  # whoever took the ordinary road would fail
    for text, status in ((body, b"200 OK"), (b"{}", b"400 Bad Request")):
        told = runner.run(lane.tell([request(path, text)]))
        assert told.data.startswith(b"HTTP/1.1 " + status + b"\r\ndate: now\r\n")


FIELDS = st.sampled_from(
    [
        *("Accept: */*", "Accept: text/csv", "Connection: close", "Content-Encoding: gzip", "Expect: 100-continue"),
        *("X-Request-ID: mine", "X-Correlation-ID: group", "X-Request-Timeout-Ms: 1000", "X-Request-Timeout-Ms: soon"),
        *("Host: y", "Content-Type: text/csv", "Transfer-Encoding: chunked", "X-Strange: \xff"),
    ]
)
TARGETS = [*PATHS, "/predict", "/v2/models/iris/infer?a=b", "/v2/models/other/infer", "/v2/models/%69ris/infer", "/v2"]
REQUESTS = st.builds(
    lambda path, body, fields: request(path, body, *fields),
    st.sampled_from(TARGETS),
    st.sampled_from(TEXTS),
    st.lists(FIELDS, max_size=2),
)


@given(requests=st.lists(REQUESTS, min_size=1, max_size=3), cuts=st.lists(st.floats(0, 1), max_size=3))
def test_any_requests_get_the_same_answers(roads: Any, requests: list[bytes], cuts: list[float]):
    data = b"".join(requests)
    places = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
    portions = [data[start:stop] for start, stop in pairwise(places) if stop > start]
    lane, ordinary = both(roads, *portions)
    assert lane == ordinary


def test_dialects_take_turns_on_one_connection(roads: Any):
    native = request("/predict", json.dumps({"X": [[5.1, 3.5, 1.4, 0.2]]}).encode())
    requests = [native, request(PATHS[0], TEXTS[0]), request(PATHS[2], TEXTS[9]), native, request(PATHS[1], TEXTS[3])]
    for portions in (requests, [b"".join(requests)]):
        lane, ordinary = both(roads, *portions)
        assert lane == ordinary
        assert lane.data.count(b"HTTP/1.1 200 OK") == 5


def test_each_is_counted_on_its_own_route(roads: Any):
    runner, lane, _ = roads
    counted = []
    close_all = lane.accounts.close_all
    lane.accounts.close_all = lambda them, route, method: (counted.append(route), close_all(them, route, method))
    for path, body in zip(PATHS, (TEXTS[0], TEXTS[0], TEXTS[9]), strict=True):
        runner.run(lane.tell([request(path, body)]))
    del lane.accounts.close_all
    assert counted == [
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}/infer",
        "/v1/models/{name}:predict",
    ]
