"""From a path to a model: a bundle is opened by its manifest, a bare file by its name and content."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lading.bundle.archive import is_archive
from lading.bundle.bundle import SUFFIX, Bundle
from lading.bundle.declared import Declared, DeclaredInput, declare, default_name, named, read_metadata
from lading.bundle.environment import Difference, differences, installed, refuse_differences
from lading.bundle.manifest import (
    ENGINE,
    FILES_FOLDER,
    GOLDEN,
    REFERENCE,
    ROUTE,
    Manifest,
    Requirement,
    check_names,
)
from lading.engine.compiled import CompiledModel
from lading.engine.describe import describe
from lading.engine.files import stat_file
from lading.engine.golden import decode_golden
from lading.engine.model import Model
from lading.engine.model_file import ModelFile, declared_beside, open_model, read_model
from lading.engine.own_code import OwnCode
from lading.errors import BundleError, EnvironmentMismatch, UnsupportedModel, Untrusted, UsageError
from lading.flavors.flavor import Flavor, Needs, Predictor
from lading.flavors.registry import flavor_named, refuse_mismatch, require, runs_code
from lading.schema.fields import Schema
from lading.schema.reference import Reference

if TYPE_CHECKING:
    from lading.bundle.signing.trust import TrustStore

logger = logging.getLogger(__name__)

_HEAD_BYTES = 64
_PROGRAMS = {"sklearn": "a pickle", "python": "Python"}
"""What a file is to be called that runs when it is opened, by its flavor."""


def load(
    path: str | Path,
    *,
    ignore_versions: bool = False,
    declared: Declared | None = None,
    trust: TrustStore | None = None,
) -> Model:
    """The model in a bundle or in a bare model file.

    Args:
        path: of `*.lading`, or of a file that a framework saved.
        ignore_versions: load although a library has another version than the model was saved with.
        declared: what the author says, over what `lading.toml` beside a bare file says; not for bundles.
        trust: whose signature lets the bundle in, before anything in it is read; None asks for none, which is for
            files of one's own.

    Raises:
        BundleError: the bundle is damaged or was changed.
        Untrusted: there is a trust store, and nobody in it has signed the bundle, or not for what is in it.
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
        return load_bundle(path, ignore_versions=ignore_versions, trust=trust)
    if trust is not None:
        raise unsigned(path)
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


def unsigned(path: Path) -> Untrusted:
    """The error for a file that is no bundle, where only what is signed may be loaded."""
    stat_file(path)
    hint = "lading pack MODEL, then lading sign BUNDLE"
    return Untrusted(f"{path} is unsigned: only a bundle can be signed", hint=hint, code="bundle.unsigned")


def open_bundle(path: Path, trust: TrustStore | None = None) -> Bundle:
    """The bundle at a path; where there is a trust store, only if somebody in it has signed it.

    Raises:
        UsageError: there is no file.
        BundleError: it is not a bundle, is damaged, or was changed.
        Untrusted: its signature is missing, not good, or of nobody who is trusted for it.
    """
    stat_file(path)
    bundle = Bundle.open(path, trust)
    if (verified := bundle.verified) is not None:
        logger.info("signature ok: %s, key %s, sha256 %s", path.name, verified.key_id, verified.digest)
    return bundle


def load_bundle(path: Path, *, ignore_versions: bool = False, trust: TrustStore | None = None) -> Model:
    """The model in a bundle, from the bytes whose digests the manifest lists; see `load`."""
    with open_bundle(path, trust) as bundle:
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
            verified=bundle.verified,
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
    refuse_untrusted_code(bundle, name)
    if manifest.is_compiled and flavor.distribution and differences({flavor.distribution: None}):
        hint = 'pip install "lading[onnx]"'
        raise EnvironmentMismatch(f"{name} is compiled to ONNX, and onnxruntime is not installed", hint=hint)
    require(flavor, name)
    if not ignore_versions:
        refuse_differences(name, recorded_differences(manifest, flavor))
    data = bundle.read(manifest.model)
    refuse_mismatch(flavor, manifest.model, data)
    files = [member.path for member in manifest.files if member.path.startswith(FILES_FOLDER)]
    read = {path.removeprefix(FILES_FOLDER): bundle.read(path) for path in files}
    return open_model(flavor, data, OwnCode.of_bundle(bundle), files=read, entry=manifest.entry)


