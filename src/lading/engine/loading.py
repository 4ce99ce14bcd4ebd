"""From a path to a model: a bundle is opened by its manifest, a bare file by its name and content."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import msgspec

from lading.bundle.archive import is_archive
from lading.bundle.bundle import Bundle
from lading.bundle.declared import Declared, declare, default_name, read_declared, read_metadata
from lading.bundle.environment import Difference, differences, installed, refuse_differences
from lading.bundle.manifest import GOLDEN, REFERENCE, Manifest, check_names
from lading.engine.describe import describe
from lading.engine.golden import decode_golden
from lading.engine.model import Model
from lading.errors import BundleError, FormatError, UnsupportedModel, UsageError
from lading.flavors.flavor import Flavor, Needs, Predictor
from lading.flavors.registry import flavor_named, flavor_of_file, require
from lading.schema.fields import Schema
from lading.schema.reference import Reference
from lading.settings import CONFIG_NAME, read_config

MAX_FILE_BYTES = 16 << 30
_HEAD_BYTES = 64


def load(path: str | Path, *, ignore_versions: bool = False, declared: Declared | None = None) -> Model:
    """The model in a bundle or in a bare model file.

    Args:
        path: of `*.lading`, or of a file that a framework saved.
        ignore_versions: load although a library has another version than the model was saved with.
        declared: what the author says, over what `lading.toml` beside a bare file says; not for bundles.

    Raises:
        BundleError: the bundle is damaged or was changed.
        ModelError: the file is broken or holds nothing that can be served.
        EnvironmentMismatch: a library is missing or has another version.
        UsageError: there is no such file.
    """
    path = Path(path)
    if is_bundle(path):
        if declared is not None and declared != Declared():
            raise UsageError("a bundle already says what its author declared", hint="pack the model again")
        return load_bundle(path, ignore_versions=ignore_versions)
    return load_file(path, ignore_versions=ignore_versions, declared=declared)


def is_bundle(path: Path) -> bool:
    """Whether the path is a bundle, by its name or by its beginning."""
    if path.suffix == ".lading":
        return True
    try:
        with path.open("rb") as file:
            return is_archive(file.read(_HEAD_BYTES))
    except OSError:
        return False


def load_bundle(path: Path, *, ignore_versions: bool = False) -> Model:
    """The model in a bundle, from the bytes whose digests the manifest lists."""
    with Bundle.open(path) as bundle:
        manifest = bundle.manifest
        flavor = flavor_named(manifest.flavor)
        require(flavor, path.name)
        if not ignore_versions:
            refuse_differences(path.name, recorded_differences(manifest, flavor))
        golden = bundle.read_optional(GOLDEN)
        reference = bundle.read_optional(REFERENCE)
        predictor = flavor.load(bundle.read(manifest.model))
        return Model(
            manifest,
            predictor,
            golden=decode_golden(golden) if golden is not None else None,
            reference=_decode_reference(reference) if reference is not None else None,
            digest=bundle.digest(),
        )


def recorded_differences(manifest: Manifest, flavor: Flavor) -> tuple[Difference, ...]:
    """What differs here from the recorded requirements and matters: missing packages, and the framework's version."""
    found = differences({requirement.name: requirement.version for requirement in manifest.requirements})
    return tuple(item for item in found if item.installed is None or item.name == flavor.distribution)


def load_file(path: Path, *, ignore_versions: bool = False, declared: Declared | None = None) -> Model:
    """The model in a bare file, with all that can be known about it without data."""
    data = read_model_file(path)
    flavor, needs = examine(path.name, data, ignore_versions=ignore_versions)
    said = declared_beside(path, declared)
    predictor = flavor.load(data)
    schema = declare(schema_of(predictor), said)
    manifest = manifest_of(path, flavor, predictor, needs, said, schema)
    return Model(manifest, predictor, digest=hashlib.sha256(data).hexdigest())


def read_model_file(path: Path) -> bytes:
    """The bytes of a model file.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        FormatError: it is larger than `MAX_FILE_BYTES`.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder", hint="name the model file in it")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FormatError(f"{path.name} is larger than {MAX_FILE_BYTES >> 30} GiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def examine(name: str, data: bytes, *, ignore_versions: bool = False) -> tuple[Flavor, Needs]:
    """The flavor of a bare file and what it asks for, before anything in it is run.

    Raises:
        FormatError: it is empty, broken or of no known format.
        EnvironmentMismatch: the environment lacks what it asks for.
        UnsupportedModel: it asks for something that cannot be installed.
    """
    flavor = flavor_of_file(name, data)
    require(flavor, name)
    needs = flavor.needs(data)
    missing = [item for item in differences(dict(needs.distributions)) if item.wanted or item.installed is None]
    if not ignore_versions:
        refuse_differences(name, missing)
    if needs.problems:
        raise UnsupportedModel(f"{name}: {needs.problems[0]}", hint=f"lading doctor {name}")
    return flavor, needs


def declared_beside(path: Path, declared: Declared | None) -> Declared:
    """What `lading.toml` beside a file declares, under what was declared by options."""
    table = read_config(path.parent / CONFIG_NAME)
    table.pop("serve", None)
    beside = read_declared(table)
    if declared is None:
        return beside
    said = {name: value for name in declared.__struct_fields__ if (value := getattr(declared, name))}
    return msgspec.structs.replace(beside, **said | {"inputs": beside.inputs | declared.inputs})


def schema_of(predictor: Predictor) -> Schema:
    """The schema that a model itself knows.

    Raises:
        UnsupportedModel: it does not know its inputs.
    """
    learned = predictor.learn()
    if not learned.fields:
        raise UnsupportedModel(
            f"{predictor.class_name} does not say how many columns it takes",
            hint="lading pack MODEL --data train.csv --target NAME",
        )
    return describe(predictor, learned.fields)


def manifest_of(
    path: Path, flavor: Flavor, predictor: Predictor, needs: Needs, declared: Declared, schema: Schema
) -> Manifest:
    """The manifest of a bare file, from what was found out."""
    manifest = Manifest(
        name=declared.name or default_name(path),
        version=declared.version or "0",
        flavor=flavor.name,
        model=path.name,
        class_name=predictor.class_name,
        model_schema=schema,
        metadata={**predictor.metadata, **read_metadata(path), **declared.metadata},
        requirements=installed(needs.distributions),
        python=platform.python_version(),
        notes=tuple(predictor.learn().notes),
    )
    check_names(manifest)
    return manifest


def _decode_reference(data: bytes) -> Reference:
    try:
        return msgspec.json.decode(data, type=Reference)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError("the reference in the bundle cannot be read") from None
