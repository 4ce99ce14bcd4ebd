"""Which names in a pickle are refused before it is opened, and which honest models have."""

import functools
import io
import logging
import math
import operator
import os
import pathlib
import random
import urllib.parse
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from lading.flavors.sklearn import SklearnFlavor

HONEST = {
    "partial": functools.partial(np.clip, a_min=0, a_max=1),
    "itemgetter": operator.itemgetter(1, 2),
    "methodcaller": operator.methodcaller("lower"),
    "path": pathlib.Path("data"),
    "part of a path": os.path.basename,
    "what a file was": os.stat("."),
    "processors": os.cpu_count,
    "memory": joblib.Memory("cache", verbose=0),
    "logger": logging.getLogger("training"),
    "random": random.Random(1),
    "generator": np.random.default_rng(1).normal,
    "bound method": "a b".split,
    "unbound method": str.split,
    "builtin": len,
    "math": math.log,
    "url": urllib.parse.urlparse("http://example.org"),
    "scorer": make_scorer(accuracy_score),
    "tokenizer": CountVectorizer(tokenizer=str.split),
}


def needs(value: Any, protocol: int) -> Any:
    file = io.BytesIO()
    joblib.dump(value, file, protocol=protocol)
    return SklearnFlavor().needs(file.getvalue())


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("part", HONEST.values(), ids=HONEST)
def test_what_honest_models_hold_is_not_refused(part: Any, protocol: int) -> None:
    steps = FunctionTransformer(part), LogisticRegression()
    assert needs(Pipeline([("steps", steps[0]), ("model", steps[1])]), protocol).hostile == ()


def named(module: str, name: str) -> bytes:
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + texts + b"\x93."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("nt", "system"),
        ("os", "path.os.system"),
        ("subprocess", "check_output"),
        ("builtins", "exec"),
        ("builtins", "str.__class__"),
        ("importlib", "import_module"),
        ("runpy", "run_path"),
        ("urllib.request", "urlopen"),
        ("http.server", "HTTPServer"),
        ("numpy.testing._private.utils", "runstring"),
        ("lading.flavors.modules", "run_module"),
        ("_io", "open"),
        ("marshal", "loads"),
        ("joblib.memory", "os.system"),
        ("sklearn.pipeline", "Pipeline.fit.__globals__"),
        ("__main__", "__builtins__.exec"),
        ("__main__", "Outer.__init__.__globals__"),
        ("__mp_main__", "__loader__"),
    ],
)
def test_what_acts_on_the_machine_is_refused(module: str, name: str) -> None:
    assert SklearnFlavor().needs(named(module, name)).hostile == (f"{module}.{name}",)


@pytest.mark.parametrize(
    ("module", "name"),
    [("__main__", "Outer.Inner"), ("__main__", "Outer.__call__"), ("my.os_tools", "system"), ("socketless", "run")],
)
def test_names_that_only_look_alike_are_not(module: str, name: str) -> None:
    assert SklearnFlavor().needs(named(module, name)).hostile == ()
