"""What the author declares about a model: in `lading.toml` beside it, or by options, which win.

name = "churn"
target = "churned"
labels = ["stays", "leaves"]

[inputs.age]
domain = { min = 0, max = 120 }
description = "in years"

[metadata]
author = "Jo"
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from lading.bundle.manifest import safe_name
from lading.errors import SettingsError, UsageError
from lading.schema.fields import Field, Interval, Kind, Output, Schema, Value
from lading.schema.problems import suggest

MAX_METADATA_BYTES = 1 << 20


class DeclaredInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the author says about one column; see `Field` for the words."""

    kind: Kind | None = None
    domain: tuple[Value, ...] | Interval | None = None
    nullable: bool | None = None
    example: Value | None = None
    description: str | None = None


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the author says about a model; every part may be left out."""

    name: str | None = None
    version: str | None = None
    target: tuple[str, ...] | str = ()
    labels: tuple[str, ...] = ()
    output_range: tuple[float, float] | None = None
    inputs: dict[str, DeclaredInput] = {}
    metadata: dict[str, Any] = {}

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns of the data that the model predicts."""
        return (self.target,) if isinstance(self.target, str) else self.target


def read_declared(table: dict[str, Any]) -> Declared:
    """The declaration in a table of `lading.toml`.

    Raises:
        SettingsError: a key is unknown or a value is of the wrong kind; names the key that was probably meant.
    """
    for key in table:
        if key not in Declared.__struct_fields__:
            meant = suggest(key, Declared.__struct_fields__)
            hint = f"did you mean `{meant}`?" if meant else f"known: {', '.join(Declared.__struct_fields__)}"
            raise SettingsError(f"unknown key `{key}` in lading.toml", hint=hint)
    try:
        return msgspec.convert(table, Declared)
    except msgspec.ValidationError as error:
        raise SettingsError(f"lading.toml: {error}") from None


def parse_domain(text: str) -> tuple[str, DeclaredInput]:
    """The column and its domain in `feature1=0,1` (only these values) or `age=0..120` (an interval).

    Raises:
        SettingsError: the text has neither form.
    """
    name, equals, rest = text.rpartition("=")
    if not equals or not name or not rest:
        raise SettingsError("a domain is NAME=VALUE,VALUE or NAME=MIN..MAX", hint="--domain feature1=0,1")
    if ".." in rest:
        low, _, high = rest.partition("..")
        return name, DeclaredInput(domain=Interval(_bound(low), _bound(high)))
    return name, DeclaredInput(domain=tuple(parse_value(part.strip()) for part in rest.split(",")))


def _bound(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise SettingsError("the bounds of a domain are numbers", hint="--domain age=0..120") from None


def parse_value(text: str) -> Value:
    """The value that a word of an option stands for: an integer, a number, `true`, `false`, or the word."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def declare(schema: Schema, declared: Declared) -> Schema:
    """The schema with what the author said put over what was learned.

    Raises:
        SettingsError: a declared column is not an input, or the labels do not fit the classes.
    """
    for name in declared.inputs:
        if name not in schema.names:
            meant = suggest(name, schema.names)
            hint = f"did you mean `{meant}`?" if meant else None
            raise SettingsError(f"`{name}` is not an input of the model", hint=hint)
    inputs = tuple(_declare_field(field, declared.inputs.get(field.name)) for field in schema.inputs)
    outputs = tuple(_declare_output(output, declared) for output in schema.outputs)
    return msgspec.structs.replace(schema, inputs=inputs, outputs=outputs)


def _declare_field(field: Field, declared: DeclaredInput | None) -> Field:
    if declared is None:
        return field
    said = {name: value for name in declared.__struct_fields__ if (value := getattr(declared, name)) is not None}
    field = msgspec.structs.replace(field, **said)
    domain = field.domain
    if isinstance(domain, tuple):
        field = msgspec.structs.replace(field, domain=tuple(_fit_value(field, value) for value in domain))
    if isinstance(domain, Interval) and field.value_kind not in ("int", "float"):
        raise SettingsError(f"the domain of `{field.name}` is an interval, but the column is not a number")
    return field


def _fit_value(field: Field, value: Value) -> Value:
    """The value of a declared domain in the kind of its column."""
    kind = field.value_kind
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind == "text":
        return str(value)
    if kind == "bool" and isinstance(value, int) and value in (0, 1):
        return bool(value)
    if (kind == "int" and type(value) is int) or (kind == "date" and isinstance(value, str)):
        return value
    raise SettingsError(f"a value in the domain of `{field.name}` is not of its kind, {kind}")


def _declare_output(output: Output, declared: Declared) -> Output:
    if output.name == "probabilities":
        return _rename_probabilities(output, declared.labels)
    if declared.output_range is not None:
        if output.classes or output.datatype not in ("FP64", "INT64"):
            raise SettingsError("an output range is for numbers, this model gives classes")
        low, high = declared.output_range
        if not low < high:
            raise SettingsError("the output range is MIN..MAX, and MIN is below MAX", hint="--output-range 0..100")
        output = msgspec.structs.replace(output, range=Interval(low, high))
    if declared.labels:
        if len(declared.labels) != len(output.classes):
            classes = len(output.classes)
            raise SettingsError(f"the model has {classes} classes, {len(declared.labels)} labels were given")
        if len(set(declared.labels)) != len(declared.labels):
            raise SettingsError("two classes have the same label")
        output = msgspec.structs.replace(output, labels=declared.labels, datatype="BYTES")
    return output


def _rename_probabilities(output: Output, labels: tuple[str, ...]) -> Output:
    if not labels:
        return output
    return msgspec.structs.replace(output, columns=labels)


def read_metadata(model_path: Path) -> dict[str, Any]:
    """The author's metadata in `NAME.metadata.json` or `metadata.json` beside the model; nothing where neither is.

    Raises:
        UsageError: the file is too large, or is not a JSON object.
    """
    stem = model_path.name.split(".")[0]
    for path in (model_path.with_name(f"{stem}.metadata.json"), model_path.with_name("metadata.json")):
        if path.is_file():
            return _read_object(path)
    return {}


def _read_object(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_METADATA_BYTES:
        raise UsageError(f"{path.name} is larger than {MAX_METADATA_BYTES >> 20} MiB")
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageError(f"{path.name} beside the model is not a JSON object") from None


def default_name(path: Path) -> str:
    """The name of a model that was given none: its file's, up to the first dot."""
    return safe_name(path.name.split(".")[0])
