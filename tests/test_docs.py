"""The pages are true: what they show is run. What they list is held against the code in `test_reference.py`.

The `console` blocks of a page are typed into a shell, in their order, in one folder for each page; what is printed
must be what the page shows. In a block

* a line `$ …` is a command, and goes on in the next line where it ends in a backslash or within quotes; what follows
  is its output;
* a line `…` stands for any lines of the output;
* `lading serve`, `lading demo` and `uvicorn` go on beside the commands after them, until the next one or the end; with
  a `&` behind it, nobody waits until it is ready;
* `cd` is where the commands after it are run;
* `/home/jo/.config` is a folder of the page's own here, in which Lading keeps what it is told once;
* port 8000 is another one here, and `pip install` is passed over: what is tested is what is installed already.
  Only `pip install .`, which the page about flavors needs, is done, without a network.

A `python` or `toml` block whose first line is a comment with a file's name is that file. The tutorial starts with an
empty folder, the page of an example with a checkout's examples, every other page with what its reader has by then: the
files of the tutorial.

    python tests/test_docs.py

runs all pages and writes what is printed into them, wherever it is not what they show.
"""

import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from math import isclose
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from lading.settings import PREFIX

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial.md"
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted(EXAMPLES.rglob("*.md"))]
MADE = shutil.ignore_patterns(
    *(
        "*.db",
        "*.joblib",
        "*.pkl",
        "*.pkl.gz",
        "*.lading",
        "*.ubj",
        "*.csv",
        "*.log",
        "*.png",
        "test-images",
        "*metadata.json",
        "__pycache__",
    )
)
"""What the examples make in their own folders."""
PATIENCE_S = 60.0
ANY_LINES = "…"
CONFIGURATION = "/home/jo/.config"
"""What pages call the folder in which Lading keeps what it is told once."""

BESIDE = re.compile(r"(lading (serve|demo)|uvicorn)\b(?!.*(--help|-h)\b)")
FILE_NAME = re.compile(r"# ([\w.-]+\.(?:py|toml))")
BANNER_END = re.compile(r"^  try .*\n\n\Z|Uvicorn running on .*\n\Z", re.DOTALL | re.MULTILINE)

