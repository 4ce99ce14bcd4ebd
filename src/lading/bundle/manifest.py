"""The manifest: pure data from which everything else about a bundle is read."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import msgspec
import numpy as np

from lading.bundle.identity import is_name, is_version
from lading.bundle.image import check_image
from lading.bundle.lookups import Lookup, check_lookups, request_schema
from lading.errors import BundleError, UsageError
from lading.schema.fields import MAX_FIELDS, MAX_NAME_CHARS, Schema
from lading.schema.words import shortened

FORMAT = 1
MANIFEST = "manifest.json"
MAIN = "__main__"
"""The module of what a notebook or script defined, as Python calls it."""
GOLDEN = "golden.json"
REFERENCE = "reference.json"
ENGINE = "engine/model.onnx"
CODE_FOLDER = "code/"
FILES_FOLDER = "files/"
ROUTE = "/predict"
RESERVED_ROUTES = (
    "/health",
    "/ready",
    "/metadata",
    "/schema",
    "/openapi.json",
    "/metrics",
    "/oauth",
    "/v1/models",
    "/v2",
)
"""What the server answers itself, with all that is below."""
MAX_REASON_CHARS = 300
MAX_MANIFEST_BYTES = 64 << 20

MAX_NUMBER_BYTES = 16

# pandas' own dtypes, beside NumPy's numbers and its moments (numpy.datetime64, with a time zone in pandas).
_FRAME_DTYPES = frozenset(
    {"object", "str", "string", "category", "boolean", "Float32", "Float64"}
    | {f"{sign}{bits}" for sign in ("Int", "UInt") for bits in (8, 16, 32, 64)}
)
_MOMENTS = re.compile(r"datetime64(?:\[(?:D|s|ms|us|ns)(?:, [A-Za-z0-9_/+:-]{1,64})?\])?")
_ARROW = re.compile(r"[a-z0-9_]{1,20}\[(?:pyarrow|python)\]")
_ROUTE = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._~-]*){1,8}")
_MAX_ROUTE_CHARS = 100
_OUTPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_ -]{0,62}")
_RESERVED_OUTPUTS = frozenset({"id", "predictions", "probabilities", "warnings"})
# PEP 508 and PEP 440, as far as their characters go: they stand in commands that people paste.
_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_PYTHON = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,3}){1,2}[a-z0-9+]{0,10}")
_RELEASE = re.compile(r"[A-Za-z0-9.!+_-]{1,100}")


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A distribution that the model needs, as pip names it, and its version at packing."""

    name: str
    version: str


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file in the bundle besides the manifest."""

    path: str
    sha256: str
    size: int


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The training data that the schema was learned from: its digest and size, never its rows."""

    rows: int
    sha256: str | None = None


