"""Rows of requests become rows of the model, by what a file of SQLite has."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import lading
from lading.engine.model import Model
from lading.errors import (
    DeadlineExceeded,
    FeaturesInvalid,
    FeaturesUnavailable,
    InputError,
    QueueFull,
    SettingsError,
)


def run_sql(database: Path, sql: str, *parameters: Any) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql, parameters)


def test_columns_come_from_the_store_in_the_order_of_the_model(homes: Model, look: Any, url: str):
    assert look(homes, url).complete(("M2", 2.0), ("M1", 1.0)) == [(2.0, 5.0, 6.0), (1.0, 3.0, 4.0)]


def test_a_key_that_looks_like_sql_is_a_key(homes: Model, look: Any, url: str, database: Path):
    looking = look(homes, url)
    assert looking.complete(("'; DROP TABLE districts; --", 1.0)) == [(1.0, 1.0, 2.0)]
    with pytest.raises(InputError):
        looking.complete(("M1' OR '1'='1", 1.0))
    assert looking.complete(("M2", 1.0)) == [(1.0, 5.0, 6.0)]


def test_a_key_that_is_not_known_is_refused_and_remembered(homes: Model, look: Any, url: str):
    looking = look(homes, url)
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            looking.complete(("M1", 1.0), ("M9", 1.0), ("x" * 300, 1.0), ("M8", 1.0))
        told = [(problem.row, problem.column, problem.code) for problem in caught.value.problems]
        assert told == [(row, "district_id", "features.unknown_key") for row in (1, 2, 3)]
    assert (looking.count("unknown"), looking.count("misses"), looking.count("hits")) == (6, 5, 3)


def test_a_key_that_is_not_known_makes_columns_null_where_that_is_declared(
    nullable_homes: Callable[..., Model], look: Any, url: str
):
    assert look(nullable_homes(missing="null"), url).complete(("M9", 1.0), ("M1", 1.0)) == [
        (1.0, None, None),
        (1.0, 3.0, 4.0),
    ]


def test_a_null_of_the_store_is_null_or_a_fault_of_the_store(
    homes: Model, nullable_homes: Callable[..., Model], look: Any, url: str, database: Path, caplog: Any
):
    run_sql(database, "INSERT INTO districts VALUES ('M3', NULL, 1)")
    assert look(nullable_homes(), url).complete(("M3", 1.0)) == [(1.0, None, 1.0)]
    looking = look(homes, url)
    with pytest.raises(FeaturesInvalid, match="the store's `crime_rate` does not fit: expected number, got null"):
        looking.complete(("M3", 1.0))
    assert [record.getMessage() for record in caplog.records] == [
        "features `district`: the store's `crime_rate` does not fit: expected number, got null"
    ]
    assert looking.complete(("M1", 1.0)) == [(1.0, 3.0, 4.0)]


def test_only_the_request_whose_key_has_a_bad_value_fails(homes: Model, look: Any, url: str, database: Path):
    run_sql(database, "INSERT INTO districts VALUES ('M3', 'high', 1)")
    good, bad = look(homes, url).complete_all([("M1", 1.0)], [("M3", 1.0)])
    assert good == [(1.0, 3.0, 4.0)]
    assert isinstance(bad, FeaturesInvalid)
    assert "high" not in str(bad)


def test_two_rows_for_a_key_are_a_fault_of_the_store(pack_homes: Callable[..., Path], look: Any, url: str):
    sql = "SELECT 'M1', crime_rate, school_score FROM districts WHERE 'M1' IN (:keys)"
    with pytest.raises(FeaturesInvalid, match="more than one row for a key"):
        look(lading.load(pack_homes(sql=sql)), url).complete(("M1", 1.0))


def test_a_column_that_the_query_does_not_give_is_named(pack_homes: Callable[..., Path], look: Any, url: str):
    sql = "SELECT district_id, crime_rate FROM districts WHERE district_id IN (:keys)"
    with pytest.raises(FeaturesInvalid, match="gives no column `school_score`"):
        look(lading.load(pack_homes(sql=sql)), url).complete(("M1", 1.0))


def test_keys_may_be_integers(pack_homes: Callable[..., Path], look: Any, url: str, database: Path):
    run_sql(database, "CREATE TABLE numbered AS SELECT 206 AS id, 7.0 AS crime_rate, 8.0 AS school_score")
    sql = "SELECT id, crime_rate, school_score FROM numbered WHERE id IN (:keys)"
    model = lading.load(pack_homes(sql=sql, kind="int", example=206))
    looking = look(model, url)
    assert looking.complete((206, 1.0)) == [(1.0, 7.0, 8.0)]
    with pytest.raises(InputError):
        looking.complete((2**63 - 1, 1.0))


def test_a_key_may_be_an_input_too_and_several_lookups_may_have_it(
    pack_homes: Callable[..., Path], look: Any, url: str, database: Path
):
    run_sql(database, "CREATE TABLE crime AS SELECT 2 AS rooms, 7.0 AS crime_rate")
    run_sql(database, "CREATE TABLE schools AS SELECT 2 AS rooms, 9.0 AS school_score")
    features = {
        name: {
            "key": "rooms",
            "kind": "int",
            "columns": [column],
            "sql": f"SELECT * FROM {name} WHERE rooms IN (:keys)",
        }
        for name, column in (("crime", "crime_rate"), ("schools", "school_score"))
    }
    model = lading.load(pack_homes(inputs={"rooms": {"kind": "int"}}, features=features))
    assert model.manifest.request_schema.names == ("rooms",)
    assert look(model, url).complete((2,)) == [(2, 7.0, 9.0)]


def test_ten_thousand_rows_are_one_request(homes: Model, look: Any, url: str, database: Path):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany("INSERT INTO districts VALUES (?, ?, 0)", [(f"K{n}", float(n)) for n in range(10_000)])
    rows = [(f"K{n}", 1.0) for n in range(10_000)]
    looking = look(homes, url, features_timeout_s=30.0)
    assert looking.complete(*rows, timeout_s=60.0) == [(1.0, float(n), 0.0) for n in range(10_000)]
    assert looking.count("misses") == 10_000


def test_the_store_is_only_read(pack_homes: Callable[..., Path], look: Any, url: str, caplog: pytest.LogCaptureFixture):
    model = lading.load(pack_homes(sql="DELETE FROM districts WHERE district_id IN (:keys) RETURNING *"))
    with pytest.raises(FeaturesInvalid):
        look(model, url).complete(("M1", 1.0))
    assert "not authorized" in caplog.text


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM INTO (:keys)",
        "ATTACH DATABASE ('copy.db' || substr(:keys, 1, 0)) AS copy",
        "PRAGMA writable_schema = 1 /* :keys */",
    ],
)
def test_no_other_file_is_attached_or_written(
    sql: str, pack_homes: Callable[..., Path], look: Any, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((FeaturesInvalid, FeaturesUnavailable)):
        look(lading.load(pack_homes(sql=sql)), url).complete(("copy.db", 1.0))
    assert not list(tmp_path.rglob("copy.db"))


def test_a_file_that_is_not_there_fails_until_it_is(homes: Model, look: Any, tmp_path: Path, database: Path):
    looking = look(homes, f"sqlite:///{tmp_path / 'later.db'}")
    with pytest.raises(FeaturesUnavailable) as caught:
        looking.complete(("M1", 1.0))
    assert (caught.value.code, looking.count("failures")) == ("features.unavailable", 1)
    assert not (tmp_path / "later.db").exists()
    database.rename(tmp_path / "later.db")
    assert looking.complete(("M1", 1.0)) == [(1.0, 3.0, 4.0)]


def test_a_query_that_takes_too_long_is_interrupted(
    pack_homes: Callable[..., Path], look: Any, url: str, caplog: pytest.LogCaptureFixture
):
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT 'M1', i AS crime_rate, i AS school_score FROM n WHERE i < 0 AND 'M1' IN (:keys)"
    )
    looking = look(lading.load(pack_homes(sql=endless)), url, features_timeout_s=0.1)
    with pytest.raises(FeaturesUnavailable):
        looking.complete(("M1", 1.0))
    with pytest.raises(DeadlineExceeded):
        looking.complete(("M1", 1.0), timeout_s=0.01)


def test_no_more_keys_wait_than_may(homes: Model, look: Any, url: str):
    looking = look(homes, url, max_queue_rows=2)
    told = looking.complete_all([("M1", 1.0)], [("M2", 1.0)], [("M3", 1.0)])
    assert [isinstance(each, QueueFull) for each in told] == [False, False, True]


@pytest.mark.parametrize("url", ["", "redis://h", "mysql://u:canary@h", "canary", "sqlite:///canary sqlite:///b"])
def test_an_address_that_is_missing_or_none_is_told_at_the_start_and_not_repeated(homes: Model, look: Any, url: str):
    with pytest.raises(SettingsError, match="features_url") as caught:
        look(homes, url)
    assert "canary" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("sql", ["SELECT * FORM districts WHERE district_id IN (:keys)", "SELECT :keys FROM nowhere"])
def test_sql_that_the_database_does_not_understand_is_told_in_the_log(
    sql: str, pack_homes: Callable[..., Path], look: Any, url: str, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(FeaturesInvalid, match=r"(?m)the database refuses the query for `district_id`$"):
        look(lading.load(pack_homes(sql=sql)), url).complete(("M1", 1.0))
    assert "syntax error" in caplog.text or "no such table: nowhere" in caplog.text
