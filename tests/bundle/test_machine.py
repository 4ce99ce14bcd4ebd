"""Hostile and broken streams: nothing in them runs, and none of them costs more than its size allows."""

import builtins
import collections
import copyreg
import datetime
import decimal
import enum
import functools
import io
import os
import pickle
import pkgutil
import random
import struct
import sys
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from joblib.numpy_pickle import NumpyArrayWrapper
from sklearn.ensemble import RandomForestClassifier

from lading.bundle.recorder import Recording, record
from lading.errors import FormatError

MIB = 1 << 20


def joblib_bytes(value, protocol=None):
    stream = io.BytesIO()
    joblib.dump(value, stream, protocol=protocol)
    return stream.getvalue()


class Call:
    """Loading this calls the function."""

    def __init__(self, fn, *args):
        self.fn, self.args = fn, args

    def __reduce__(self):
        return self.fn, self.args

    def __call__(self):
        """What is reduced to must be callable, also where it is a call itself."""


class Build:
    """Loading this hands a state to an object that itself comes out of a call."""

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return collections.OrderedDict, (), {"state": self.call}


TELLING = {
    (os.system.__module__, "system"),
    ("builtins", "exec"),
    ("builtins", "__import__"),
    ("pkgutil", "resolve_name"),
}


def payloads(canary):
    touch = f"echo > '{canary}'"
    code = f"open({str(canary)!r}, 'w').close()"
    return {
        "system": Call(os.system, touch),
        "exec": Call(builtins.exec, code),
        "resolve_name": Call(Call(pkgutil.resolve_name, "os:system"), touch),
        "getattr": Call(Call(getattr, Call(__import__, "os"), "system"), touch),
        "partial": Call(functools.partial(os.system, touch)),
        "state": Build(Call(os.system, touch)),
        "key": {"a": {1: [Call(os.system, touch)]}},
        "object array": np.array(["a", Call(os.system, touch)], dtype=object),
        "array of records": np.array([(1, Call(os.system, touch))], dtype=[("a", "i4"), ("b", object)]),
        "arrays in arrays": np.array([np.array([Call(builtins.exec, code), 1], dtype=object), 1], dtype=object),
    }


@pytest.mark.parametrize("dump", [joblib_bytes, pickle.dumps, functools.partial(pickle.dumps, protocol=0)])
@pytest.mark.parametrize("name", payloads(""))
def test_a_payload_never_runs(tmp_path, name, dump):
    canary = tmp_path / "canary"
    data = dump(payloads(canary)[name])
    recording = record(data)
    assert not canary.exists()
    assert TELLING & set(recording.names)
    joblib.load(io.BytesIO(data))
    assert canary.exists(), "the payload would not have run at loading either"


@pytest.mark.parametrize("dump", [joblib_bytes, pickle.dumps])
def test_a_payload_at_the_start_of_a_broken_pickle_never_runs(tmp_path, dump):
    canary = tmp_path / "canary"
    data = dump([Call(os.system, f"echo > '{canary}'"), "more"])[:-4]
    with pytest.raises(FormatError, match="is broken"):
        record(data)
    assert not canary.exists()
    with pytest.raises((EOFError, pickle.UnpicklingError)):
        joblib.load(io.BytesIO(data))
    assert canary.exists(), "the payload would not have run at loading either"


@pytest.mark.parametrize(
    "data",
    [
        b"ccanary_module\nthing\n.",
        b"(icanary_module\nthing\n.",
        b"\x80\x02(ccanary_module\nthing\nK\x01o.",
        b"\x80\x02ccanary_module\nthing\n)\x81.",
        b"\x80\x04\x8c\x0dcanary_module\x8c\x05thing\x93)}\x92.",
        b"\x80\x04\x8c\x0dcanary_module\x8c\x05thing\x93)R}b.",
        b"\x80\x04\x8c\x18joblib.numpy_pickle.evil\x8c\x05thing\x93\x8c\x0dcanary_module\x8c\x05thing\x93\x86.",
    ],
)
def test_no_module_that_is_named_is_imported(tmp_path, monkeypatch, data):
    canary = tmp_path / "canary"
    (tmp_path / "canary_module.py").write_text(f"open({str(canary)!r}, 'w').close()\nthing = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    assert ("canary_module", "thing") in record(data).names
    assert set(sys.modules) == before
    assert not canary.exists()


def test_extension_codes_reach_neither_the_registry_nor_its_cache():
    copyreg.add_extension("posix", "system", 77)
    try:
        copyreg._extension_cache[77] = os.system
        with pytest.raises(FormatError):
            record(b"\x80\x02\x82\x4dU\x04true\x85R.")
        del copyreg._extension_cache[77]
        with pytest.raises(FormatError):
            record(b"\x80\x02\x82\x4d.")
        assert 77 not in copyreg._extension_cache
    finally:
        copyreg.remove_extension("posix", "system", 77)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"N",
        b"Pid\n.",
        b"\x80\x02NQ.",
        b"\x80\x05\x97.",
        b"\x80\x05C\x00\x98.",
        b"\x80\x09N.",
        b"\xff.",
    ],
)
def test_what_no_model_file_needs_is_refused(data):
    with pytest.raises(FormatError):
        record(data)


