"""What is measured: a server, how it is had, started and asked."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]

ROW, ROWS, CSV, ARROW = "row", "rows", "csv", "arrow"
CONTENT_TYPES = {
    ROW: "application/json",
    ROWS: "application/json",
    CSV: "text/csv",
    ARROW: "application/vnd.apache.arrow.stream",
}


@dataclass(frozen=True)
class Case:
    """A model with the rows that are asked, in a folder that `prepare` filled."""

    folder: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `prepare` wrote: `words`, `dtypes` of the columns, `rows`, `expected` predictions, `engine`."""
        return dict(json.loads((self.folder / "case.json").read_text()))

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def bodies(self) -> tuple[str, ...]:
        """The kinds of bodies in which its rows are sent."""
        return (ROW,) if len(self.facts["rows"]) == 1 else (ROWS, CSV, ARROW)


class Launch(NamedTuple):
    """What a server has to know to be started; `folder` is its own, and goes with it."""

    python: Path
    case: Case
    port: int
    workers: int
    folder: Path


def plain_body(kind: str, case: Case) -> bytes:
    """One row as an object, several as lists under `X`; CSV and Arrow as they lie in the case's folder."""
    rows = case.facts["rows"]
    if kind == ROW:
        return json.dumps(dict(zip(case.facts["dtypes"], rows[0], strict=True))).encode()
    if kind == ROWS:
        return json.dumps({"X": rows}, separators=(",", ":")).encode()
    return (case.folder / f"rows.{kind}").read_bytes()


def plain_answers(document: Any) -> list[Any]:
    """The predictions in `prediction` or `predictions`."""
    return document["predictions"] if "predictions" in document else [document["prediction"]]


@dataclass(frozen=True, kw_only=True)
class Server:
    """How one server is had, started and asked; what most of them do is the default.

    Attributes:
        command: starts it, on 127.0.0.1.
        words: what stands on the page about it.
        requirements: to be installed in its environment; none for what is no Python.
        needs_model: whether it loads the pickled model, so that its environment has the versions that wrote it.
        environment: variables that it is started with.
        workers: processes that it is started with, unless a measurement says how many.
        paths: where each kind of body goes; a kind that is not here is not sent to it.
        body: makes the body of a kind.
        answers: finds the predictions in an answer.
        is_constant: whether it answers without a model, so that only its status is looked at.
        aim: how many times its single-row requests a second Lading wants to answer; 0 for none.
    """

    command: Callable[[Launch], list[str]]
    words: str
    requirements: tuple[str, ...] = ()
    needs_model: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    paths: Mapping[str, str] = field(default_factory=lambda: {ROW: "/predict", ROWS: "/predict-rows"})
    body: Callable[[str, Case], bytes] = plain_body
    answers: Callable[[Any], list[Any]] = plain_answers
    is_constant: bool = False
    aim: float = 0.0


def find_peers() -> dict[str, Server]:
    """The peers, by the names of their files."""
    from benchmarks.serving import peers

    names = sorted(module.name for module in pkgutil.iter_modules(peers.__path__))
    return {name: importlib.import_module(f"{peers.__name__}.{name}").SERVER for name in names}
