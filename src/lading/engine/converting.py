"""The conversion of a model, run in a process of its own: whatever becomes of that is a reason at worst."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from lading.engine.conversion import JOB, MODEL, OUTCOME, Job, Outcome, Precision
from lading.schema.fields import Field

LIMIT_S = 300.0
"""What a conversion may take."""
MAX_GRAPH_BYTES = 1 << 30
"""What a compiled model may have."""
MAX_OUTCOME_BYTES = 1 << 20


class NotConverted(Exception):
    """The model was not converted, for the reason that this says."""


def convert_apart(
    flavor: str, fields: tuple[Field, ...], wants: str, data: bytes, code: Mapping[str, str] | None = None
) -> list[tuple[Precision, bytes]]:
    """The graphs that a model was converted to, each with the precision of its inputs, in the order to try them.

    Args:
        flavor: which loads the model.
        fields: its inputs.
        wants: what the model is given: an array or a frame.
        data: its file.
        code: the author's own Python that the file needs, by module.

    Raises:
        NotConverted: there are none; says why.
    """
    job = Job(flavor, fields, wants, path=tuple(sys.path), max_bytes=MAX_GRAPH_BYTES, code=dict(code or {}))
    with TemporaryDirectory(prefix="lading-") as name:
        folder = Path(name)
        (folder / JOB).write_bytes(msgspec.json.encode(job))
        (folder / MODEL).write_bytes(data)
        _run(folder)
        return [(precision, _read(folder / precision, MAX_GRAPH_BYTES)) for precision in _outcome(folder).precisions]


def _run(folder: Path) -> None:
    """Run the conversion; nothing that its process says is heard."""
    command = [sys.executable, "-P", "-m", "lading.engine.conversion", str(folder)]
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
    except (OSError, ValueError) as error:
        raise NotConverted(f"its conversion cannot be started: {type(error).__name__}") from None
    with process:
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise NotConverted(f"its conversion took more than {LIMIT_S:g} s") from None
        finally:
            process.kill()
    if code:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise NotConverted(f"its conversion ended with {how}")


def _outcome(folder: Path) -> Outcome:
    try:
        outcome = msgspec.json.decode(_read(folder / OUTCOME, MAX_OUTCOME_BYTES), type=Outcome)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotConverted("its conversion gave nothing that can be read") from None
    if not outcome.precisions:
        raise NotConverted(outcome.reason or "its conversion gave nothing")
    return outcome


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise NotConverted(f"its conversion gave more than {max_bytes >> 20} MiB")
        return path.read_bytes()
    except OSError:
        raise NotConverted("its conversion gave nothing that can be read") from None