class Parity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the answers of a compiled model compare with the native ones.

    Attributes:
        data: whether rows of the training data were among those tried, or synthetic ones alone.
        rows: how many were tried.
        forgiven: how many of them got another label, each from a model that wavers between the two.
        largest_difference: of a probability, or of a number in units of the largest one.
        tolerance: what that may be.
        precision: of the inputs of the compiled model.
    """

    data: Literal["sample", "synthetic"]
    rows: int
    forgiven: int
    largest_difference: float
    tolerance: float
    precision: Literal["float64", "float32"]


class Engine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What answers: the compiled model, or the native one and why.

    Attributes:
        name: `onnx` or `native`.
        member: path of the compiled model in the bundle.
        reason: why the native one answers.
        parity: figures of the compiled one.
        requirements: what the compiled one needs, and the versions at packing.
    """

    name: Literal["onnx", "native"]
    member: str = ""
    reason: str = ""
    parity: Parity | None = None
    requirements: tuple[Requirement, ...] = ()


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of Python in the bundle, which is run when the model is opened.

    Attributes:
        path: in the bundle.
        module: the name under which the model, or other code, looks for it; `__main__` is what a notebook or script
            defined.
        origin: where it came from.
        is_around: it is called around the model, before and after it.
    """

    path: str
    module: str
    origin: str = ""
    is_around: bool = False


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that is known about a model without loading it.

    Attributes:
        format: version of the bundle format.
        name: of the model; safe in URLs, file names and labels.
        version: of the model.
        flavor: which flavor loads it.
        model: path of the model's own file in the bundle; for a bare file its name.
        class_name: what the model is, in words: `Pipeline(StandardScaler, LogisticRegression)`.
        model_schema: what it takes and gives.
        metadata: what the author says about it.
        requirements: distributions and versions at packing.
        python: the Python version at packing.
        created: when it was packed, RFC 3339; `SOURCE_DATE_EPOCH` fixes it.
        notes: what could not be known, one sentence each.
        data: what the schema was learned from, where there was a sample.
        engine: what answers; None where the flavor's own format is the engine, and in bundles of old.
        route: where predictions are asked for.
        features: inputs that a store has by a key, which requests bring in their place.
        code: the author's own Python that the model needs.
        entry: the function or class that is the model, where its file is Python.
        files: every other file in the bundle.
    """

    format: int = FORMAT
    name: str
    version: str
    flavor: str
    model: str
    class_name: str
    model_schema: Schema = msgspec.field(name="schema")
    metadata: dict[str, Any] = {}
    requirements: tuple[Requirement, ...] = ()
    python: str = ""
    created: str = ""
    notes: tuple[str, ...] = ()
    data: Data | None = None
    engine: Engine | None = None
    route: str = ROUTE
    features: dict[str, Lookup] = {}
    code: tuple[Code, ...] = ()
    entry: str = ""
    files: tuple[Member, ...] = ()

    @property
    def request_schema(self) -> Schema:
        """What requests bring, and what they are answered."""
        return request_schema(self.model_schema, self.features)

    @property
    def lookups_in_words(self) -> tuple[str, ...]:
        """What is looked up by which key."""
        return tuple(f"{shortened(lookup.columns)} by {lookup.key}" for lookup in self.features.values())

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of requests by which others are looked up."""
        return tuple(lookup.key for lookup in self.features.values())

    @property
    def is_compiled(self) -> bool:
        """Whether a compiled model is in the bundle."""
        return self.engine is not None and self.engine.name == "onnx"

    @property
    def needed(self) -> tuple[Requirement, ...]:
        """What serving takes: where a compiled model is in the bundle, only what that needs."""
        return self.engine.requirements if self.engine is not None and self.is_compiled else self.requirements

    @property
    def engine_in_words(self) -> str:
        """What answers: `onnx, compiled from SVC`, `onnx`, or `native`, with the reason where there is one."""
        if self.engine is None:
            return "onnx" if self.flavor == "onnx" else "native"
        if self.is_compiled:
            return f"onnx, compiled from {self.class_name}"
        return f"native: {self.engine.reason}" if self.engine.reason else "native"


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest's bytes: JSON, one key order, two spaces."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """The manifest in these bytes.

    Raises:
        BundleError: they are not a manifest of a format that this version knows, or a name in it is not safe.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(f"the manifest is larger than {MAX_MANIFEST_BYTES >> 20} MiB")
    try:
        version = msgspec.json.decode(data, type=_FormatOnly).format
        if version != FORMAT:
            hint = "pip install --upgrade lading"
            raise BundleError(f"the bundle has format {version}, this version reads {FORMAT}", hint=hint)
        manifest = msgspec.json.decode(data, type=Manifest)
        check_names(manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"the manifest cannot be read: {_reason(error)}") from None
    except UsageError as error:
        raise BundleError(error.message) from None
    return manifest


def _reason(error: Exception) -> str:
    """Why it cannot be read; words of the manifest itself only where they are safe to print."""
    if not isinstance(error, msgspec.ValidationError):
        return "it is not JSON"
    words = str(error)[:200]
    return words if words.isprintable() else "it is not as the format says"


class _FormatOnly(msgspec.Struct):
    format: int


