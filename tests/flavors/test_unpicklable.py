import functools
import pickle
from collections import defaultdict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lading.flavors.unpicklable import culprit


def make():
    def inner(X, k=1):
        return X

    class Local(StandardScaler):
        pass

    return inner, Local


inner, Local = make()
INNER = "`make.<locals>.inner`, a function defined inside another one"
LOCAL = "`make.<locals>.Local`, a class defined inside a function"
Pair = namedtuple("Pair", ["first", "second"])


@dataclass(slots=True)
class Slotted:
    fn: object
    other: object = None


def pipeline(step):
    return Pipeline([("head", StandardScaler()), ("tail", step), ("model", LogisticRegression())])


def function(X):
    return X


CULPRITS = {
    "lambda": (
        pipeline(FunctionTransformer(lambda X: X)),
        "`func` of `FunctionTransformer` in step `tail` is a lambda",
    ),
    "closure": (pipeline(FunctionTransformer(inner)), f"`func` of `FunctionTransformer` in step `tail` is {INNER}"),
    "local class": (pipeline(Local()), f"the model's step `tail` is an object of {LOCAL}"),
    "partial": (
        pipeline(FunctionTransformer(functools.partial(inner, k=2))),
        f"`func` of `FunctionTransformer` in step `tail` is {INNER}",
    ),
    "argument of a partial": (
        FunctionTransformer(functools.partial(function, key=lambda x: x)),
        "`func` of `FunctionTransformer` is a lambda",
    ),
    "keyword": (FunctionTransformer(kw_args={"k": [lambda: 1]}), "`kw_args` of `FunctionTransformer` is a lambda"),
    "column transformer": (
        ColumnTransformer([("amounts", FunctionTransformer(lambda X: X), [0])]),
        "`func` of `FunctionTransformer` in step `amounts` is a lambda",
    ),
    "choice of columns": (
        ColumnTransformer([("amounts", "passthrough", lambda X: [0])]),
        "`transformers` of `ColumnTransformer` is a lambda",
    ),
    "union": (
        FeatureUnion([("a", pipeline(StandardScaler())), ("b", FunctionTransformer(inner))]),
        f"`func` of `FunctionTransformer` in step `b` is {INNER}",
    ),
    "the model itself": (lambda X: X, "the model is a lambda"),
    "the model's class": (Local(), f"the model is an object of {LOCAL}"),
    "a class": (Slotted(Local), f"`fn` of `Slotted` is {LOCAL}"),
    "slot": (Slotted(None, inner), f"`other` of `Slotted` is {INNER}"),
    "beside the model": ({"model": StandardScaler(), "post": inner}, f"`post` of the model is {INNER}"),
    "default": (Slotted(defaultdict(lambda: 0)), "`fn` of `Slotted` is a lambda"),
    "array of objects": (Slotted(np.array([None, inner])), f"`fn` of `Slotted` is {INNER}"),
    "method": (Slotted(Local().fit), f"`fn` of `Slotted` is an object of {LOCAL}"),
    "named tuple": (Slotted(Pair("a", inner)), f"`fn` of `Slotted` is {INNER}"),
    "set": (Slotted({inner}), f"`fn` of `Slotted` is {INNER}"),
}


@pytest.mark.parametrize(("model", "sentence"), CULPRITS.values(), ids=CULPRITS)
def test_what_cannot_be_pickled_is_named(model, sentence):
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(model)
    assert culprit(model) == sentence


FINE = [pipeline(FunctionTransformer(function)), FunctionTransformer(np.log1p), {"model": StandardScaler()}, Slotted]


@pytest.mark.parametrize("model", FINE, ids=range(len(FINE)))
def test_a_model_that_can_be_pickled_has_no_culprit(model):
    assert pickle.dumps(model)
    assert culprit(model) is None


def test_circles_end():
    step = FunctionTransformer(function)
    step.circle = [step, {"again": step}]
    assert culprit(step) is None


class Loud:
    """Says so when it is asked for anything."""

    def __getattribute__(self, name):
        raise AssertionError(name)

    def __iter__(self):
        raise AssertionError


class LoudList(list):
    def __iter__(self):
        raise AssertionError

    @property
    def value(self):
        raise AssertionError


def test_nothing_of_the_model_is_called():
    loud = Loud()
    assert culprit([loud, LoudList([loud])]) is None
    assert culprit(LoudList([loud, inner])) == f"the model is {INNER}"
