"""scikit-learn, saved with joblib or pickle, compressed or not, alone or in a dictionary with metadata."""

from __future__ import annotations

import io
import pickle
import sys

from lading.bundle.pickles import sniff, unwrap
from lading.bundle.recorder import Recording, distributions, record, unresolved
from lading.bundle.wrapped import find_model
from lading.errors import EnvironmentMismatch, FormatError, LadingError, UnsupportedModel
from lading.flavors.estimator import FORK_SAFE, SklearnModel, versions_said
from lading.flavors.flavor import NO_SUPPORT, Needs, Support
from lading.flavors.unpicklable import culprit
from lading.flavors.unpickling import unpickle

MAX_RATIO = 100
"""Times its own size that a compressed model may unpack to; `FREE_BYTES` it always may."""
FREE_BYTES = 1 << 30

_NAMES = (".joblib", ".pkl", ".pickle", ".sav")
# What joblib takes from a file's name for how to compress it (`joblib.dump`), and the name itself for no compression.
_COMPRESSIONS = ("", ".gz", ".z", ".bz2", ".xz", ".lzma")

_DISTRIBUTIONS = {
    "catboost": "catboost",
    "category_encoders": "category-encoders",
    "feature_engine": "feature-engine",
    "imblearn": "imbalanced-learn",
    "joblib": "joblib",
    "lightgbm": "lightgbm",
    "mlxtend": "mlxtend",
    "numpy": "numpy",
    "pandas": "pandas",
    "polars": "polars",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "sklego": "scikit-lego",
    "skorch": "skorch",
    "statsmodels": "statsmodels",
    "umap": "umap-learn",
    "xgboost": "xgboost",
}
"""Modules that models often need, and what to install for them.

Of any other module that is missing nobody is told to install what has its name: it may be the author's own, and then
whoever has registered the name would be trusted.
"""


