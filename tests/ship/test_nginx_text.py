"""Directives of nginx: what an argument holds stays in that argument, as nginx and somebody else's parser read it."""

import http.client
import subprocess
from pathlib import Path

import crossplane
import pytest
from tests.serve.conftest import free_port

from lading.errors import UsageError
from lading.ship.nginx.nginx_text import Directive, block, literal, plain, quoted, render

from .fronts import NGINX, needs_nginx, until
from .hostile import CONTROLS, HOSTILE


def parsed(text: str, folder: Path) -> list[tuple[str, list[str]]]:
    """The directives of a file on its first level, as crossplane reads them."""
    path = folder / "read.conf"
    path.write_text(text)
    told = crossplane.parse(str(path), check_ctx=False, check_args=False)
    assert told["status"] == "ok", told
    return [(each["directive"], each["args"]) for each in told["config"][0]["parsed"]]


@pytest.mark.parametrize("value", HOSTILE)
def test_an_argument_stays_one_argument(value: str, tmp_path: Path):
    text = render([plain("log_format", "a", value), block("b", value, within=[plain("c", value)]), plain("d")])
    assert [(name, len(args)) for name, args in parsed(text, tmp_path)] == [("log_format", 2), ("b", 1), ("d", 0)]


@pytest.mark.parametrize("value", [value for value in HOSTILE if "\\" not in value])
def test_an_argument_is_read_as_it_was_written(value: str, tmp_path: Path):
    assert parsed(render([plain("a", value)]), tmp_path) == [("a", [value])]


@needs_nginx
def test_nginx_itself_reads_what_was_written(tmp_path: Path):
    # Variables aside, which stand for their values in what nginx answers.
    values = [value for value in HOSTILE if "$" not in value and value]
    port = free_port()
    answers = [
        block("location", "=", f"/{number}", within=[plain("return", "200", value)])
        for number, value in enumerate(values)
    ]
    within = [plain("access_log", "off"), block("server", within=[plain("listen", f"127.0.0.1:{port}"), *answers])]
    folders = [plain(f"{each}_temp_path", str(tmp_path / each)) for each in ("client_body", "proxy", "fastcgi")]
    folders += [plain(f"{each}_temp_path", str(tmp_path / each)) for each in ("uwsgi", "scgi")]
    main = [plain("daemon", "off"), plain("pid", str(tmp_path / "pid")), block("events", within=[])]
    path = tmp_path / "nginx.conf"
    path.write_text(render([*main, block("http", within=[*folders, *within])]))
    with subprocess.Popen([str(NGINX), "-e", "stderr", "-c", path], stderr=subprocess.DEVNULL) as process:
        try:
            assert [answered(port, f"/{number}") for number in range(len(values))] == values
        finally:
            process.terminate()


def answered(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    until(lambda: _is_there(connection), "nginx does not listen")
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _is_there(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.connect()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("value", CONTROLS)
def test_control_characters_are_refused_wherever_they_are(value: str):
    for directive in (plain(value), plain("a", value), block("a", value, within=[]), Directive("a", comment=value)):
        with pytest.raises(UsageError, match="control characters"):
            render([block("b", within=[directive])])


def test_what_is_no_variable_has_no_dollar():
    assert literal("/etc/tls.crt") == "/etc/tls.crt"
    with pytest.raises(UsageError, match=r"`\$`"):
        literal("/etc/$host")


def test_plain_words_are_bare():
    assert [quoted(word) for word in ("off", "16k", "127.0.0.1:80", "=404", "a b", "")] == [
        *("off", "16k", "127.0.0.1:80", "=404", '"a b"', '""')
    ]


def test_a_comment_stays_a_comment(tmp_path: Path):
    text = render([plain("a", comment="; } b c; " * 40), plain("d")])
    assert parsed(text, tmp_path) == [("a", []), ("d", [])]
    assert max(map(len, text.splitlines())) <= 120
