"""The container engine, by its command: docker, or podman where there is no docker."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lading.errors import EnvironmentMismatch, LadingError
from lading.schema.words import printable

_ENGINES = ("docker", "podman")
_SHOWN_LINES = 25
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ABOVE = "what the engine said is above; --base names another image to build on"


class Container:
    """Runs the command of an engine, which reads its own environment."""

    def __init__(self, command: str) -> None:
        self._command = command

    @classmethod
    def find(cls) -> Container:
        """The engine that is installed, and answers.

        Raises:
            EnvironmentMismatch: there is none, or it does not.
        """
        for name in _ENGINES:
            if (command := shutil.which(name)) is not None:
                engine = cls(command)
                engine._ask_version(name)
                return engine
        hint = "install docker or podman; or `lading ship docker`, and build where there is one"
        raise EnvironmentMismatch("there is no container engine on the path", hint=hint)

    def _ask_version(self, name: str) -> None:
        done = subprocess.run([self._command, "version"], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [""])[-1]
            raise EnvironmentMismatch(
                f"{name} does not answer: {said}", hint="is its service started, and may you ask it?"
            )

    def build(self, context: Path, *, tag: str = "", is_shown: bool = False) -> str:
        """The id of the image that is built from a folder.

        Args:
            context: the folder.
            tag: what it is called; nothing where only its id counts.
            is_shown: whether what the engine says goes to stderr, as it says it.

        Raises:
            LadingError: a step failed; the last of what the engine said is on stderr.
        """
        with _id_file(context) as file:
            command = ["build", "--force-rm", *["--tag", tag] * bool(tag), "--iidfile", str(file), str(context)]
            self._run(command, "the image cannot be built", is_shown=is_shown)
            return file.read_text("utf-8").strip()

    def copy_out(self, image: str, source: str, target: Path) -> None:
        """Copy a file or a folder of an image; nothing in the image is run.

        Raises:
            LadingError: it is not there.
        """
        container = self._run(["create", image, "true"], "the image cannot be opened").strip()
        try:
            self._run(["cp", f"{container}:{source}", str(target)], "the image has not what was expected")
        finally:
            self._run(["rm", container], "a container cannot be removed")

    def remove(self, image: str) -> None:
        """Remove an image that nobody needs any more, as far as that can be done."""
        subprocess.run([self._command, "rmi", "--force", image], capture_output=True, check=False)

    def size_bytes(self, image: str) -> int:
        """How large an image is, with what it is built on."""
        return int(self._run(["image", "inspect", "--format", "{{.Size}}", image], "the image is not there"))

    def _run(self, arguments: Sequence[str], failure: str, *, is_shown: bool = False) -> str:
        command = [self._command, *arguments]
        if is_shown:
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode:
                raise LadingError(failure, hint=_ABOVE)
            return ""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = _plain(done.stdout + done.stderr)
            sys.stderr.write("".join(f"  | {line}\n" for line in lines[-_SHOWN_LINES:]))
            raise LadingError(failure, hint=_ABOVE)
        return done.stdout


def _plain(text: str) -> list[str]:
    """The lines that say something, without what a terminal would act upon."""
    lines = (printable(_ESCAPE.sub("", line)).rstrip() for line in text.splitlines())
    return [line for line in lines if line]


@contextlib.contextmanager
def _id_file(context: Path) -> Iterator[Path]:
    """Where an engine writes the id of what it has built, beside the folder it was built from."""
    file = context.parent / f".{context.name}.id"
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
