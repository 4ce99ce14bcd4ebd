"""No case is one that cannot fail: for each there is a service that does not keep it, and a sentence that says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.testing.relay import Spoil, answering, spoiled

from lading.errors import CheckFailed
from lading.remote.wire import Reply, Request, ask
from lading.testing import Case, contract

STATUS_ONLY = {"GET /health", "GET /ready"}


def changed(**members: Any) -> Spoil:
    """Every JSON object that is answered says something else; what is None is left out."""

    def spoil(request: Request, reply: Reply) -> Reply:
        told = {name: value for name, value in (reply.object | members).items() if value is not None}
        return msgspec.structs.replace(reply, body=msgspec.json.encode(told))

    return spoil


def each_problem(**members: Any) -> Spoil:
    """Every problem with an input says something else."""

    def spoil(request: Request, reply: Reply) -> Reply:
        return changed(errors=[problem | members for problem in reply.problems])(request, reply)

    return spoil


def status(code: int) -> Spoil:
    return lambda request, reply: msgspec.structs.replace(reply, status=code)


def header(name: str, value: str) -> Spoil:
    return lambda request, reply: msgspec.structs.replace(reply, headers={**reply.headers, name: value})


def only(is_meant: Callable[[Request], bool], spoil: Spoil) -> Spoil:
    return lambda request, reply: spoil(request, reply) if is_meant(request) else reply


def at(path: str, spoil: Spoil) -> Spoil:
    return only(lambda request: request.path == path, spoil)


def is_csv(request: Request) -> bool:
    return b"{" not in (request.body or b"")


def is_split(request: Request) -> bool:
    return b'"columns"' in (request.body or b"")


def is_one(request: Request) -> bool:
    return (request.body or b"").startswith(b"{") and not is_split(request)


def first_problem_only(request: Request, reply: Reply) -> Reply:
    return changed(errors=reply.problems[:1])(request, reply)


def one_answer_less(request: Request, reply: Reply) -> Reply:
    return changed(predictions=reply.object["predictions"][:-1])(request, reply)


def halves(request: Request, reply: Reply) -> Reply:
    told = {name: share / 2 for name, share in reply.object["probabilities"].items()}
    return changed(probabilities=told)(request, reply)


def echo(request: Request, reply: Reply) -> Reply:
    return msgspec.structs.replace(reply, body=reply.body + (request.body or b""))


SPOILED: list[tuple[str, Spoil, str]] = [
    ("GET /health", status(500), "expected 200; got 500"),
    ("GET /ready", status(503), "expected 200; got 503"),
    ("documents", at("/schema", changed(unused=["more"])), "got another schema from /schema"),
    ("documents", at("/schema", status(404)), "got 404"),
    ("documents", at("/metadata", changed(route="/elsewhere")), "got another route in /metadata"),
    ("documents", at("/metadata", changed(inputs=[])), "got other columns in /metadata"),
    ("documents", at("/openapi.json", changed(paths={})), "got no POST /predict in /openapi.json"),
    ("documents", at("/openapi.json", changed(components={})), "got no column `age` in /openapi.json"),
    ("documents", at("/openapi.json", changed(info={})), "got another name in /openapi.json"),
    ("the bundle", changed(digest="sha256:0"), "got another digest: another bundle is served there"),
    ("one row", changed(prediction="moves"), "got 200 with a prediction that is not of this kind"),
    ("one row", changed(prediction=None), "got 200 without `prediction`"),
    ("one row", header("x-request-id", ""), "got 200 without the header x-request-id"),
    ("ids", header("x-correlation-id", "mine"), "got 200 with another x-correlation-id"),
    ("rows as a list", one_answer_less, "got 200 with 4 predictions"),
    ("rows as a list", changed(predictions=[1] * 5), "got 200 with a prediction that is not of this kind"),
    ("rows as CSV", only(is_csv, changed(predictions=["stays"] * 5)), "got 200 with other answers"),
    ("rows as CSV", only(is_csv, status(415)), "got 415"),
    ("rows as columns and data", only(is_split, changed(predictions=["leaves"] * 5)), "got 200 with other answers"),
    ("rows alone", only(is_one, changed(prediction="stays")), "got 200 with other answers"),
    ("one row by GET", only(lambda r: r.method == "GET", status(405)), "got 405"),
    ("probabilities", halves, "got 200 with probabilities that do not sum to 1"),
    ("probabilities", changed(probabilities={"stays": 1.0}), "got 200 with probabilities that have other names"),
    ("golden rows", changed(predictions=["stays"] * 50), "row "),
    ("golden rows", changed(probabilities=[{"leaves": 0.5, "stays": 0.5}] * 50), "row "),
    ("golden rows", changed(probabilities=None), "got 200 without all the probabilities"),
    ("age: missing", status(200), "expected 422 schema.missing_column for `age`; got 200"),
    ("age: missing", each_problem(column="income"), "got 422 schema.invalid (schema.missing_column for `income`)"),
    ("visits: null", each_problem(code="schema.wrong_type"), "got 422 schema.invalid (schema.wrong_type for `visits`)"),
    ("city: null", status(422), "expected an answer, because the schema takes null there; got 422"),
    ("has_car: of another type", changed(errors=[]), "expected 422 schema.wrong_type for `has_car`; got 422"),
    ("age: outside", status(500), "expected 422 schema.out_of_domain for `age`; got 500"),
    ("plan: outside", status(400), "expected 422 schema.not_allowed for `plan`; got 400"),
    ("every column missing", first_problem_only, "expected 422 naming all 7 columns; got 422"),
    ("two problems at once", first_problem_only, "got 422 schema.invalid (schema.wrong_type for"),
    ("a misspelt column", each_problem(suggestion="age"), "suggesting `has_car` and schema.missing_column"),
    ("a wrong row in a list", each_problem(row=0), "in row 2; got 422 schema.invalid (schema.wrong_type for"),
    ("no echo of a wrong value", echo, "got 422 that repeats it"),
    ("no echo of the value of an unknown column", echo, "got 422 that repeats it"),
    ("no echo of a broken body", echo, "got 400 that repeats it"),
    ("broken JSON", changed(code="input.empty"), "expected 400 input.not_json; got 400 input.empty"),
    ("an empty body", changed(id=""), "got 400 without an `id` in the problem"),
    ("a key twice", header("content-type", "text/html"), "got 400 that is not application/problem+json"),
    ("another content type", changed(status=400), "got 415 whose problem has another `status`"),
    ("an unknown route", status(200), "expected 404 route.unknown; got 200"),
    ("another method", status(200), "sent DELETE /predict; expected 405 route.method; got 200"),
]


@pytest.fixture(scope="module")
def cases(mixed_path: Path) -> dict[str, Case]:
    return {case.name: case for case in contract(mixed_path)}


@pytest.mark.parametrize(("name", "spoil", "words"), SPOILED, ids=[f"{name}-{words}" for name, _, words in SPOILED])
def test_what_is_spoiled_is_seen(name: str, spoil: Spoil, words: str, cases: dict[str, Case], mixed_url: str):
    with spoiled(mixed_url, spoil) as url, pytest.raises(CheckFailed) as caught:
        cases[name].check(url)
    assert caught.value.message.startswith(f"{name}: sent ")
    assert words in caught.value.message
    assert caught.value.message.isprintable()


def test_every_family_of_cases_is_spoiled_once(cases: dict[str, Case]):
    families = {name.rpartition(": ")[2] for name in cases}
    assert families - {name.rpartition(": ")[2] for name, _, _ in SPOILED} == set()


def test_what_is_not_spoiled_holds_through_a_relay(cases: dict[str, Case], mixed_url: str):
    with spoiled(mixed_url, lambda request, reply: reply) as url:
        assert [failure for case in cases.values() if (failure := case.failure(url))] == []


@pytest.mark.parametrize(
    ("reply", "held"),
    [
        (Reply(200, {"content-type": "application/json"}, b"{}"), STATUS_ONLY),
        (Reply(200, {}, b"[" * 100_000), STATUS_ONLY),
        (Reply(422, {"content-type": "application/problem+json"}, b'{"status":422,"id":"1","errors":[null]}'), set()),
        (Reply(500, {}, b""), set()),
    ],
    ids=["empty", "broken", "refusing", "failing"],
)
def test_who_always_says_the_same_keeps_nothing(reply: Reply, held: set[str], cases: dict[str, Case]):
    echoes = {name for name in cases if name.startswith("no echo")}
    with answering(lambda request: reply) as url:
        assert {name for name, case in cases.items() if case.failure(url) is None} - echoes == held


def test_no_sentence_has_more_of_an_answer_than_codes_and_columns(cases: dict[str, Case]):
    listed = [{"code": "SECRET", "column": "S\x1bCRET", "row": "SECRET"}] * 5
    body = msgspec.json.encode({"code": "Some SECRET", "detail": "SECRET", "errors": listed})
    with answering(lambda request: Reply(200, {}, body)) as url:
        sentences = [case.failure(url) or "" for case in cases.values()]
    assert [sentence for sentence in sentences if "CRET" in sentence] == []
    assert any("got 200 (no code, no code, no code and 2 more)" in sentence for sentence in sentences)


def test_a_number_outside_of_the_range_is_seen(spending_path: Path):
    (case,) = (case for case in contract(spending_path) if case.name == "one row")
    with answering(lambda request: Reply(200, {"x-request-id": "1"}, b'{"prediction":1000.5}')) as url:
        assert case.failure(url) == (
            "sent the example row as an object; expected 200, an id, and as `prediction` a number within 0 to 1000; "
            "got 200 with a prediction that is not of this kind"
        )


def test_the_relay_gives_what_it_was_given(mixed_url: str):
    request = Request("GET", "/schema")
    with spoiled(mixed_url, lambda request, reply: reply) as url:
        assert ask(url, request).json == ask(mixed_url, request).json
