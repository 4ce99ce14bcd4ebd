"""`pickle`'s stack machine with every operation taken out that could act.

A pickle is a program for this machine. Frames, memo, names and plain values are left to the machine of the
standard library, which joblib builds on too, so that they mean here what they will mean at loading. What
would import, call or set something is replaced by an operation that only notes it; no others exist.

Nothing that a file names becomes real, not even `numpy.dtype`: a dtype that hides that it holds objects makes
NumPy take numbers out of the file for pointers. So the arrays that joblib writes between the operations are
stepped over by arithmetic, without NumPy and without joblib.
"""

from __future__ import annotations

import _compat_pickle
import io
import math
import pickle
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

__all__ = ["Instance", "Mapping", "Named", "Notes", "Reader"]


@dataclass(frozen=True, slots=True)
class Named:
    """Stands for what a name in the pickle would have given."""

    module: str
    qualname: str

    def __str__(self) -> str:
        return f"{self.module}.{self.qualname}"


@dataclass(slots=True, eq=False)
class Instance:
    """Stands for what calling a name would have made."""

    of: Named
    args: Any
    state: Any = None


class Mapping(dict[Any, Any]):
    """Stands for a dictionary of another type, which is filled like a plain one."""

    of: Named


@dataclass
class Notes:
    """What was seen while reading, in the arrays of objects too."""

    names: dict[tuple[str, str], Named] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def name(self, module: str, qualname: str) -> Named:
        """The one stand-in for this name."""
        if not (module.isprintable() and qualname.isprintable()):
            raise pickle.UnpicklingError("a name that nothing has")
        return self.names.setdefault((module, qualname), Named(module, qualname))

    def state(self, state: object) -> None:
        """Keeps the version with which an object says that it was saved."""
        # the outermost part is built last, so its version is the one that stays
        if isinstance(state, tuple) and state:
            state = state[0]
        if isinstance(state, dict):
            for mark, distribution in _VERSION_MARKS.items():
                version = state.get(mark)
                if isinstance(version, str) and _VERSION.fullmatch(version):
                    self.versions[distribution] = version


_VERSION_MARKS = {"_sklearn_version": "scikit-learn"}
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!_-]{0,63}")

_DTYPE = "numpy.dtype"
_TEXT_DTYPE = "numpy._core._internal._convert_to_stringdtype_kwargs"
_ARRAY_WRAPPERS = frozenset(
    {"joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper"}
)
_MAPPINGS = frozenset({"collections.OrderedDict", "collections.defaultdict"})
_REBUILDERS = frozenset(
    {
        "copyreg._reconstructor",
        "copyreg.__newobj__",
        "copyreg.__newobj_ex__",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
    }
)
"""Functions whose first argument is the class of what they make."""

# fmt: off
_PASSIVE_OPERATIONS = (
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK, pickle.DUP,
    pickle.GET, pickle.BINGET, pickle.LONG_BINGET, pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT,
    pickle.MEMOIZE, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.INT, pickle.BININT, pickle.BININT1,
    pickle.BININT2, pickle.LONG, pickle.LONG1, pickle.LONG4, pickle.FLOAT, pickle.BINFLOAT, pickle.STRING,
    pickle.BINSTRING, pickle.SHORT_BINSTRING, pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8,
    pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8, pickle.EMPTY_LIST,
    pickle.EMPTY_DICT, pickle.EMPTY_SET, pickle.EMPTY_TUPLE, pickle.LIST, pickle.TUPLE, pickle.TUPLE1,
    pickle.TUPLE2, pickle.TUPLE3, pickle.GLOBAL, pickle.STACK_GLOBAL,
)
# fmt: on
"""Operations of `pickle`'s machine that only move or make plain values, or end in `find_class`.

Left out on purpose: persistent ids and out-of-band buffers, which no file on its own can have, and extension
codes, which would bypass `find_class` by way of a cache that the whole process shares.
"""


