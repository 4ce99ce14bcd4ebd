"""What the author declares about a model: in `lading.toml` beside it, or by options, which win.

name = "churn"
target = "churned"
labels = ["stays", "leaves"]
route = "/churn"
code = "churn.ipynb"

[inputs.age]
domain = { min = 0, max = 120 }
description = "in years"

[metadata]
author = "Jo"
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from lading.bundle.domain import closed_where_finite, fit_domain, read_domain
from lading.bundle.image import DeclaredImage, declare_image, image_from
from lading.bundle.lookups import Lookup
from lading.bundle.manifest import safe_name
from lading.errors import SettingsError, UsageError
from lading.schema.cells import accepts, cell_checker, numpy_dtype
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Interval, Kind, Output, Schema, Value
from lading.schema.problems import suggest
from lading.schema.synthetic import example_value

_T = TypeVar("_T")

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
    output: str | None = None
    route: str | None = None
    input_names: tuple[str, ...] = ()
    code: tuple[str, ...] | str = ()
    files: tuple[str, ...] | str = ()
    image: DeclaredImage | None = None
    inputs: dict[str, DeclaredInput] = {}
    features: dict[str, Lookup] = {}
    metadata: dict[str, Any] = {}

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns of the data that the model predicts."""
        return _several(self.target)

    @property
    def code_paths(self) -> tuple[Path, ...]:
        """The author's own Python that the model needs."""
        return tuple(map(Path, _several(self.code)))

    @property
    def file_paths(self) -> tuple[Path, ...]:
        """Other files that the model reads."""
        return tuple(map(Path, _several(self.files)))


def _several(said: tuple[str, ...] | str) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else said


def within(folder: Path, declared: Declared) -> Declared:
    """The declaration of a `lading.toml`, whose files are named as its folder has them."""
    code, files = (tuple(str(folder / path) for path in paths) for paths in (declared.code_paths, declared.file_paths))
    return msgspec.structs.replace(declared, code=code, files=files)


def read_declared(table: dict[str, Any], where: str = "lading.toml") -> Declared:
    """The declaration in a table of `lading.toml`, or in keywords of the same names; `where` is what errors call it.

    Raises:
        SettingsError: a key is unknown or a value is of the wrong kind; names the key that was probably meant.
    """
    _refuse_unknown(table, Declared.__struct_fields__, where)
    _check_parts(table, "inputs", DeclaredInput, where)
    _check_parts(table, "features", Lookup, where)
    if isinstance(image := table.get("image"), dict):
        _refuse_unknown(image, DeclaredImage.__struct_fields__, f"[image] of {where}")
    return _convert(table, Declared, where)


def _check_parts(table: dict[str, Any], key: str, kind: type[msgspec.Struct], where: str) -> None:
    """Refuse a named part that is wrong by itself, so that the error says which."""
    parts = table.get(key)
    for name, part in parts.items() if isinstance(parts, dict) else ():
        place = f"[{key}.{name}] of {where}"
        if isinstance(part, dict):
            _refuse_unknown(part, kind.__struct_fields__, place)
        _convert(part, kind, place)


def _refuse_unknown(keys: Iterable[str], known: tuple[str, ...], where: str) -> None:
    for key in keys:
        if key not in known:
            meant = suggest(key, known)
            hint = f"did you mean `{meant}`?" if meant else f"known: {', '.join(known)}"
            raise SettingsError(f"unknown key `{key}` in {where}", hint=hint)


def _convert(value: Any, kind: type[_T], where: str) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}") from None


def parse_domain(text: str) -> tuple[str, DeclaredInput]:
    """The column and its domain in `feature1=0,1` (only these values) or `age=0..120` (an interval).

    Raises:
        SettingsError: the text has neither form.
    """
    name, _, domain = text.rpartition("=")
    if not name:
        raise SettingsError("a domain is NAME=VALUE,VALUE or NAME=MIN..MAX", hint="--domain feature1=0,1")
    return name, DeclaredInput(domain=read_domain(domain))


def declared_from(
    *,
    name: str | None = None,
    version: str | None = None,
    labels: str | None = None,
    domain: Iterable[str] = (),
    output_range: str | None = None,
    output: str | None = None,
    route: str | None = None,
    input_names: str | None = None,
    code: Iterable[str] = (),
    files: Iterable[str] = (),
    image: str | None = None,
    gray: bool = False,
    invert: bool = False,
    scale: str | None = None,
    target: str | None = None,
) -> Declared:
    """What the options of a command line declare.

    Raises:
        SettingsError: one has not the form that it should have.
    """
    if name == "" or version == "":
        raise SettingsError("a name and a version are not empty")
    inputs: dict[str, DeclaredInput] = dict(parse_domain(text) for text in domain)
    return Declared(
        name=name,
        version=version,
        target=_words(target),
        labels=_words(labels),
        output=output,
        route=route,
        input_names=_words(input_names),
        code=tuple(code),
        files=tuple(files),
        image=image_from(image, gray=gray, invert=invert, scale=_range("scale", scale) if scale else None),
        output_range=_range("output range", output_range) if output_range else None,
        inputs=inputs,
    )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _range(what: str, text: str) -> tuple[float, float]:
    low, dots, high = text.partition("..")
    try:
        if not dots:
            raise ValueError
        return float(low), float(high)
    except ValueError:
        hint = f"--{what.replace(' ', '-')} 0..100"
        raise SettingsError(f"the {what} is MIN..MAX", hint=hint) from None


