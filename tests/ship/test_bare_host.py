"""A bare host: the script installs for real, what the unit says serves behind a real nginx, and all goes again."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lading.ship.files import write_files
from lading.ship.host.systemd import Systemd
from lading.ship.plan import Plan

from .machine import PATIENCE_S, Machine, machine, on_a_machine
from .systemd_reader import environment_of, read, read_by_systemd

Plans = Callable[..., Plan]
BODY = '{"X": [5.1, 3.5, 1.4, 0.2]}'
CURRENT = "/opt/lading/iris/current"
CERTIFICATES = "/etc/ssl/lading-iris"
SITE = "/etc/nginx/conf.d/lading-iris.conf"
NGINX = f'daemon off; user www-data; pid /run/nginx.pid; events {{}} http {{ include "{SITE}"; }}'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Machine]:
    programs = tmp_path / "bin"
    programs.mkdir()
    with machine(programs) as made:
        yield made


def written(plan: Plan, folder: Path) -> Path:
    """The folder, with all files of a plan."""
    write_files(Systemd().files(plan), folder)
    return folder


class Unit:
    """What systemd reads in the unit and in its environment file, done as systemd does it."""

    def __init__(self, host: Machine, folder: Path) -> None:
        lines = read("unit", folder / "lading-iris.service")
        self.values: dict[str, Any] = {name: value for section, name, value in lines if section == "Service"}
        assert self.values["Environment"] == "XDG_RUNTIME_DIR=/run/lading-iris"
        self.environment = environment_of(folder / "iris.env") | {"XDG_RUNTIME_DIR": "/run/lading-iris", "HOME": "/"}
        self._host = host
        self._log = folder / "log"

    def start(self) -> "subprocess.Popen[bytes]":
        owner = ("-o", self.values["User"], "-g", self.values["Group"], "-m", self.values["RuntimeDirectoryMode"])
        self._host.run("install", "-d", *owner, f"/run/{self.values['RuntimeDirectory']}")
        server = self._host.start(*self._command("ExecStart"), environment=self.environment, log=self._log)
        ready = ("curl", "-sf", "--unix-socket", "/run/lading-iris/http.sock", "http://localhost/ready")
        self._host.wait_for(*ready, log=self._log)
        return server

    def reload(self) -> None:
        said = [f"{name}={value}" for name, value in self.environment.items()]
        self._host.run("env", "-i", *said, *self._command("ExecReload"))

    def _command(self, name: str) -> list[str]:
        """A command, as its user and groups, with its mask, and without any right."""
        rights = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        groups = [f"--regid={self.values['Group']}", f"--groups={self.values['SupplementaryGroups']}"]
        shell = ["sh", "-c", f'umask {self.values["UMask"]}; exec "$@"', "sh"]
        return ["setpriv", f"--reuid={self.values['User']}", *groups, *rights, *shell, *self.values[name]]


def start_nginx(host: Machine, folder: Path) -> None:
    """nginx with the site, as a user who has no group in common but the one that the script has given him."""
    host.run("install", "-d", CERTIFICATES)
    names = ("-subj", "/CN=models.example.com", "-addext", "subjectAltName=DNS:models.example.com")
    files = ("-keyout", f"{CERTIFICATES}/privkey.pem", "-out", f"{CERTIFICATES}/fullchain.pem")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    host.run("openssl", "req", "-x509", *curve, "-nodes", "-days", "2", *names, *files)
    host.run("install", "-m", "644", str(folder / "nginx/lading-iris.conf"), SITE)
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX)
    host.start("nginx", "-c", str(configuration), log=folder / "nginx.log")
    host.wait_for(*asking("ready"), log=folder / "nginx.log")


def asking(path: str, *options: str) -> list[str]:
    """A command that asks through nginx."""
    reached = ("--cacert", f"{CERTIFICATES}/fullchain.pem", "--resolve", "models.example.com:443:127.0.0.1")
    return ["curl", "-s", *reached, f"https://models.example.com/{path}", *options]


@on_a_machine
@read_by_systemd
def test_it_is_installed_and_serves_behind_nginx(host: Machine, plan: Plans, tmp_path: Path):
    folder = written(plan(host="models.example.com", settings={"drain_s": "0.2"}), tmp_path / "it's $(here)")
    for _ in range(2):  # what is there stays
        host.run("sh", str(folder / "install.sh"))
    keys = ("keys", "create", "web-shop", "--keys-file", "/etc/lading/iris/keys.json")
    key = host.run(f"{CURRENT}/venv/bin/python", "-I", "-m", "lading", *keys).strip()
    unit = Unit(host, folder)
    server = unit.start()
    start_nginx(host, folder)
    ask = asking("predict", "-H", f"Authorization: Bearer {key}", "--json", BODY)
    assert host.run(*ask).startswith('{"predictions":["setosa"]')
    assert '"status":401' in host.run(*asking("predict", "--json", BODY))
    unit.reload()
    assert host.run(*ask).startswith('{"predictions":["setosa"]')
    server.terminate()
    assert server.wait(PATIENCE_S) == 0


@on_a_machine
def test_what_is_installed_is_for_those_who_need_it(host: Machine, plan: Plans, tmp_path: Path):
    folder = written(plan(auth="keys,tokens"), tmp_path / "out")
    host.run("sh", str(folder / "install.sh"))
    assert host.run("readlink", CURRENT).startswith("1.0.0-")
    for name in ("keys.json", "token.secret"):
        assert host.run("stat", "-c", "%a %U %G", f"/etc/lading/iris/{name}") == "640 root lading-iris\n"
    assert len(host.run("cat", "/etc/lading/iris/token.secret")) == 65
    assert host.run("id", "-nG", "lading-iris") == "lading-iris\n"
    assert host.run("id", "-nG", "www-data").split() == ["www-data", "lading-iris-http"]
    options = "--disable-pip-version-check install --quiet --no-input --only-binary :all: -r requirements.txt"
    assert host.run("cat", "/opt/pip.txt") == f"{options}\n"
    host.run("sh", str(folder / "uninstall.sh"))
    host.run("test", "-e", "/opt/lading/iris", code=1)
    assert host.run("find", "/etc/systemd/system", "-name", "lading-*") == ""
    host.run("test", "-e", "/etc/lading/iris/keys.json")


@on_a_machine
def test_what_was_changed_on_its_way_does_not_become_current(host: Machine, plan: Plans, tmp_path: Path):
    folder = written(plan(), tmp_path / "out")
    with (folder / "iris-1.0.0.lading").open("ab") as file:
        file.write(b"x")
    host.run("sh", str(folder / "install.sh"), code=3)
    host.run("test", "-e", CURRENT, code=1)


@on_a_machine
def test_what_is_missing_is_said_before_anything_is_done(host: Machine, renamed: Plans, tmp_path: Path):
    folder = written(renamed(python="3.99.1"), tmp_path / "out")
    host.run("sh", str(folder / "install.sh"), code=4)
    host.run("test", "-e", "/etc/sysusers.d/lading-iris.conf", code=1)
