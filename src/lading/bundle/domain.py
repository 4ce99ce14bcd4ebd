"""A declared domain: the only values of a column, or an interval; read from an option, and fitted to its column."""

from __future__ import annotations

import math

from lading.errors import SettingsError
from lading.schema.cells import is_date
from lading.schema.fields import Field, Interval, Value

Domain = tuple[Value, ...] | Interval


def read_domain(text: str) -> Domain:
    """The domain in `0,1` (only these values) or `0..120` (an interval, of which one bound may be left out).

    Raises:
        SettingsError: the text has neither form.
    """
    if ".." in text:
        low, _, high = text.partition("..")
        return Interval(_bound(low), _bound(high))
    # Only the column knows what these words are: of a column of texts, `007` is no number.
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise SettingsError("a domain is NAME=VALUE,VALUE or NAME=MIN..MAX", hint="--domain feature1=0,1")
    return words


def _bound(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise SettingsError("the bounds of a domain are numbers", hint="--domain age=0..120") from None


def fit_domain(field: Field, domain: Domain) -> Domain:
    """The declared domain in the kind of its column.

    Raises:
        SettingsError: it is of another kind, says nothing, or has values that the model does not know.
    """
    if isinstance(domain, Interval):
        return _fit_interval(field, domain)
    if not domain:
        raise SettingsError(f"the domain of `{field.name}` is empty")
    values = tuple(_fit_value(field, value) for value in domain)
    if field.kind == "category" and field.closed and not set(values) <= set(field.categories):
        hint = "known: " + ", ".join(str(category) for category in field.categories[:20])
        raise SettingsError(f"the model does not know every value in the domain of `{field.name}`", hint=hint)
    return values


def _fit_interval(field: Field, interval: Interval) -> Interval:
    if field.value_kind not in ("int", "float"):
        raise SettingsError(f"the domain of `{field.name}` is an interval, but the column is not a number")
    low = -math.inf if interval.minimum is None else interval.minimum
    high = math.inf if interval.maximum is None else interval.maximum
    # Also where a bound is NaN
    if not low <= high or (math.isinf(low) and math.isinf(high)):
        message = f"the domain of `{field.name}` is MIN..MAX, of which one may be left out, and MIN is not above MAX"
        raise SettingsError(message, hint=f"--domain {field.name}=0..120")
    return closed_where_finite(low, high)


def closed_where_finite(low: float, high: float) -> Interval:
    """The interval between two bounds; an infinite one, which JSON cannot say, is open."""
    return Interval(low if math.isfinite(low) else None, high if math.isfinite(high) else None)


def _fit_value(field: Field, value: Value) -> Value:
    """The value in the kind of its column; a word is what it stands for there."""
    kind = field.value_kind
    if kind == "text":
        return str(value)
    if isinstance(value, str) and kind != "date":
        value = _read_word(value)
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if kind == "bool" and isinstance(value, int) and value in (0, 1):
        return bool(value)
    if (kind == "int" and type(value) is int) or (kind == "date" and isinstance(value, str) and is_date(value)):
        return value
    raise SettingsError(f"a value in the domain of `{field.name}` is not of its kind, {kind}")


def _read_word(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
