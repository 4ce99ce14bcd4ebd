"""The data plane: ready only when it answers as it should, and what it says when it is not."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

import lading
from lading.bundle.declared import Declared
from lading.bundle.manifest import ENGINE, Engine, Parity
from lading.engine.job import Batch, CommitDone
from lading.engine.model import Model
from lading.errors import (
    CheckFailed,
    DeadlineExceeded,
    FormatError,
    JournalUnavailable,
    LadingError,
    ModelError,
    NotReady,
    PredictionFailed,
    QueueFull,
    UsageError,
)
from lading.flavors.flavor import Predictions
from lading.flavors.linear import LinearFile
from lading.monitor.counters import SharedCounters
from lading.monitor.reading import read
from lading.monitor.slots import Slots
from lading.service import Service, State
from lading.settings import Settings

DOUBLE = LinearFile(
    "lading.linear/1", ("x",), coef=((2.0,),), intercept=(0.0,), low=(0.0,), high=(10.0,), metadata={"author": "Jo"}
)
"""A model that doubles its one column."""


class Wrapped:
    """A predictor with other manners than the one inside."""

    def __init__(self, inner: Any, predict: Any) -> None:
        self._inner = inner
        self._predict = predict

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def predict(self, table: Any, *, proba: bool = False) -> Predictions:
        return self._predict(self._inner, table, proba)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "double-1.0.0.lading"
    return lading.pack(DOUBLE, path=path, declared=Declared(name="double")).path


@pytest.fixture
def model(bundle: Path) -> Model:
    return lading.load(bundle)


@pytest.fixture
def counters() -> SharedCounters:
    return SharedCounters(Slots.create(1), 0)


@pytest.fixture
def service(counters: SharedCounters, model: Model) -> Service:
    """A service that is ready."""
    service = Service(Settings(), counters)
    service.start(lambda: model)
    return service


def ask(service: Service, *numbers: float, **options: Any) -> Any:
    """The predictions for these rows, in an event loop of their own."""

    async def answer() -> Any:
        return await asyncio.wait_for(service.predict_async([(number,) for number in numbers], **options), 20)

    return asyncio.run(answer())


def failing(error: BaseException) -> Any:
    def load() -> Model:
        raise error

    return load


# --- its life


def test_it_is_loading_until_it_is_started(counters: SharedCounters):
    service = Service(Settings(), counters)
    assert (service.state, service.is_ready) == (State.LOADING, False)
    for ask_it in (lambda: service.model, lambda: service.decoder, service.metadata, lambda: ask(service, 1.0)):
        with pytest.raises(NotReady, match="the model is loading"):
            ask_it()


def test_it_is_ready_when_its_golden_rows_came_back(service: Service, model: Model):
    assert (service.state, service.is_ready) == (State.READY, True)
    assert service.model is model
    assert ask(service, 1.0, 2.5).predictions == [2.0, 5.0]


@pytest.mark.parametrize("error", [FormatError("broken"), CheckFailed("other answers")])
def test_a_model_that_cannot_be_loaded_leaves_it_failed(counters: SharedCounters, error: LadingError):
    service = Service(Settings(), counters)
    with pytest.raises(type(error)):
        service.start(failing(error))
    assert (service.state, service.failure, service.is_ready) == (State.FAILED, error, False)
    with pytest.raises(NotReady, match="the model failed to load"):
        ask(service, 1.0)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("a secret"), SystemExit("a secret"), RecursionError(), StopIteration()]
)
def test_whatever_loading_raises_is_a_model_error_without_its_words(counters: SharedCounters, error: BaseException):
    service = Service(Settings(), counters)
    with pytest.raises(ModelError) as raised:
        service.start(failing(error))
    assert str(raised.value) == f"the model cannot be loaded: {type(error).__name__}"
    assert (service.state, service.failure) == (State.FAILED, raised.value)


def test_other_answers_than_at_packing_leave_it_not_ready(counters: SharedCounters, model: Model):
    tripling = Wrapped(model.predictor, lambda inner, table, proba: Predictions(table.matrix[:, 0] * 3))
    service = Service(Settings(), counters)
    with pytest.raises(CheckFailed):
        service.start(lambda: replace(model, predictor=tripling))
    assert (service.state, service.is_ready) == (State.FAILED, False)
    with pytest.raises(NotReady):
        service.predict([(1.0,)], print, proba=False, deadline=None, context=None)


def test_a_bare_model_that_fails_on_a_row_of_its_own_schema_is_not_ready(counters: SharedCounters, model: Model):
    broken = replace(model, golden=None, predictor=Wrapped(model.predictor, lambda *rest: 1 / 0))
    service = Service(Settings(), counters)
    with pytest.raises(PredictionFailed):
        service.start(lambda: broken)
    assert service.state is State.FAILED


def test_a_model_that_fails_on_some_rows_of_its_schema_is_served_in_a_thread(counters: SharedCounters, model: Model):
    def picky(inner: Any, table: Any, proba: bool) -> Predictions:
        if table.rows > 1:
            raise ValueError
        return inner.predict(table, proba=proba)

    service = Service(Settings(), counters)
    service.start(lambda: replace(model, golden=None, predictor=Wrapped(model.predictor, picky)))
    assert ask(service, 4.0).predictions == [8.0]
    with pytest.raises(PredictionFailed):
        ask(service, 1.0, 2.0)


def test_stopping_turns_ready_false_and_still_answers(service: Service):
    service.stop()
    assert (service.state, service.is_ready) == (State.DRAINING, False)
    assert ask(service, 3.0).predictions == [6.0]
    assert service.decoder.json(b'{"x": 1}').rows == [(1.0,)]


def test_closing_refuses_everything(service: Service):
    service.close()
    assert (service.state, service.is_ready) == (State.CLOSED, False)
    with pytest.raises(NotReady, match="the service has stopped"):
        ask(service, 3.0)
    with pytest.raises(NotReady, match="the service has stopped"):
        service.decoder  # noqa: B018


def test_a_load_that_ends_after_the_stop_does_not_make_it_ready(counters: SharedCounters, model: Model):
    service = Service(Settings(), counters)
    service.stop()
    service.start(lambda: model)
    assert (service.state, service.is_ready) == (State.DRAINING, False)


# --- what it tells


def test_metadata_tell_what_is_known_and_no_path(service: Service, bundle: Path):
    told = service.metadata()
    assert (told["name"], told["version"], told["flavor"]) == ("double", "1.0.0", "linear")
    assert told["metadata"] == {"author": "Jo"}
    assert told["digest"].startswith("sha256:")
    assert [column["name"] for column in told["inputs"]] == ["x"]
    assert "files" not in told
    assert str(bundle.parent) not in msgspec.json.encode(told).decode()


def test_metadata_of_a_bare_file_tell_its_name_alone(tmp_path: Path, counters: SharedCounters):
    path = tmp_path / "double.linear.json"
    path.write_bytes(msgspec.json.encode(DOUBLE))
    service = Service(Settings(), counters)
    service.start(lambda: lading.load(path))
    assert service.metadata()["model"] == "double.linear.json"
    assert str(tmp_path) not in msgspec.json.encode(service.metadata()).decode()


# --- predictions


def test_probabilities_of_a_model_that_has_none_are_refused_before_the_queue(service: Service):
    with pytest.raises(UsageError, match="no probabilities"):
        ask(service, 1.0, proba=True)


def test_a_full_queue_refuses(counters: SharedCounters, model: Model):
    service = Service(Settings(max_queue_rows=2), counters)
    service.start(lambda: model)

    async def many() -> list[Any]:
        calls = [service.predict_async([(float(number),)]) for number in range(5)]
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)

    outcomes = asyncio.run(many())
    assert [outcome.predictions for outcome in outcomes[:2]] == [[0.0], [2.0]]
    assert [type(outcome) for outcome in outcomes[2:]] == [QueueFull] * 3


class Stuck:
    """A predictor that waits in its thread, from the first row of 77 on, until it is released."""

    def __init__(self, model: Model) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.asked: list[float] = []
        self.model = replace(model, predictor=Wrapped(model.predictor, self._predict))

    def _predict(self, inner: Any, table: Any, proba: bool) -> Predictions:
        self.asked.extend(table.matrix[:, 0].tolist())
        if 77.0 in self.asked:
            self.entered.set()
            assert self.release.wait(20)
        return inner.predict(table, proba=proba)


@pytest.fixture
def stuck(model: Model) -> Iterator[Stuck]:
    stuck = Stuck(model)
    yield stuck
    stuck.release.set()


def test_a_request_has_the_deadline_of_the_settings(counters: SharedCounters, stuck: Stuck):
    service = Service(Settings(request_timeout_s=0.05, inline_s=0.0), counters)
    service.start(lambda: stuck.model)
    with pytest.raises(DeadlineExceeded, match="in the model"):
        ask(service, 77.0)


def test_a_caller_that_is_cancelled_in_the_queue_is_skipped(counters: SharedCounters, stuck: Stuck):
    service = Service(Settings(inline_s=0.0), counters)
    service.start(lambda: stuck.model)

    async def leave() -> Any:
        first = asyncio.create_task(service.predict_async([(77.0,)]))
        await asyncio.to_thread(stuck.entered.wait, 20)
        gone, stays = (asyncio.create_task(service.predict_async([(number,)])) for number in (5.0, 6.0))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        stuck.release.set()
        return await asyncio.wait_for(asyncio.gather(first, stays), 20)

    assert [answer.predictions for answer in asyncio.run(leave())] == [[154.0], [12.0]]
    assert stuck.asked[-2:] == [77.0, 6.0]


def test_a_caller_that_is_cancelled_as_its_answer_comes_says_nothing(
    counters: SharedCounters, model: Model, caplog: pytest.LogCaptureFixture
):
    gate: list[CommitDone] = []
    service = Service(Settings(), counters, commit=lambda batch, done: gate.append(done))
    service.start(lambda: model)

    async def leave() -> None:
        task = asyncio.create_task(service.predict_async([(1.0,)]))
        async with asyncio.timeout(20):
            while not gate:
                await asyncio.sleep(0)
        task.cancel()
        gate[0](None)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert caplog.messages == []


def test_the_context_goes_through_to_the_gate_and_its_refusal_back(counters: SharedCounters, model: Model):
    contexts: list[Any] = []

    def commit(batch: Batch, done: CommitDone) -> None:
        contexts.extend(job.context for job in batch.jobs)
        done(OSError())

    service = Service(Settings(), counters, commit=commit)
    service.start(lambda: model)
    with pytest.raises(JournalUnavailable):
        ask(service, 1.0, context="mine")
    assert contexts == ["mine"]


# --- inline or in a thread


def test_a_slow_model_runs_in_a_thread_and_a_fast_one_inline(counters: SharedCounters, model: Model):
    threads: list[str] = []

    def note(inner: Any, table: Any, proba: bool) -> Predictions:
        threads.append(threading.current_thread().name)
        return inner.predict(table, proba=proba)

    noting = replace(model, predictor=Wrapped(model.predictor, note))
    for inline_s in (0.0, 1000.0):
        service = Service(Settings(inline_s=inline_s), counters)
        service.start(lambda: noting)
        ask(service, 1.0)
    used = [name for name in threads if name != threading.current_thread().name]
    assert used == ["lading-model"]


def test_a_model_that_turns_slow_runs_in_a_thread_from_then_on(counters: SharedCounters, model: Model):
    threads: list[str] = []
    clock_s = 0.0

    def slower(inner: Any, table: Any, proba: bool) -> Predictions:
        nonlocal clock_s
        threads.append(threading.current_thread().name)
        clock_s += 60.0 if table.matrix[0, 0] == 9.0 else 0.0
        return inner.predict(table, proba=proba)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lading.service.time", SimpleNamespace(perf_counter=lambda: clock_s))
        service = Service(Settings(), counters)
        service.start(lambda: replace(model, predictor=Wrapped(model.predictor, slower)))
        for number in (1.0, 9.0, 2.0):
            ask(service, number)
    assert [name == "lading-model" for name in threads[-3:]] == [False, False, True]


# --- counters


def test_rows_batches_failures_and_warnings_are_counted(counters: SharedCounters, model: Model):
    def picky(inner: Any, table: Any, proba: bool) -> Predictions:
        if (table.matrix == -1.0).any():
            raise ValueError
        return inner.predict(table, proba=proba)

    service = Service(Settings(), counters)
    service.start(lambda: replace(model, predictor=Wrapped(model.predictor, picky)))
    ask(service, 1.0, 2.0)
    ask(service, 11.0, 12.0, 3.0)
    with pytest.raises(PredictionFailed):
        ask(service, -1.0)
    assert (counters.total("batches"), counters.total("rows")) == (3, 6)
    assert counters.total("failures", "model.failed") == 1
    assert counters.total("warnings", "x") == 2


def test_batches_are_counted_by_their_rows_and_their_time_in_the_model(counters: SharedCounters, model: Model):
    clock_s = 0.0

    def slowly(inner: Any, table: Any, proba: bool) -> Predictions:
        nonlocal clock_s
        clock_s += 0.25
        if (table.matrix == -1.0).any():
            raise ValueError
        return inner.predict(table, proba=proba)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lading.service.time", SimpleNamespace(perf_counter=lambda: clock_s))
        service = Service(Settings(inline_s=1000.0), counters)
        service.start(lambda: replace(model, predictor=Wrapped(model.predictor, slowly)))
        ask(service, 1.0, 2.0, 3.0)
        before_s = clock_s
        with pytest.raises(PredictionFailed):
            ask(service, 1.0, 2.0, -1.0)
    rows, seconds = read(counters.slots)["batch_rows"][""], read(counters.slots)["model_seconds"][""]
    assert (rows[0], sum(rows[1:])) == (6, 2)
    # Of the batch that failed, every attempt counts.
    assert (seconds[0], sum(seconds[1:])) == (0.25 + clock_s - before_s, 2)
    assert clock_s - before_s > 0.25


def test_rows_count_as_waiting_only_as_long_as_they_wait(counters: SharedCounters, stuck: Stuck):
    service = Service(Settings(inline_s=0.0), counters)
    service.start(lambda: stuck.model)

    async def waiting() -> list[float]:
        first = asyncio.create_task(service.predict_async([(77.0,)]))
        await asyncio.to_thread(stuck.entered.wait, 20)
        told = [counters.total("queue_rows")]
        others = [asyncio.create_task(service.predict_async([(number,)] * 3)) for number in (5.0, 6.0)]
        for _ in range(3):
            await asyncio.sleep(0)
        told.append(counters.total("queue_rows"))
        # Who leaves is passed over, and nobody is left to be answered.
        for task in others:
            task.cancel()
        stuck.release.set()
        await asyncio.wait_for(asyncio.gather(first, *others, return_exceptions=True), 20)
        for _ in range(3):
            await asyncio.sleep(0)
        return [*told, counters.total("queue_rows")]

    assert asyncio.run(waiting()) == [0, 6, 0]


def test_a_ready_service_tells_its_model(counters: SharedCounters, service: Service, model: Model):
    told = read(counters.slots)
    assert told["model_info"] == {"double 1.0.0 native": [1.0]}
    assert told["golden_rows"] == {"": [len(model.golden.rows)]}
    assert "parity_rows" not in told


def test_a_ready_service_tells_how_its_compiled_model_compares(counters: SharedCounters, model: Model):
    parity = Parity("sample", rows=40, forgiven=2, largest_difference=3e-7, tolerance=1e-5, precision="float32")
    manifest = msgspec.structs.replace(model.manifest, engine=Engine("onnx", ENGINE, parity=parity))
    Service(Settings(), counters).start(lambda: replace(model, manifest=manifest))
    told = read(counters.slots)
    assert told["model_info"] == {"double 1.0.0 onnx": [1.0]}
    assert (told["parity_rows"], told["parity_largest_difference"]) == ({"": [38.0]}, {"": [3e-7]})


def test_a_model_that_is_not_ready_tells_nothing(counters: SharedCounters):
    with pytest.raises(CheckFailed):
        Service(Settings(), counters).start(failing(CheckFailed("other answers")))
    assert read(counters.slots) == {}
