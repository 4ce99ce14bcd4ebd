"""What is applied to a cluster: the objects of an overlay, as kustomize puts them together."""

import copy
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from lading.bundle.lookups import Lookup
from lading.ship.files import File, write_files
from lading.ship.kubernetes.kubernetes import Kubernetes
from lading.ship.kubernetes.kustomization import folders
from lading.ship.plan import Plan

Object = dict[str, Any]
Renamed = Callable[..., Plan]

LOCAL, PRODUCTION, MONITORED = "overlays/local", "overlays/production", "overlays/monitored"
OVERLAYS = (LOCAL, PRODUCTION, MONITORED)
DEFINED_ELSEWHERE = {"Gateway", "HTTPRoute", "PrometheusRule", "ServiceMonitor"}
"""Kinds that Kubernetes itself does not have."""
JWT = {"jwt_issuer": "https://id.example.com", "jwt_audience": "iris", "jwks_url": "https://id.example.com:8443/keys"}
LOOKUP = {"customer": Lookup(key="id", columns=("a",), sql="SELECT 1")}
CASES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "usual": ({"host": "models.example.com"}, {}),
    "one": ({"replicas": 1, "max_replicas": 1}, {}),
    "sqlite": ({"store": "sqlite", "replicas": 1}, {}),
    "postgresql": ({"store": "postgresql", "replicas": 3}, {}),
    "fetched": ({"fetch": "s3://models/iris-1.0.0.lading", "image": "registry.example.com/iris:1"}, {}),
    "gateway": ({"entrance": "gateway", "entrance_class": "eg", "auth": "network"}, {}),
    "jwt": ({"auth": "jwt,keys", "settings": JWT | {"root_path": "/models/iris"}}, {}),
    "basic": ({"auth": "basic", "settings": {"trusted_hops": "10.0.0.0/8"}, "callers": ("10.0.0.0/8",)}, {}),
    "tokens": ({"auth": "tokens", "entrance": "none", "labels": {"team": "fraud", "example.com/cost": "7"}}, {}),
    "counted": ({"requests_per_second": 12.5, "max_replicas": 20, "settings": {"workers": "2"}}, {}),
    "features": ({}, {"features": LOOKUP}),
}
"""Choices, and what the manifest says: all that makes a difference in what is written."""

KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed: apt-get install kubernetes-client")


def case_plan(name: str, renamed: Renamed) -> Plan:
    choices, manifest = CASES[name]
    return renamed(choices, **manifest)


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def files_of(plan: Plan) -> dict[str, Any]:
    """What is in each file, as YAML is read."""
    return {file.path: yaml.load(file.data, _LOADER) for file in Kubernetes().files(plan)}


def made_of(plan: Plan) -> dict[str, Any]:
    """The same as it was before it was written."""
    return {f"{folder}/{name}": each for folder, made in folders(plan).items() for name, each in made.items()}


def kubectl_objects(plan: Plan, overlay: str, folder: Path) -> list[Object]:
    """The objects of an overlay, as kubectl builds it from the files as they were written."""
    made: Sequence[File] = Kubernetes().files(plan)
    write_files(made, folder)
    assert KUBECTL is not None
    command = [KUBECTL, "kustomize", str(folder / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return list(yaml.load_all(done.stdout, _LOADER))


# --- the same without kubectl, as far as it is used here


def objects(plan: Plan, overlay: str = MONITORED) -> list[Object]:
    """The objects of an overlay."""
    return copy.deepcopy(list(_built(made_of(plan), overlay)))


def _built(files: Mapping[str, Any], folder: str) -> Iterator[Object]:
    said = files[f"{folder}/kustomization.yaml"]
    known = {"apiVersion", "kind", "namespace", "resources", "components", "patches"}
    assert set(said) <= known
    patches = [files[f"{folder}/{patch['path']}"] for patch in said.get("patches", ())]
    for name in (*said.get("resources", ()), *said.get("components", ())):
        path = _joined(folder, name)
        for each in [files[path]] if path in files else _built(files, path):
            for patch in patches:
                if _identity(patch) == _identity(each):
                    each = _merged(each, patch)
            named = {"namespace": said["namespace"]} if "namespace" in said else {}
            yield each | {"metadata": each["metadata"] | named}


def _joined(folder: str, name: str) -> str:
    parts: list[str] = []
    for part in PurePosixPath(folder, name).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


def _identity(each: Object) -> tuple[str, str, str]:
    return each["apiVersion"], each["kind"], each["metadata"]["name"]


def _merged(one: Any, other: Any) -> Any:
    """A strategic merge: lists of what has names are merged by these, others are replaced."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {key: _merged(one[key], value) if key in one else value for key, value in other.items()}
    if isinstance(one, list) and all("name" in each for each in (*one, *other)):
        by_name = {each["name"]: each for each in other}
        return [_merged(each, by_name.get(each["name"], {})) for each in one]
    return other


# --- looking at them


def one_of(found: Sequence[Object], kind: str) -> Object:
    (each,) = (each for each in found if each["kind"] == kind)
    return each


def kinds(found: Sequence[Object]) -> set[str]:
    return {each["kind"] for each in found}


def workload_of(found: Sequence[Object]) -> Object:
    (each,) = (each for each in found if each["kind"] in ("Deployment", "StatefulSet"))
    return each


def pod_of(found: Sequence[Object]) -> Object:
    spec: Object = workload_of(found)["spec"]["template"]["spec"]
    return spec


def containers_of(found: Sequence[Object]) -> list[Object]:
    pod = pod_of(found)
    return [*pod.get("initContainers", ()), *pod["containers"]]
