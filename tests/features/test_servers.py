"""Lookups in servers that are real, die, hang, and come back."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lading
from lading.engine.model import Model
from lading.errors import FeaturesInvalid, FeaturesUnavailable, InputError

HASH = {"sql": "", "hash": "district:{key}"}


@pytest.fixture(scope="session")
def hash_homes(pack_homes: Callable[..., Path]) -> Model:
    return lading.load(pack_homes(**HASH))


@pytest.fixture(params=["postgresql", "redis"])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def model(server: Any, homes: Model, hash_homes: Model) -> Model:
    return hash_homes if server.url.startswith("redis") else homes


def test_columns_come_from_a_server(server: Any, model: Model, look: Any):
    told = look(model, server.url).complete(("M1", 1.0), ("'; DROP TABLE districts; --", 2.0), ("M2", 3.0))
    assert told == [(1.0, 3.0, 4.0), (2.0, 1.0, 2.0), (3.0, 5.0, 6.0)]


def test_keys_that_no_server_takes_are_not_known(server: Any, model: Model, look: Any):
    odd = ["M9", "a\x00b", "100%", "%s", "\N{GRINNING FACE}", "\r\nFLUSHALL\r\n", "", "*"]
    looking = look(model, server.url)
    with pytest.raises(InputError) as caught:
        looking.complete(*((key, 1.0) for key in [*odd, "M1"]))
    assert [problem.row for problem in caught.value.problems] == list(range(len(odd)))
    assert looking.complete(("M2", 1.0)) == [(1.0, 5.0, 6.0)]


def test_a_server_that_was_killed_and_started_again(
    server: Any, model: Model, look: Any, caplog: pytest.LogCaptureFixture, canary: str
):
    looking = look(model, server.url)
    looking.complete(("M1", 1.0))
    server.kill()
    remembered, failed = looking.complete_all([("M1", 1.0)], [("M2", 1.0)])
    assert remembered == [(1.0, 3.0, 4.0)]
    assert isinstance(failed, FeaturesUnavailable)
    server.start()
    assert looking.complete(("M2", 1.0)) == [(1.0, 5.0, 6.0)]
    assert canary not in caplog.text + repr(failed)
    assert caplog.records[-1].levelno == logging.WARNING


def test_a_connection_that_ended_while_nobody_asked_is_not_noticed(server: Any, model: Model, look: Any):
    looking = look(model, server.url)
    looking.complete(("M1", 1.0))
    server.kill()
    server.start()
    assert looking.complete(("M2", 1.0)) == [(1.0, 5.0, 6.0)]
    assert looking.count("failures") == 0


def test_a_server_that_hangs_is_left_and_comes_back(server: Any, model: Model, look: Any):
    looking = look(model, server.url, features_timeout_s=0.3)
    looking.complete(("M1", 1.0))
    server.hang()
    for key in ("M2", "M3"):
        with pytest.raises(FeaturesUnavailable):
            looking.complete((key, 1.0))
    assert looking.complete(("M1", 2.0)) == [(2.0, 3.0, 4.0)]
    server.go_on()
    assert eventually(lambda: looking.complete(("M2", 1.0))) == [(1.0, 5.0, 6.0)]


def eventually(ask: Callable[[], Any]) -> Any:
    """What comes once the server has caught up with what it missed."""
    for _ in range(50):
        try:
            return ask()
        except FeaturesUnavailable:
            continue
    return ask()


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_somebody_who_never_answers(
    scheme: str, homes: Model, hash_homes: Model, look: Any, silent_port: int, canary: str, caplog: Any
):
    model = hash_homes if scheme == "redis" else homes
    looking = look(model, f"{scheme}://u:{canary}@127.0.0.1:{silent_port}/0", features_timeout_s=0.2)
    told = looking.complete_all([("M1", 1.0)], [("M2", 1.0)])
    assert [type(each) for each in told] == [FeaturesUnavailable] * 2
    assert canary not in caplog.text


def test_a_wrong_password_is_not_told(redis: Any, hash_homes: Model, look: Any, canary: str, caplog: Any):
    with pytest.raises(FeaturesUnavailable) as caught:
        look(hash_homes, redis.url.replace(canary, "other-canary")).complete(("M1", 1.0))
    assert "AuthenticationError" in caplog.text
    assert "canary" not in caplog.text + repr(caught.value)


# --- PostgreSQL


@pytest.fixture
def run_sql(postgresql: Any) -> Callable[[str], None]:
    import psycopg

    def run(sql: str) -> None:
        with psycopg.connect(postgresql.url, autocommit=True) as connection:
            connection.execute(sql.encode())

    return run


def test_types_of_postgresql_are_those_of_the_columns(
    postgresql: Any, run_sql: Callable[[str], None], nullable_homes: Callable[..., Model], look: Any
):
    run_sql("CREATE TEMP TABLE t (x int)")
    sql = (
        "SELECT id, 1.5::numeric AS crime_rate, CASE WHEN id = 2 THEN 'NaN'::float END AS school_score "
        "FROM (VALUES (1), (2)) AS t (id) WHERE id IN (:keys)"
    )
    model = nullable_homes(sql=sql, kind="int", example=1)
    assert look(model, postgresql.url).complete((1, 1.0), (2, 1.0)) == [(1.0, 1.5, None)] * 2


def test_a_key_of_another_type_than_its_column_is_not_known(
    postgresql: Any, pack_homes: Callable[..., Path], look: Any
):
    sql = "SELECT id, id AS crime_rate, id AS school_score FROM generate_series(1, 9) AS t (id) WHERE id IN (:keys)"
    looking = look(lading.load(pack_homes(sql=sql)), postgresql.url)
    with pytest.raises(InputError) as caught:
        looking.complete(("1", 1.0), ("M1", 1.0), ("99999999999999", 1.0), ("9", 1.0))
    assert [problem.row for problem in caught.value.problems] == [1, 2]


def test_a_percent_sign_in_the_sql_is_one(postgresql: Any, pack_homes: Callable[..., Path], look: Any):
    sql = "SELECT * FROM districts WHERE district_id LIKE 'M%' AND district_id IN (:keys)"
    looking = look(lading.load(pack_homes(sql=sql)), postgresql.url)
    assert looking.complete(("M1", 1.0)) == [(1.0, 3.0, 4.0)]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM districts WHERE district_id IN (:keys) RETURNING *",
        "SELECT pg_sleep(9)::text, 1 AS crime_rate, 1 AS school_score FROM districts WHERE district_id IN (:keys)",
        "SELECT district_id, 1 / 0 AS crime_rate, 1 AS school_score FROM districts WHERE district_id IN (:keys)",
    ],
)
def test_sql_that_writes_or_takes_too_long_is_no_fault_of_the_caller(
    sql: str, postgresql: Any, pack_homes: Callable[..., Path], homes: Model, look: Any
):
    with pytest.raises(FeaturesUnavailable):
        look(lading.load(pack_homes(sql=sql)), postgresql.url, features_timeout_s=0.5).complete(("M1", 1.0))
    assert look(homes, postgresql.url).complete(("M1", 1.0)) == [(1.0, 3.0, 4.0)]


def test_sql_that_the_database_does_not_understand_is_told_in_the_log(
    postgresql: Any, pack_homes: Callable[..., Path], look: Any, caplog: pytest.LogCaptureFixture
):
    model = lading.load(pack_homes(sql="SELECT * FROM no_such_table WHERE district_id IN (:keys)"))
    with pytest.raises(FeaturesInvalid, match=r"(?m)the database refuses the query for `district_id`$") as caught:
        look(model, postgresql.url).complete(("M1", 1.0))
    assert "no_such_table" not in caught.value.message
    assert "UndefinedTable 42P01" in caplog.text


# --- Redis


def test_what_is_no_hash_is_not_known(redis: Any, hash_homes: Model, look: Any):
    import redis as driver

    with driver.Redis.from_url(redis.url) as client:
        client.set("district:text", "x")
    with pytest.raises(InputError) as caught:
        look(hash_homes, redis.url).complete(("text", 1.0), ("M1", 1.0))
    assert [problem.row for problem in caught.value.problems] == [0]


def test_a_field_that_a_hash_has_not_is_null(redis: Any, nullable_homes: Callable[..., Model], look: Any):
    import redis as driver

    with driver.Redis.from_url(redis.url) as client:
        client.hset("district:half", mapping={"crime_rate": "1e-3"})
    assert look(nullable_homes(**HASH), redis.url).complete(("half", 1.0)) == [(1.0, 0.001, None)]
