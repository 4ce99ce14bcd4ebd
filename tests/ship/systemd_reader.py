"""What systemd itself reads in a file, as JSON: `python systemd_reader.py unit FILE`, or `environment FILE`.

It asks the library that systemd and its tools share, whose functions are those of one release: 252.
"""

import ctypes as c
import glob
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIBRARY = next(
    (path for folder in ("", "*/") for path in glob.glob(f"/lib/{folder}systemd/libsystemd-shared-252.so")), ""
)
HOSTILE = r"""$(id) `id` ${HOME} $HOME %n %% {{7*7}} "quoted" 'it''s' \x41 \ ; | & > ü # -x"""
"""What no file that is written may take for anything but a text."""
read_by_systemd = pytest.mark.skipif(not LIBRARY, reason="no systemd 252")

_SECTIONS = b"Unit\0Service\0Install\0"
_UNESCAPE, _UNQUOTE = 1 << 1, 1 << 5
_COMMANDS = {"ExecStart", "ExecReload"}
_MAX_CHARS = 1 << 20


def read(kind: str, path: Path) -> Any:
    """What systemd reads in a file; asked in another process, as its library may end that."""
    command = [sys.executable, __file__, kind, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def environment_of(path: Path) -> dict[str, str]:
    """The variables of an environment file."""
    return dict(line.split("=", 1) for line in read("environment", path))


Callback = c.CFUNCTYPE(
    *(c.c_int, c.c_char_p, c.c_char_p, c.c_uint, c.c_char_p, c.c_uint, c.c_char_p, c.c_int, c.c_char_p),
    *(c.c_void_p, c.c_void_p),
)
Lookup = c.CFUNCTYPE(
    *(c.c_int, c.c_void_p, c.c_char_p, c.c_char_p, c.POINTER(c.c_void_p), c.POINTER(c.c_int), c.POINTER(c.c_void_p)),
    c.c_void_p,
)


class Specifier(c.Structure):
    _fields_ = [("letter", c.c_char), ("lookup", c.c_void_p), ("data", c.c_void_p)]


class Systemd:
    """The functions that are asked."""

    def __init__(self) -> None:
        assert LIBRARY
        self._library = c.CDLL(LIBRARY)
        self._open = c.CDLL(None).fopen
        self._open.restype = c.c_void_p

    def environment(self, path: str) -> list[str]:
        """`NAME=value` of each line, as a process gets it."""
        found = c.POINTER(c.c_char_p)()
        file = c.c_void_p(self._open(path.encode(), b"r"))
        code = self._library.load_env_file(file, path.encode(), c.byref(found))
        assert code >= 0, code
        return list(_texts(found))

    def unit(self, path: str) -> list[tuple[str, str, object]]:
        """Section, name and value of each line; the value of a command is a list of arguments."""
        found: list[tuple[str, str, object]] = []

        def take(*given: object) -> int:
            section, name, value = (bytes(given[index]).decode() for index in (3, 5, 7))  # type: ignore[arg-type]
            found.append((section, name, self.command(value) if name in _COMMANDS else self._resolved(value)))
            return 0

        callback = Callback(take)

        def look(*given: object) -> int:
            given[3][0] = c.cast(callback, c.c_void_p)  # type: ignore[index]
            return 1

        file = c.c_void_p(self._open(path.encode(), b"r"))
        arguments = (path.encode(), path.encode(), file, _SECTIONS, Lookup(look), None, 0, None, None)
        code = self._library.config_parse(*arguments)
        assert code >= 0, code
        return found

    def command(self, text: str) -> list[str]:
        """The arguments of a command line, as they are run."""
        words = [self._resolved(word).encode() for word in self._words(text)]
        self._library.replace_env_argv.restype = c.POINTER(c.c_char_p)
        array = (c.c_char_p * (len(words) + 1))(*words, None)
        return list(_texts(self._library.replace_env_argv(array, (c.c_char_p * 1)(None))))

    def _words(self, text: str) -> Iterator[str]:
        rest, word = c.c_char_p(text.encode()), c.c_char_p()
        flags = _UNQUOTE | _UNESCAPE
        while (code := self._library.extract_first_word(c.byref(rest), c.byref(word), None, flags)) > 0:
            assert word.value is not None
            yield word.value.decode()
        assert code == 0, code

    def _resolved(self, text: str) -> str:
        """A text in which no specifier has a meaning but `%%`."""
        found = c.c_char_p()
        none = (Specifier * 1)(Specifier(b"\0", None, None))
        size = c.c_size_t(_MAX_CHARS)
        code = self._library.specifier_printf(text.encode(), size, none, None, None, c.byref(found))
        assert code >= 0, code
        return (found.value or b"").decode()


def _texts(array: "c._Pointer[c.c_char_p]") -> Iterator[str]:
    index = 0
    while array and (value := array[index]) is not None:
        yield value.decode()
        index += 1


if __name__ == "__main__":
    json.dump(getattr(Systemd(), sys.argv[1])(sys.argv[2]), sys.stdout)
