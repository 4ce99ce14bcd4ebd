"""A contract: services that keep it, and what is in it."""

from pathlib import Path

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.live import serving

import lading
from lading.errors import BundleError, UsageError
from lading.flavors import __name__ as flavors
from lading.schema.fields import Field, Interval, Output, Schema
from lading.testing import Case, contract, serve
from lading.testing.subject import subject_at, subject_of_bundle

IRIS_FILE = Path(lading.__file__).parent / flavors.partition(".")[2] / "iris.linear.json"


def failures(cases: tuple[Case, ...], url: str) -> list[str]:
    return [f"{case}: {failure}" for case in cases if (failure := case.failure(url))]


def schema_of(*fields: Field) -> Schema:
    return Schema("regression", fields, (Output("prediction"),))


def names_of(*fields: Field) -> set[str]:
    return {case.name for case in contract(schema_of(*fields))}


# --- services that keep it


def test_a_bundle_with_categories_gaps_and_domains_keeps_its_contract(mixed_path: Path, mixed_url: str):
    cases = contract(mixed_path)
    assert failures(cases, mixed_url) == []
    assert {"the bundle", "golden rows", "plan: outside", "age: outside", "city: null"} <= set(map(str, cases))


def test_a_regressor_with_a_range_keeps_its_contract(spending_path: Path):
    with serve(spending_path) as url:
        assert failures(contract(spending_path), url) == []


def test_a_bare_file_keeps_the_contract_that_it_tells_itself():
    with serve(IRIS_FILE, "--domain", "sepal length (cm)=0..10") as url:
        cases = contract(url)
        assert failures(cases, url) == []
    assert "sepal length (cm): outside" in set(map(str, cases))


def test_an_author_may_name_the_route_and_the_output(named_path: Path):
    with serve(named_path) as url:
        assert failures(contract(named_path), url) == []
        assert subject_at(url).route == "/v1/species"


def test_a_mounted_service_keeps_its_contract(iris_path: Path):
    with serving(Starlette(routes=[Mount("/models/iris", lading.asgi(iris_path))])) as url:
        assert failures(contract(iris_path), f"{url}/models/iris") == []


def test_a_bundle_adds_what_only_it_knows(iris_path: Path, iris_url: str):
    assert {*map(str, contract(iris_path))} - {*map(str, contract(iris_url))} == {"the bundle", "golden rows"}
    assert failures(contract(iris_path), iris_url) == []


# --- what is in it


def test_names_are_unique(mixed_path: Path):
    names = list(map(str, contract(mixed_path)))
    assert len(names) == len(set(names))


def test_a_column_that_may_be_missing_takes_null(mixed_path: Path):
    expected = {case.name: case.expects for case in contract(mixed_path)}
    assert expected["city: null"] == "an answer, because the schema takes null there"
    assert expected["visits: null"] == "422 schema.null for `visits`"


@pytest.mark.parametrize(
    "field",
    [
        Field("a", domain=Interval(0.0, 1.0)),
        Field("a", domain=Interval(None, -1e300)),
        Field("a", "int", "int8", domain=Interval(-100.0, 127.0)),
        Field("a", "category", "str", categories=("x", "y")),
        Field("a", "category", "int64", categories=(1, 2)),
        Field("a", "bool", "bool", domain=(True,)),
        Field("a", "date", "datetime64[ns]", domain=("2024-02-29",)),
        Field("a", "text", "str", domain=("x",)),
    ],
    ids=str,
)
def test_whatever_is_limited_has_a_case_outside(field: Field):
    assert "a: outside" in names_of(field)


def test_what_is_not_limited_has_none():
    assert not any(name.endswith("outside") for name in names_of(Field("a"), Field("b", "text", "str")))


def test_of_a_wide_model_some_columns_evenly_taken_have_cases_of_their_own():
    fields = [Field(f"x{position}") for position in range(200)]
    missing = [case.name for case in contract(schema_of(*fields)) if case.name.endswith(": missing")]
    assert len(missing) == 20
    assert (missing[0], missing[1], missing[-1]) == ("x0: missing", "x10: missing", "x199: missing")


def test_a_very_wide_model_has_a_contract_of_bounded_size():
    cases = contract(schema_of(*(Field(f"x{position}") for position in range(20_000))))
    assert sum(len(request.body or b"") for case in cases for request in case.requests) < 32 << 20
    assert "one row by GET" not in set(map(str, cases))


def test_one_column_alone_has_a_contract():
    names = names_of(Field("a", "text", "str"))
    assert {"every column missing", "a misspelt column", "rows as CSV"} <= names
    assert "two problems at once" not in names


def test_a_text_that_csv_cannot_say_is_not_sent_as_csv():
    assert "rows as CSV" not in names_of(Field("a", "category", "str", categories=("",), example=""))


def test_a_damaged_bundle_has_no_contract(iris_path: Path, tmp_path: Path):
    data = bytearray(iris_path.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "iris.lading").write_bytes(data)
    with pytest.raises(BundleError):
        contract(tmp_path / "iris.lading")


def test_a_file_that_is_not_there_is_said():
    with pytest.raises(UsageError, match=r"there is no file nowhere\.lading"):
        contract("nowhere.lading")


def test_the_model_of_a_bundle_is_not_loaded(mixed_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("lading.flavors.sklearn.SklearnFlavor.load", refuse)
    assert msgspec.structs.asdict(subject_of_bundle(mixed_path))["golden"] is not None
