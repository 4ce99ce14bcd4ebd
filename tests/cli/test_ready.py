"""`lading ready`, asked of real servers."""

from pathlib import Path

import pytest
from tests.certificates import Authority
from tests.live import run, started

import lading

DEMO = Path(lading.__file__).parent / "flavors" / "iris.linear.json"


@pytest.fixture
def tls(tmp_path: Path) -> tuple[str, ...]:
    pair = Authority(tmp_path).certify("models.example")
    return ("--tls-certificate-file", str(pair.certificate), "--tls-key-file", str(pair.key))


def test_a_server_that_is_ready_says_so_by_the_exit_code():
    with started("serve", DEMO, "--port", "0") as (url, _):
        port = url.rpartition(":")[2]
        assert run("ready", "--port", port).returncode == 0
        # As in a container, where the settings are in the environment.
        assert run("ready", LADING_PORT=port, LADING_HOST="0.0.0.0", LADING_INSECURE="1").returncode == 0


def test_one_behind_a_socket_is_asked_through_it(tmp_path: Path):
    socket = tmp_path / "s"
    with started("serve", DEMO, "--unix-socket", socket):
        assert run("ready", "--unix-socket", socket).returncode == 0


def test_one_with_tls_is_asked_with_tls_whatever_its_name_is(tls: tuple[str, ...]):
    with started("serve", DEMO, "--port", "0", *tls) as (url, _):
        certificate, key = tls[1], tls[3]
        variables = {"LADING_TLS_CERTIFICATE_FILE": certificate, "LADING_TLS_KEY_FILE": key}
        assert run("ready", "--port", url.rpartition(":")[2], **variables).returncode == 0
        assert run("ready", "--port", url.rpartition(":")[2]).returncode == 1


def test_where_nobody_answers_the_exit_code_is_another_one(tmp_path: Path):
    done = run("ready", "--unix-socket", tmp_path / "nobody")
    assert done.returncode == 1
    assert done.stderr.decode() == "error: the server does not answer: FileNotFoundError\n"
