"""Every refusal is a problem as RFC 9457 has it: a status, a code, the id, and never a value."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import errors
from lading.bundle.declared import Declared, declare
from lading.errors import LadingError
from lading.flavors.flavor import Predictions
from lading.http.problems import HttpError, problem, status_of

Client = Any
JSON = {"content-type": "application/json"}
SOON = {"1", "2", "3"}


def subclasses(kind: type[LadingError]) -> set[type[LadingError]]:
    return {kind} | {each for below in kind.__subclasses__() for each in subclasses(below)}


# --- the table


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BrokenInput("no"), 400),
        (errors.UsageError("no"), 400),
        (errors.TooLarge("no"), 413),
        (errors.InputError([]), 422),
        (errors.PredictionFailed("no"), 500),
        (errors.LadingError("no"), 500),
        (errors.NotReady("no"), 503),
        (errors.QueueFull("no"), 503),
        (errors.JournalUnavailable("no"), 503),
        (errors.DeadlineExceeded("no"), 504),
        (HttpError(415, "Title", "no", "code"), 415),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_has_its_status(error: LadingError, status: int):
    assert status_of(error)[0] == status
    assert problem(error, "id").status_code == status


def test_every_error_of_the_tree_has_a_status_and_a_title():
    kinds = [kind for kind in subclasses(LadingError) if kind.__module__ == "lading.errors"]
    assert len(kinds) > 15
    for kind in kinds:
        status, title = status_of(kind.__new__(kind))
        assert 400 <= status < 600
        assert title


@pytest.mark.parametrize(("seconds", "said"), [(1.0, {"1", "2", "3"}), (0.2, {"1", "2", "3"}), (2.5, {"3", "4", "5"})])
def test_refusals_say_when_to_try_again_each_at_another_time(seconds: float, said: set[str]):
    answers = [problem(errors.QueueFull("no", retry_after_s=seconds), "id") for _ in range(200)]
    assert {answer.headers["retry-after"] for answer in answers} == said


def test_the_problems_of_an_input_are_listed_and_counted():
    error = errors.InputError([], total=120)
    body = json.loads(bytes(problem(error, "id").body))
    assert (body["errors"], body["total"]) == ([], 120)


# --- what a caller meets


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "input.empty"),
        (b"  ", 400, "input.empty"),
        (b"{", 400, "input.not_json"),
        (b'{"x": 1} {"x": 2}', 400, "input.not_json"),
        (b"{'x': 1}", 400, "input.not_json"),
        (b"\xff\xfe", 400, "input.not_utf8"),
        (b'{"x": "\\ud800"}', 400, "input.not_utf8"),
        (b'{"x": 1, "x": 2}', 400, "input.duplicate_key"),
        (b'{"x": 1, "\\u0078": 2}', 400, "input.duplicate_key"),
        (b'{"x": NaN}', 400, "input.not_finite"),
        (b'{"x": -Infinity}', 400, "input.not_finite"),
        (b"[" * 100_000, 400, "input.too_deep"),
        (b'{"a":' * 100_000, 400, "input.too_deep"),
        (b'{"x": ' + b"1" * 100_000 + b"}", 400, "input.long_number"),
        (b'{"x": 1e400}', 422, "schema.invalid"),
        (b'{"x": "1"}', 422, "schema.invalid"),
        (b'{"x": true}', 422, "schema.invalid"),
        (b'{"x": null}', 422, "schema.invalid"),
        (b'{"x": [1]}', 422, "schema.invalid"),
        (b'{"x": 1, "y": 2}', 422, "schema.invalid"),
        (b"{}", 422, "schema.invalid"),
        (b"[]", 422, "schema.invalid"),
        (b"[[]]", 422, "schema.invalid"),
        (b"null", 422, "schema.invalid"),
        (b"1", 422, "schema.invalid"),
        (b'{"X": []}', 422, "schema.invalid"),
        (b'{"X": [[1, 2]]}', 422, "schema.invalid"),
        (b'{"columns": ["x"], "data": []}', 422, "schema.invalid"),
        (b'{"columns": ["x", "x"], "data": [[1, 2]]}', 422, "schema.invalid"),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_cannot_be_read_or_does_not_fit_is_refused(
    client: Client, problem_of: Any, body: bytes, status: int, code: str
):
    problem_of(client.post("/predict", content=body, headers=JSON), status, code)
    assert client.post("/predict", json={"x": 21}).json()["prediction"] == 42.0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "input.empty"),
        (b"x\n1,2\n", 400, "input.not_csv"),
        (b'x\n"1\n', 400, "input.not_csv"),
        (b"x\n\0\n", 400, "input.not_csv"),
        (b"x\n\xff\n", 400, "input.not_utf8"),
        (b"x\n", 422, "schema.invalid"),
        (b"y\n1\n", 422, "schema.invalid"),
        (b"x,x\n1,2\n", 422, "schema.invalid"),
        (b"x\nmuch\n", 422, "schema.invalid"),
    ],
)
def test_csv_that_cannot_be_read_or_does_not_fit_is_refused(
    client: Client, problem_of: Any, body: bytes, status: int, code: str
):
    problem_of(client.post("/predict", content=body, headers={"content-type": "text/csv"}), status, code)


def test_every_problem_of_an_input_is_told_with_its_place(client: Client, problem_of: Any):
    answer = client.post("/predict", json=[{"x": "one"}, {"x": 1}, {"X": 1}])
    body = problem_of(answer, 422, "schema.invalid")
    assert body["total"] == len(body["errors"]) == 3
    told = [(error["pointer"], error["row"], error["code"]) for error in body["errors"]]
    assert told == [
        ("/0/x", 0, "schema.wrong_type"),
        ("/2/X", 2, "schema.unknown_column"),
        ("/2", 2, "schema.missing_column"),
    ]
    assert body["errors"][1]["suggestion"] == "x"


def test_more_rows_than_a_request_may_have_are_refused_at_once(
    make_http_app: Any, double: Any, connect: Any, problem_of: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr("lading.http.exchange.linger")  # the whole body was read: there is nothing to wait for
    client = connect(make_http_app(double, max_rows=3))
    for body in ([{"x": 1}] * 4, {"X": [[1]] * 4}, {"instances": [{"x": 1}] * 4}):
        answer = client.post("/predict", json=body)
        assert problem_of(answer, 413, "input.too_large")["detail"] == "more than 3 rows in one request"
        assert "connection" not in answer.headers
    assert client.post("/predict", json=[{"x": 1}] * 3).status_code == 200


def test_more_cells_than_a_request_may_have_are_refused(make_http_app: Any, iris: Any, connect: Any, problem_of: Any):
    client = connect(make_http_app(iris, max_cells=8))
    assert client.post("/predict", json={"X": [[1, 1, 1, 1]] * 2}).status_code == 200
    answer = client.post("/predict", json={"X": [[1, 1, 1, 1]] * 3})
    assert problem_of(answer, 413, "input.too_large")["detail"] == "more than 8 cells in one request"


# --- nothing is echoed

CANARIES = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=6, max_size=12).map("Cn4rY{}q".format)


def leaks(text: str, canary: str) -> bool:
    return canary in text or json.dumps(canary)[1:-1] in text


@given(canary=CANARIES)
@pytest.mark.parametrize(
    "make",
    [
        lambda canary: {"age": canary, "plan": "pro", "is_member": True},
        lambda canary: {"age": 1, "plan": canary, "is_member": True},
        lambda canary: {"age": 1, "plan": "pro", "is_member": canary},
        lambda canary: {"age": 1, "plan": "pro", "is_member": True, "more": canary},
        lambda canary: {"age": [canary], "plan": {canary: canary}, "is_member": None},
        lambda canary: [canary],
        lambda canary: {"instances": canary},
        lambda canary: {"X": [[canary, canary, canary]]},
        lambda canary: {"columns": ["age", "plan", "is_member"], "data": [[canary]]},
        lambda canary: canary,
    ],
)
def test_a_refusal_never_repeats_a_value(shared_client: Client, make: Any, canary: str):
    answer = shared_client.post("/predict", json=make(canary))
    assert answer.status_code == 422
    assert not leaks(answer.text, canary)


@given(canary=CANARIES)
def test_a_refusal_never_repeats_what_cannot_be_read(shared_client: Client, canary: str):
    bodies = [f'{{"age": "{canary}"', f"{canary}", f'{{"age": 1, "age": "{canary}"}}', f'"{canary}\\ud800"']
    for body in bodies:
        answer = shared_client.post("/predict", content=body.encode(), headers=JSON)
        assert answer.status_code == 400
        assert not leaks(answer.text, canary)


@given(canary=CANARIES)
def test_a_refusal_never_repeats_csv_a_query_or_a_path(shared_client: Client, canary: str):
    csv = shared_client.post("/predict", content=f"age\n{canary}\n".encode(), headers={"content-type": "text/csv"})
    query = shared_client.get("/predict", params={"age": canary, "plan": canary, "is_member": canary})
    control = shared_client.post("/predict", params={"proba": canary}, json={})
    unknown = shared_client.post("/predict", params={canary: canary}, json={})
    path = shared_client.get(f"/{canary}")
    kind = shared_client.post("/predict", content=b"x", headers={"content-type": canary.encode()})
    answers = [csv, query, control, unknown, path, kind]
    assert [answer.status_code for answer in answers] == [422, 422, 400, 400, 404, 415]
    for answer in answers:
        assert not leaks(answer.text, canary)


# --- the model fails


@pytest.mark.parametrize("kind", [ValueError, ZeroDivisionError, SystemExit, MemoryError, RecursionError])
def test_a_model_that_raises_is_a_problem_without_its_words(
    make_http_app: Any, with_predict: Any, connect: Any, problem_of: Any, caplog: pytest.LogCaptureFixture, kind: Any
):
    def predict(inner: Any, table: Any, proba: bool) -> Any:
        if (table.matrix == 13.0).any():
            raise kind(f"the value was {table.matrix[0, 0]}")
        return inner.predict(table, proba=proba)

    client = connect(make_http_app(with_predict(predict)))
    answer = client.post("/predict", json={"x": 13}, headers={"X-Request-ID": "mine"})
    body = problem_of(answer, 500, "model.failed")
    assert body["detail"] == f"the model failed on this input ({kind.__name__})"
    (message,) = [record.getMessage() for record in caplog.records if record.name == "lading.http.accounts"]
    assert message.startswith(f"request mine failed: {kind.__name__}\n")
    assert "raise kind(" in message
    assert "the value was 13.0" not in caplog.text
    assert client.post("/predict", json={"x": 1}).json()["prediction"] == 2.0


@pytest.mark.parametrize(
    ("give", "code"),
    [
        (lambda x: x * float("nan"), "output.not_finite"),
        (lambda x: x * float("inf"), "output.not_finite"),
        (lambda x: x.astype(object).repeat(2), "output.shape"),
        (lambda x: x[:0], "output.shape"),
        (lambda x: x.reshape(-1, 1), "output.shape"),
        (lambda x: [None] * len(x), "output.not_finite"),
        (lambda x: [object()] * len(x), "output.not_finite"),
    ],
)
def test_an_answer_that_may_not_leave_is_a_problem(
    make_http_app: Any, with_predict: Any, connect: Any, problem_of: Any, give: Any, code: str
):
    def predict(inner: Any, table: Any, proba: bool) -> Any:
        x = table.matrix[:, 0]
        return Predictions(np.asarray(give(x))) if (x == 13.0).any() else inner.predict(table)

    client = connect(make_http_app(with_predict(predict)))
    body = problem_of(client.post("/predict", json={"x": 13}), 500, code)
    assert "nan" not in body["detail"].lower()
    assert client.post("/predict", json={"x": 1}).json()["prediction"] == 2.0


def test_an_answer_outside_of_the_declared_range_is_a_problem(
    make_http_app: Any, connect: Any, problem_of: Any, double: Any
):
    ranged = declare(double.schema, Declared(output_range=(0, 10)))
    manifest = msgspec.structs.replace(double.manifest, model_schema=ranged)
    client = connect(make_http_app(replace(double, manifest=manifest, golden=None)))
    body = problem_of(client.post("/predict", json={"x": 6}), 500, "output.out_of_range")
    assert body["detail"] == "the model's answer is outside the declared range, 0 to 10"
    assert client.post("/predict", json={"x": 5}).json()["prediction"] == 10.0


def test_an_error_that_nobody_foresaw_is_told_without_its_words(
    make_http_app: Any, double: Any, connect: Any, problem_of: Any, caplog: pytest.LogCaptureFixture, monkeypatch: Any
):
    app = make_http_app(double)
    monkeypatch.setattr(app.service, "metadata", lambda: {}["a secret key"])
    body = problem_of(connect(app).get("/metadata"), 500, "internal")
    assert body["detail"] == "an internal error; the log has it under this id"
    assert f"request {body['id']} failed: KeyError" in caplog.text
    assert "a secret key'" not in "".join(record.getMessage().split("\n")[0] for record in caplog.records)


# --- refused for now


def test_a_deadline_that_passed_is_a_problem_of_its_own(make_http_app: Any, double: Any, connect: Any, problem_of: Any):
    app = make_http_app(double, commit=lambda batch, done: None, request_timeout_s=0.5)
    answer = connect(app).post("/predict", json={"x": 1})
    body = problem_of(answer, 504, "deadline_exceeded")
    assert body["detail"] == "the deadline passed while it was recorded"


def test_a_journal_that_is_gone_is_a_problem_of_its_own(make_http_app: Any, double: Any, connect: Any, problem_of: Any):
    app = make_http_app(double, commit=lambda batch, done: done(OSError("disk")))
    answer = connect(app).post("/predict", json={"x": 1})
    problem_of(answer, 503, "journal_unavailable")
    assert answer.headers["retry-after"] in SOON


def test_a_full_queue_is_a_problem_of_its_own(make_http_app: Any, double: Any, connect: Any, problem_of: Any):
    client = connect(make_http_app(double, max_queue_rows=2))
    answers = client.post_all("/predict", [{"x": n} for n in range(4)])
    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
    problem_of(answers[3], 503, "queue_full")
    assert answers[3].headers["retry-after"] in SOON
