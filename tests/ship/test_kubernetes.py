"""`lading ship kubernetes`: kustomize builds it as it is, Kubernetes knows every field, and names stay names."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
import yaml
from click.testing import CliRunner

from lading.cli import cli
from lading.errors import LadingError, UsageError
from lading.ship.kubernetes.kubernetes import Kubernetes
from lading.ship.kubernetes.names import label_value, object_name, selector
from lading.ship.measuring import Measured
from lading.ship.plan import Plan
from lading.ship.shipper import _points

from .hostile import CONTROLS, HOSTILE
from .kustomized import (
    CASES,
    DEFINED_ELSEWHERE,
    LOCAL,
    MONITORED,
    OVERLAYS,
    PRODUCTION,
    case_plan,
    containers_of,
    files_of,
    kinds,
    kubectl_objects,
    made_of,
    needs_kubectl,
    objects,
    one_of,
    pod_of,
    workload_of,
)

Make = Callable[..., Plan]
VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")


@needs_kubectl
@pytest.mark.parametrize("case", CASES)
def test_kustomize_builds_it_as_it_was_written(case: str, renamed: Make, tmp_path: Path):
    made = case_plan(case, renamed)
    for overlay in (LOCAL, MONITORED):  # the latter has all of production
        told = kubectl_objects(made, overlay, tmp_path)
        assert _sorted(told) == _sorted(objects(made, overlay))


def _sorted(found: list[dict[str, Any]]) -> list[str]:
    return sorted(_text(each) for each in found)


def _text(each: dict[str, Any]) -> str:
    return json.dumps(each, sort_keys=True)


@pytest.mark.parametrize("case", CASES)
def test_yaml_holds_what_was_made(case: str, renamed: Make):
    made = case_plan(case, renamed)
    told, expected = files_of(made), made_of(made)
    assert {path: told[path] for path in expected} == expected
    assert set(told) - set(expected) <= {"prometheus-adapter/values.yaml"}


@pytest.fixture(autouse=True)
def schemas_are_read_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kubernetes_validate.utils.schema_contents", READ_ONCE)


READ_ONCE = functools.cache(kubernetes_validate.utils.schema_contents)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str, renamed: Make):
    plans = [case_plan(case, renamed) for case in CASES]
    found = [each for made in plans for overlay in ("base", *OVERLAYS) for each in objects(made, overlay)]
    different = {_text(each): each for each in found}
    for each in different.values():
        if each["kind"] not in DEFINED_ELSEWHERE:
            kubernetes_validate.validate(each, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_found(plan: Make):
    service = one_of(objects(plan()), "Service")
    service["spec"]["selectors"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="selectors"):
        kubernetes_validate.validate(service, VERSIONS[0], strict=True)


def test_the_versions_are_the_last_six():
    known = kubernetes_validate.utils.latest_version()
    assert VERSIONS[-1] == ".".join(known.split(".")[:2])


def test_each_overlay_has_what_belongs_there(plan: Make):
    base = {"ServiceAccount", "ConfigMap", "Service", "NetworkPolicy", "Deployment"}
    made = plan()
    assert kinds(objects(made, "base")) == kinds(objects(made, LOCAL)) == base
    production = base | {"PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"}
    assert kinds(objects(made, PRODUCTION)) == production
    assert kinds(objects(made, MONITORED)) == production | {"ServiceMonitor", "PrometheusRule"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_in_the_namespace(overlay: str, plan: Make):
    found = objects(plan(namespace="models"), overlay)
    assert {each["metadata"]["namespace"] for each in found} == {"models"}


def test_locally_it_is_one_replica_of_an_image_that_was_loaded(renamed: Make):
    found = objects(case_plan("fetched", renamed), LOCAL)
    assert workload_of(found)["spec"]["replicas"] == 1
    assert {each["imagePullPolicy"] for each in containers_of(found)} == {"Never"}


def test_in_production_pods_are_spread_and_their_number_is_left_to_the_load(plan: Make):
    made = plan(replicas=3, max_replicas=7)
    found = objects(made, PRODUCTION)
    assert "replicas" not in workload_of(found)["spec"]
    scaler = one_of(found, "HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 7)
    spread = pod_of(found)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


def test_where_nothing_scales_the_number_is_said(plan: Make):
    found = objects(plan(replicas=3, max_replicas=3), PRODUCTION)
    assert workload_of(found)["spec"]["replicas"] == 3
    assert "HorizontalPodAutoscaler" not in kinds(found)


def test_requests_are_counted_where_that_is_said(plan: Make):
    made = plan(requests_per_second=12.5)
    metrics = one_of(objects(made, PRODUCTION), "HorizontalPodAutoscaler")["spec"]["metrics"]
    (rule,) = files_of(made)["prometheus-adapter/values.yaml"]["rules"]["custom"]
    assert metrics[1]["pods"]["metric"]["name"] == rule["name"]["as"]
    assert metrics[1]["pods"]["target"]["averageValue"] == "12500m"
    assert "prometheus-adapter/values.yaml" not in files_of(plan())


# --- what was measured


def test_memory_and_the_time_of_a_start_are_those_that_were_measured(plan: Make):
    measured = Measured(load_s=41, memory_bytes=1000 << 20, is_estimate=False)
    found = objects(_with(plan(), measured))
    (container,) = containers_of(found)
    assert container["resources"]["requests"] == {"cpu": "1", "memory": "1504Mi"}
    probe = container["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] >= 3 * 41
    assert workload_of(found)["spec"]["progressDeadlineSeconds"] >= 3 * 41


def test_of_what_was_estimated_there_is_more(plan: Make):
    known = Measured(load_s=1, memory_bytes=1000 << 20, is_estimate=False)
    guessed = Measured(load_s=1, memory_bytes=1000 << 20, is_estimate=True)
    memories = [
        containers_of(objects(_with(plan(), each)))[0]["resources"]["limits"]["memory"] for each in (known, guessed)
    ]
    assert memories == ["1504Mi", "2000Mi"]


def _with(plan: Plan, measured: Measured) -> Plan:
    return msgspec.structs.replace(plan, measured=measured)


# --- names


@pytest.mark.parametrize("name", [*HOSTILE, "on", "1e3", "-", "a" * 63, "x.Y_z"])
def test_hostile_names_change_nothing_but_names(name: str, renamed: Make, plan: Make):
    made, usual = renamed(name=name, version=name), made_of(plan())
    told = files_of(made)
    assert told == made_of(made)
    assert {path: shape(each) for path, each in told.items()} == {path: shape(each) for path, each in usual.items()}


def shape(tree: Any) -> Any:
    """What is there without what is named."""
    if isinstance(tree, dict):
        return [shape(value) for value in tree.values()]
    return [shape(value) for value in tree] if isinstance(tree, list) else type(tree)


@pytest.mark.parametrize("name", [*HOSTILE, "on", "1e3", "-", "a" * 63, "x.Y_z"])
def test_kubernetes_takes_every_name(name: str, renamed: Make):
    made = renamed({"store": "postgresql"}, name=name, version=name)
    for each in objects(made):
        assert is_service_name(each["metadata"]["name"])
        for value in each["metadata"]["labels"].values():
            assert is_label_value(value)


def is_service_name(name: str) -> bool:
    """Of a Service, which is the strictest: RFC 1035."""
    is_plain = name.isascii() and name.replace("-", "").isalnum() and name == name.lower()
    return is_plain and name[0].isalpha() and name[-1] != "-" and len(name) <= 63


def is_label_value(value: str) -> bool:
    is_plain = value.isascii() and value.translate(dict.fromkeys(map(ord, "-_."))).isalnum()
    return is_plain and value[0].isalnum() and value[-1].isalnum() and len(value) <= 63


def test_long_names_that_differ_at_their_end_stay_two(renamed: Make):
    one, other = (renamed(name=f"{'a' * 61}{end}") for end in "xy")
    assert object_name(one) != object_name(other)
    assert selector(one) != selector(other)


def test_a_version_with_a_plus_is_a_label(renamed: Make):
    assert label_value("1.0+cu12") == "1.0_cu12"
    (label,) = {
        each["metadata"]["labels"]["app.kubernetes.io/version"] for each in objects(renamed(version="1.0+cu12"))
    }
    assert label == "1.0_cu12"


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_refused(control: str, renamed: Make):
    with pytest.raises(UsageError, match="control characters"):
        Kubernetes().files(renamed(version=control))


@pytest.mark.parametrize("value", ["$(HOME)", "$$(A)", "a $ b", "'x'", '"', "{{7*7}}", "yes", "1e3", "ü: # x"])
def test_the_value_of_a_setting_arrives_as_it_is(value: str, plan: Make):
    made = (
        plan(settings={"client_scopes": value})
        if False
        else plan(settings={"features_cache_rows": "7", "jwt_issuer": value})
    )
    data = one_of(objects(made), "ConfigMap")["data"]
    assert data["LADING_JWT_ISSUER"] == value
    assert data["LADING_FEATURES_CACHE_ROWS"] == "7"


def test_a_dollar_in_a_command_is_no_variable(renamed: Make, tmp_path: Path):
    made = case_plan("fetched", renamed)
    hostile = tmp_path / "$(HOME)$$.lading"
    for suffix in ("", ".sig"):
        hostile.with_name(hostile.name + suffix).write_bytes(b"x")
    (container,) = pod_of(objects(msgspec.structs.replace(made, bundle=hostile)))["containers"]
    assert expanded(container["command"][-1]) == "/models/$(HOME)$$.lading"


def expanded(text: str) -> str:
    """What Kubernetes makes of it where no variable is known: `$$` is a dollar, and `$(NAME)` would stay."""
    return text.replace("$$", "$")


def test_the_command_that_fetches_is_one(renamed: Make, copied: Path, trust: Any, tmp_path: Path):
    made = case_plan("fetched", renamed)
    (fetching,) = pod_of(objects(made))["initContainers"]
    places = {made.choices.fetch: copied, "/models/iris-1.0.0.lading": tmp_path / "models" / "iris-1.0.0.lading"}
    places["/etc/lading/trust"] = trust.folder
    (tmp_path / "models").mkdir()
    words = [str(places.get(word, word)) for word in fetching["command"]]
    assert words[0] == "/opt/lading/bin/lading"
    done = CliRunner().invoke(cli, words[1:])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "models" / "iris-1.0.0.lading").read_bytes() == copied.read_bytes()


def test_what_fetches_from_a_bucket_is_installed(plan: Make):
    assert plan(fetch="gs://models/iris.lading").extras == ("fetch",)
    assert plan(fetch="https://models.example.com/iris.lading").extras == ()


# --- changes


def test_other_settings_make_other_pods(plan: Make):
    def names(**choices: Any) -> tuple[str, Any]:
        found = objects(plan(**choices))
        (container,) = containers_of(found)
        return one_of(found, "ConfigMap")["metadata"]["name"], container["envFrom"]

    one, other = names(), names(settings={"max_rows": "7"})
    assert one == names() != other
    assert other[1] == [{"configMapRef": {"name": other[0]}}]


def test_what_cannot_be_changed_does_not_change_with_the_version(renamed: Make):
    choices = {"store": "postgresql"}
    old, new = (workload_of(objects(renamed(choices, version=version)))["spec"] for version in ("1.0.0", "2.0.0"))
    for field in ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"):
        assert old[field] == new[field]
    assert old["template"] != new["template"]


# --- refusals


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"image": "registry.example.com/iris:latest"}, "latest"),
        ({"image": "registry.example.com/iris"}, "a name in lower case, and a tag"),
        ({"store": "sqlite"}, "one replica"),
        ({"store": "sqlite", "replicas": 1, "max_replicas": 2}, "one replica"),
        ({"store": "mysql"}, "none, sqlite or postgresql"),
        ({"entrance": "nodeport"}, "ingress, gateway or none"),
        ({"entrance": "gateway"}, "needs a class"),
        ({"host": "10.1.2.3"}, "name of DNS"),
        ({"host": "a-.example.com"}, "name of DNS"),
        ({"auth": "certificate"}, "TLS ends"),
        ({"auth": "basic"}, "behind TLS"),
        ({"settings": {"port": "9000"}}, "--set port"),
        ({"name": "Iris"}, "--name"),
        ({"namespace": "a.b"}, "--namespace"),
        ({"labels": {"team": "a b"}}, "--label"),
        ({"labels": {"/team": "a"}}, "--label"),
        ({"callers": ("10.0.0.1/8",)}, "--from"),
        ({"callers": ("Ingress",)}, "--from"),
        ({"entrance_class": "a b"}, "--ingress-class"),
        ({"max_replicas": 1}, "2 at least"),
        ({"max_replicas": 2, "requests_per_second": 5}, "never more"),
        ({"requests_per_second": -1}, "--requests-per-second"),
        ({"storage": "10"}, "--storage"),
        ({"storage": "10Gi\n"}, "--storage"),
        ({"fetch": "ftp://host/iris.lading"}, "expected where the bundle is"),
        ({"fetch": "s3://models"}, "expected where the bundle is"),
        ({"fetch": "https://me:word@host/iris.lading"}, "no password"),
        ({"fetch": "https://host/iris.lading?X-Amz-Signature=1"}, "no query"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(choices: dict[str, Any], words: str, plan: Make):
    with pytest.raises(LadingError, match=words) as refused:
        Kubernetes().files(plan(**choices))
    assert "word" not in str(refused.value).replace("password", "")


def test_an_image_by_its_digest_may_be_called_anything(plan: Make):
    image = f"registry.example.com/iris:latest@sha256:{'0' * 64}"
    (container,) = containers_of(objects(plan(image=image)))
    assert container["image"] == image


# --- the command


def test_the_command_writes_it_and_nobody_edits_anything(
    copied: Path, trust: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lading.ship.shipper._points", lambda: _points() | {"kubernetes": _Point()})
    folder = tmp_path / "deploy here"
    said = ["ship", "kubernetes", str(copied), "-o", str(folder), "--trust", str(trust.folder), "--no-lock"]
    more = ["--label", "team=fraud", "--from", "traefik", "--load-s", "2", "--memory-mb", "100", "--json"]
    done = CliRunner().invoke(cli, [*said, *more])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told["files"].values()) == {"new"}
    assert any(step.startswith(f"kubectl apply -k '{folder}'/overlays/production") for step in told["next"])
    made = yaml.safe_load((folder / "base" / "deployment.yaml").read_text())
    assert made["metadata"]["labels"]["team"] == "fraud"
    assert not any("TODO" in path.read_text() or "CHANGE" in path.read_text() for path in folder.rglob("*.yaml"))


class _Point:
    def load(self) -> type[Kubernetes]:
        return Kubernetes


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_next_names_what_is_not_written(case: str, renamed: Make):
    made = case_plan(case, renamed)
    steps = "\n".join(Kubernetes().next_steps(made, "deploy"))
    for name in _secrets(objects(made)):
        assert f"create secret generic {name} " in steps or f"create secret tls {name} " in steps
    assert "lading ship docker" in steps if made.choices.fetch else "lading image" in steps
    assert "is kept" in steps or "goes on with its volume" in steps


def _secrets(tree: Any) -> set[str]:
    """Every secret that objects name, however."""
    if isinstance(tree, list):
        return {name for each in tree for name in _secrets(each)}
    if not isinstance(tree, dict):
        return set()
    own = {tree["secretName"]} if "secretName" in tree else set()
    references = ("secretRef", "secretKeyRef", "credentials", "username", "password")
    own |= {tree[key]["name"] for key in references if isinstance(tree.get(key), dict)}
    own |= {each["name"] for each in tree.get("certificateRefs", ())}
    return own.union(*(_secrets(value) for value in tree.values()))