class Reader(pickle._Unpickler):
    """`pickle`'s machine with every operation taken out that could act."""

    # attributes that the machine has, but its published types do not
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    proto: int
    dispatch: ClassVar[dict[int, Any]] = {
        operation[0]: pickle._Unpickler.dispatch[operation[0]] for operation in _PASSIVE_OPERATIONS
    }

    def __init__(self, stream: io.BytesIO, size_bytes: int, notes: Notes) -> None:
        super().__init__(stream)
        self.stream = stream
        self.size_bytes = size_bytes
        self.notes = notes

    def find_class(self, module: str, name: str) -> Named:
        """The stand-in for a name; `module` is not imported."""
        if self.proto < 3:
            # such files carry the names of Python 2, also where Python 3 wrote them
            old = (module, name)
            module, name = _compat_pickle.NAME_MAPPING.get(
                old, (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
            )
        return self.notes.name(module, name)

    def _reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = _made(self.stack[-1], args)

    def _newobj_ex(self) -> None:
        self.stack.pop()
        self._reduce()

    def _obj(self) -> None:
        maker, *args = self.pop_mark()
        self.append(_made(maker, tuple(args)))

    def _inst(self) -> None:
        args = tuple(self.pop_mark())
        self.dispatch[pickle.GLOBAL[0]](self)
        self.append(_made(self.stack.pop(), args))

    def _build(self) -> None:
        state = self.stack.pop()
        self.notes.state(state)
        inst = self.stack[-1]
        if isinstance(inst, Instance):
            inst.state = state
            if str(inst.of) in _ARRAY_WRAPPERS:
                self.stack[-1] = self._step_over(inst)

    def _append(self) -> None:
        item = self.stack.pop()
        self._fill_list([item])

    def _appends(self) -> None:
        self._fill_list(self.pop_mark())

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill_dictionary([key, value])

    def _setitems(self) -> None:
        self._fill_dictionary(self.pop_mark())

    def _dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._fill_dictionary(items)

    def _additems(self) -> None:
        self.pop_mark()

    def _frozenset(self) -> None:
        self.pop_mark()
        self.append(frozenset())

    def _bytearray8(self) -> None:
        # the machine's own allocates what is declared, before it reads
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    def _fill_list(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def _fill_dictionary(self, items: list[Any]) -> None:
        """Sets the entries whose keys are text.

        No other key is ever looked at, and to hash one can take for ever: tuples that hold each other often.
        """
        if isinstance(self.stack[-1], dict):
            pairs = zip(items[::2], items[1::2], strict=True)
            self.stack[-1].update((key, value) for key, value in pairs if type(key) is str)

    def _step_over(self, wrapper: Instance) -> Instance | Mapping:
        """A stand-in for the array that joblib has written behind its wrapper; the stream is then at its end.

        As `NumpyArrayWrapper.read_array` of joblib 1.6 has it: objects are a pickle of their own; else there
        is, since joblib 1.2, a byte with the length of the padding, then the padding, then the items.
        """
        fields = wrapper.state
        item_bytes = _item_bytes(fields["dtype"])
        if item_bytes is None:
            Reader(self.stream, self.size_bytes, self.notes).load()
        else:
            if fields.get("numpy_array_alignment_bytes") is not None:
                self._skip(self.stream.read(1)[0])
            self._skip(_item_count(fields["shape"]) * item_bytes)
        return _made(fields["subclass"], ())

    def _skip(self, size: int) -> None:
        end = self.stream.tell() + size
        if size < 0 or end > self.size_bytes:
            raise EOFError
        self.stream.seek(end)

    dispatch |= {
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _reduce,  # a class in place of a function, else the same
        pickle.NEWOBJ_EX[0]: _newobj_ex,
        pickle.OBJ[0]: _obj,
        pickle.INST[0]: _inst,
        pickle.BUILD[0]: _build,
        pickle.APPEND[0]: _append,
        pickle.APPENDS[0]: _appends,
        pickle.SETITEM[0]: _setitem,
        pickle.SETITEMS[0]: _setitems,
        pickle.DICT[0]: _dict,
        pickle.ADDITEMS[0]: _additems,
        pickle.FROZENSET[0]: _frozenset,
        pickle.BYTEARRAY8[0]: _bytearray8,
    }


def _made(maker: object, args: Any) -> Instance | Mapping:
    """The stand-in for what calling `maker` would have given."""
    if isinstance(maker, Instance):
        # a function that a function made, such as a partial one
        maker = maker.of
    if not isinstance(maker, Named):
        raise pickle.UnpicklingError("something is called that has no name")
    if str(maker) in _REBUILDERS and isinstance(args, tuple) and args and isinstance(args[0], Named):
        maker, args = args[0], ()
    if str(maker) in _MAPPINGS:
        mapping = Mapping()
        mapping.of = maker
        return mapping
    return Instance(maker, args)


def _item_bytes(dtype: Instance) -> int | None:
    """Bytes of one item, or `None` for objects; read as `numpy.dtype.__reduce__` writes it.

    The state is version, byte order, subarray, names, fields, item size, alignment, flags, perhaps metadata.
    The item size is -1 where the code (`f8`) tells it; the first flag says that there are objects.
    """
    if str(dtype.of) == _TEXT_DTYPE:
        return None
    if str(dtype.of) != _DTYPE:
        raise pickle.UnpicklingError("an array of something else than a dtype")
    code, state = dtype.args[0], dtype.state
    if state[7] & 1:
        return None
    fixed = re.fullmatch(r"[biufcmM](\d{1,2})", code) if isinstance(code, str) else None
    return int(fixed[1]) if fixed else int(state[5])


def _item_count(shape: tuple[int, ...]) -> int:
    # as many dimensions as NumPy can have, each as long as it can be
    if len(shape) > 64 or not all(type(length) is int and 0 <= length < 1 << 63 for length in shape):
        raise pickle.UnpicklingError("a shape that no array has")
    return math.prod(shape)