def named(learned: Learned, names: tuple[str, ...]) -> Learned:
    """What a model knows of its inputs, with the author's names for columns that it has none for.

    Raises:
        SettingsError: it knows their names, or has other numbers of them.
    """
    if not names:
        return learned
    if learned.named:
        raise SettingsError("the model knows the names of its columns", hint="leave out --input-names")
    if len(names) != len(learned.fields):
        raise SettingsError(f"the model takes {len(learned.fields)} columns, {len(names)} names were given")
    own = {f"`{field.name}`": f"`{name}`" for field, name in zip(learned.fields, names, strict=True)}
    notes = tuple(re.sub("`[^`]*`", lambda found: own.get(found[0], found[0]), note) for note in learned.notes)
    fields = (msgspec.structs.replace(field, name=name) for field, name in zip(learned.fields, names, strict=True))
    return dataclasses.replace(learned, fields=tuple(fields), notes=notes)


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
    schema = msgspec.structs.replace(schema, inputs=inputs, outputs=outputs)
    return declare_image(schema, declared.image) if declared.image is not None else schema


def _declare_field(field: Field, declared: DeclaredInput | None) -> Field:
    if declared is None:
        return field
    said = {name: value for name in declared.__struct_fields__ if (value := getattr(declared, name)) is not None}
    if said.get("kind", field.kind) != field.kind:
        field = _of_kind(field, said["kind"])
    field = msgspec.structs.replace(field, **said)
    if field.kind == "category" and not field.categories and isinstance(declared.domain, tuple):
        # All that is known of a category that the model does not name.
        field = msgspec.structs.replace(field, categories=declared.domain)
    if declared.domain is not None:
        field = msgspec.structs.replace(field, domain=fit_domain(field, declared.domain))
    check = cell_checker(field)
    if declared.example is not None and not accepts(check, declared.example):
        raise SettingsError(f"the example of `{field.name}` is not a value that the column takes")
    if not accepts(check, example_value(field)):
        raise SettingsError(f"the domain of `{field.name}` leaves no value that the column takes")
    return field


def _of_kind(field: Field, kind: Kind) -> Field:
    """The field as another kind; what was learned of its values is left behind, where it says nothing of the new."""
    seen = field.seen if kind in ("int", "float") else None
    return msgspec.structs.replace(field, kind=kind, dtype=_dtype(field, kind), categories=(), seen=seen)


def _dtype(field: Field, kind: Kind) -> str:
    """The dtype in which the model is given the kind: its own, where that holds such values."""
    own = numpy_dtype(field.dtype)
    wanted = {"bool": "bool", "int": "int64", "float": "float64"}.get(kind, "str")
    if wanted == "str":
        return field.dtype if own.kind in "OU" else wanted
    return field.dtype if own.kind in "biuf" and np.can_cast(wanted, own, "same_kind") else wanted


def _declare_output(output: Output, declared: Declared) -> Output:
    if output.name == "probabilities":
        return _rename_probabilities(output, declared.labels)
    if declared.output_range is not None:
        if output.classes or output.datatype not in ("FP64", "INT64"):
            raise SettingsError("an output range is for numbers, this model gives classes")
        output = msgspec.structs.replace(output, range=_output_range(*declared.output_range))
    if declared.labels:
        if len(declared.labels) != len(output.classes):
            classes = len(output.classes)
            raise SettingsError(f"the model has {classes} classes, {len(declared.labels)} labels were given")
        if len(set(declared.labels)) != len(declared.labels):
            raise SettingsError("two classes have the same label")
        output = msgspec.structs.replace(output, labels=declared.labels, datatype="BYTES")
    return msgspec.structs.replace(output, name=declared.output) if declared.output is not None else output


def _output_range(low: float, high: float) -> Interval:
    if not low < high:
        raise SettingsError("the output range is MIN..MAX, and MIN is below MAX", hint="--output-range 0..100")
    return closed_where_finite(low, high)


def _rename_probabilities(output: Output, labels: tuple[str, ...]) -> Output:
    if not labels:
        return output
    return msgspec.structs.replace(output, columns=labels)


def read_metadata(model_path: Path) -> dict[str, Any]:
    """The author's metadata in `NAME.metadata.json` or `metadata.json` beside the model; nothing where neither is.

    Raises:
        UsageError: the file is too large, or is not a JSON object.
    """
    path = metadata_file(model_path)
    return _read_object(path) if path is not None else {}


def metadata_file(model_path: Path) -> Path | None:
    """The file of metadata beside a model: its own, or else that of all models in the folder."""
    stem = model_path.name.split(".")[0]
    paths = (model_path.with_name(f"{stem}.metadata.json"), model_path.with_name("metadata.json"))
    return next(filter(Path.is_file, paths), None)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_METADATA_BYTES:
            raise UsageError(f"{path.name} is larger than {MAX_METADATA_BYTES >> 20} MiB")
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageError(f"{path.name} beside the model is not a JSON object") from None


def default_name(path: Path) -> str:
    """The name of a model that was given none: its file's, up to the first dot."""
    return safe_name(path.name.split(".")[0])