VARYING = [
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{8}(?= of |   )"), "ID OF A KEY"),
    (re.compile(r"\blk_[0-9a-f]{8}_[0-9A-Za-z]{28}\b"), "KEY"),
    (re.compile(r"\blt_[\w-]+\.[\w-]+"), "TOKEN"),
    (re.compile(r"\b([0-9a-f]{64}|[0-9a-f]{12}…)"), "DIGEST"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z|\+00:00)"), "TIME"),
    (re.compile(r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "TIME"),
    (re.compile(r"\b[\d.]+ ms\b|(?<=\"duration_ms\":)[\d.]+"), "DURATION"),
    (re.compile(r"\b\d+(\.\d+){2,}\b"), "VERSION"),
    (re.compile(r"\b[\d.]+ ([kMG]?B)\b"), "SIZE"),
    (re.compile(r"\[\d+\]$"), "[PROCESS]"),
    (re.compile(r"\b[\d.]+x (faster|slower)(?= on one row)"), "SPEED"),
    (re.compile(r"(?<=largest difference )[\d.e+-]+"), "DIFFERENCE"),
    (re.compile(r"(?<=\"largest_difference\": )[\d.e+-]+"), "DIFFERENCE"),
    (re.compile(r"(?<=HTTP/1.1 422 )Unprocessable (Entity|Content)"), "REASON"),
]
"""What is another one in each run, on each machine or with each release of a library."""
FLOAT = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?(?![\w.])")


# --- what a page shows


class Command(NamedTuple):
    """One command of a page, and the lines that it shows below."""

    text: str
    shown: list[str]
    first_line: int
    """Of what is shown: its index among the lines of the page."""


class File(NamedTuple):
    """A file that the reader of a page writes."""

    name: str
    text: str


def read_page(text: str) -> list[Command | File]:
    """The parts of a page that are run or written, as they come."""
    parts: list[Command | File] = []
    lines = text.split("\n")
    for kind, start, stop in _blocks(lines):
        if kind == "console":
            parts += _commands(lines[start:stop], start)
        elif kind in ("python", "toml") and (named := FILE_NAME.fullmatch(lines[start])):
            parts.append(File(named[1], "\n".join([*lines[start + 1 : stop], ""])))
    return parts


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The kind of each fenced block, and where its lines begin and end."""
    fences = [index for index, line in enumerate(lines) if line.startswith("```")]
    assert len(fences) % 2 == 0, "a fence is not closed"
    for opening, closing in zip(fences[::2], fences[1::2], strict=True):
        yield lines[opening].removeprefix("```"), opening + 1, closing


def _commands(lines: Sequence[str], offset: int) -> Iterator[Command]:
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"line {offset + 1}: a console block begins with a command"
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        first = start + 1
        while _goes_on(text := "\n".join(lines[start:first]).removeprefix("$ ")):
            first += 1
        yield Command(text, list(lines[first:stop]), offset + first)


def _goes_on(text: str) -> bool:
    return text.endswith("\\") or text.count("'") % 2 == 1


# --- running it


class Shell:
    """The folder in which a page is run, and the server that it has started last."""

    def __init__(self, folder: Path, *, with_curl: bool = True) -> None:
        self.folder = folder
        self._port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._output = folder.with_name(f"{folder.name}.output")
        self._configuration = str(folder.with_name(f"{folder.name}.config"))
        bin_folder = folder.with_name(f"{folder.name}.bin")
        bin_folder.mkdir()
        if not (with_curl and shutil.which("curl")):
            _write_program(bin_folder / "curl", f'exec "{sys.executable}" "{ROOT}/examples/curl.py" "$@"')
        # Where it does not print on a terminal, curl would print its progress.
        (bin_folder / ".curlrc").write_text("silent\nshow-error\n", "utf-8")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {
            "PATH": os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(folder / ".packages")]),
            "PYTHONUNBUFFERED": "1",  # so that words and data come in their order, as on a terminal
            "COLUMNS": "80",
            "CURL_HOME": str(bin_folder),
            f"{PREFIX}PORT": str(self._port),
            "XDG_CONFIG_HOME": self._configuration,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def run(self, command: Command) -> list[str]:
        """The lines that a command prints; a server's are those until it is ready."""
        text = command.text.replace("8000", str(self._port)).replace(CONFIGURATION, self._configuration)
        if text.startswith("cd "):
            self.folder = (self.folder / text.removeprefix("cd ")).resolve(strict=True)
            return []
        if text == "pip install .":
            text = "python -m pip -q install --no-index --no-deps --no-build-isolation --target .packages ."
        elif text.startswith("pip install"):
            return command.shown
        printed = self._run_beside(text) if BESIDE.match(text) else self._run_through(text)
        shown = printed.replace(f":{self._port}", ":8000").replace(self._configuration, CONFIGURATION)
        return [line.rstrip() for line in shown.rstrip().splitlines()]

    def stop(self) -> None:
        """End the server as its user does, with Ctrl-C."""
        server, self._server = self._server, None
        if server is None or server.poll() is not None:
            return
        server.send_signal(signal.SIGINT)
        try:
            code = server.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            raise
        assert code in (0, -signal.SIGINT), self._output.read_text("utf-8")

    def _run_through(self, text: str) -> str:
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
        )
        printed = done.stdout.decode()
        assert done.returncode == 0 or "error: " in printed, f"$ {text}\n{printed}"
        return printed

    def _run_beside(self, text: str) -> str:
        self.stop()
        is_waited_for = not text.endswith("&")
        with self._output.open("wb") as output:
            command = ["bash", "-c", f"exec {text.removesuffix('&')}"]
            self._server = subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        return self._read_banner() if is_waited_for else ""

    def _read_banner(self) -> str:
        """What the server has printed when it is ready, or when it has ended."""
        assert self._server is not None
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            has_ended = self._server.poll() is not None
            printed = self._output.read_text("utf-8")
            if has_ended or BANNER_END.search(printed):
                return printed
            try:
                self._server.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"not ready after {PATIENCE_S:g} s:\n{printed}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


def run_page(path: Path, shell: Shell) -> Iterator[tuple[Command, list[str]]]:
    """Each command of a page, and what it printed, written as the page has it wherever that is the same."""
    for part in read_page(path.read_text("utf-8")):
        if isinstance(part, Command):
            yield part, redraw(part.shown, shell.run(part))
        else:
            (shell.folder / part.name).write_text(part.text, "utf-8")


# --- comparing


def redraw(shown: list[str], printed: list[str]) -> list[str]:
    """What was printed, each line as the page shows it wherever the two are alike."""
    if ANY_LINES in shown:
        at = shown.index(ANY_LINES)
        after = len(shown) - at - 1
        if len(printed) > at + after:
            rest = len(printed) - after
            return [*redraw(shown[:at], printed[:at]), ANY_LINES, *redraw(shown[at + 1 :], printed[rest:])]
    pairs = zip(shown, printed, strict=False)
    return [old if is_alike(old, new) else new for old, new in pairs] + printed[len(shown) :]


def is_alike(shown: str, printed: str) -> bool:
    """Whether two lines differ in nothing but what varies, and in numbers by 1 % at most."""
    shown, printed = _steady(shown), _steady(printed)
    if FLOAT.sub("NUMBER", shown) != FLOAT.sub("NUMBER", printed):
        return False
    pairs = zip(FLOAT.findall(shown), FLOAT.findall(printed), strict=True)
    return all(isclose(float(old), float(new), rel_tol=0.01, abs_tol=1e-6) for old, new in pairs)