def check_names(manifest: Manifest) -> None:
    """Refuse names that would not be safe in a URL, a file name, a label or a generated file.

    Raises:
        UsageError: a name, a version or a column has a character that it may not have; says which and what may be.
    """
    if not is_name(manifest.name):
        raise UsageError("a model's name has letters, digits, dots, dashes and underscores, at most 63", hint="--name")
    if not is_version(manifest.version):
        raise UsageError("a version has letters, digits, `.`, `-`, `+` and `_`, at most 63", hint="--version 1.0.0")
    engine = manifest.engine or Engine("native")
    for requirement in (*manifest.requirements, *engine.requirements):
        if not _DISTRIBUTION.fullmatch(requirement.name) or not _RELEASE.fullmatch(requirement.version):
            raise UsageError("a requirement is not the name and version of a distribution")
    if manifest.python and not _PYTHON.fullmatch(manifest.python):
        raise UsageError("the version of Python at packing is none")
    words = (manifest.class_name, manifest.created, manifest.flavor, manifest.model, *manifest.notes)
    words += (engine.reason, *(code.origin for code in manifest.code))
    if not all(text.isprintable() for text in words):
        raise UsageError("what the manifest says of the model holds control characters")
    names = manifest.model_schema.names
    if not 0 < len(names) <= MAX_FIELDS:
        raise UsageError(f"a model has 1 to {MAX_FIELDS} columns, this one has {len(names)}")
    if len(set(names)) != len(names):
        raise UsageError("two columns of the model have the same name")
    shapes = [output.shape for output in manifest.model_schema.outputs]
    if not shapes or not all(1 <= len(shape) <= 2 for shape in shapes):
        raise UsageError("a model has at least one output, of one value or one list of values a row")
    for position, name in enumerate(names):
        if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
            raise UsageError(f"the name of column {position} is empty, too long, or holds control characters")
    _check_schema(manifest.model_schema)
    check_lookups(manifest.model_schema, manifest.features)
    _check_engine(engine)
    _check_route(manifest.route)
    _check_code(manifest)


def _check_route(route: str) -> None:
    if not _ROUTE.fullmatch(route) or len(route) > _MAX_ROUTE_CHARS:
        raise UsageError("a route is a path of letters, digits, `.`, `_`, `~` and `-`", hint="--route /score")
    for reserved in RESERVED_ROUTES:
        if route == reserved or route.startswith(f"{reserved}/"):
            raise UsageError(f"the route `{reserved}` is the server's own", hint="--route /score")


def _check_code(manifest: Manifest) -> None:
    for code in manifest.code:
        if not code.module.isidentifier() or code.path != f"{CODE_FOLDER}{code.module}.py":
            raise UsageError("what the manifest says of its code does not fit together")
    modules = [code.module for code in manifest.code]
    if len(set(modules)) != len(modules) or sum(code.is_around for code in manifest.code) > 1:
        raise UsageError("two files of code have the same place")
    if manifest.entry and not manifest.entry.isidentifier():
        raise UsageError("the entry of the model is not the name of a function or class")


def _check_schema(schema: Schema) -> None:
    for field in schema.inputs:
        if not _is_known_dtype(field.dtype):
            raise UsageError(f"the dtype of the column `{field.name}` is not one that a column has")
    name = schema.outputs[0].name
    if not _OUTPUT.fullmatch(name) or name in _RESERVED_OUTPUTS:
        reserved = ", ".join(f"`{word}`" for word in sorted(_RESERVED_OUTPUTS))
        raise UsageError(
            f"an output's name has letters, digits and `_`, and is none of {reserved}",
            hint="--output score; the file to write is -o FILE",
        )
    if schema.image is not None:
        check_image(schema.image)
        if schema.image.columns != len(schema.inputs) or {field.kind for field in schema.inputs} != {"float"}:
            raise UsageError("what the schema says of an image does not fit its columns")
    for output in schema.outputs:
        if output.labels and len(output.labels) != len(output.classes):
            raise UsageError(f"the output `{output.name}` has other numbers of labels and classes")


def _check_engine(engine: Engine) -> None:
    parity = engine.parity
    is_onnx = engine.name == "onnx"
    if engine.member != (ENGINE if is_onnx else "") or (parity is not None) != is_onnx:
        raise UsageError("what the manifest says of the engine does not fit together")
    if is_onnx and "onnxruntime" not in {requirement.name for requirement in engine.requirements}:
        raise UsageError("the manifest does not say that the compiled model needs onnxruntime")
    if len(engine.reason) > MAX_REASON_CHARS:
        raise UsageError(f"the reason for the engine has more than {MAX_REASON_CHARS} characters")
    if parity is not None and not (0 <= parity.forgiven <= parity.rows and _is_measure(parity)):
        raise UsageError("the figures of the engine are none that can be")


def _is_measure(parity: Parity) -> bool:
    return all(0 <= number < math.inf for number in (parity.largest_difference, parity.tolerance))


def _is_known_dtype(name: str) -> bool:
    if name in _FRAME_DTYPES or _MOMENTS.fullmatch(name) or _ARROW.fullmatch(name):
        return True
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        return False
    return dtype.kind in "biuf" and dtype.itemsize <= MAX_NUMBER_BYTES


def safe_name(text: str) -> str:
    """A model's name made from a file's name."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:63].strip(".-_")
    return name or "model"
