"""What is written for a bare host is read by systemd itself and by shells; `test_bare_host.py` installs it."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lading.errors import SettingsError, UsageError
from lading.settings import load_settings
from lading.ship.files import text_file, write_files
from lading.ship.host.host import Host
from lading.ship.host.install_script import install_text
from lading.ship.host.systemd import Systemd
from lading.ship.plan import Plan

from .systemd_reader import HOSTILE, environment_of, read, read_by_systemd

ANALYZE = shutil.which("systemd-analyze") or ""
TARGETS = ("sysinit", "basic", "shutdown", "multi-user", "network", "network-online")

analyzed = pytest.mark.skipif(not ANALYZE, reason="no systemd-analyze")
Plans = Callable[..., Plan]


def written(plan: Plan, folder: Path) -> Path:
    """The folder, with all files of a plan."""
    write_files(Systemd().files(plan), folder)
    return folder


def text_of(plan: Plan, name: str) -> str:
    return next(file.data.decode() for file in Systemd().files(plan) if file.path == name)


# --- what is written


def test_everything_that_is_needed_is_there(plan: Plans):
    paths = [file.path for file in Systemd().files(plan())]
    names = ["lading-iris.service", "iris.env", "lading-iris.sysusers.conf", "nginx/lading-iris.conf", "install.sh"]
    assert paths[:6] == [*names, "uninstall.sh"]
    assert {"iris-1.0.0.lading", "iris-1.0.0.lading.sig", "requirements.txt"} <= set(paths)
    assert len(set(paths)) == len(paths)


def test_the_next_steps_name_what_is_there(plan: Plans):
    steps = Systemd().next_steps(plan(auth="keys,basic", host="models.example.com"), "'my folder'")
    lading = "sudo /opt/lading/iris/current/venv/bin/lading"
    assert steps[1:4] == (
        "sudo sh 'my folder'/install.sh",
        f"{lading} keys create web-shop --keys-file /etc/lading/iris/keys.json",
        f"{lading} users add alice --users-file /etc/lading/iris/users.json",
    )


@pytest.mark.parametrize(
    "setting", ["host=::1", "port=80", "unix_socket=/x", "tls_key_file=/x", "trust=/x", "reload=true"]
)
def test_what_is_settled_here_is_not_set(plan: Plans, setting: str):
    name, _, value = setting.partition("=")
    with pytest.raises(SettingsError, match=f"^--set {name}: "):
        Systemd().files(plan(settings={name: value}))


def test_certificates_of_callers_do_not_come_through_nginx(plan: Plans):
    with pytest.raises(UsageError, match="cannot show a certificate"):
        Systemd().files(plan(auth="certificate"))


def test_a_release_is_called_by_all_that_is_installed_so_that_none_is_written_over(renamed: Plans, plan: Plans):
    names = {Host.of(plan(), [text_file("a", text)]).version for text in ("one", "two")}
    assert len(names) == 2
    assert all(name.startswith("1.0.0-") for name in names)
    assert Host.of(renamed(version="current")).version.startswith("current-")


def test_names_of_accounts_are_as_short_as_linux_has_them():
    names = ["a" * 62 + end for end in "bc"] + ["a" * 19, "a" * 20, "iris"]
    services = [Host(name, "1").service for name in names]
    assert len(set(services)) == len(names)
    assert max(len(Host(name, "1").proxy_group) for name in names) == 31
    assert services[2] == "lading-" + "a" * 19


# --- the unit


@read_by_systemd
def test_systemd_reads_the_commands(plan: Plans, tmp_path: Path):
    lines = read("unit", written(plan(), tmp_path) / "lading-iris.service")
    python = "/opt/lading/iris/current/venv/bin/python"
    bundle = "/opt/lading/iris/current/iris.lading"
    assert ["Service", "ExecStart", [python, "-I", "-m", "lading", "serve", bundle, "--production"]] in lines
    assert ["Service", "ExecReload", [python, "-I", "-m", "lading", "reload"]] in lines


@read_by_systemd
def test_it_waits_longer_than_the_service_takes_to_leave(plan: Plans, tmp_path: Path):
    settings = {"drain_s": "7.5", "shutdown_s": "60", "start_timeout_s": "100", "max_connections": "5000"}
    lines = read("unit", written(plan(settings=settings), tmp_path) / "lading-iris.service")
    found = {name: int(text) for _, name, text in lines if name.startswith(("Timeout", "LimitNOFILE"))}
    assert found == {"TimeoutStopSec": 88, "TimeoutStartSec": 188, "LimitNOFILE": 6024}


def test_one_process_is_not_reloaded(plan: Plans):
    assert "ExecReload=" in text_of(plan(), "lading-iris.service")
    assert "ExecReload=" not in text_of(plan(settings={"workers": "1"}), "lading-iris.service")


@pytest.mark.parametrize("auth", ["keys", "keys,jwt"])
def test_it_reaches_the_network_where_somebody_is_asked(plan: Plans, auth: str):
    issuer = {"jwt_issuer": "https://id.example.com", "jwt_audience": "iris", "jwks_url": "https://id.example.com/keys"}
    text = text_of(plan(auth=auth, settings=issuer if "jwt" in auth else {}), "lading-iris.service")
    assert ("PrivateNetwork=yes" in text) == (auth == "keys")
    assert ("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6" in text) == (auth == "keys,jwt")


def _verified(text: str, root: Path) -> subprocess.CompletedProcess[str]:
    """What `systemd-analyze verify` says of a unit on a host where nothing is but its program."""
    units = root / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "lading-iris.service").write_text(text)
    for name in TARGETS:
        (units / f"{name}.target").write_text("[Unit]\n")
    program = root / "opt/lading/iris/current/venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = [ANALYZE, "verify", "--man=no", f"--root={root}", "lading-iris.service"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


@analyzed
def test_systemd_finds_nothing_wrong_with_it(plan: Plans, tmp_path: Path):
    text = text_of(plan(), "lading-iris.service")
    done = _verified(text, tmp_path / "good")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wrong = _verified(text.replace("KillMode=mixed", "KillMode=never\nUnknown=1"), tmp_path / "bad")
    assert wrong.stderr.count("\n") == 2
    assert "Unknown key 'Unknown'" in wrong.stderr


@analyzed
@pytest.mark.parametrize(("auth", "most"), [("network", 0.4), ("network,jwt", 1.3)])
def test_what_it_is_exposed_to_stays_small(plan: Plans, tmp_path: Path, auth: str, most: float):
    issuer = {"jwt_issuer": "https://id.example.com", "jwt_audience": "iris", "jwks_url": "https://id.example.com/keys"}
    made = plan(auth="keys,jwt" if "jwt" in auth else auth, settings=issuer if "jwt" in auth else {})
    unit = written(made, tmp_path) / "lading-iris.service"
    command = [ANALYZE, "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    found = re.search(r"Overall exposure level for lading-iris\.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert 0 < float(found[1]) <= most


# --- its settings


@read_by_systemd
def test_systemd_and_a_shell_read_the_settings_that_were_said(plan: Plans, tmp_path: Path):
    path = written(plan(settings={"jwt_audience": HOSTILE, "rate_limit": "5/s"}), tmp_path) / "iris.env"
    found = environment_of(path)
    assert found["LADING_JWT_AUDIENCE"] == HOSTILE
    shell = subprocess.run(["sh", "-c", f"set -a; . {shlex.quote(str(path))}; env -0"], capture_output=True, timeout=10)
    sourced = dict(line.split("=", 1) for line in shell.stdout.decode().split("\0") if line)
    assert {name: sourced[name] for name in found} == found
    served = load_settings(environ=found | {"LADING_PRODUCTION": "true"})
    assert (served.workers, served.trusted_hops, served.rate_limit) == (2, "127.0.0.1", "5/s")
    assert served.unix_socket == "/run/lading-iris/http.sock"
    assert served.keys_file == "/etc/lading/iris/keys.json"


# --- the scripts


def test_shells_read_the_scripts(plan: Plans, tmp_path: Path):
    folder = written(plan(auth="keys,tokens,basic"), tmp_path)
    checkers = [["sh", "-n"], ["bash", "-n"], ["shellcheck"]]
    for command in [command for command in checkers if shutil.which(command[0])]:
        for name in ("install.sh", "uninstall.sh"):
            done = subprocess.run([*command, str(folder / name)], capture_output=True, text=True, timeout=60)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_hostile_name_changes_no_structure(plan: Plans):
    def structure(name: str) -> list[list[str]]:
        made = msgspec.structs.replace(plan(), bundle=plan().bundle.with_name(name))
        install = install_text(made, Host.of(made), [], is_hashed=False).splitlines()
        return [[word.replace(name, "NAME") for word in shlex.split(line, comments=True)] for line in install]

    assert structure(HOSTILE.replace("/", "") + ".lading") == structure("harmless.lading")
