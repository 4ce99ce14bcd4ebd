"""Metrics: what Prometheus reads adds up to what was sent."""

import asyncio
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lading.engine.job import CommitDone

Client = Any


def samples(client: Client, *types: str) -> dict[str, float]:
    """The samples of families of these types by name and labels, as Prometheus reads them."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if family.type in types
    }


def totals(client: Client) -> dict[str, float]:
    """What was counted."""
    return samples(client, "counter")


def test_nothing_was_counted_at_the_start(client: Client):
    assert samples(client, "counter", "histogram") == {}


def test_at_the_start_the_model_is_told_and_the_request_that_asks(client: Client):
    told = samples(client, "gauge")
    told.pop("lading_process_memory_bytes 0", None)  # there is no /proc everywhere
    assert told == {
        "lading_model_info native model 1.0.0": 1,
        "lading_golden_rows": 50,
        "lading_in_flight": 1,
        "lading_queue_rows": 0,
        "lading_workers": 1,
    }


def test_requests_are_timed_by_route_and_batches_by_their_rows(client: Client):
    client.post("/predict", json=[{"x": 1}, {"x": 2}, {"x": 3}])
    client.post("/predict", json={"y": 1})
    client.get("/nowhere")
    timed = samples(client, "histogram")
    assert timed["lading_request_seconds_count /predict"] == 2
    assert timed["lading_request_seconds_count unknown"] == 1
    assert 0 < timed["lading_request_seconds_sum /predict"] < 20
    assert (timed["lading_batch_rows_count"], timed["lading_batch_rows_sum"]) == (1, 3)
    assert timed["lading_batch_rows_bucket 2.0"] == 0
    assert timed["lading_batch_rows_bucket 4.0"] == 1
    assert timed["lading_model_seconds_count"] == 1
    assert samples(client, "gauge")["lading_queue_rows"] == 0


@pytest.mark.anyio
async def test_requests_in_flight_are_those_that_are_not_answered_yet(make_http_app: Any, double: Any, raw: Any):
    gate: list[CommitDone] = []
    app = make_http_app(double, commit=lambda batch, done: gate.append(done))
    asked, leaving = raw(b'{"x": 1}'), raw()
    leaving.left.set()
    asking = asyncio.create_task(asked.run(app.asgi))
    async with asyncio.timeout(20):
        while not gate:
            await asyncio.sleep(0)
    assert app.counters.total("in_flight") == 1
    await leaving.run(app.asgi)
    assert app.counters.total("in_flight") == 1
    gate[0](None)
    assert (await asking).status == 200
    assert app.counters.total("in_flight") == 0


def test_requests_rows_and_refusals_add_up(client: Client):
    client.post("/predict", json={"x": 1})
    client.post("/predict", json=[{"x": 1}, {"x": 2}, {"x": 99}])
    client.get("/predict?x=1")
    client.post("/predict", json={"y": 1})
    client.post("/predict", content=b"x")
    client.get("/health")
    client.get("/nowhere/secret")
    counted = totals(client)
    assert counted == {
        "lading_requests_total /predict 200": 3,
        "lading_requests_total /predict 422": 1,
        "lading_requests_total /predict 415": 1,
        "lading_requests_total /health 200": 1,
        "lading_requests_total unknown 404": 1,
        "lading_rows_total": 5,
        "lading_batches_total": 3,
        "lading_warnings_total x": 1,
    }
    assert totals(client)["lading_requests_total /metrics 200"] == 1


def test_requests_of_one_turn_share_a_batch(client: Client):
    client.post_all("/predict", [{"x": n} for n in range(10)])
    counted = totals(client)
    assert counted["lading_requests_total /predict 200"] == counted["lading_rows_total"] == 10
    assert counted["lading_batches_total"] < 10


def test_failures_and_refusals_are_counted_by_code(make_http_app: Any, with_predict: Any, connect: Any):
    def predict(inner: Any, table: Any, proba: bool) -> Any:
        if (table.matrix == 13.0).any():
            raise ValueError
        return inner.predict(table, proba=proba)

    client = connect(make_http_app(with_predict(predict), max_queue_rows=2))
    client.post("/predict", json={"x": 13})
    client.post_all("/predict", [{"x": n} for n in range(4)])
    counted = totals(client)
    assert counted["lading_failures_total model.failed"] == 1
    assert counted["lading_refusals_total queue_full"] == counted["lading_requests_total /predict 503"] == 2
    assert counted["lading_requests_total /predict 500"] == 1


def test_an_unknown_path_or_method_makes_no_new_label(client: Client):
    for number in range(5):
        client.get(f"/made-up-{number}")
        client.request(f"MADEUP{number}", "/health")
    labels = [name for name in totals(client) if name.startswith("lading_requests")]
    assert sorted(labels) == ["lading_requests_total /health 405", "lading_requests_total unknown 404"]
