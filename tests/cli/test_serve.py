"""`lading serve` and `lading demo` as processes: what they say, what they answer, and how they end."""

import shlex
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.live import TIMEOUT_S, run, started


def get(url: str) -> Any:
    answer = httpx.get(url, timeout=TIMEOUT_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pasted(lines: list[str]) -> Any:
    """What the curl line of a banner gives, run by a shell."""
    start = next(number for number, line in enumerate(lines) if line.split()[:1] == ["try"])
    command = "\n".join(lines[start:]).replace("try", "", 1).strip()
    assert shlex.split(command.replace("\\\n", " "))[0] == "curl"
    return subprocess.run(
        ["bash", "-c", f"{command} -sS"], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    ).stdout


def test_demo_needs_no_file_and_its_curl_line_works(tmp_path: Path) -> None:
    with started("demo", "--port", 0, folder=tmp_path) as (url, lines):
        assert '"prediction":"versicolor"' in pasted(lines)
        assert get(f"{url}/metadata")["name"] == "iris"
    assert list(tmp_path.iterdir()) == []


def test_metadata_beside_the_model_are_served(folder: Path) -> None:
    (folder / "metadata.json").write_text('{"author": "Jo"}')
    with started("serve", "model.joblib", "--port", 0, folder=folder) as (url, lines):
        assert get(f"{url}/metadata")["metadata"] == {"author": "Jo"}
        assert '"prediction":' in pasted(lines)


def test_options_declare_for_a_bare_file(folder: Path) -> None:
    options = ["--labels", "Setosa,VersiColor,Virginica", "--domain", "petal width (cm)=0..3"]
    with started("serve", "model.joblib", "--port", 0, *options, folder=folder) as (url, _):
        body = {"X": [[5.1, 3.5, 1.4, 0.2]]}
        assert httpx.post(f"{url}/predict", json=body, timeout=TIMEOUT_S).json()["predictions"] == ["Setosa"]
        body["X"][0][3] = 4
        assert httpx.post(f"{url}/predict", json=body, timeout=TIMEOUT_S).status_code == 422


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["text.joblib", "--port", "0"], 1, b"not what its name says"),
        (["iris.lading", "--port", "0", "--labels", "a,b,c"], 2, b"a bundle already says"),
        (["iris.lading", "--host", "0.0.0.0"], 2, b"--insecure"),
    ],
)
def test_what_cannot_be_served_ends_with_one_clear_line(
    arguments: list[str], code: int, words: bytes, folder: Path
) -> None:
    (folder / "text.joblib").write_bytes(b"hello")
    done = run("serve", *arguments, folder=folder)
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = run("serve", "iris.lading", "--port", listener.getsockname()[1], folder=folder)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"cannot listen on 127.0.0.1 port" in done.stderr
