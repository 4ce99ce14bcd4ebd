"""`lading ship kserve`: what KServe takes of it, and that it is what was meant, whoever chose the names."""

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from msgspec.structs import replace

from lading.bundle.lookups import Lookup
from lading.cli import cli
from lading.errors import UsageError
from lading.ship.kserve import KServe
from lading.ship.kubernetes.served import variables
from lading.ship.measuring import Measured
from lading.ship.plan import Plan
from lading.ship.shipper import GROUP

from .crds import needs_crds, problems_of
from .hostile import HOSTILE
from .kubelet import environment_of, expanded, filled_in

Make = Callable[..., Plan]
KSERVE = EntryPoint("kserve", "lading.ship.kserve:KServe", GROUP)
FETCH = "s3://models/iris"


def read(plan: Plan) -> dict[str, Any]:
    """What is in each file."""
    return {file.path: yaml.safe_load(file.data) for file in KServe().files(plan)}


def predictor_of(plan: Plan) -> Any:
    return read(plan)["inferenceservice.yaml"]["spec"]["predictor"]


def container_of(plan: Plan) -> Any:
    """What serves, by either way."""
    if plan.choices.fetch:
        (container,) = read(plan)["servingruntime.yaml"]["spec"]["containers"]
        return filled_in(container, "iris")
    (container,) = predictor_of(plan)["containers"]
    return container


@pytest.fixture(params=["", FETCH], ids=["image", "fetched"])
def fetch(request: pytest.FixtureRequest) -> str:
    return request.param


@needs_crds
def test_kserve_takes_each_resource(plan: Make, fetch: str):
    for path, resource in read(plan(auth="network", fetch=fetch)).items():
        assert path == "trust.yaml" or problems_of(resource) == []


@needs_crds
def test_what_kserve_would_drop_or_refuse_is_found(plan: Make):
    service = read(plan(auth="network"))["inferenceservice.yaml"]
    (container,) = service["spec"]["predictor"]["containers"]
    container["securityContext"]["readOnlyRootFileSystem"] = True
    container["ports"][0]["containerPort"] = "http"
    service["spec"]["predictor"]["minReplicas"] = "2"
    assert len(problems_of(service)) == 3


@needs_crds
@pytest.mark.parametrize("auth", ["keys", "network", "tokens,keys", "basic"])
def test_each_way_to_ask_is_taken(plan: Make, fetch: str, auth: str):
    for resource in read(plan(auth=auth, fetch=fetch, settings={"trusted_hops": "10.0.0.0/8"})).values():
        assert resource["kind"] == "ConfigMap" or problems_of(resource) == []


def test_the_bundle_is_in_the_image_unless_it_is_said_where(plan: Make):
    assert list(read(plan(auth="network"))) == ["inferenceservice.yaml"]
    made = predictor_of(plan(auth="network", image="registry.example.com/iris:1.0.0"))
    assert "model" not in made
    assert made["containers"][0]["image"] == "registry.example.com/iris:1.0.0"
    assert "command" not in made["containers"][0]


def test_a_runtime_serves_what_the_storage_initializer_leaves(plan: Make):
    made = read(plan(auth="network", fetch=FETCH))
    runtime, service = made["servingruntime.yaml"], made["inferenceservice.yaml"]
    model = service["spec"]["predictor"]["model"]
    assert model["storageUri"] == FETCH
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    (taken,) = runtime["spec"]["supportedModelFormats"]
    assert model["modelFormat"].items() <= taken.items()
    assert not runtime["spec"]["multiModel"]
    assert container_of(plan(auth="network", fetch=FETCH))["command"][-2:] == ["serve", "/mnt/models"]


def test_what_is_mounted_is_there(plan: Make, fetch: str):
    made = read(plan(fetch=fetch))
    pod = made["servingruntime.yaml"]["spec"] if fetch else made["inferenceservice.yaml"]["spec"]["predictor"]
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    for volume in pod["volumes"]:
        if name := volume.get("configMap", {}).get("name"):
            assert name == made["trust.yaml"]["metadata"]["name"]
        if name := volume.get("secret", {}).get("secretName"):
            assert any(name in step for step in KServe().next_steps(plan(fetch=fetch), "."))


