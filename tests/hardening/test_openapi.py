"""Case T071: whatever our own OpenAPI document leads to, and what it does not, is answered as the document says."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from tests.conftest import SCALE

from .oracle import CANARY, Watched, under_oracle

OPERATIONS = (
    ("POST", "/predict"),
    ("GET", "/predict"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metadata"),
    ("GET", "/schema"),
)
FITS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
"""What every answer is held against; that none is from 500 on, the oracle says too."""
EXAMPLES = 800 if SCALE == "full" else 20
WAIT_S = 60


@pytest.fixture(autouse=True)
def _judged(watched: Watched) -> Iterator[None]:
    with under_oracle(watched):
        yield


class Asker:
    """A client of a server, and the server's own document."""

    def __init__(self, watched: Watched) -> None:
        self.url = watched.server.url
        self.session = requests.Session()
        self.fields = dict(watched.fields)
        status, _, document = watched.ask("GET", "/openapi.json")
        assert status == 200
        self.document = json.loads(document)
        # Nobody's credentials are made up: who asks is known, or is not, as each test says.
        config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
        self._schema = schemathesis.openapi.from_dict(self.document, config=config)
        self.cases = cache(self._cases)

    def _cases(self, method: str, path: str, mode: GenerationMode) -> st.SearchStrategy[Any]:
        return self._schema[path][method].as_strategy(generation_mode=mode)

    def send(self, case: Any, **fields: str) -> Any:
        """The answer to a case, from somebody with these fields."""
        return case.call(base_url=self.url, session=self.session, headers=fields, timeout=WAIT_S)

    def post(self, body: bytes, kind: str) -> requests.Response:
        """The answer to any bytes."""
        fields = self.fields | {"Content-Type": kind}
        return self.session.post(f"{self.url}/predict", body, headers=fields, timeout=WAIT_S)

    def close(self) -> None:
        self.session.close()


@pytest.fixture(scope="session")
def asker(watched: Watched) -> Iterator[Asker]:
    asker = Asker(watched)
    yield asker
    asker.close()


def examples(test: Callable[..., None]) -> Any:
    """Tried as often as the scale says."""
    return settings(max_examples=EXAMPLES)(given(st.data())(test))


def test_t071_every_operation_is_tried(asker: Asker):
    told = {(method.upper(), path) for path, each in asker.document["paths"].items() for method in each}
    assert told == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@examples
def test_t071_what_the_document_tells_of_is_answered_as_it_says(asker: Asker, method: str, path: str, data: Any):
    case = data.draw(asker.cases(method, path, GenerationMode.POSITIVE))
    answer = asker.send(case, **asker.fields)
    assert answer.status_code < 500
    case.validate_response(answer, checks=FITS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS[:2])
@examples
def test_t071_what_it_does_not_tell_of_is_refused_as_it_says(asker: Asker, method: str, path: str, data: Any):
    case = data.draw(asker.cases(method, path, GenerationMode.NEGATIVE))
    answer = asker.send(case, **asker.fields)
    assert answer.status_code < 500
    case.validate_response(answer, checks=FITS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@examples
def test_t071_who_is_not_known_gets_nothing(asker: Asker, method: str, path: str, data: Any):
    if not asker.fields or path in ("/health", "/ready"):
        pytest.skip("everybody may ask that")
    case = data.draw(asker.cases(method, path, GenerationMode.POSITIVE))
    answer = asker.send(case)
    assert (answer.status_code, answer.json()["code"]) == (401, "access.unauthenticated")
    case.validate_response(answer, checks=FITS)


# --- bodies of any bytes

KINDS = ("application/json", "text/csv", "application/x+json", "text/plain", "multipart/form-data; boundary=b", "a")
WORDS = st.text(max_size=4).map(lambda text: f"{CANARY}{text}")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "note", "y"]), inner, max_size=3),
    max_leaves=6,
)
SHAPES = st.sampled_from(["%s", "[%s]", '{"instances":[%s]}', '{"X":[%s]}', '{"columns":["x","note"],"data":[%s]}'])
BODIES = st.binary(max_size=60) | st.builds(lambda shape, value: (shape % json.dumps(value)).encode(), SHAPES, VALUES)
FRAMES = st.sampled_from(
    [b"%b", b"x,note\n1,%b\n", b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n%b\r\n--b--\r\n']
)


@examples
def test_t071_any_bytes_are_answered_and_nothing_of_them_comes_back(asker: Asker, data: Any):
    body = data.draw(FRAMES) % data.draw(BODIES)
    answer = asker.post(body, data.draw(st.sampled_from(KINDS)))
    told = asker.document["paths"]["/predict"]["post"]["responses"]
    assert CANARY not in answer.text
    assert answer.status_code < 500
    kind = answer.headers["content-type"]
    schema = told[str(answer.status_code)]["content"][kind]["schema"] | {"components": asker.document["components"]}
    assert list(Draft202012Validator(schema).iter_errors(answer.json())) == []