@pytest.mark.parametrize("data", [b"I1\n)R.", b"](K\x01K\x02R.", b"\x80\x02N)\x81.", b"}(K\x01u.", b"(o."])
def test_calling_what_has_no_name_is_refused(data):
    with pytest.raises(FormatError):
        record(data)


class Color(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("a",)

    def __getstate__(self):
        return None, {"a": 1}


class Keyed(dict):
    pass


class Listed(list):
    pass


class Extended:
    def __new__(cls, *, a):
        return super().__new__(cls)

    def __getnewargs_ex__(self):
        return (), {"a": 1}


OBJECTS = {
    "keys": {decimal.Decimal(1): 1, (1, datetime.date(2024, 1, 1)): 2, Color.RED: 3},
    "set": {1, Color.RED, decimal.Decimal(2)},
    "frozenset": frozenset([1, Color.RED]),
    "ordered": collections.OrderedDict([(Color.RED, 1), ("b", 2)]),
    "default": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], 3),
    "partial": functools.partial(int, base=2),
    "slots": Slotted(),
    "dictionary": Keyed(a=1),
    "list": Listed([1, 2, 3]),
    "newobj_ex": Extended(a=1),
    "bytearray": bytearray(b"abc"),
    "times": [datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(1)],
    "numbers": [1, -1, 300, 1 << 40, 1 << 9000, 1.5, 1j, True, None],
    "texts": ["a", "ä" * 300, b"x" * 300, "\ud800"],
    "scalars": [np.float64(1), np.int8(1), np.datetime64("2024-01-01"), np.str_("a"), np.bool_(True)],
    "random": [np.random.RandomState(0), np.random.default_rng(0)],
    "sparse": scipy.sparse.csr_matrix(np.eye(3)),
    "frame": pd.DataFrame({"a": [1, 2], "b": pd.Categorical(["x", "y"]), "c": pd.to_datetime(["2024"] * 2)}),
    "recarray": np.rec.array([(1, 2.0)]),
    "ufunc": np.log1p,
}
ARRAYS = {
    "empty": np.empty((0, 3)),
    "scalar": np.array(1.5),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "big-endian": np.arange(4, dtype=">i4"),
    "bool": np.array([True, False]),
    "unicode": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "dates": np.array(["2024-01-01"], dtype="M8[D]"),
    "complex": np.ones(3, dtype=complex),
    "half": np.ones(5, dtype=np.float16),
    "records": np.zeros(3, dtype=[("a", "i4"), ("b", "f8", (2,)), ("c", "U3")]),
    "records of objects": np.zeros(2, dtype=[("a", object), ("b", "i4")]),
    "objects": np.array([{"a": 1}, "b", None], dtype=object),
    "text": np.array(["a", "b" * 50], dtype=np.dtypes.StringDType()),
    "void": np.zeros(2, dtype="V7"),
}


def names_at_loading(data):
    class Loading(pickle._Unpickler):
        def find_class(self, module, name):
            names[module, name] = None
            return super().find_class(module, name)

    names = {}
    Loading(io.BytesIO(data)).load()
    return tuple(names)


@pytest.mark.parametrize("name", OBJECTS | ARRAYS)
def test_each_kind_of_object_is_read_to_its_end(name):
    for protocol in (3, 4, 5):
        data = pickle.dumps([(OBJECTS | ARRAYS)[name], Color.RED], protocol)
        assert record(data).names == names_at_loading(data)