def refuse_untrusted_code(bundle: Bundle, name: str) -> None:
    """Nothing where opening the author's own file runs nothing, or what it runs is let in: the one gate before it.

    Raises:
        Untrusted: it would run a program, and the key that signed it is trusted for data only.
        EnvironmentMismatch: it cannot be said, as nothing here knows the flavor.
    """
    verified = bundle.verified
    if verified is None or verified.code:
        return
    flavor = flavor_named(bundle.manifest.flavor)
    if not (runs_code(flavor) or bundle.manifest.code):
        return
    what = "Python" if bundle.manifest.code else _PROGRAMS.get(flavor.name, f"a model of `{flavor.name}`")
    raise Untrusted(
        f"{name} holds {what}, which is a program, and key {verified.key_id[:12]}… is trusted for data only",
        hint="if its owner may run programs here: lading trust add KEY --code",
        code="bundle.code",
    )


def recorded_differences(manifest: Manifest, flavor: Flavor) -> tuple[Difference, ...]:
    """What differs here from the recorded requirements and matters: missing packages, and the framework's version."""
    found = differences({requirement.name: requirement.version for requirement in manifest.requirements})
    return tuple(item for item in found if item.installed is None or item.name == flavor.distribution)


def load_file(path: Path, *, ignore_versions: bool = False, declared: Declared | None = None) -> Model:
    """The model in a bare file, with all that can be known about it without data."""
    said = declared_beside(path, declared)
    file = read_model(path, said, ignore_versions=ignore_versions)
    predictor = file.open()
    schema = declare(schema_of(predictor, said), said)
    manifest = manifest_of(file, predictor, said, schema)
    return Model(manifest, predictor, digest=hashlib.sha256(file.data).hexdigest())


def schema_of(predictor: Predictor, declared: Declared) -> Schema:
    """The schema that a model itself knows, with its author's names for what it takes and gives.

    Raises:
        UnsupportedModel: it does not know its inputs.
    """
    learned = named(predictor.learn(), declared.input_names)
    if not learned.fields:
        raise UnsupportedModel(
            f"{predictor.class_name} does not say how many columns it takes",
            hint="lading pack MODEL --data train.csv --target NAME",
        )
    return describe(predictor, learned.fields, targets=declared.targets)


def manifest_of(file: ModelFile, predictor: Predictor, declared: Declared, schema: Schema) -> Manifest:
    """The manifest of a bare file, from what was found out."""
    path = file.path or Path(file.name)
    manifest = Manifest(
        name=declared.name or default_name(path),
        version=declared.version or "0",
        flavor=file.flavor.name,
        model=file.name,
        class_name=predictor.class_name,
        model_schema=schema,
        metadata={**predictor.metadata, **read_metadata(path), **declared.metadata},
        requirements=requirements_of(file.needs, predictor),
        python=platform.python_version(),
        notes=(*file.code.notes, *notes_of(predictor, declared)),
        route=declared.route or ROUTE,
        features=declared.features,
        code=file.code.files,
        entry=file.entry,
    )
    check_names(manifest)
    return manifest


def notes_of(predictor: Predictor, declared: Declared) -> tuple[str, ...]:
    """What a model could not say of its inputs; nothing where their author has said what each of them is."""
    learned = named(predictor.learn(), declared.input_names)
    are_said = all(declared.inputs.get(field.name, DeclaredInput()).kind for field in learned.fields)
    return () if learned.fields and (are_said or declared.image is not None) else learned.notes


def requirements_of(needs: Needs, predictor: Predictor) -> tuple[Requirement, ...]:
    """What the model needs, with the versions here: what its file names, and pandas where it wants frames."""
    frames = ["pandas"] if predictor.learn().wants == "frame" else []
    return installed([*needs.distributions, *frames])


def _decode_reference(data: bytes) -> Reference:
    try:
        return msgspec.json.decode(data, type=Reference)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError("the reference in the bundle cannot be read") from None
