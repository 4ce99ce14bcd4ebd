"""Any Python as a model: a function, or a class with `predict` and perhaps `load`, in a file of its author."""

from __future__ import annotations

import ast
import functools
import inspect
import platform
import re
import warnings
from collections.abc import Callable, Mapping
from importlib.util import decode_source
from types import ModuleType
from typing import Any, Literal, NewType

from lading.errors import FormatError, LadingError, UnsupportedModel
from lading.flavors.flavor import NO_SUPPORT, Needs, Predictions, Support
from lading.flavors.function import Function, refuse_waiting
from lading.flavors.modules import error_in_words, missing_module, run_model
from lading.flavors.results import WrongAnswer, answers, refuse_company
from lading.schema.estimator import Learned
from lading.schema.fields import Task, Value
from lading.schema.table import Array, Table

_HEAD_BYTES = 1 << 16
_STATEMENT = re.compile(rb"^(\xef\xbb\xbf)?\s*(async def|def|class|import|from|@)\b|^\w+ *=", re.MULTILINE)
_SHAPES = "a model is a function, or a class with `predict` and perhaps `load`"
_NOTHING_THERE = "the file defines neither a function nor a class with `predict`"
_BY_ROW = "it was called once with arrays, a column each; with plain annotations (`x: float`) it is called for each row"
_LOAD = "a class has `load(self)` or `load(self, files)`: the files named by --file, as bytes by name; here are "


class PythonFlavor:
    """Files of Python, of which one function or class is the model."""

    name = "python"
    suffixes = (".py",)
    distribution = ""
    extra = ""
    runs_code = True

    def recognizes(self, data: bytes) -> bool:
        """Whether a line near the beginning reads as a statement of Python."""
        head = data[:_HEAD_BYTES]
        return b"\0" not in head and _STATEMENT.search(head) is not None

    def needs(self, data: bytes) -> Needs:
        """Nothing beside its imports, which are read elsewhere.

        Raises:
            FormatError: it is no Python, or of another version.
        """
        _source(data)
        return Needs("Python")

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> PythonModel:
        """The function or class. Runs the file: only for what its owner named, or a trusted key signed.

        Raises:
            EnvironmentMismatch: it imports what is not installed.
            UnsupportedModel: it has no such function or class, or it raised.
        """
        text = _source(data)
        if not support.entry and not _defines_something(text):
            raise UnsupportedModel(_NOTHING_THERE, hint=_SHAPES)
        module = run_model(text, support.modules)
        entry = support.entry or _only_candidate(module)
        if not hasattr(module, entry):
            raise UnsupportedModel(f"the file defines no `{entry}`", hint=_candidates_in_words(module))
        try:
            return PythonModel(_opened(getattr(module, entry), entry, support.files), entry)
        except LadingError:
            raise
        except ModuleNotFoundError as error:
            raise missing_module(f"`{entry}`", error) from error
        # It is anybody's code: it may raise anything, and may even call `sys.exit`.
        except (Exception, SystemExit) as error:
            hint = _LOAD + (", ".join(f"`{name}`" for name in support.files) or "none")
            raise UnsupportedModel(f"`{entry}` cannot be opened: {error_in_words(error)}", hint=hint) from error

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """None: a function has no file of its own; the file is packed."""
        return None


class PythonModel:
    """A function, or an object with `predict`, as a predictor.

    Of an object also `predict_proba`, with the same parameters, and `classes` are used, where it has them.
    """

    def __init__(self, model: Any, entry: str) -> None:
        predict = model if inspect.isfunction(model) or not hasattr(model, "predict") else model.predict
        if not callable(predict):
            raise UnsupportedModel(f"`{entry}` is no function, and has no `predict`", hint=_SHAPES)
        self._predict = Function(predict, entry)
        self._proba = _proba(model, entry, self._predict.names)
        self._classes = _classes(model, entry) or self._predict.returns
        self._is_checked = False
        self.class_name = entry
        self.task: Task = "regression" if self._predict.gives_numbers else "unknown"
        if self._classes:
            self.task = "classification"
        self.classes: tuple[tuple[Value, ...], ...] = (self._classes,) if self._classes else ()
        self.has_probabilities = self._proba is not None
        self.metadata: Mapping[str, Any] = {}
        self.knows_inputs = bool(self._predict.columns)
        wants: Literal["frame", "array"] = "frame" if self._predict.form == "frame" else "array"
        self._learned = Learned(self._predict.fields, self.knows_inputs, wants, said=self._predict.said)

    def learn(self) -> Learned:
        """The columns that the parameters are; none where it takes everything at once."""
        return self._learned

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """What the function gives, an answer a row."""
        prediction = self._answers(table)
        if not self._is_checked and table.rows > 1:
            refuse_company(self._answers, table, prediction, f"`{self.class_name}`")
            self._is_checked = table[0] != table[table.rows - 1]
        probabilities = (self._probabilities(self._proba, table),) if proba and self._proba is not None else ()
        return Predictions(prediction, probabilities)

    def _answers(self, table: Table) -> Array:
        try:
            given, are_numbers = self._predict(table), self._predict.gives_numbers
            prediction = answers(given, table.rows, self.class_name, are_numbers=are_numbers)
        except ModuleNotFoundError as error:
            raise missing_module(f"`{self.class_name}`", error) from error
        except (TypeError, ValueError) as error:
            if self._predict.form not in ("array", "list"):
                raise
            is_said = isinstance(error, WrongAnswer)
            message = str(error) if is_said else f"`{self.class_name}` does not take arrays: {error_in_words(error)}"
            raise WrongAnswer(message, hint=_BY_ROW) from error
        said = self._predict.returns
        if said and not set(said).issuperset(prediction.ravel().tolist()):
            raise WrongAnswer(f"`{self.class_name}` returned what is not among the values of its annotation")
        return prediction

    def _probabilities(self, proba: Callable[[Table], Any], table: Table) -> Array:
        probabilities: Array = answers(proba(table), table.rows, "predict_proba").astype(float)
        classes = len(self._classes) or probabilities.shape[-1]
        if probabilities.shape != (table.rows, classes):
            expected = f"({table.rows}, {classes}), a probability a class"
            raise WrongAnswer(f"`predict_proba` returned {probabilities.shape}, expected {expected}")
        return probabilities


