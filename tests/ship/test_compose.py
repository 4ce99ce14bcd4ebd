"""`lading ship compose`: Compose reads what was meant, whoever chose the names, and nothing has more than it needs."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.certificates import SERVER, Authority

from lading.bundle.lookups import Lookup
from lading.cli import cli
from lading.errors import UsageError
from lading.ship.compose.compose import Compose, composition, front_of
from lading.ship.files import File, write_files
from lading.ship.plan import Plan

from .fronts import is_well, needs_nginx
from .hostile import HOSTILE

Make = Callable[..., Plan]
LOOKUP = Lookup(key="id", columns=("a",), sql="SELECT 1")


def _composes() -> list[str]:
    """The command of Compose: the plug-in where it is, else the one of old."""
    if shutil.which("docker"):
        tried = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=30)
        if tried.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


COMMAND = _composes()
needs_compose = pytest.mark.skipif(not COMMAND, reason="Compose is not installed: apt-get install docker-compose")


def read(plan: Plan, folder: Path, **environment: str) -> dict[str, Any]:
    """The composition as Compose reads it, with every profile."""
    (folder / "image").mkdir(exist_ok=True)
    (folder / "compose.yaml").write_bytes(content(plan, "compose.yaml"))
    surroundings = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | environment
    command = [*COMMAND, "--profile", "monitoring", "config"]
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise ValueError(done.stderr)
    told: dict[str, Any] = yaml.safe_load(done.stdout)
    return told


def content(plan: Plan, path: str) -> bytes:
    return next(file.data for file in files_of(plan) if file.path == path)


def files_of(plan: Plan) -> list[File]:
    return list(Compose().files(plan))


@needs_compose
def test_compose_reads_what_is_said(plan: Make, tmp_path: Path):
    made = plan(replicas=3)
    told = read(made, tmp_path)["services"]
    assert set(told) == {"iris-1", "iris-2", "iris-3", "nginx", "prometheus", "grafana"}
    for number, name in enumerate(("iris-1", "iris-2", "iris-3")):
        replica = told[name]
        assert replica["image"] == "lading/iris:1.0.0"
        assert replica["networks"]["inside"]["ipv4_address"] == f"172.30.57.{11 + number}"
        assert replica["environment"]["LADING_LISTEN_WHEN_READY"] == "true"
        assert [each["source"].split("_")[-1] for each in replica["volumes"] if each["target"] == "/data"] == [
            f"{name}-data"
        ]
    assert told["nginx"]["stop_signal"] == "SIGQUIT"


@pytest.mark.parametrize("name", [*HOSTILE, "on", "a" * 63])
def test_hostile_names_change_nothing_but_names(name: str, renamed: Make, plan: Make):
    made = renamed(name=name, version=name)
    told = yaml.safe_load(content(made, "compose.yaml"))
    assert told == composition(made)
    assert shape(told) == shape(composition(plan()))


def shape(tree: Any) -> Any:
    """What is there without what is named."""
    if isinstance(tree, dict):
        return [shape(value) for value in tree.values()]
    return [shape(value) for value in tree] if isinstance(tree, list) else type(tree)


@needs_compose
@pytest.mark.parametrize("name", ["on", "1e3", "0o17"])
def test_what_is_a_number_elsewhere_is_a_name(name: str, renamed: Make, tmp_path: Path):
    told = read(renamed(name=name), tmp_path)
    assert set(told["services"]) == {f"{name}-1", f"{name}-2", "nginx", "prometheus", "grafana"}


@needs_compose
def test_a_dollar_in_a_value_is_no_variable(plan: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "lading.ship.compose.compose.IMAGES", {"nginx": "a$HOME${PATH}:1", "prometheus": "b", "grafana": "c"}
    )
    assert read(plan(), tmp_path)["services"]["nginx"]["image"].replace("$$", "$") == "a$HOME${PATH}:1"


@needs_compose
def test_where_features_are_is_told_when_it_starts(renamed: Make, tmp_path: Path):
    made = renamed(features={"customer": LOOKUP})
    with pytest.raises(ValueError, match="where features are looked up"):
        read(made, tmp_path)
    told = read(made, tmp_path, LADING_FEATURES_URL="redis://store/0")["services"]
    assert {told[name]["environment"]["LADING_FEATURES_URL"] for name in ("iris-1", "iris-2")} == {"redis://store/0"}


@needs_nginx
def test_nginx_takes_its_part(plan: Make, tmp_path: Path):
    text = content(plan(host="models.example.com"), "nginx/nginx.conf").decode()
    pair = Authority(tmp_path).certify("server", "localhost", usage=SERVER)
    for place, path in (("/run/secrets/tls.crt", pair.certificate), ("/run/secrets/tls.key", pair.key)):
        text = text.replace(place, str(path))
    taken, told = is_well(text.replace("/tmp/nginx.pid", str(tmp_path / "pid")), tmp_path)
    assert taken, told


# --- what it promises


def test_nothing_has_more_than_it_needs(plan: Make):
    told = composition(plan())["services"]
    for name, service in told.items():
        if "extends" in service:
            continue
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert "privileged" not in service, name
        # The image of replicas has a user already; nobody's container is of root
        assert "build" in service or int(service["user"].split(":")[0]) > 0, name
        assert all(each["read_only"] for each in service["volumes"] if each["type"] == "bind"), name
        assert not any("docker.sock" in each["source"] for each in service["volumes"]), name


def test_only_nginx_is_reached_from_elsewhere(plan: Make):
    told = composition(plan())["services"]
    ports = {name: service.get("ports", []) for name, service in told.items()}
    assert {name for name, open_ports in ports.items() if any(not p.startswith("127.0.0.1:") for p in open_ports)} == {
        "nginx"
    }
    assert ports["iris-1"] == ports["iris-2"] == []


def test_replicas_reach_nobody_unless_they_have_to(plan: Make, renamed: Make):
    def is_closed(made: Plan) -> bool:
        return bool(composition(made)["networks"]["inside"]["internal"])

    jwt = {"jwt_issuer": "https://id.example.com", "jwt_audience": "iris", "jwks_url": "https://id.example.com/keys"}
    assert is_closed(plan())
    assert not is_closed(plan(auth="jwt", settings=jwt))
    assert not is_closed(renamed(features={"customer": LOOKUP}))


def test_whom_replicas_believe_is_nginx_alone(plan: Make):
    told = composition(plan())["services"]
    address = told["nginx"]["networks"]["inside"]["ipv4_address"]
    assert told["iris-1"]["environment"]["LADING_TRUSTED_HOPS"] == address
    assert ip_address(address) in IPv4Network("172.30.57.0/24")


@pytest.mark.parametrize("count", [1, 2, 100])
def test_each_replica_is_where_nginx_looks_for_it(count: int, plan: Make):
    made = plan(replicas=count)
    told = composition(made)["services"]
    addresses = [told[f"iris-{number + 1}"]["networks"]["inside"]["ipv4_address"] for number in range(count)]
    assert [each.split(":")[0] for each in front_of(made).upstreams] == addresses
    assert len({*addresses, told["nginx"]["networks"]["inside"]["ipv4_address"]}) == count + 1


def test_whoever_is_stopped_has_time_to_finish(plan: Make):
    settings = {"drain_s": "7", "shutdown_s": "40", "request_timeout_s": "20"}
    told = composition(plan(settings=settings))["services"]
    assert told["iris-1"]["stop_grace_period"] == "52s"
    assert told["nginx"]["stop_grace_period"] == "37s"  # 20 for an answer, 2 more, 10 for a body, and 5


@pytest.mark.parametrize(
    ("auth", "mounted"), [("keys", True), ("basic", True), ("tokens,keys", True), ("network", False)]
)
def test_secrets_are_in_folders_of_their_own(auth: str, mounted: bool, plan: Make):
    made = plan(auth=auth)
    told = composition(made)["services"]
    sources = {each["source"] for each in told["iris-1"]["volumes"] if each["type"] == "bind"}
    assert sources == ({"./secrets/lading"} if mounted else set())
    assert {each["source"] for each in told["nginx"]["volumes"]} == {"./nginx", "./secrets/nginx"}
    assert not any(file.path.startswith("secrets") for file in files_of(made))
    assert content(made, ".gitignore") == b"/secrets/\n*.key\n"


def test_files_that_are_public_may_be_read_by_whoever_runs_there(plan: Make, tmp_path: Path):
    write_files([file for file in files_of(plan()) if not file.path.startswith("image/")], tmp_path)
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & (stat.S_IROTH if path.is_file() else stat.S_IXOTH), path


@pytest.mark.parametrize("name", ["port", "host", "trusted_hops", "unix_socket", "listen_when_ready"])
def test_what_compose_says_is_not_said_again(name: str, plan: Make):
    value = {"port": "9000", "trusted_hops": "10.0.0.1", "listen_when_ready": "false"}.get(name, "x")
    with pytest.raises(UsageError, match=f"--set {name}: compose.yaml says"):
        Compose().files(plan(settings={name: value}))


def test_certificates_of_callers_end_at_nginx(plan: Make):
    with pytest.raises(UsageError, match="TLS ends at nginx"):
        Compose().files(plan(auth="keys,certificate"))


# --- the command


def test_the_command_writes_it_and_says_what_comes_next(copied: Path, trust: Any, tmp_path: Path):
    said = ["ship", "compose", str(copied), "-o", str(tmp_path / "deploy here"), "--trust", str(trust.folder)]
    done = CliRunner().invoke(cli, [*said, "--no-lock", "--host", "models.example.com", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told["files"].values()) == {"new"}
    assert (tmp_path / "deploy here" / "image" / "Dockerfile").exists()
    assert told["next"][0].startswith("cd '")
    assert any("-subj /CN=models.example.com" in step for step in told["next"])
    assert any("--wait iris-1" in step and "--wait iris-2" in step for step in told["next"])
