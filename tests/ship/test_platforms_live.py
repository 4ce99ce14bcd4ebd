"""Serving platforms, as far as a process can tell: what controllers start, and what their gateways ask of it.

The process has the command, the environment and the folders that its container would have: those of the image, of the
generated file, and of what each controller adds. Only where the folders are is another place, and the address that is
listened on.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import pytest
import yaml
from tests.live import ROOT
from tests.serve.conftest import free_port
from tests.signed import sign

import lading
from lading.bundle.declared import Declared
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.trust import TrustStore
from lading.flavors.linear import LinearFile
from lading.ship.image.docker import dockerfile_of, image_environment
from lading.ship.kserve import KServe
from lading.ship.plan import Choices, Plan, make_plan
from lading.ship.seldon import Seldon

from .conftest import DEMO
from .kubelet import command_of, environment_of, filled_in

WAIT_S = 60.0
Platform = Literal["kserve", "kserve-fetched", "seldon"]
PLATFORMS: tuple[Platform, ...] = ("kserve", "kserve-fetched", "seldon")
NAME = "iris-eu"
"""Of the resource, whose model is called otherwise."""
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
INFER = {"inputs": [{"name": "X", "shape": [2, 4], "datatype": "FP64", "data": ROWS}]}
# Beside what a file says, from the sources of the controllers.
ADDED: dict[Platform, dict[str, str]] = {
    "kserve": {"INFERENCE_SERVICE_NAME": NAME, "PORT": "8080", "K_SERVICE": NAME, "K_REVISION": f"{NAME}-00001"},
    "kserve-fetched": {"INFERENCE_SERVICE_NAME": NAME, "PORT": "8080", "K_SERVICE": NAME},
    "seldon": {
        "PREDICTIVE_UNIT_SERVICE_PORT": "9000",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "9000",
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "9500",
        "PREDICTIVE_UNIT_ID": NAME,
        "PREDICTIVE_UNIT_IMAGE": "iris:1.0.0",
        "PREDICTOR_ID": "default",
        "PREDICTOR_LABELS": '{"version":"default"}',
        "SELDON_DEPLOYMENT_ID": NAME,
        "SELDON_EXECUTOR_ENABLED": "true",
        "PREDICTIVE_UNIT_SERVICE_PORT_METRICS": "6000",
        "PREDICTIVE_UNIT_METRICS_ENDPOINT": "/prometheus",
    },
}


@pytest.fixture(scope="module")
def named_bundle(tmp_path_factory: pytest.TempPathFactory, key: PrivateKey) -> Path:
    """A signed bundle of a model whose name is none that a cluster takes."""
    model = msgspec.json.decode(DEMO.read_bytes(), type=LinearFile)
    path = tmp_path_factory.mktemp("named") / "iris-1.0.0.lading"
    return sign(lading.pack(model, path=path, declared=Declared(name="Iris_EU.v2", version="1.0.0")).path, key)


class Pod:
    """The one container of a pod, as a process.

    Attributes:
        container: as the platform has it.
        process: that serves.
        grace_s: until it would be killed.
    """

    def __init__(self, platform: Platform, plan: Plan, root: Path) -> None:
        self._root = root
        self.container, self.grace_s = _specified(platform, plan, root)
        _fill_image(plan, root)
        image = image_environment(msgspec.structs.replace(plan, choices=Choices()))
        environment = environment_of(self.container, image, ADDED[platform])
        command = command_of(self.container, _entry(plan), environment)
        self.port = free_port()
        moved = {name: self._moved(value) for name, value in environment.items()}
        moved |= {"LADING_HOST": "127.0.0.1", "LADING_PORT": str(self.port), "TMPDIR": str(root)}
        moved |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
        assert command[0] == "/opt/lading/bin/lading"
        with (root / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lading", *map(self._moved, command[1:])],
                env=moved,
                cwd=root,
                stdout=log,
                stderr=log,
            )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=WAIT_S)

    def _moved(self, text: str) -> str:
        folders = ("/srv/", "/mnt/", "/etc/", "/run/")
        return f"{self._root}{text}" if text.startswith(folders) else text

    def probe(self, name: str) -> int:
        """The status that a probe gets; 0 where nobody listens."""
        try:
            return self.client.get(self.container[name]["httpGet"]["path"]).status_code
        except httpx.ConnectError:
            return 0

    def wait_ready(self) -> list[int]:
        """What the readiness probe gets, until it is well."""
        statuses: list[int] = []
        deadline = time.monotonic() + WAIT_S
        while 200 not in statuses:
            assert self.process.poll() is None, (self._root / "log").read_text()
            assert time.monotonic() < deadline
            statuses.append(self.probe("readinessProbe"))
            self._go_on()
        return [status for status in statuses if status]

    def _go_on(self) -> None:
        """Leave the processors to the process for a moment, unless it ends."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.02)

    def end(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait(WAIT_S)


def _specified(platform: Platform, plan: Plan, root: Path) -> tuple[Any, int]:
    """The container, and the seconds until it is killed, out of what is generated."""
    shipper = Seldon() if platform == "seldon" else KServe()
    made = {file.path: yaml.safe_load(file.data) for file in shipper.files(plan)}
    if platform == "seldon":
        pod = made["seldondeployment.yaml"]["spec"]["predictors"][0]["componentSpecs"][0]["spec"]
        return pod["containers"][0], pod["terminationGracePeriodSeconds"]
    pod = made["inferenceservice.yaml"]["spec"]["predictor"]
    if platform == "kserve":
        return pod["containers"][0], pod["terminationGracePeriodSeconds"]
    runtime = made["servingruntime.yaml"]["spec"]
    _mount(made["trust.yaml"]["data"], root / "etc/lading/trust")
    _initialize(plan, root / "mnt/models")
    return filled_in(runtime["containers"][0], NAME), pod["terminationGracePeriodSeconds"]


def _mount(data: dict[str, str], folder: Path) -> None:
    """A ConfigMap as it is mounted: each name is a link into a folder that is a link itself."""
    kept = folder / "..2026_11_21"
    kept.mkdir(parents=True)
    (folder / "..data").symlink_to(kept.name)
    for name, text in data.items():
        (kept / name).write_text(text)
        (folder / name).symlink_to(f"..data/{name}")


def _initialize(plan: Plan, folder: Path) -> None:
    """What the storage initializer leaves of a folder in a bucket."""
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("Which model this is")
    for path in (plan.bundle, plan.signature):
        shutil.copy(path, folder)


def _fill_image(plan: Plan, root: Path) -> None:
    folder = root / "srv/lading/trust"
    folder.mkdir(parents=True)
    for path in (plan.bundle, plan.signature):
        shutil.copy(path, folder.parent)
    for entry in plan.entries:
        (folder / f"{entry.key_id}.json").write_bytes(msgspec.json.encode(entry))


def _entry(plan: Plan) -> list[str]:
    text = dockerfile_of(plan, is_hashed=False, has_wheels=False)
    line = next(line for line in text.splitlines() if line.startswith("ENTRYPOINT "))
    entry: list[str] = json.loads(line.removeprefix("ENTRYPOINT "))
    return entry


def planned(platform: Platform, bundle: Path, trust: TrustStore, **settings: str) -> Plan:
    fetch = "s3://models/iris" if platform == "kserve-fetched" else ""
    choices = Choices(auth="network", lock=False, name=NAME, fetch=fetch, settings=settings)
    return make_plan(bundle, trust, choices)


@pytest.fixture(scope="module", params=PLATFORMS)
def pod(
    request: pytest.FixtureRequest, named_bundle: Path, trust: TrustStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pod]:
    """One that is ready."""
    platform: Platform = request.param
    made = Pod(platform, planned(platform, named_bundle, trust), tmp_path_factory.mktemp(platform))
    try:
        made.wait_ready()
        yield made
    finally:
        made.end()


# --- what a gateway asks


def test_the_probes_are_well(pod: Pod):
    assert [pod.probe(name) for name in ("startupProbe", "readinessProbe", "livenessProbe")] == [200, 200, 200]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models", "/v1/models", "/metrics"])
def test_the_server_is_asked(pod: Pod, path: str):
    assert pod.client.get(path).status_code == 200


def test_the_model_is_known_by_the_name_of_the_resource(pod: Pod):
    assert pod.client.get(f"/v2/models/{NAME}/ready").json() == {"name": NAME, "ready": True}
    told = pod.client.get(f"/v2/models/{NAME}").json()
    assert (told["name"], told["versions"]) == (NAME, ["1.0.0"])
    assert pod.client.get(f"/v1/models/{NAME}").json() == {"name": NAME, "ready": True}
    assert pod.client.get("/v2/models/iris").status_code == 404


@pytest.mark.parametrize("version", ["", "/versions/1.0.0"])
def test_it_infers_with_its_version_and_without(pod: Pod, version: str):
    answer = pod.client.post(f"/v2/models/{NAME}{version}/infer", json=INFER).json()
    assert (answer["model_name"], answer["model_version"]) == (NAME, "1.0.0")
    assert answer["outputs"][0]["data"] == ["setosa", "virginica"]


def test_it_predicts_as_the_first_protocol_has_it(pod: Pod):
    answer = pod.client.post(f"/v1/models/{NAME}:predict", json={"instances": ROWS})
    assert answer.json() == {"predictions": ["setosa", "virginica"]}


def test_it_answers_what_an_executor_passes_on(pod: Pod):
    # As Seldon's does, which copies the fields of its caller; and asks whether the port is open.
    fields = {"user-agent": "Go-http-client/1.1", "seldon-puid": "abc", "accept-encoding": "gzip", "ce-id": "1"}
    fields |= {"x-forwarded-for": "10.1.2.3", "x-request-id": "7", "authorization": "Bearer of-the-gateway"}
    answer = pod.client.post(f"/v2/models/{NAME}/infer", json=INFER, headers=fields)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "7")
    refused = pod.client.post(f"/v2/models/{NAME}/infer", json={"inputs": []}, headers=fields)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])


