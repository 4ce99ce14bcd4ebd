"""Which statements take their values from outside of the source: from files, networks or training."""

from __future__ import annotations

import re

from lading.bundle.rescue.outline import Outline, Statement

__all__ = ["outside_call"]

_READS = re.compile(
    r"open|open_\w+|input|getpass|urlopen|urlretrieve|load|load_\w+|\w+_load|\w+_load_all|loadtxt|genfromtxt|fromfile"
    r"|memmap|read|read_\w+|readlines?|scan_\w+|fetch\w*|download\w*|from_pretrained|connect|execute|executemany"
    r"|glob|iglob|rglob|listdir|scandir|fit|fit_\w+|partial_fit|cross_val_\w+|check_output|popen"
)
_NETWORKS = frozenset(
    {"aiohttp", "boto3", "httpx", "paramiko", "requests", "socket", "sqlite3", "subprocess", "urllib"}
)


def outside_call(outline: Outline, statement: Statement) -> str | None:
    """The call by which a statement, when it runs, gets data that are not in the source; None where it does not.

    Functions of the source that it calls are looked into; which calls read data is judged by their names.
    """
    if statement.uses.has_await:
        return "await"
    seen: set[int] = set()
    stack = [(call, statement.index) for call in reversed(statement.uses.calls)]
    while stack:
        call, at = stack.pop()
        if _reads(call):
            return call
        called = _function(outline, call, at)
        if called is not None and called.index not in seen:
            seen.add(called.index)
            stack.extend((inner, called.index) for inner in reversed(called.uses.body_calls))
    return None


def _reads(call: str) -> bool:
    first, _, rest = call.partition(".")
    return bool(_READS.fullmatch(call.rpartition(".")[2])) or (bool(rest) and first in _NETWORKS)


def _function(outline: Outline, name: str, at: int) -> Statement | None:
    """The statement that defines a function, as it was called at a position."""
    index = outline.binding_before(name, at)
    if index is None:
        index = next(iter(outline.bindings.get(name, ())), None)
    return None if index is None else outline.statements[index]