# What ordinary models name of the standard library: containers, numbers, moments, partial functions.
_HARMLESS_MODULES = frozenset(
    {"_codecs", "array", "collections", "copyreg", "datetime", "decimal", "enum", "fractions", "functools", "math"}
    | {"operator", "pathlib", "re", "sre_compile", "types", "uuid", "zoneinfo"}
)
_HARMLESS_BUILTINS = frozenset(
    {"bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set"}
    | {"slice", "str", "tuple", "type"}
)
_HOSTILE_BUILTINS = frozenset({"__import__", "breakpoint", "compile", "eval", "exec", "execfile", "input", "open"})
_HOSTILE_MODULES = frozenset(
    {"asyncio", "bdb", "code", "codeop", "commands", "ctypes", "ftplib", "http", "imp", "importlib", "nt", "os", "pdb"}
    | {"pip", "pkgutil", "posix", "pty", "pydoc", "runpy", "shutil", "signal", "smtplib", "socket", "subprocess", "sys"}
    | {"telnetlib", "tempfile", "timeit", "urllib", "webbrowser"}
)
_NO_MODELS = frozenset(
    {"NoneType", "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "set"}
    | {"str", "tuple", "numpy.ndarray"}
)
"""Types that a pickle may hold instead of a model."""


class SklearnFlavor:
    """Pickled scikit-learn estimators, and whatever else keeps their interface."""

    name = "sklearn"
    suffixes = tuple(name + compression for compression in _COMPRESSIONS for name in _NAMES)
    distribution = "scikit-learn"
    extra = "sklearn"
    fork_safe = FORK_SAFE

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes are a pickle, or one compressed."""
        return sniff(data) is not None

    def needs(self, data: bytes) -> Needs:
        """What the pickle names, by reading it with stand-ins in place of everything that it names."""
        recording = record(unwrap(data, max_bytes=_max_bytes(data)))
        versions: dict[str, str | None] = dict.fromkeys(distributions(recording))
        versions |= {"scikit-learn": None, "joblib": None}
        versions |= recording.versions
        missing = _missing_packages(recording)
        versions |= {_DISTRIBUTIONS[package]: None for package in missing if package in _DISTRIBUTIONS}
        return Needs(
            class_name=recording.top,
            distributions=versions,
            modules=tuple(package for package in missing if package not in _DISTRIBUTIONS),
            problems=_problems(recording),
            strange=_strange(recording),
            metadata=recording.metadata or {},
            names=tuple(f"{module}.{name}" for module, name in recording.names),
            definitions=tuple(item.name for item in unresolved(recording) if item.reason == "main"),
            hostile=tuple(f"{module}.{name}" for module, name in recording.names if _is_hostile(module, name)),
        )

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> SklearnModel:
        """The estimator in a pickle. Runs the pickle: only for what its owner named, or a trusted key signed."""
        try:
            with versions_said():
                loaded = unpickle(unwrap(data, max_bytes=_max_bytes(data)), support.modules)
            _, model, metadata = find_model(loaded)
            return SklearnModel(model, metadata)
        except LadingError:
            raise
        # A pickle is a program, and a model anybody's code: they may raise anything, and may even call `sys.exit`.
        except (Exception, SystemExit) as error:
            raise _not_loaded(error) from error

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """A joblib file of the estimator, or of a dictionary of one and metadata."""
        _, estimator, _ = find_model(model)
        if not callable(getattr(estimator, "fit", None)) or not callable(getattr(estimator, "get_params", None)):
            return None
        import joblib

        file = io.BytesIO()
        try:
            joblib.dump(model, file)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            reason = culprit(model) or type(error).__name__
            hint = "give it a name of its own: `def name(X): ...` at the top of the notebook or script"
            raise UnsupportedModel(f"the model cannot be pickled: {reason}", hint=hint) from error
        return "model.joblib", file.getvalue()


def _not_loaded(error: BaseException) -> LadingError:
    if isinstance(error, ModuleNotFoundError):
        hint = "install what has it, or put it on the Python path: PYTHONPATH"
        return EnvironmentMismatch(f"the model needs the module `{error.name}`, which is not here", hint=hint)
    if isinstance(error, ImportError | AttributeError):
        return FormatError(f"the model cannot be loaded here: {_line(error)}", hint="it was saved with other versions")
    return FormatError(
        f"the model cannot be loaded: {type(error).__name__}",
        hint="the file is broken, or was saved with other versions: lading doctor FILE",
    )


def _line(error: BaseException) -> str:
    """The error's own words, in one line."""
    return " ".join(str(error).split())[:300]


def _missing_packages(recording: Recording) -> list[str]:
    """The top-level modules that the pickle names and that are not here."""
    return sorted({item.module.split(".")[0] for item in unresolved(recording) if item.reason == "package"})


def _strange(recording: Recording) -> tuple[str, ...]:
    """What the pickle names of the standard library beyond what models are made of; words for people, never a gate."""
    return tuple(
        f"{module}.{name}"
        for module, name in recording.names
        if module.split(".")[0] in sys.stdlib_module_names
        and module not in ("__main__", *_HARMLESS_MODULES)
        and not (module == "builtins" and name in _HARMLESS_BUILTINS)
    )


def _is_hostile(module: str, name: str) -> bool:
    """Whether a name is one that only a program needs that does something when it is opened.

    A courtesy to whoever opens a file, never a gate: other names can be bent to do the same.
    """
    if module in ("builtins", "__builtin__"):
        return name in _HOSTILE_BUILTINS
    return module.split(".")[0] in _HOSTILE_MODULES


def _max_bytes(data: bytes) -> int:
    return max(FREE_BYTES, MAX_RATIO * len(data))


def _problems(recording: Recording) -> tuple[str, ...]:
    if recording.top in _NO_MODELS and recording.model_key is None:
        return (f"it holds a `{recording.top}`, which is no model",)
    return ()
