"""XGBoost: its own files in JSON and UBJ, and its wrappers for scikit-learn, which are saved as such a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from lading.bundle.environment import installed_version
from lading.errors import FormatError, UnsupportedModel
from lading.flavors.flavor import NO_SUPPORT, Needs, Support
from lading.flavors.xgboost_file import Wrapper, is_xgboost, read_xgboost_file
from lading.flavors.xgboost_model import XgboostModel, class_name_of, line_of


class XgboostFlavor:
    """Models of XGBoost in JSON or UBJ."""

    name = "xgboost"
    suffixes = (".ubj", ".json")
    distribution = "xgboost"
    extra = "xgboost"
    fork_safe = frozenset({"xgboost", "numpy"})
    runs_code = False

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes begin as a model of XGBoost does."""
        return is_xgboost(data)

    def needs(self, data: bytes) -> Needs:
        """XGBoost: any version where the one that is here is no older than that of the file, else that one."""
        file = read_xgboost_file(data)
        is_readable = _numbers(installed_version("xgboost")) >= file.version
        wanted = None if is_readable else ".".join(map(str, file.version))
        return Needs(class_name_of(file), {"xgboost": wanted})

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> XgboostModel:
        """The model in the file.

        Raises:
            FormatError: it is broken, or XGBoost cannot read it.
        """
        file = read_xgboost_file(data)
        return XgboostModel(_open(data), file)

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """The UBJ file of a Booster, or of a wrapper with what its own `save_model` keeps of it."""
        # A class of the author's may predict in another way than XGBoost, and no file would say so.
        if type(model).__module__.split(".")[0] != "xgboost":
            return None
        if callable(getattr(model, "save_raw", None)):
            return "model.ubj", _saved(model)
        return ("model.ubj", _saved(_described(model))) if callable(getattr(model, "get_booster", None)) else None


@contextmanager
def _silently() -> Iterator[None]:
    """XGBoost without words, and without the threads that it would start to read trees."""
    from xgboost import config_context

    with config_context(verbosity=0, nthread=1):
        yield


def _open(data: bytes) -> Any:
    """The Booster in a file that was looked through; on one thread of the processor, wherever it was trained."""
    from xgboost import Booster
    from xgboost.core import XGBoostError

    try:
        with _silently():
            booster = Booster({"nthread": 1, "device": "cpu"})
            booster.load_model(bytearray(data))
            booster.set_param({"nthread": 1, "device": "cpu"})
            booster.num_features()  # what it does not find out before it is asked for something
            return booster
    except (XGBoostError, ValueError, TypeError) as error:
        hint = "save the model again: model.save_model(path)"
        raise FormatError(f"xgboost cannot read the model: {line_of(error)}", hint=hint) from None


def _described(model: Any) -> Any:
    """A copy of a wrapper's Booster that says whose it was; the wrapper itself stays as it is."""
    booster = _booster(model).copy()
    missing = getattr(model, "missing", math.nan)
    wrapper = Wrapper(_estimator_type(model), None if missing is None or math.isnan(missing) else float(missing))
    booster.set_attr(scikit_learn=msgspec.json.encode(wrapper).decode())
    return booster


def _booster(model: Any) -> Any:
    from sklearn.exceptions import NotFittedError

    try:
        return model.get_booster()
    except NotFittedError:
        raise UnsupportedModel(f"{type(model).__name__} is not fitted", hint="call fit before saving it") from None


def _estimator_type(model: Any) -> str:
    try:
        return str(model._get_type())
    except NotImplementedError:  # of `XGBModel`, from which the others derive
        return ""


def _saved(booster: Any) -> bytes:
    from xgboost.core import XGBoostError

    try:
        return bytes(booster.save_raw("ubj"))
    except XGBoostError as error:
        raise UnsupportedModel(f"the Booster cannot be saved: {line_of(error)}", hint="train it first") from None


def _numbers(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or "")[:3])
