"""Any Python as a model: a function, or a class with `predict` and perhaps `load`, in a file of its author."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from lading.errors import LadingError, UnsupportedModel
from lading.flavors.flavor import NO_SUPPORT, Needs, Predictions, Support
from lading.flavors.function import Function, answers
from lading.flavors.modules import error_in_words, run_module
from lading.schema.estimator import Learned
from lading.schema.fields import Task, Value
from lading.schema.table import Array, Table


class PythonFlavor:
    """Files of Python, of which one function or class is the model."""

    name = "python"
    suffixes = (".py",)
    distribution = ""
    extra = ""

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes are Python; only what is named `.py` is asked."""
        tree = _parsed(data)
        return tree is not None and any(not isinstance(node, ast.Expr) for node in tree.body)

    def needs(self, data: bytes) -> Needs:
        """What the file defines that could be the model."""
        return Needs("Python")

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> PythonModel:
        """The function or class. Runs the file: only for what its owner named, or a trusted key signed.

        Raises:
            EnvironmentMismatch: it imports what is not installed.
            UnsupportedModel: it has no such function or class, or it raised.
        """
        entry = support.entry or _only_candidate(data)
        module = run_module("model.py", data.decode(), support.modules)
        if not hasattr(module, entry):
            raise UnsupportedModel(f"the file defines no `{entry}`", hint=_candidates_in_words(data))
        try:
            return PythonModel(_opened(getattr(module, entry), support.files), entry)
        except LadingError:
            raise
        # It is anybody's code: it may raise anything, and may even call `sys.exit`.
        except (Exception, SystemExit) as error:
            raise UnsupportedModel(f"`{entry}` cannot be opened: {error_in_words(error)}") from error

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
        self._proba = _proba(model, entry)
        classes = tuple(getattr(model, "classes", ())) or self._predict.returns
        self.class_name = entry
        self.task: Task = "classification" if classes else "unknown"
        self.classes: tuple[tuple[Value, ...], ...] = (classes,) if classes else ()
        self.has_probabilities = self._proba is not None
        self.metadata: Mapping[str, Any] = {}
        self.knows_inputs = bool(self._predict.columns)
        frames = self._predict.form == "frame"
        self._learned = Learned(self._predict.fields, self.knows_inputs, "frame" if frames else "array")

    def learn(self) -> Learned:
        """The columns that the parameters are; none where it takes everything at once."""
        return self._learned

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """What the function gives, an answer a row."""
        prediction = answers(self._predict(table), table.rows)
        if not proba or self._proba is None:
            return Predictions(prediction)
        probabilities: Array = answers(self._proba(table), table.rows).astype(float)
        return Predictions(prediction, (probabilities,))


_SHAPES = "a model is a function, or a class with `predict` and perhaps `load`"


def _opened(model: Any, files: Mapping[str, bytes]) -> Any:
    """The model; of a class an object, loaded with the files where it wants them."""
    made = model() if inspect.isclass(model) else model
    load = getattr(made, "load", None) if not inspect.isfunction(made) else None
    if callable(load):
        load(*([files] if inspect.signature(load).parameters else []))
    return made


def _proba(model: Any, entry: str) -> Callable[[Table], Any] | None:
    proba = getattr(model, "predict_proba", None)
    return Function(proba, f"{entry}.predict_proba") if callable(proba) else None


def _parsed(data: bytes) -> ast.Module | None:
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _candidates(data: bytes) -> list[str]:
    """The functions, and classes with `predict`, that a file defines for others."""
    tree = _parsed(data)
    found = [node for node in (tree.body if tree is not None else ()) if _is_model(node)]
    return [node.name for node in found if not node.name.startswith("_")]


def _is_model(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.ClassDef]:
    if isinstance(node, ast.ClassDef):
        return "predict" in {getattr(part, "name", "") for part in node.body}
    return isinstance(node, ast.FunctionDef)


def _candidates_in_words(data: bytes) -> str:
    return "it defines " + (", ".join(f"`{name}`" for name in _candidates(data)) or f"nothing: {_SHAPES}")


def _only_candidate(data: bytes) -> str:
    found = _candidates(data)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnsupportedModel("the file defines neither a function nor a class with `predict`", hint=_SHAPES)
    named = ", ".join(f"`{name}`" for name in found)
    raise UnsupportedModel(f"which is the model: {named}?", hint=f"say it behind the file's name: FILE.py:{found[0]}")