def test_it_is_asked_by_the_name_of_its_resource(renamed: Make, fetch: str):
    made = renamed({"auth": "network", "fetch": fetch, "name": "churn-eu"}, name="Churn_EU")
    assert read(made)["inferenceservice.yaml"]["metadata"]["name"] == "churn-eu"
    container = container_of(made)
    named = environment_of(filled_in(container, "churn-eu"), {})["LADING_SERVED_NAME"]
    assert named == ("iris" if fetch else "churn-eu")  # what KServe fills in is what it asks by


def test_a_template_is_filled_in_with_what_the_service_is_called(plan: Make):
    (container,) = read(plan(auth="network", fetch=FETCH))["servingruntime.yaml"]["spec"]["containers"]
    assert environment_of(filled_in(container, "other"), {})["LADING_SERVED_NAME"] == "other"


def test_it_listens_where_kserve_asks(plan: Make, fetch: str):
    container = container_of(plan(fetch=fetch))
    assert container["name"] == "kserve-container"
    (port,) = container["ports"]
    assert (port["name"], port["containerPort"]) == ("http1", 8080)
    assert environment_of(container, {})["LADING_PORT"] == "8080"
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[name]["httpGet"]["port"] == 8080


def test_it_may_do_next_to_nothing(plan: Make, fetch: str):
    made = plan(fetch=fetch)
    pod, security = predictor_of(made), container_of(made)["securityContext"]
    assert not pod["automountServiceAccountToken"]
    assert not pod["enableServiceLinks"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    # The storage initializer, in the same pod, is another user.
    assert "runAsUser" not in pod["securityContext"]
    assert security["runAsUser"] == security["runAsGroup"] == 65532
    assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_bounds_are_those_that_were_measured(plan: Make, fetch: str):
    made = replace(plan(fetch=fetch), measured=Measured(load_s=100, memory_bytes=10**9, is_estimate=False))
    container = container_of(made)
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert int(container["resources"]["limits"]["memory"].removesuffix("Mi")) * 2**20 > 10**9
    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 300


def test_whoever_is_stopped_has_time_and_the_gateway_waits(plan: Make, fetch: str):
    settings = {"drain_s": "7", "shutdown_s": "40", "request_timeout_s": "20", "body_timeout_s": "30"}
    made = predictor_of(plan(settings=settings, fetch=fetch))
    assert made["terminationGracePeriodSeconds"] > 47
    assert made["timeout"] > 50


def test_there_are_as_many_as_was_said(plan: Make):
    made = predictor_of(plan(replicas=3, max_replicas=5))
    assert (made["minReplicas"], made["maxReplicas"]) == (3, 5)


# --- what somebody else has chosen


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_means_anything_in_a_file(renamed: Make, text: str, fetch: str):
    made = renamed({"auth": "network", "fetch": fetch, "settings": {"cors_origins": ""}}, name=text or "x", version="1")
    usual = renamed({"auth": "network", "fetch": fetch, "settings": {"cors_origins": ""}}, name="y", version="1")
    for path, resource in read(made).items():
        assert shape(resource) == shape(read(usual)[path])
        assert resource["metadata"]["annotations"]["lading.model"] == f"{text or 'x'} 1"


def shape(tree: Any) -> Any:
    """The tree without its texts."""
    if isinstance(tree, dict):
        return {name: shape(value) for name, value in tree.items()}
    return [shape(value) for value in tree] if isinstance(tree, list) else type(tree)


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_a_setting_arrives_as_it_was_said(plan: Make, text: str, fetch: str):
    made = plan(auth="network", fetch=fetch, settings={"jwt_audience": text})
    told = environment_of(container_of(made), {})
    assert told["LADING_JWT_AUDIENCE"] == text
    assert told.items() >= (variables(made) | {"LADING_PORT": "8080"}).items()


def test_a_kubelet_reads_dollars_as_kubernetes_does():
    known = {"A": "1"}
    for text, read in {"$(A)": "1", "$$(A)": "$(A)", "$(B)": "$(B)", "$A $$ $": "$A $ $", "$(A": "$(A"}.items():
        assert expanded(text, known) == read


@needs_crds
@pytest.mark.parametrize("name", ["Größe", "1", "x" * 200, "a b", "iris"])
def test_a_resource_has_a_name_that_kserve_takes(renamed: Make, name: str, fetch: str):
    made = read(renamed({"auth": "network", "fetch": fetch}, name=name))
    for resource in made.values():
        assert resource["kind"] == "ConfigMap" or problems_of(resource) == []
    service = made["inferenceservice.yaml"]["metadata"]["name"]
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", service)  # as KServe's webhook has it
    assert len(f"{service}-predictor") <= 63


# --- what does not go


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "1"), ("served_name", "x"), ("root_path", "/x"), ("trust", "x"), ("client_ca_file", "x")],
)
def test_what_the_platform_says_is_not_said_again(plan: Make, name: str, value: str):
    with pytest.raises(UsageError, match=f"--set {name}: "):
        read(plan(settings={name: value}))