@pytest.mark.parametrize("name", OBJECTS | ARRAYS)
def test_each_kind_of_object_is_read_in_old_protocols(name):
    for protocol in (0, 1, 2):
        recording = record(pickle.dumps([(OBJECTS | ARRAYS)[name], decimal.Decimal(1)], protocol))
        assert ("decimal", "Decimal") in recording.names
        assert recording.top == "list"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", OBJECTS | ARRAYS)
def test_what_stands_behind_an_array_of_joblib_is_read(name, protocol):
    recording = record(joblib_bytes({"a": (OBJECTS | ARRAYS)[name], "z": decimal.Decimal(1)}, protocol))
    assert recording.top == "dict"
    assert ("decimal", "Decimal") in recording.names


def peak_bytes(data):
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            record(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20), (1 << 62,) * 64, (2,) * 65, (-1,), (1 << 63,), "ab"])
def test_an_array_that_claims_to_be_huge_is_refused(shape):
    wrapper = NumpyArrayWrapper(np.ndarray, shape, "C", np.dtype("f8"))
    assert peak_bytes(pickle.dumps(wrapper) + bytes(64)) < MIB


@pytest.mark.parametrize("dtype", ["f8", decimal.Decimal(8), None, np.ndarray])
def test_an_array_without_a_dtype_is_refused(dtype):
    wrapper = NumpyArrayWrapper(np.ndarray, (1,), "C", dtype)
    assert peak_bytes(pickle.dumps(wrapper) + bytes(64)) < MIB


def test_a_dtype_that_denies_its_objects_is_refused():
    wrapper = pickle.dumps(NumpyArrayWrapper(np.ndarray, (1,), "C", np.dtype("O")), 2)
    flags = pickle.dumps(63, 2)[2:4]
    assert wrapper.count(flags) == 1
    with pytest.raises(FormatError):
        record(wrapper.replace(flags, b"K\x00") + bytes(64))


@pytest.mark.parametrize(
    "head",
    [b"\x80\x05\x96", b"\x80\x05\x8e", b"\x80\x05\x8d", b"\x80\x04\x95"],
    ids=["bytearray", "bytes", "text", "frame"],
)
def test_a_length_that_is_only_declared_costs_nothing(head):
    for size in (1 << 36, (1 << 63) - 1, (1 << 64) - 1):
        assert peak_bytes(head + struct.pack("<Q", size) + b"abc.") < MIB


def test_tuples_that_hold_each_other_are_not_hashed():
    # as a key this has 2 ** 70 leaves to hash
    recording = record(b"\x80\x04})" + b"2\x86" * 70 + b"K\x01s(" + b")" + b"2\x86" * 70 + b"\x91\x86.")
    assert recording.top == "tuple"


def test_a_tuple_of_great_depth_is_no_trouble():
    assert record(b"\x80\x02)" + b"\x85" * 200_000 + b".").top == "tuple"


def test_arrays_of_objects_within_each_other_without_end_are_refused():
    wrapper = pickle.dumps(NumpyArrayWrapper(np.ndarray, (1,), "C", np.dtype("O")), 2)
    with pytest.raises(FormatError, match="RecursionError"):
        record(wrapper[:-1] * 2000)


def test_a_name_that_would_write_on_the_terminal_is_refused():
    with pytest.raises(FormatError):
        record(b"cos\n\x1b[2Jsystem\n.")


@pytest.fixture(scope="module")
def forest():
    model = RandomForestClassifier(2, max_depth=3, random_state=0)
    x = np.arange(40.0).reshape(20, 2)
    return joblib_bytes({"model": model.fit(x, np.array(["a", "b"] * 10, dtype=object)), "author": "x"})


def outcome(data):
    try:
        assert isinstance(record(data), Recording)
    except FormatError as error:
        return error.message
    return "recorded"


def test_a_file_that_is_cut_off_anywhere_is_refused(forest):
    step = max(1, len(forest) // 300)
    tracemalloc.start()
    outcomes = {outcome(forest[:end]) for end in range(0, len(forest), step)}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcome(forest) == "recorded"
    assert "recorded" not in outcomes
    assert peak < 16 * MIB


def test_a_file_with_changed_bytes_is_recorded_or_refused(forest):
    rng = random.Random(7)
    tracemalloc.start()
    outcomes = collections.Counter()
    for _ in range(300):
        data = bytearray(forest)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        outcomes[outcome(bytes(data))] += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcomes["recorded"] > 0
    assert len(outcomes) > 2
    assert peak < 16 * MIB
