"""`lading ship seldon`: what Seldon Core 1 takes of it, and what its operator makes of it."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from lading.errors import UsageError
from lading.ship.plan import Plan
from lading.ship.seldon import Seldon

from .crds import needs_crds, problems_of
from .hostile import HOSTILE
from .kubelet import environment_of

Make = Callable[..., Plan]


@pytest.fixture
def made(plan: Make) -> Any:
    return read(plan(auth="network"))


def read(plan: Plan) -> Any:
    (file,) = Seldon().files(plan)
    assert file.path == "seldondeployment.yaml"
    return yaml.safe_load(file.data)


def predictor_of(resource: Any) -> Any:
    (predictor,) = resource["spec"]["predictors"]
    return predictor


def pod_of(resource: Any) -> Any:
    (component,) = predictor_of(resource)["componentSpecs"]
    return component["spec"]


def container_of(resource: Any) -> Any:
    (container,) = pod_of(resource)["containers"]
    return container


@needs_crds
def test_seldon_takes_it(made: Any):
    assert problems_of(made) == []


@needs_crds
def test_what_seldon_would_drop_or_refuse_is_found(made: Any):
    predictor_of(made)["graph"]["endpoint"]["http_port"] = 9000
    pod_of(made)["enableServiceLinks"] = "false"
    assert len(problems_of(made)) == 2


def test_the_node_the_container_and_the_model_have_one_name(renamed: Make):
    made = read(renamed({"auth": "network"}, name="Iris_EU.v2"))
    assert predictor_of(made)["graph"]["name"] == container_of(made)["name"] == "iris-eu-v2"
    assert environment_of(container_of(made), {})["LADING_SERVED_NAME"] == "iris-eu-v2"
    assert made["spec"]["protocol"] == "v2"


def test_it_listens_where_the_webhook_finds_its_port(made: Any):
    (port,) = container_of(made)["ports"]
    endpoint = predictor_of(made)["graph"]["endpoint"]
    assert (port["name"], port["containerPort"]) == ("http", 9000)
    assert endpoint["httpPort"] == endpoint["service_port"] == 9000
    assert endpoint["type"] == "REST"
    assert environment_of(container_of(made), {})["LADING_PORT"] == "9000"


def test_nothing_is_left_for_seldon_to_add(made: Any):
    container, pod = container_of(made), pod_of(made)
    # Those of Seldon only ask whether a port is open, and run a shell before the end.
    assert {"livenessProbe", "readinessProbe", "startupProbe", "lifecycle"} <= set(container)
    assert container["lifecycle"] == {}
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 9000}
    assert pod["terminationGracePeriodSeconds"] > 20  # which is Seldon's


def test_it_may_do_next_to_nothing_whatever_seldon_says_of_the_pod(made: Any):
    security = container_of(made)["securityContext"]
    assert security["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert security["runAsUser"] == security["runAsGroup"] == 65532
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod_of(made)["automountServiceAccountToken"]
    assert not pod_of(made)["enableServiceLinks"]


def test_what_is_mounted_is_there_and_bounded(made: Any):
    mounts = {mount["name"]: mount["mountPath"] for mount in container_of(made)["volumeMounts"]}
    assert mounts == {"tmp": "/tmp", "data": "/data"}
    for volume in pod_of(made)["volumes"]:
        assert volume["emptyDir"]["sizeLimit"]
        assert volume["name"] in mounts


@needs_crds
@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_means_anything_in_a_file(renamed: Make, text: str):
    made = read(renamed({"auth": "network", "settings": {"jwt_audience": text}}, name=text or "x"))
    assert problems_of(made) == []
    assert environment_of(container_of(made), {})["LADING_JWT_AUDIENCE"] == text
    assert len(made["spec"]["predictors"]) == len(predictor_of(made)["componentSpecs"]) == 1


@pytest.mark.parametrize("auth", ["keys", "tokens", "basic", "jwt,keys"])
def test_secret_files_could_not_be_read_there(plan: Make, auth: str):
    jwt = {"jwt_issuer": "https://id.example.com", "jwt_audience": "a", "jwks_url": "https://id.example.com/k"}
    with pytest.raises(UsageError, match="security context"):
        read(plan(auth=auth, settings=jwt if "jwt" in auth else {}))
    assert environment_of(container_of(read(plan(auth="jwt", settings=jwt))), {})["LADING_AUTH"] == "jwt"


@pytest.mark.parametrize(
    ("choices", "why"),
    [
        ({"fetch": "s3://models/iris"}, "in the image"),
        ({"store": "sqlite", "replicas": 1, "max_replicas": 1}, "keep nothing"),
        ({"settings": {"port": "8000"}}, "says where it is asked"),
    ],
)
def test_what_cannot_be_is_refused(plan: Make, choices: dict[str, Any], why: str):
    with pytest.raises(UsageError, match=why):
        read(plan(auth="network", **choices))


def test_what_is_asked_next_is_said(plan: Make):
    steps = Seldon().next_steps(plan(auth="network", namespace="models"), "deploy")
    assert "kubectl -n models apply --server-side -f deploy" in steps
    assert any("/seldon/models/iris/v2/models/iris/infer" in step for step in steps)
    assert any("Seldon Core 2" in step and "gRPC" in step for step in steps)