@pytest.mark.parametrize(
    ("choices", "why"),
    [
        ({"auth": "keys,certificate"}, "TLS ends in front"),
        ({"image": "iris:latest"}, "another image tomorrow"),
        ({"store": "postgresql"}, "keep nothing"),
        ({"fetch": "s3://models/iris-1.0.0.lading"}, "leave the signature"),
        ({"fetch": "https://example.com/iris"}, "takes archives apart"),
        ({"fetch": "az://models/iris"}, "blob.core.windows.net"),
    ],
)
def test_what_cannot_be_is_refused(plan: Make, choices: dict[str, str], why: str):
    with pytest.raises(UsageError, match=why):
        read(plan(**choices))


@pytest.mark.parametrize("url", ["https://example.com/iris.tar.gz", "https://x.blob.core.windows.net/models/iris"])
def test_what_kserve_fetches_whole_is_taken(plan: Make, url: str):
    assert predictor_of(plan(fetch=url))["model"]["storageUri"] == url


def test_who_asks_is_said_in_so_many_words(plan: Make):
    made = plan(auth="network")
    assert environment_of(container_of(made), {})["LADING_AUTH"] == "network"
    assert any("LADING_AUTH=network" in step for step in KServe().next_steps(made, "."))


def test_secrets_are_made_before_they_are_mounted(renamed: Make):
    made = renamed({"auth": "tokens", "namespace": "models"}, features={"c": Lookup(key="id", columns=("a",), sql="S")})
    steps = list(KServe().next_steps(made, "deploy"))
    applied = "kubectl -n models apply --server-side -f deploy"
    secrets = [step for step in steps if step.startswith("kubectl -n models create secret generic iris-")]
    assert len(secrets) == 2
    assert max(map(steps.index, secrets)) < steps.index(applied)
    assert "--from-file=keys.json --from-file=token.secret" in secrets[0]


# --- the command


@pytest.mark.parametrize(("said", "auth"), [((), "network"), (("--auth", "keys"), "keys")])
def test_its_gateway_asks_unless_something_else_is_said(
    copied: Path, trust: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: tuple[str, ...], auth: str
):
    monkeypatch.setattr("lading.ship.shipper._points", lambda: {"kserve": KSERVE})
    words = ["ship", "kserve", str(copied), "-o", str(tmp_path / "deploy"), "--trust", str(trust.folder), "--no-lock"]
    done = CliRunner().invoke(cli, [*words, "--load-s", "2", "--memory-mb", "100", *said])
    assert done.exit_code == 0, done.output
    service = yaml.safe_load((tmp_path / "deploy" / "inferenceservice.yaml").read_text())
    (container,) = service["spec"]["predictor"]["containers"]
    assert environment_of(container, {})["LADING_AUTH"] == auth
