"""How a server starts: what it says, what it answers meanwhile, and why it would not."""

import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

import lading
from lading.flavors.linear import LinearFile

WAIT_S = 60.0


def pasted(banner: str) -> str:
    """The command that the banner says to try."""
    return banner.partition("  try ")[2].strip()


def until_listening(url: str, path: str) -> httpx.Response:
    """The first answer of a server that is just starting."""
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport, timeout=WAIT_S) as client:
        return client.get(f"{url}{path}")


# --- what it says


def test_the_banner_tells_the_model_and_where_it_is(start: Any, iris_path: Path):
    server = start(iris_path, is_awaited=False)
    banner = server.banner()
    for words in (
        "iris-1.0.0.lading",
        "LinearModel",
        "4 numbers: sepal length (cm)",
        "class: setosa, versicolor",
        "50 rows",
    ):
        assert words in banner
    assert server.url in banner
    with server.client() as client:
        assert client.get("/ready").json() == {"status": "ready"}


@pytest.mark.parametrize("name", ["iris_path", "churn_path"])
def test_the_curl_line_works_when_pasted(request: pytest.FixtureRequest, start: Any, name: str):
    server = start(request.getfixturevalue(name), is_awaited=False)
    command = pasted(server.banner())
    assert command.startswith("curl http://127.0.0.1:")
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=WAIT_S, check=True)
    assert {"prediction", "id"} <= json.loads(done.stdout).keys()


def test_the_curl_line_works_whatever_the_columns_are_called(start: Any, tmp_path: Path):
    names = ("it's", 'say "x"', "$(touch pwned)", "`id`", "a\\b", "ü € %s", "$HOME; true", "@file", "!!")
    model = LinearFile("lading.linear/1", names, coef=((1.0,) * len(names),), intercept=(0.0,))
    server = start(lading.pack(model, path=tmp_path / "strange.lading").path, is_awaited=False)
    command = pasted(server.banner())
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=WAIT_S, check=True, cwd=tmp_path)
    assert "prediction" in json.loads(done.stdout)
    assert not (tmp_path / "pwned").exists()


# --- while it loads


@pytest.mark.parametrize("workers", [1, 2])
def test_no_connection_is_taken_before_the_model_is_ready_where_a_proxy_is_to_see_that(
    start: Any, waiting_path: Path, gate: Any, a_free_port: Any, workers: int
):
    port = a_free_port()
    options = ("--listen-when-ready", "--workers", str(workers))
    server = start(waiting_path, *options, is_awaited=False, port=port)
    gate.is_entered()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    gate.release(2)
    server.banner()
    assert until_listening(server.url, "/ready").json() == {"status": "ready"}


