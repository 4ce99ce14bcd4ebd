"""Any schema: hypothesis makes one wherever a test asks for a `Field`, an `Interval` or a `Schema`."""

import json
import math
from datetime import date, datetime

import pytest
from hypothesis import strategies as st

from lading.schema.cells import number_bounds
from lading.schema.fields import KINDS, Field, Interval, Output, Schema

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DATES = st.one_of(
    st.dates(date(1678, 1, 1), date(2261, 12, 31)).map(date.isoformat),
    st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(datetime.isoformat),
)
ODD_NAMES = [
    *("a", "X", "x0", "instances", "columns", "data", "index", "proba", "null", "constructor", "__proto__"),
    *('height (")', "it's", "a:b", "x/y", "a~b", "~1", "back\\slash", "{", "$(id)", "`id`", "%s{0}", "<b>", "a,b"),
    *("é", "e\u0301", "日本", "😀", "ß", "İ", " ", "a b", "\u2028", "\u202e", "", "x" * 256),
]
NAMES = st.one_of(st.sampled_from(ODD_NAMES), TEXTS)
DTYPES = {
    "bool": ["bool", "boolean", "object"],
    "int": ["int64", "int8", "uint8", "uint64", "Int64", "Int8", "float64", "float32"],
    "float": ["float64", "float32", "float16", "Float64"],
    "text": ["str", "object", "string"],
    "date": ["str", "object", "datetime64[ns]", "datetime64[us]", "datetime64[D]"],
}


def values_of(field):
    """Values of a field's kind, within its dtype."""
    if field.value_kind in ("int", "float"):
        low, high = number_bounds(field)
        width = {"float16": 16, "float32": 32}.get(field.dtype, 64)
        return st.integers(low, high) if field.value_kind == "int" else st.floats(low, high, width=width)
    return {"bool": st.booleans(), "text": TEXTS, "date": DATES}[field.value_kind]


@st.composite
def fields(draw, names=NAMES):
    kind = draw(st.sampled_from(KINDS))
    field = draw(categories()) if kind == "category" else Field("", kind, draw(st.sampled_from(DTYPES[kind])))
    return Field(
        name=draw(names),
        kind=kind,
        dtype=field.dtype,
        nullable=draw(st.booleans()),
        null=draw(st.sampled_from(["nan", "none"])),
        categories=field.categories,
        closed=draw(st.booleans()),
        domain=draw(st.none() | domains(field)),
        seen=draw(st.none() | st.from_type(Interval)) if kind in ("int", "float") else None,
        example=draw(st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS),
        description=draw(TEXTS),
    )


@st.composite
def categories(draw):
    kind = draw(st.sampled_from(["bool", "int", "float", "text"]))
    plain = Field("", kind, {"bool": "bool", "int": "int64", "float": "float64", "text": "str"}[kind])
    values = draw(st.lists(values_of(plain), min_size=1, max_size=5, unique=True))
    dtype = draw(st.sampled_from([plain.dtype, "object", "category"]))
    return Field("", "category", dtype, categories=tuple(values))


@st.composite
def domains(draw, field):
    """A domain that leaves something: some of the values, or an interval around one of them."""
    some = st.sampled_from(field.categories) if field.categories else values_of(field)
    if field.value_kind not in ("int", "float") or draw(st.booleans()):
        return tuple(draw(st.lists(some, min_size=1, max_size=4, unique=True)))
    inside = draw(some)
    low, high = draw(st.none() | NUMBERS), draw(st.none() | NUMBERS)
    return Interval(None if low is None else min(low, inside), None if high is None else max(high, inside))


@st.composite
def intervals(draw):
    low, high = sorted([draw(NUMBERS), draw(NUMBERS)])
    return Interval(low, high)


@st.composite
def outputs(draw):
    width = draw(st.integers(1, 4))
    if draw(st.booleans()):
        one = Output("prediction", range=draw(st.none() | st.from_type(Interval)))
        return (one,) if draw(st.booleans()) else (Output("prediction", shape=(-1, width)),)
    kind = draw(st.sampled_from([TEXTS, st.integers(-(2**63), 2**63 - 1)]))
    classes = tuple(draw(st.lists(kind, min_size=2, max_size=4, unique=True)))
    labels = tuple(draw(st.just(()) | st.lists(TEXTS, min_size=len(classes), max_size=len(classes), unique=True)))
    names = labels or tuple(str(name) for name in classes)
    probabilities = Output("probabilities", shape=(-1, len(classes)), columns=names)
    several = Output("probabilities", shape=(-1, width))
    return draw(
        st.sampled_from(
            [
                (Output("prediction", "BYTES", classes=classes, labels=labels), probabilities),
                (Output("prediction", "BYTES", classes=classes, labels=labels),),
                (Output("prediction", "INT64", shape=(-1, width)), several),
            ]
        )
    )


@st.composite
def schemas(draw):
    inputs = draw(st.lists(fields(), min_size=1, max_size=4, unique_by=lambda field: field.name))
    taken = {field.name for field in inputs}
    unused = draw(st.lists(NAMES.filter(lambda name: name not in taken), max_size=2, unique=True))
    return Schema("unknown", tuple(inputs), draw(outputs()), tuple(unused))


st.register_type_strategy(Interval, intervals())
st.register_type_strategy(Field, fields())
st.register_type_strategy(Schema, schemas())


@st.composite
def cells(draw, field):
    """A JSON value that the field accepts."""
    if field.nullable and draw(st.booleans()):
        return None
    if field.values or field.categories:
        allowed = [v for v in field.values or field.categories if field.interval is None or v in field.interval]
        return draw(st.sampled_from(allowed))
    return _within(field, draw(values_of(field)))


def _within(field, value):
    """The value, or the bound of the declared interval that it passes."""
    interval, whole = field.interval, field.value_kind == "int"
    if interval is None or value in interval:
        return value
    if interval.minimum is not None and value < interval.minimum:
        return math.ceil(interval.minimum) if whole else interval.minimum
    return math.floor(interval.maximum) if whole else interval.maximum


@pytest.fixture(scope="session")
def rows_of():
    """For a schema: rows that it accepts, as JSON objects."""

    def rows(schema):
        return st.tuples(*map(cells, schema.inputs)).map(lambda row: dict(zip(schema.names, row, strict=True)))

    return rows


@pytest.fixture(scope="session")
def kin_of():
    """For a field: values of its kind, whatever its domain and its dtype leave out; and null."""
    whole = st.integers(-300, 300) | st.integers(-(2**70), 2**70)
    numbers = {"int": whole, "float": whole | NUMBERS | st.sampled_from([65520.0, -7e4, 3.5e38, -1e300])}
    return lambda field: st.none() | (numbers[field.value_kind] if field.value_kind in numbers else values_of(field))


@pytest.fixture(scope="session")
def exactly():
    """A value with all that `==` passes over: the kind of each number, and the sign of zero."""
    return repr


@pytest.fixture(scope="session")
def as_json():
    """JSON in UTF-8."""
    return lambda value: json.dumps(value, ensure_ascii=False).encode()
