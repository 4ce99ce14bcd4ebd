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
    | {
        "genericpath",
        "itertools",
        "ntpath",
        "operator",
        "pathlib",
        "posixpath",
        "random",
        "re",
        "sre_compile",
        "string",
    }
    | {"statistics", "types", "urllib.parse", "uuid", "zoneinfo"}
)
_HARMLESS_BUILTINS = frozenset(
    {"abs", "all", "any", "bool", "bytearray", "bytes", "chr", "complex", "dict", "divmod", "enumerate", "filter"}
    | {"float", "frozenset", "int", "len", "list", "map", "max", "min", "object", "ord", "pow", "range", "repr"}
    | {"reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "type", "zip"}
)
# What no fitted model has, and programs that act on the machine do. As narrow as it can be: who is refused by mistake
# has no way around it. So `os.path` (`posixpath`), `urllib.parse`, `io.BytesIO`, `logging` and `getattr` are not here.
_HOSTILE_BUILTINS = frozenset({"__import__", "breakpoint", "compile", "eval", "exec", "execfile", "input", "open"})
_HOSTILE_MODULES = frozenset(
    {"_posixsubprocess", "asyncio", "bdb", "cProfile", "code", "codeop", "ctypes", "doctest", "ftplib", "http.client"}
    | {"http.server", "imp", "importlib", "lading", "marshal", "multiprocessing", "nt", "numpy.distutils", "numpy.f2py"}
    | {"numpy.testing", "os", "pdb", "pip", "pkgutil", "posix", "profile", "pty", "pydoc", "runpy", "shutil", "signal"}
    | {"smtplib", "socket", "subprocess", "sys", "telnetlib", "tempfile", "timeit", "trace", "urllib.request"}
    | {"webbrowser"}
)
_HOSTILE_NAMES = frozenset(
    {f"{module}.{name}" for module in ("_io", "io") for name in ("FileIO", "open", "open_code")} | {"codecs.open"}
)
_QUIET_NAMES = frozenset(
    {f"{module}.{name}" for module in ("nt", "os", "posix") for name in ("PathLike", "cpu_count", "fspath")}
    | {"os.stat_result", "os.terminal_size"}
)
"""Names of hostile modules that only tell something."""
_WAYS_OUT = frozenset(
    {"__bases__", "__builtins__", "__class__", "__closure__", "__code__", "__dict__", "__getattribute__"}
    | {"__globals__", "__loader__", "__mro__", "__self__", "__spec__", "__subclasses__"}
)
"""Attributes by which a name leaves what it seems to be in."""
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
    runs_code = True

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
        and (module not in ("__main__", *_HARMLESS_MODULES) or (module.startswith("pathlib") and "." in name))
        and not (module == "builtins" and name in _HARMLESS_BUILTINS)
        and f"{module}.{name}" not in _QUIET_NAMES
    )


def _is_hostile(module: str, name: str) -> bool:
    """Whether a name is one that only a program needs that does something when it is opened.

    A courtesy to whoever opens a file, never a gate: other names can be bent to do the same.
    """
    parts = name.split(".")
    if module in ("__main__", "__mp_main__") and parts[0].startswith("__"):
        return True
    if module in ("builtins", "__builtin__"):
        return parts[0] in _HOSTILE_BUILTINS or not _WAYS_OUT.isdisjoint(parts)
    # Of `joblib.memory` and `os.system` too: a name may go through what its module has imported.
    inner = any(_is_of_hostile(".".join(parts[start:])) for start in range(len(parts) - 1))
    return inner or not _WAYS_OUT.isdisjoint(parts) or _is_of_hostile(f"{module}.{name}")


def _is_of_hostile(full: str) -> bool:
    if full in _QUIET_NAMES:
        return False
    parts = full.split(".")
    above = {".".join(parts[:count]) for count in range(1, len(parts))}
    return full in _HOSTILE_NAMES or not _HOSTILE_MODULES.isdisjoint(above)


def _max_bytes(data: bytes) -> int:
    return max(FREE_BYTES, MAX_RATIO * len(data))


def _problems(recording: Recording) -> tuple[str, ...]:
    if recording.top == "xgboost.core.Booster":
        return ('it holds a Booster of XGBoost: save that with `booster.save_model("model.ubj")`',)
    if recording.top in _NO_MODELS and recording.model_key is None:
        return (f"it holds a `{recording.top}`, which is no model",)
    return ()