def test_health_is_answered_at_once_and_ready_when_the_model_is_there(
    start: Any, waiting_path: Path, gate: Any, a_free_port: Any
):
    server = start(waiting_path, is_awaited=False, port=a_free_port())
    gate.is_entered()
    assert until_listening(server.url, "/health").json() == {"status": "alive"}
    with server.client() as client:
        for path in ("/ready", "/predict?x0=1", "/metadata", "/openapi.json"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
            assert int(answer.headers["retry-after"]) >= 1
        gate.release()
        server.banner()
        assert client.get("/ready").status_code == 200
        assert client.get("/predict?x0=21").json()["prediction"] == 42.0


# --- why it would not


def test_a_port_that_is_taken_is_said_in_one_line(refusal: Any, double_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, lines = refusal(double_path, port=port)
    assert code == 2
    assert lines[0] == f"error: cannot listen on 127.0.0.1 port {port}: Address already in use"
    assert len(lines) == 2
    assert "--port 0" in lines[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.example.org"])
def test_a_host_that_others_reach_is_refused_and_names_the_option(refusal: Any, double_path: Path, host: str):
    code, lines = refusal(double_path, "--host", host)
    assert code == 2
    assert lines[0].startswith(f"error: {host} can be reached from elsewhere")
    assert "--insecure" in lines[1]


def test_a_host_that_others_reach_is_listened_to_when_that_is_said(start: Any, double_path: Path):
    server = start(double_path, "--host", "0.0.0.0", "--insecure")
    port = server.url.rpartition(":")[2]
    assert httpx.get(f"http://127.0.0.1:{port}/predict?x=4", timeout=WAIT_S).json()["prediction"] == 8.0


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_one_line(refusal: Any, double_path: Path, host: str):
    code, lines = refusal(double_path, "--host", host, "--insecure")
    assert code == 2
    assert lines[0].startswith(f"error: cannot listen on {host} port 0: ")
    assert len(lines) == 1


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_refused(refusal: Any, double_path: Path, port: str):
    code, lines = refusal(double_path, port=port)
    assert code == 2
    assert "Traceback" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("broken.joblib", b"\x80\x04\x95"),
        ("text.joblib", b"this is no model"),
        ("empty.joblib", b""),
        ("cut.lading", b"PK\x03\x04"),
    ],
)
def test_a_file_that_cannot_be_served_is_one_line_and_an_exit_code(
    refusal: Any, tmp_path: Path, name: str, data: bytes
):
    (tmp_path / name).write_bytes(data)
    code, lines = refusal(tmp_path / name)
    assert code == (3 if name.endswith(".lading") else 1)
    assert lines[0].startswith("error: ")
    assert len([line for line in lines if line.startswith("error")]) == 1
    assert "Traceback" not in "\n".join(lines)


def test_a_model_whose_loading_raises_ends_the_server(refusal: Any, waiting_path: Path, gate: Any):
    (gate.folder / "entered").unlink()
    (gate.folder / "entered").mkdir()
    code, lines = refusal(waiting_path)
    assert code == 1
    assert lines[0].startswith("error: the model cannot be loaded")
    assert "Traceback" not in "\n".join(lines)


def test_a_bundle_that_answers_otherwise_than_at_packing_never_becomes_ready(
    refusal: Any, odd_path: Path, odd_models: Any, tmp_path: Path
):
    bundle = lading.pack(odd_path, path=tmp_path / "odd.lading").path
    code, lines = refusal(bundle, environment={"ODD_FACTOR": "3"})
    assert code == 5
    assert "golden rows have another answer than at packing" in lines[0]


# --- its log


def entries(log: str) -> list[dict[str, Any]]:
    return [entry for entry in map(json.loads, log.splitlines()) if "route" in entry]


def test_the_log_is_json_where_nobody_looks(start: Any, double_path: Path):
    server = start(double_path)
    with server.client() as client:
        client.get("/predict?x=1", headers={"X-Request-ID": "mine"})
        client.post("/predict", json={"x": "secret"})
        client.get("/nowhere")
    server.process.terminate()
    server.wait()
    first, second, third = entries(server.log())
    assert first | {"duration_ms": 0, "time": ""} == {
        "level": "info",
        "time": "",
        "method": "GET",
        "route": "/predict",
        "status": 200,
        "rows": 1,
        "duration_ms": 0,
        "request_id": "mine",
        "correlation_id": "mine",
        "code": "",
        "caller": "",
        "model": {"name": "model", "version": "1.0.0"},
    }
    assert first["time"].endswith("+00:00")
    assert (second["status"], second["code"]) == (422, "schema.invalid")
    assert (third["status"], third["route"]) == (404, "unknown")
    assert "secret" not in server.log()


def test_the_log_is_text_when_that_is_said(start: Any, double_path: Path):
    server = start(double_path, "--log-format", "text")
    with server.client() as client:
        client.get("/predict?x=1", headers={"X-Request-ID": "mine"})
    server.process.terminate()
    server.wait()
    (line,) = server.log().splitlines()
    assert line.split()[1:6] == ["200", "GET", "/predict", "1", "row"]
    assert line.endswith("  mine")


def test_a_model_that_raises_leaves_its_traceback_in_the_log_without_its_words(start: Any, odd_path: Path):
    server = start(odd_path)
    with server.client() as client:
        for value in ("13", "14"):
            answer = client.get(f"/predict?x0={value}", headers={"X-Request-ID": f"mine-{value}"})
            assert (answer.status_code, answer.json()["code"]) == (500, "model.failed")
        assert client.get("/predict?x0=21").json()["prediction"] == 42.0
    messages = [entry["message"] for entry in map(json.loads, server.log().splitlines()) if "message" in entry]
    assert [message.split("\n")[0] for message in messages] == [
        "request mine-13 failed: ValueError",
        "request mine-14 failed: SystemExit",
    ]
    assert "odd_models.py" in messages[0]
    assert "what a value: [" not in server.log()


def test_a_model_that_warns_is_logged_without_its_words(start: Any, odd_path: Path):
    server = start(odd_path)
    with server.client() as client:
        assert client.get("/predict?x0=15").json()["prediction"] == 30.0
    (warning,) = [entry for entry in map(json.loads, server.log().splitlines()) if entry["level"] == "warning"]
    assert re.fullmatch(r"UserWarning in .*odd_models\.py line \d+", warning["message"])
    assert "what a value" not in server.log()