def test_nothing_is_loaded_or_unloaded_over_http(pod: Pod):
    for path in ("/v2/repository/index", f"/v2/repository/models/{NAME}/load", f"/v2/repository/models/{NAME}/unload"):
        assert pod.client.post(path, json={}).status_code == 404


# --- how it begins and ends


@pytest.mark.parametrize("platform", PLATFORMS[1:])
def test_it_is_not_ready_while_it_loads_and_drains_when_it_is_told(
    platform: Platform, named_bundle: Path, trust: TrustStore, tmp_path: Path
):
    # With a supervisor, which answers for as long as its workers are on their way.
    pod = Pod(platform, planned(platform, named_bundle, trust, workers="2", drain_s="0.5"), tmp_path)
    try:
        statuses = pod.wait_ready()
        assert set(statuses[:-1]) == {503}
        told = time.monotonic()
        pod.process.send_signal(signal.SIGTERM)
        while pod.probe("readinessProbe") == 200:
            assert time.monotonic() < told + WAIT_S
        answer = pod.client.post(f"/v2/models/{NAME}/infer", json=INFER)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert pod.process.wait(pod.grace_s) == 0
    finally:
        pod.end()


def test_a_bundle_that_nobody_trusts_is_not_served(named_bundle: Path, trust: TrustStore, tmp_path: Path):
    plan = planned("kserve-fetched", named_bundle, trust)
    elsewhere = sign(Path(shutil.copy(named_bundle, tmp_path)), PrivateKey.generate())
    swapped = msgspec.structs.replace(plan, bundle=elsewhere)
    pod = Pod("kserve-fetched", swapped, tmp_path / "pod")
    try:
        assert pod.process.wait(WAIT_S) == 3
    finally:
        pod.end()