def _opened(model: Any, entry: str, files: Mapping[str, bytes]) -> Any:
    """The model; of a class an object, loaded with the files where it wants them."""
    made = _made(model, entry) if inspect.isclass(model) else model
    load = None if inspect.isfunction(made) else getattr(made, "load", None)
    if callable(load):
        refuse_waiting(load, f"{entry}.load")
        load(*([files] if inspect.signature(load).parameters else []))
    return made


def _made(kind: type, entry: str) -> Any:
    if not hasattr(kind, "predict"):
        raise UnsupportedModel(f"`{entry}` is no function, and has no `predict`", hint=_SHAPES)
    try:
        inspect.signature(kind).bind()
    except TypeError as error:
        hint = f"give them defaults, or make it in the file and name that: model = {entry}(...), FILE.py:model"
        raise UnsupportedModel(f"`{entry}` is made without arguments: {error}", hint=hint) from None
    return kind()


def _proba(model: Any, entry: str, names: tuple[str, ...]) -> Callable[[Table], Any] | None:
    proba = getattr(model, "predict_proba", None)
    if not callable(proba) or inspect.isfunction(model):
        return None
    function = Function(proba, f"{entry}.predict_proba")
    if function.names != names:
        raise UnsupportedModel(f"`predict_proba` of `{entry}` takes other parameters than `predict`")
    return function


def _classes(model: Any, entry: str) -> tuple[Value, ...]:
    classes = getattr(model, "classes", ())
    values = classes.tolist() if hasattr(classes, "tolist") else classes
    if not isinstance(values, list | tuple) or not all(isinstance(value, bool | int | str) for value in values):
        raise UnsupportedModel(f"`classes` of `{entry}` are no list of texts or whole numbers")
    return tuple(values)


def _source(data: bytes) -> str:
    """The text of a file, in the encoding that it names."""
    try:
        text = decode_source(data)
        with warnings.catch_warnings():  # they come once more when it is run
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
        message = f"the file is nothing that Python {platform.python_version()} reads: {error_in_words(error)}{line}"
        hint = "save it as UTF-8" if isinstance(error, UnicodeDecodeError) else None
        raise FormatError(message, hint=hint) from None
    return text


def _defines_something(text: str) -> bool:
    """Whether there is a definition in a file that names no model: else it is a script, which nobody asked to run."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        for node in ast.walk(ast.parse(text))
    )


def _candidates(module: ModuleType) -> list[str]:
    """What a file defines for others that could be the model."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and _is_model(value, module)]


def _is_model(value: Any, module: ModuleType) -> bool:
    if isinstance(value, NewType):  # callable, and of this module
        return False
    is_own = getattr(value, "__module__", "") == module.__name__ or isinstance(value, functools.partial)
    return is_own and (hasattr(value, "predict") or (callable(value) and not inspect.isclass(value)))


def _candidates_in_words(module: ModuleType) -> str:
    return "it defines " + (", ".join(f"`{name}`" for name in _candidates(module)) or f"nothing: {_SHAPES}")


def _only_candidate(module: ModuleType) -> str:
    found = _candidates(module)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnsupportedModel(_NOTHING_THERE, hint=_SHAPES)
    named = ", ".join(f"`{name}`" for name in found)
    raise UnsupportedModel(f"which is the model: {named}?", hint=f"say it behind the file's name: FILE.py:{found[-1]}")
