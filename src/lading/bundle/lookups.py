"""Lookups: columns of the model that no request brings, but a store has by a key that the request does bring.

What is declared here is of the model, and is packed with it. Where the store is, each deployment says for itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from lading.errors import UsageError
from lading.schema.fields import MAX_NAME_CHARS, Field, Schema
from lading.schema.problems import suggest

Key = str | int
"""What a request brings in place of the columns."""

SQL_KEYS = re.compile(r"(?<![:\w]):keys\b")
"""Where the keys stand in the SQL: never they themselves, but parameters for them."""
HASH_KEY = "{key}"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


class Lookup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One lookup.

    Attributes:
        key: the column that requests bring.
        columns: inputs of the model that come from the store.
        sql: asks a database for them; its first column is the key, the others have the names of the columns.
        hash: of Redis: the name of the hash of a key, whose fields are the columns.
        kind: of the key.
        missing: a key that the store does not know is refused, or makes the columns null.
        cache_s: for how long what the store said is taken as it was.
        example: a key that the store knows, for the request that is proposed.
    """

    key: str
    columns: tuple[str, ...]
    sql: str = ""
    hash: str = ""
    kind: Literal["text", "int"] = "text"
    missing: Literal["refuse", "null"] = "refuse"
    cache_s: float = 60.0
    example: Key | None = None

    @property
    def field(self) -> Field:
        """The key as a column of requests."""
        dtype = "int64" if self.kind == "int" else "str"
        return Field(self.key, self.kind, dtype, example=self.example, description=f"brings {', '.join(self.columns)}")


Lookups = Mapping[str, Lookup]
"""Lookups by their names."""


def request_schema(schema: Schema, lookups: Lookups) -> Schema:
    """What requests bring: the keys first, and the model's inputs that are not looked up.

    A key may be an input of the model too, and is then the column that it is there.
    """
    if not lookups:
        return schema
    looked_up = {column for lookup in lookups.values() for column in lookup.columns}
    keys = {lookup.key: lookup.field for lookup in lookups.values()}
    rest = {field.name: field for field in schema.inputs if field.name not in looked_up}
    unused = tuple(name for name in schema.unused if name not in keys)
    return msgspec.structs.replace(schema, inputs=tuple((keys | rest).values()), unused=unused)


def check_lookups(schema: Schema, lookups: Lookups) -> None:
    """Refuse lookups that do not fit the model, or one another.

    Raises:
        UsageError: says which, and why.
    """
    if lookups and schema.image is not None:
        raise UsageError("the columns are the pixels of an image, so none of them can be looked up")
    fields = {field.name: field for field in schema.inputs}
    filled: set[str] = set()
    for name, lookup in lookups.items():
        if not _NAME.fullmatch(name):
            raise UsageError("a lookup's name has letters, digits, `-` and `_`, at most 63", hint="[features.district]")
        place = f"[features.{name}]"
        _check_source(place, lookup)
        _check_key(place, lookup, fields)
        for column in lookup.columns:
            _check_column(place, lookup, column, fields)
            if column in filled:
                raise UsageError(f"{place}: `{column}` is looked up twice")
            filled.add(column)
    kinds = {(lookup.key, lookup.kind) for lookup in lookups.values()}
    for key in (lookup.key for lookup in lookups.values()):
        if key in filled:
            raise UsageError(f"the key `{key}` is looked up itself")
        if len([kind for known, kind in kinds if known == key]) > 1:
            raise UsageError(f"the key `{key}` has two kinds")


def _check_source(place: str, lookup: Lookup) -> None:
    if not lookup.columns:
        raise UsageError(f"{place} names no columns")
    if bool(lookup.sql) == bool(lookup.hash):
        raise UsageError(f"{place} has either `sql` or `hash`")
    if lookup.sql and len(SQL_KEYS.findall(lookup.sql)) != 1:
        raise UsageError(f"{place}: `:keys` stands once in the SQL", hint="… WHERE id IN (:keys)")
    if lookup.hash and HASH_KEY not in lookup.hash:
        raise UsageError(f"{place}: the hash has `{HASH_KEY}` in its name", hint=f'hash = "district:{HASH_KEY}"')
    if not 0 <= lookup.cache_s < math.inf:
        raise UsageError(f"{place}: `cache_s` is a number of seconds, or 0 for none")


def _check_key(place: str, lookup: Lookup, fields: Mapping[str, Field]) -> None:
    name = lookup.key
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise UsageError(f"{place}: the name of the key is empty, too long, or holds control characters")
    if name in fields and (fields[name].value_kind != lookup.kind or fields[name].nullable):
        message = (
            f"{place}: the key `{name}` is an input of the model too, and there not {lookup.kind} that is never null"
        )
        raise UsageError(message, hint="give the key a name of its own")
    if lookup.example is not None and isinstance(lookup.example, int) != (lookup.kind == "int"):
        raise UsageError(f"{place}: the example of the key is not of its kind, {lookup.kind}")


def _check_column(place: str, lookup: Lookup, column: str, fields: Mapping[str, Field]) -> None:
    if column not in fields:
        meant = suggest(column, fields)
        hint = f"did you mean `{meant}`?" if meant else None
        raise UsageError(f"{place}: `{column}` is not an input of the model", hint=hint)
    if lookup.missing == "null" and not fields[column].nullable:
        raise UsageError(
            f"{place}: `{column}` is never null, so a key that is not known has to be refused",
            hint=f'missing = "refuse", or [inputs.{column}] nullable = true',
        )
