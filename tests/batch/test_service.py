"""A service scores files as its bundle does: the same bytes, whatever it refuses for a while."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from tests.batch.conftest import FRAME, IRIS, NAMES, Predict, write
from tests.live import serving
from tests.testing.relay import spoiled

import lading
from lading.batch import service
from lading.batch.service import backoff_s
from lading.remote.wire import Reply, Request


@pytest.fixture(scope="module")
def area_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose numbers have many digits, which fails on some rows and has no number for others."""
    path = tmp_path_factory.mktemp("area") / "area.py"
    path.write_text(
        "def area(a: float, b: float) -> float:\n"
        "    if a == 4.4:\n        raise ValueError('no')\n"
        "    return float('nan') if a == 5.0 else a * b / 3\n"
    )
    return lading.pack(f"{path}:area", path=path.with_suffix(".lading")).path


@pytest.fixture(scope="module")
def area_url(area_path: Path) -> Iterator[str]:
    with serving(lading.asgi(area_path)) as url:
        yield url


@pytest.fixture
def rows(folder: Path) -> Path:
    """More rows than one request has, of which some do not fit and some have no answer that may leave."""
    frame = IRIS.iloc[:, :2].sample(700, replace=True, random_state=0, ignore_index=True).set_axis(["a", "b"], axis=1)
    frame["a"] += 0.01
    frame.loc[[3, 600], "a"] = np.nan
    frame.loc[[100, 650], "a"] = 5.0
    frame.loc[200, "a"] = 4.4
    frame["id"] = np.arange(len(frame))
    return write(frame, folder / "rows.parquet")


def outputs(folder: Path, name: str, kind: str) -> list[bytes]:
    return [(folder / each).read_bytes() for each in (f"{name}.{kind}", f"{name}.rejects.jsonl")]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_service_gives_the_bytes_of_its_bundle(
    kind: str, predict: Predict, folder: Path, rows: Path, area_path: Path, area_url: str
):
    local = predict(rows, "-o", f"local.{kind}", "--columns", "id", model=area_path)
    remote = predict(rows, "-o", f"remote.{kind}", "--columns", "id", model=area_url)
    assert (local.code, remote.code) == (0, 0), remote.err
    assert remote.err == local.err.replace("local", "remote")
    assert outputs(folder, "local", kind) == outputs(folder, "remote", kind)
    told = [json.loads(line) for line in (folder / "remote.rejects.jsonl").read_bytes().splitlines()]
    assert [each["row"] for each in told] == [3, 100, 200, 600, 650]
    assert [each["errors"][0]["code"] for each in told[:3]] == ["schema.null", "output.not_finite", "model.failed"]


def test_probabilities_come_too(predict: Predict, folder: Path, iris_path: Path):
    write(FRAME.head(1), folder / "rows.csv")
    with serving(lading.asgi(iris_path)) as url:
        assert predict("rows.csv", "-o", "remote.csv", "--columns", "id", "--proba", model=url).code == 0
    assert predict("rows.csv", "-o", "local.csv", "--columns", "id", "--proba").code == 0
    assert (folder / "remote.csv").read_bytes() == (folder / "local.csv").read_bytes()


def test_one_row_is_asked_of_a_service_too(predict: Predict, folder: Path, iris_path: Path):
    row = json.dumps(dict(zip(NAMES, [5.1, 3.5, 1.4, 0.2], strict=True)))
    with serving(lading.asgi(iris_path)) as url:
        assert json.loads(predict(row, model=url).out) == {"prediction": "setosa"}


