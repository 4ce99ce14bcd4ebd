"""The datatypes of tensors: what an element may be, and as which cell of a column it counts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lading.schema.cells import Complaint, whole
from lading.schema.fields import Field
from lading.schema.problems import type_name

MAX_FP32 = 3.4028234663852886e38
"""The greatest number of 32 bits (IEEE 754)."""
WITHOUT_JSON = ("FP16", "BF16")
"""Datatypes that the protocol sends as raw bytes only."""


class Datatype(NamedTuple):
    """What the elements of a tensor are.

    Attributes:
        word: for one of them.
        types: in which JSON has it; `bool` is no number.
        low: the least number.
        high: the greatest.
        size: what a number beyond them is told.
    """

    word: str
    types: tuple[type, ...]
    low: float = 0
    high: float = 0
    size: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is compared with bounds, and may stand in a column of other numbers."""
        return bool(self.size)

    def check(self, element: object) -> None:
        """Nothing, for an element of this datatype.

        Raises:
            Complaint: it is another one.
        """
        if type(element) not in self.types:
            got = type_name(element)
            raise Complaint("schema.wrong_type", f"expected {self.word}, got {got}", got=got)
        if self.is_number and not self.low <= element <= self.high:  # type: ignore[operator]
            raise Complaint("schema.too_large", f"expected {self.size}", got=type_name(element))


def _integer(name: str, low: int, high: int) -> Datatype:
    return Datatype("integer", (int,), low, high, f"an integer from {low} to {high}, as {name} has")


def _float(bits: int, greatest: float) -> Datatype:
    return Datatype("number", (int, float), -greatest, greatest, f"a finite number of {bits} bits")


DATATYPES = {
    "BOOL": Datatype("boolean", (bool,)),
    **{f"UINT{bits}": _integer(f"UINT{bits}", 0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": _integer(f"INT{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    "FP32": _float(32, MAX_FP32),
    "FP64": _float(64, sys.float_info.max),
    "BYTES": Datatype("string", (str,)),
}
"""Those that JSON has, by name."""


def fitter(field: Field) -> Callable[[object], object]:
    """A function that gives a number, or what is missing, as the cell that it is in a column, where it is one."""
    return _FITS.get(field.value_kind, lambda number: number)


def _boolean(number: object) -> object:
    return number == 1 if number in (0, 1) else number


_FITS: Mapping[str, Callable[[object], object]] = {"int": whole, "bool": _boolean}