def _steady(line: str) -> str:
    for pattern, word in VARYING:
        line = pattern.sub(word, line)
    return line


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"id":"0123456789abcdef0123456789abcdef"}', '{"id":"fedcba9876543210fedcba9876543210"}'),
        ("12.8 kB, sha256 0123456789ab…", "13 kB, sha256 ba9876543210…"),
        ("2026-01-02T03:04:05Z   Python 3.11.7", "2027-06-07T08:09:10Z   Python 3.14.0"),
        ('{"setosa":0.98470,"virginica":6.2e-08}', '{"setosa":0.98471,"virginica":6.3e-8}'),
        ("Started server process [17]", "Started server process [4711]"),
    ],
)
def test_what_varies_is_alike(shown: str, printed: str):
    assert is_alike(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"prediction":"setosa"}', '{"prediction":"virginica"}'),
        ('{"setosa":0.98}', '{"setosa":0.89}'),
        ('{"setosa":0.98}', '{"setosa":"0.98"}'),
        ("50 rows came back", "49 rows came back"),
        ('{"id":"0123456789abcdef0123456789abcdef"}', '{"id":""}'),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8001"),
    ],
)
def test_what_does_not_vary_is_not_alike(shown: str, printed: str):
    assert not is_alike(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["a"], ["a", "b"]),
        (["a", "b"], ["a"]),
        (["a", ANY_LINES, "c"], ["a", "b", "d"]),
        (["a", ANY_LINES, "c"], ["a", "c"]),
    ],
)
def test_lines_too_many_too_few_or_others_are_seen(shown: list[str], printed: list[str]):
    assert redraw(shown, printed) != shown


def test_any_lines_are_any_but_none():
    assert redraw(["a", ANY_LINES, "d"], ["a", "b", "c", "d"]) == ["a", ANY_LINES, "d"]


# --- the pages, run


RUN = [path for path in PAGES if read_page(path.read_text("utf-8"))]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def write_files(folder: Path) -> Path:
    """What a reader has after the tutorial: the model, its data and its bundle."""
    folder.mkdir()
    wanted = re.compile(r"python train\.py|lading pack|head ")
    with Shell(folder) as shell:
        for part in read_page(TUTORIAL.read_text("utf-8")):
            if isinstance(part, File):
                (folder / part.name).write_text(part.text, "utf-8")
            elif wanted.match(part.text):
                shell.run(part)
    return folder


def make_folder(path: Path, files: Path, parent: Path) -> Path:
    """The folder in which a page is run."""
    folder = parent / "-".join(path.relative_to(ROOT).with_suffix("").parts)
    if path == TUTORIAL:
        folder.mkdir()
        return folder
    if path.is_relative_to(EXAMPLES):
        folder.mkdir()
        shutil.copytree(EXAMPLES, folder / "examples", ignore=MADE)
        return folder
    return Path(shutil.copytree(files, folder))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("tutorial") / "files")


def _refuse_what_differs(path: Path, shell: Shell) -> None:
    for command, printed in run_page(path, shell):
        assert printed == command.shown, f"$ {command.text}"


@pytest.mark.parametrize("path", RUN, ids=_name)
def test_a_page_shows_what_is_printed(path: Path, files: Path, tmp_path: Path):
    with Shell(make_folder(path, files, tmp_path)) as shell:
        _refuse_what_differs(path, shell)


def test_the_stand_in_for_curl_does_what_curl_does(files: Path, tmp_path: Path):
    path = DOCS / "reference" / "http.md"
    with Shell(make_folder(path, files, tmp_path), with_curl=False) as shell:
        _refuse_what_differs(path, shell)


# --- the pages, read


@functools.cache
def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(path: Path) -> list[tuple[Path, str]]:
    """The files and the anchors in them that a page links to."""
    found = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", path.read_text("utf-8"))
    return [((path.parent / name).resolve() if name else path, anchor) for name, anchor in found]


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_link_leads_somewhere(path: Path):
    links = _links(path)
    assert [str(target) for target, _ in links if not target.exists()] == []
    assert [anchor for target, anchor in links if anchor and anchor not in _anchors(target)] == []


def test_every_page_is_on_a_shelf():
    index = DOCS / "index.md"
    assert {*DOCS.rglob("*.md")} - {target for target, _ in _links(index)} == {index}


# --- writing the pages anew


def rewrite(path: Path, shell: Shell) -> int:
    """Write what is printed into a page; returns how many commands printed something else than it showed."""
    lines = path.read_text("utf-8").split("\n")
    changed = [(command, printed) for command, printed in run_page(path, shell) if printed != command.shown]
    for command, printed in reversed(changed):
        lines[command.first_line : command.first_line + len(command.shown)] = printed
    path.write_text("\n".join(lines), "utf-8")
    return len(changed)


def main() -> None:
    with tempfile.TemporaryDirectory() as parent:
        files = write_files(Path(parent) / "files")
        for path in RUN:
            with Shell(make_folder(path, files, Path(tempfile.mkdtemp(dir=parent)))) as shell:
                print(f"{rewrite(path, shell):3} changed   {_name(path)}")


if __name__ == "__main__":
    main()