class Busy:
    """Refuses the first prediction requests with a status and a header; remembers how often it was asked."""

    def __init__(self, refusals: int, status: int = 503, **headers: str) -> None:
        self.asked, self._refusals = 0, refusals
        self._reply = Reply(status, headers, b"")

    def __call__(self, request: Request, reply: Reply) -> Reply:
        if request.method != "POST":
            return reply
        self.asked += 1
        return self._reply if self.asked <= self._refusals else reply


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was to be waited, which is not done."""
    waited: list[float] = []

    def no_time(attempt: int, retry_after: str | None) -> float:
        waited.append(backoff_s(attempt, retry_after))
        return 0.0

    monkeypatch.setattr(service, "backoff_s", no_time)
    return waited


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_busy_service_is_asked_again_as_it_says(
    status: int, predict: Predict, folder: Path, rows: Path, area_url: str, waits: list[float]
):
    busy = Busy(3, status, **{"retry-after": "7"})
    with spoiled(area_url, busy) as url:
        assert predict(rows, "-o", "scored.csv", "--columns", "id", model=url).code == 0
    assert len(waits) == 3
    assert all(7 < wait <= 9 for wait in waits)


def test_waits_grow_are_jittered_and_have_bounds():
    waits = [backoff_s(attempt, None) for attempt in range(12)]
    assert all(0.1 * 2**attempt <= wait <= 0.2 * 2**attempt for attempt, wait in enumerate(waits[:6]))
    assert max(waits) <= service.MAX_WAIT_S
    assert len(set(waits)) == 12
    assert backoff_s(0, "100000") < service.MAX_WAIT_S + 1
    assert backoff_s(0, "Wed, 21 Oct 2026 07:28:00 GMT") < 1


@pytest.mark.usefixtures("waits")
def test_a_service_that_is_gone_is_said_and_the_run_goes_on(
    predict: Predict, folder: Path, area_url: str, monkeypatch: pytest.MonkeyPatch
):
    for name in "abc":
        write(pd.DataFrame({"a": [1.0], "b": [2.0], "id": [name]}), folder / f"{name}.csv")
    gone = Busy(0)
    gone._refusals = 10**9
    spoil: Callable[[Request, Reply], Reply] = lambda request, reply: (  # noqa: E731
        gone(request, reply) if len(list(folder.glob("scored.csv.parts/*.part"))) else reply
    )
    monkeypatch.setattr("lading.batch.targets._LANES", 1)
    arguments = ("a.csv", "b.csv", "c.csv", "-o", "scored.csv", "--columns", "id")
    with spoiled(area_url, spoil) as url:
        result = predict(*arguments, model=url)
    assert (result.code, result.err) == (
        1,
        "error: the service does not answer: 503, 8 times\n  the same command goes on from here\n",
    )
    result = predict(*arguments, model=area_url)
    assert (result.code, result.err.splitlines()[0][:10]) == (0, "resuming  ")


def test_where_nothing_answers_is_said(predict: Predict, folder: Path):
    write(FRAME, folder / "rows.csv")
    result = predict("rows.csv", "-o", "scored.csv", model="http://127.0.0.1:9")
    assert (result.code, result.err.splitlines()[0]) == (
        1,
        "error: nothing answers at http://127.0.0.1:9: Connection refused",
    )
    result = predict("rows.csv", "-o", "scored.csv", model="http://user:SECRET@127.0.0.1:9")
    assert result.code == 2
    assert "SECRET" not in result.err


def test_a_key_is_sent_and_a_missing_one_is_no_matter_of_rows(
    predict: Predict, folder: Path, rows: Path, area_url: str
):
    def guard(request: Request, reply: Reply) -> Reply:
        return reply if dict(request.headers).get("x-key") == "abc" else Reply(401)

    def only_here(request: Request, reply: Reply) -> Reply:
        return Reply(401) if request.method == "POST" else reply

    arguments = (rows, "-o", "scored.csv", "--columns", "id")
    with spoiled(area_url, guard) as url:
        assert predict(*arguments, "--header", "x-key: abc", model=url).code == 0
        assert predict(*arguments, model=url).code == 1
    with spoiled(area_url, only_here) as url:
        assert "the service refuses to be asked: 401" in predict(*arguments, model=url).err
    assert not (folder / "scored.csv.parts").exists()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("body", [b"{}", b'{"predictions":[1]}', b"<html>", b'{"predictions":7}'])
def test_another_answer_than_one_a_row_ends_the_run(
    body: bytes, predict: Predict, folder: Path, rows: Path, area_url: str
):
    spoil = lambda request, reply: Reply(200, {}, body) if request.method == "POST" else reply  # noqa: E731
    with spoiled(area_url, spoil) as url:
        result = predict(rows, "-o", "scored.csv", "--columns", "id", model=url)
    assert result.code == 1
    assert "another number of answers" in result.err


def test_what_a_service_refuses_is_set_aside_with_its_words(predict: Predict, folder: Path, rows: Path, area_url: str):
    """The service is another version that knows a rule more."""

    def strict(request: Request, reply: Reply) -> Reply:
        if request.method != "POST" or b"5.31," not in (request.body or b""):
            return reply
        problem = {"pointer": "/data/0/0", "code": "schema.out_of_domain", "detail": "too odd", "column": "a"}
        return Reply(422, {}, msgspec.json.encode({"code": "schema.invalid", "errors": [problem], "total": 1}))

    with spoiled(area_url, strict) as url:
        assert predict(rows, "-o", "scored.csv", "--columns", "id", model=url).code == 0
    told = [json.loads(line)["errors"][0] for line in (folder / "scored.rejects.jsonl").read_bytes().splitlines()]
    assert {"code": "schema.out_of_domain", "detail": "too odd", "column": "a"} in told
