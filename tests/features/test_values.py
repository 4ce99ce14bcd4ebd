"""Values of stores are checked as those of requests are."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from lading.bundle.lookups import Lookup
from lading.errors import FeaturesInvalid
from lading.features.values import RowReader
from lading.schema.fields import Field, Interval, Kind

SQL = Lookup("id", ("x",), sql="SELECT …")
HASH = Lookup("id", ("x",), hash="h:{key}")


def read(lookup: Lookup, kind: Kind, value: Any, **said: Any) -> Any:
    return RowReader(lookup, [Field("x", kind, "str" if kind in ("text", "date") else kind, **said)]).row([value])[0]


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("float", Decimal("1.50"), 1.5),
        ("float", 3, 3.0),
        ("int", Decimal(3), 3),
        ("int", 3.0, 3),
        ("bool", 1, True),
        ("bool", False, False),
        ("text", b"Stra\xc3\x9fe", "Straße"),
        ("text", memoryview(b"a"), "a"),
        ("text", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("date", date(2024, 2, 29), "2024-02-29"),
        ("date", datetime(2024, 2, 29, 12, 30, 0, 5, UTC), "2024-02-29T12:30:00.000005+00:00"),
    ],
)
def test_what_a_driver_gives_is_a_cell(kind: Kind, value: Any, cell: Any):
    told = read(SQL, kind, value)
    assert (told, type(told)) == (cell, type(cell))


@pytest.mark.parametrize("value", [None, float("nan"), Decimal("NaN")])
def test_what_is_missing_is_null(value: Any):
    assert read(SQL, "float", value, nullable=True) is None


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("float", "canary", {}),
        ("float", True, {}),
        ("float", float("inf"), {}),
        ("int", 1.5, {}),
        ("bool", 2, {}),
        ("text", 5, {}),
        ("float", None, {}),
        ("date", "29.2.2024 canary", {}),
        ("float", 9.0, {"domain": Interval(0, 1)}),
        ("category", "canary", {"categories": ("a", "b")}),
    ],
)
def test_what_does_not_fit_is_told_with_its_column_and_without_its_value(kind: Kind, value: Any, said: Any):
    with pytest.raises(FeaturesInvalid, match="the store's `x` does not fit: ") as caught:
        read(SQL, kind, value, **said)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "cell"),
    [("float", "1e3", 1000.0), ("int", "7", 7), ("bool", "true", True), ("text", "7", "7"), ("text", "NA", "NA")],
)
def test_texts_of_redis_are_read_as_those_of_csv(kind: Kind, text: str, cell: Any):
    assert read(HASH, kind, text) == cell


def test_a_text_of_redis_that_is_no_number_does_not_fit():
    with pytest.raises(FeaturesInvalid, match="expected number, got a string"):
        read(HASH, "float", "canary")
