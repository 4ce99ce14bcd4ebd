"""Names that a pickle looks up in the author's own modules."""

import types
from typing import Any

import pytest

from lading.flavors.unpickling import unpickle

OWN = types.ModuleType("own")
OWN.Outer = type("Outer", (), {"inner": "found"})  # type: ignore[attr-defined]


def named(module: str, name: str) -> bytes:
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + texts + b"\x93."


@pytest.mark.parametrize("module", ["__main__", "__mp_main__"])
def test_what_the_notebook_defined_is_looked_up_in_its_stead(module: str) -> None:
    assert unpickle(named(module, "Outer.inner"), {"__main__": OWN}) == "found"


@pytest.mark.parametrize("modules", [{}, {"__main__": OWN}])
def test_what_is_not_there_is_not_looked_up_in_the_running_process(modules: Any) -> None:
    with pytest.raises(AttributeError):
        unpickle(named("__main__", "no_such_name"), modules)
