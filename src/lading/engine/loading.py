"""From a path to a model: a bundle is opened by its manifest, a bare file by its name and content."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from lading.bundle.archive import is_archive
from lading.bundle.bundle import SUFFIX, Bundle
from lading.bundle.declared import Declared, declare, default_name, read_declared, read_metadata
from lading.bundle.environment import Difference, differences, installed, refuse_differences
from lading.bundle.manifest import ENGINE, GOLDEN, REFERENCE, Manifest, Requirement, check_names
from lading.engine.compiled import CompiledModel
from lading.engine.describe import describe
from lading.engine.golden import decode_golden
from lading.engine.model import Model
from lading.errors import BundleError, EnvironmentMismatch, FormatError, UnsupportedModel, UsageError
from lading.flavors.flavor import Flavor, Needs, Predictor
from lading.flavors.registry import flavor_named, flavor_of_file, refuse_mismatch, require
from lading.schema.fields import Schema
from lading.schema.reference import Reference
from lading.settings import CONFIG_NAME, read_config

MAX_FILE_BYTES = 16 << 30
_HEAD_BYTES = 64

_Said = TypeVar("_Said", bound=msgspec.Struct)


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
    if not isinstance(path, str | os.PathLike):
        kind = type(path).__name__
        raise UsageError(f"load takes a path, not a {kind}", hint='pack it first: lading.pack(model, X, y, "m.lading")')
    path = Path(path)
    if is_bundle(path):
        if declared is not None and declared != Declared():
            raise UsageError("a bundle already says what its author declared", hint="pack the model again")
        return load_bundle(path, ignore_versions=ignore_versions)
    return load_file(path, ignore_versions=ignore_versions, declared=declared)


def is_bundle(path: Path) -> bool:
    """Whether the path is a bundle, by its name or by its beginning."""
    if path.suffix == SUFFIX:
        return True
    if not path.is_file():  # to open a named pipe would wait for who writes to it
        return False
    try:
        with path.open("rb") as file:
            return is_archive(file.read(_HEAD_BYTES))
    except OSError:
        return False


def open_bundle(path: Path) -> Bundle:
    """The bundle at a path.

    Raises:
        UsageError: there is no file.
        BundleError: it is not a bundle, is damaged, or was changed.
    """
    _stat_file(path)
    return Bundle.open(path)


def load_bundle(path: Path, *, ignore_versions: bool = False) -> Model:
    """The model in a bundle, from the bytes whose digests the manifest lists."""
    with open_bundle(path) as bundle:
        manifest = bundle.manifest
        serves_compiled = manifest.is_compiled and _is_runnable(manifest)
        load_predictor = _load_compiled if serves_compiled else _load_native
        golden = bundle.read_optional(GOLDEN)
        reference = bundle.read_optional(REFERENCE)
        return Model(
            manifest,
            load_predictor(bundle, path.name, ignore_versions),
            golden=decode_golden(golden) if golden is not None else None,
            reference=_decode_reference(reference) if reference is not None else None,
            digest=bundle.digest(),
        )


def _is_runnable(manifest: Manifest) -> bool:
    """Whether what runs the compiled model is here, of any version; if not, the native model may serve."""
    engine = manifest.engine
    return engine is not None and not differences({item.name: None for item in engine.requirements})


def _load_compiled(bundle: Bundle, name: str, ignore_versions: bool) -> Predictor:
    """The compiled model, which asks for nothing that the native one needs."""
    engine = bundle.manifest.engine
    if engine is not None and not ignore_versions:
        refuse_differences(name, differences({item.name: item.version for item in engine.requirements}))
    return CompiledModel(bundle.manifest, bundle.read(ENGINE))


def _load_native(bundle: Bundle, name: str, ignore_versions: bool) -> Predictor:
    manifest = bundle.manifest
    flavor = flavor_named(manifest.flavor)
    if manifest.is_compiled and flavor.distribution and differences({flavor.distribution: None}):
        hint = 'pip install "lading[onnx]"'
        raise EnvironmentMismatch(f"{name} is compiled to ONNX, and onnxruntime is not installed", hint=hint)
    require(flavor, name)
    if not ignore_versions:
        refuse_differences(name, recorded_differences(manifest, flavor))
    data = bundle.read(manifest.model)
    refuse_mismatch(flavor, manifest.model, data)
    return flavor.load(data)


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
    schema = declare(schema_of(predictor, said.targets), said)
    manifest = manifest_of(path, flavor, predictor, needs, said, schema)
    return Model(manifest, predictor, digest=hashlib.sha256(data).hexdigest())


def read_model_file(path: Path) -> bytes:
    """The bytes of a model file.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        FormatError: it is larger than `MAX_FILE_BYTES`.
    """
    if _stat_file(path).st_size > MAX_FILE_BYTES:
        raise FormatError(f"{path.name} is larger than {MAX_FILE_BYTES >> 30} GiB")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _stat_file(path: Path) -> os.stat_result:
    """What the system knows of a file; `UsageError` for what is none, or could not be read to its end."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is a folder", hint="name the model file in it")
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} is not a regular file", hint="copy it into one")
    return found


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
    if not ignore_versions:
        refuse_differences(name, differences(dict(needs.distributions)))
    if needs.modules:
        listed = ", ".join(f"`{module}`" for module in needs.modules)
        hint = "install what has it, or put it on the Python path: PYTHONPATH"
        raise EnvironmentMismatch(f"{name} needs the module {listed}, which is not here", hint=hint)
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
    inputs = beside.inputs | {name: _over(beside.inputs.get(name), said) for name, said in declared.inputs.items()}
    return msgspec.structs.replace(_over(beside, declared), inputs=inputs)


def _over(below: _Said | None, said: _Said) -> _Said:
    """What was said, with what stands below it wherever nothing was."""
    if below is None:
        return said
    changes = {name: value for name in said.__struct_fields__ if (value := getattr(said, name)) not in (None, (), {})}
    return msgspec.structs.replace(below, **changes)


def schema_of(predictor: Predictor, targets: tuple[str, ...] = ()) -> Schema:
    """The schema that a model itself knows; `targets` are the author's names for what it gives.

    Raises:
        UnsupportedModel: it does not know its inputs.
    """
    learned = predictor.learn()
    if not learned.fields:
        raise UnsupportedModel(
            f"{predictor.class_name} does not say how many columns it takes",
            hint="lading pack MODEL --data train.csv --target NAME",
        )
    return describe(predictor, learned.fields, targets=targets)


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
        requirements=requirements_of(needs, predictor),
        python=platform.python_version(),
        notes=tuple(predictor.learn().notes),
    )
    check_names(manifest)
    return manifest


def requirements_of(needs: Needs, predictor: Predictor) -> tuple[Requirement, ...]:
    """What the model needs, with the versions here: what its file names, and pandas where it wants frames."""
    frames = ["pandas"] if predictor.learn().wants == "frame" else []
    return installed([*needs.distributions, *frames])


def _decode_reference(data: bytes) -> Reference:
    try:
        return msgspec.json.decode(data, type=Reference)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError("the reference in the bundle cannot be read") from None
