"""Images, built and run by a real engine: of one example, or at full scale of all five."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from tests.container import BASE, PYTHON, Engine, engine
from tests.examples import EXAMPLES, packed
from tests.live import ROOT, environment
from tests.ship.test_dockerfile import HOSTILE
from tests.signed import sign, trusting

from lading.bundle.signing.keys import PrivateKey
from lading.ship.files import write_files
from lading.ship.image import dockerfile_text as dockerfile
from lading.ship.image.docker import DOCKERFILE, SBOM, Docker
from lading.ship.plan import DATA_FOLDER, SECRETS_FOLDER, USER_ID, Choices, make_plan

IS_FULL = os.environ.get("LADING_TEST_SCALE") == "full"
MAX_COMPILED_MB = 150
SECRETS = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]|lk_[0-9a-z]{8,}_[0-9A-Za-z]{20,}")
"""A private key, or a key of a caller. In Lading's own code stands neither, but the first line of one."""
WAIT_S = 60.0


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    ours = tmp_path_factory.getbasetemp()
    # Of all processes of these tests, where there are several: each has a folder within it.
    with engine((ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "engine") as found:
        if isinstance(found, str):
            pytest.skip(found)
        yield found


def shipped(name: str, folder: Path, key: PrivateKey, build: Callable[[Path, str], None]) -> tuple[str, bool]:
    """The image of an example, and whether its model was compiled."""
    bundle = sign(packed(name, folder), key)
    plan = make_plan(bundle, trusting(folder / "trust", key, code=True), Choices(base=BASE, lock=name == "iris"))
    write_files(Docker().files(plan), folder / "image")
    build(folder / "image", plan.image)
    return plan.image, plan.manifest.is_compiled


@pytest.mark.parametrize("name", EXAMPLES if IS_FULL else ["iris"])
def test_the_image_of_an_example_serves(docker: Engine, tmp_path: Path, name: str):
    example, key = EXAMPLES[name], PrivateKey.generate()
    image, is_compiled = shipped(name, tmp_path, key, lambda folder, tag: docker.run("build", "-t", tag, folder))
    (tmp_path / "secrets").mkdir()
    caller = key_of_a_caller(tmp_path / "secrets" / "keys.json")
    secret = f"{tmp_path / 'secrets'}:{SECRETS_FOLDER}:ro"
    options = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    options += ["--publish", "127.0.0.1::8000", "--volume", secret]
    with docker.container(image, *options) as container:
        until(lambda: "  try " in docker.run("logs", container).stdout, lambda: docker.run("logs", container).stderr)
        url = f"http://{docker.ask('port', container, '8000').splitlines()[0]}{example.route}"
        assert example.answer in asked(url, caller, *example.request, folder=tmp_path / name)
        assert docker.ask("exec", container, "id", "-u") == str(USER_ID)
        assert docker.run("exec", container, "/opt/lading/bin/lading", "ready").returncode == 0
        assert (
            docker.run("exec", container, "touch", f"{DATA_FOLDER}/x", check=False).returncode != 0
        )  # it is read-only
        until(lambda: docker.inspect(container)["State"]["Health"]["Status"] == "healthy", lambda: "not healthy")
        docker.run("stop", "--time", "40", container)
        assert docker.inspect(container)["State"]["ExitCode"] == 0
    assert_nothing_secret(docker, image, tmp_path, caller)
    assert_known(docker, image, tmp_path)
    above_mb = (docker.inspect(image)["Size"] - docker.inspect(BASE)["Size"]) / 1e6
    assert not is_compiled or above_mb <= MAX_COMPILED_MB, f"{above_mb} MB over the base"


def key_of_a_caller(path: Path) -> str:
    """A key, of which the hash is in a file that only a container may read."""
    done = subprocess.run(
        [sys.executable, "-m", "lading", "keys", "create", "shop", "--keys-file", str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    os.chown(path, USER_ID, USER_ID)
    return done.stdout.strip()


def asked(url: str, key: str, *request: str, folder: Path) -> str:
    """What the service answers."""
    command = ["curl", "-sS", "-H", f"Authorization: Bearer {key}", url, *request]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout


def until(is_so: Callable[[], object], why: Callable[[], str]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


def assert_nothing_secret(docker: Engine, image: str, folder: Path, caller: str) -> None:
    """Neither the history nor any file of any layer holds a key that is to be kept."""
    history = docker.ask("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert "PRIVATE KEY" not in history
    names = []
    for name, data in docker.layers(image, folder):
        names.append(name)
        assert not SECRETS.search(data), name
        assert caller.encode() not in data
    assert any(name.endswith(".lading") for name in names)
    assert not [name for name in names if name.endswith((".key", "keys.json", "users.json", "pip.conf"))]


def assert_known(docker: Engine, image: str, folder: Path) -> None:
    """The SBOM is one by its schema, and lists what Python finds in the image."""
    with docker.container(image, "--entrypoint", "sleep", "--network", "none") as container:
        docker.run("cp", f"{container}:{SBOM}", folder / "sbom.json")
    text = (folder / "sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    named = {each["name"] for each in msgspec.json.decode(text)["components"]}
    code = "from importlib.metadata import distributions as d; print(*sorted(x.name.lower() for x in d()))"
    found = docker.ask("run", "--rm", "--entrypoint", "/opt/lading/bin/python", image, "-c", code).split()
    assert {re.sub(r"[-_.]+", "-", name) for name in found} == named - {"python"}
    assert {"lading", "uvicorn", "numpy"} <= named
    assert "pip" not in named


def test_a_label_is_to_an_engine_what_it_was(docker: Engine, tmp_path: Path):
    values = {f"value-{place}": value for place, value in enumerate(HOSTILE)}
    steps = [dockerfile.stage(BASE), dockerfile.pairs("LABEL", values)]
    (tmp_path / DOCKERFILE).write_text(dockerfile.render(steps))
    docker.run("build", "--tag", "lading-test/labels:1", tmp_path)
    assert docker.inspect("lading-test/labels:1")["Config"]["Labels"] == values
    assert docker.run("run", "--rm", "lading-test/labels:1", "test", "-e", "/pwned", check=False).returncode == 1


@pytest.mark.skipif(not IS_FULL, reason="trains and builds for minutes: LADING_TEST_SCALE=full")
def test_a_bundle_is_trained_in_a_build_and_signed_outside(docker: Engine, tmp_path: Path):
    work, key = tmp_path / "work", PrivateKey.generate()
    work.mkdir()
    (work / "train.py").write_bytes((ROOT / "examples" / "iris" / "train.py").read_bytes())
    (work / "secret.key").write_text("word")
    key.write(tmp_path / "signing.key")
    trusting(tmp_path / "trust", key)
    options = [
        "--base",
        BASE,
        "--key",
        tmp_path / "signing.key",
        "--trust",
        tmp_path / "trust",
        "-t",
        "lading-test/trained:1",
    ]
    command = [sys.executable, "-m", "lading", "image", "--train", "train.py", *options, "--", *EXAMPLES["iris"].pack]
    done = subprocess.run(
        [str(part) for part in command],
        cwd=work,
        env=environment() | docker.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in work.iterdir()) == [
        *("iris-1.0.0.lading", "iris-1.0.0.lading.sig", "secret.key", "train.py")
    ]
    for name, data in docker.layers("lading-test/trained:1", tmp_path):
        assert b"PRIVATE KEY-----\nM" not in data, name
    assert docker.inspect("lading-test/trained:1")["Config"]["Labels"]["org.opencontainers.image.title"] == "iris"


def test_the_stand_in_is_of_the_version_that_it_says(docker: Engine):
    assert docker.ask("run", "--rm", BASE, "python3", "--version").startswith(f"Python {PYTHON}.")
