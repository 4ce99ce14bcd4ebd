"""`lading ship kserve`: an InferenceService whose image has the bundle; with `--fetch`, a ServingRuntime for bundles.

    caller ── gateway ── Deployment of KServe ── kserve-container, which serves what its image has
                                              └─ storage-initializer before it: --fetch URI ─ /mnt/models

https://kserve.github.io/website/docs/reference/crd-api: `serving.kserve.io/v1beta1` and `v1alpha1`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lading.bundle.bundle import SUFFIX
from lading.errors import UsageError
from lading.ship.files import File
from lading.ship.kubernetes.fetching import trust_map
from lading.ship.kubernetes.names import annotations_of, labels, namespace, object_name
from lading.ship.kubernetes.scaling import most_replicas
from lading.ship.kubernetes.served import settings
from lading.ship.plan import PROGRAM_FOLDER, Plan
from lading.ship.platform_pod import (
    pod_rest,
    pod_volumes,
    refuse_for_platform,
    resource_file,
    serving_container,
    steps_to,
    who_asks,
)

CONTAINER, PORT, PORT_NAME = "kserve-container", 8080, "http1"
"""As KServe calls the container that serves, and where it asks it; the name tells Knative which HTTP it is."""
MODELS_FOLDER = "/mnt/models"
"""Where the storage initializer of KServe puts what it has fetched."""
FORMAT = {"name": "lading", "version": "1"}
"""Of a bundle, by which a runtime is found."""
SERVICE, RUNTIME, TRUST = "inferenceservice.yaml", "servingruntime.yaml", "trust.yaml"
_MODE = {"serving.kserve.io/deploymentMode": "RawDeployment"}
"""A Deployment, not a service of Knative; newer versions call it Standard, and know this name too."""
_METRICS = {"prometheus.kserve.io/port": str(PORT), "prometheus.kserve.io/path": "/metrics"}
_MARGIN_S = 5
_BRACES = "{{"
_ARCHIVES, _AZURE = (".tar.gz", ".tgz", ".tar", ".zip"), ".core.windows.net/"


class KServe:
    """Makes the resources of a model in KServe."""

    needs_measure = True
    auth = "network"
    """What is said where nothing is: KServe's gateway is in front."""

    def files(self, plan: Plan) -> Sequence[File]:
        """The InferenceService; with a place to fetch from also the runtime, and the keys that it trusts.

        Raises:
            UsageError: a setting, a way to ask who it is, or a store does not go with KServe.
            EnvironmentMismatch: PyYAML is not installed.
        """
        refuse_for_platform(plan)
        _refuse_fetch(plan.choices.fetch)
        made = {SERVICE: inference_service(plan)}
        if plan.choices.fetch:
            made = {RUNTIME: serving_runtime(plan), TRUST: trust_map(plan)} | made
        return [resource_file(plan, path, resource, target="kserve") for path, resource in made.items()]

    def next_steps(self, plan: Plan, folder: str) -> Sequence[str]:
        """The image, secrets, what puts it into the cluster, and how it is asked."""
        name = object_name(plan)
        return (
            *steps_to(plan, folder),
            f"kubectl -n {namespace(plan)} wait --for=condition=Ready inferenceservice/{name}",
            f"curl http://GATEWAY/v2/models/{name} -H 'Host: HOST'   # HOST: kubectl get inferenceservice {name}",
            f"# {who_asks(plan)}",
        )


def _refuse_fetch(url: str) -> None:
    """Nothing, where KServe fetches a bundle together with its signature: all of a folder, or what is in an archive."""
    hint = "--fetch s3://models/iris, with the bundle and its signature in it; or https://…/iris.tar.gz with both"
    if url.startswith("az:"):
        raise UsageError("--fetch: KServe knows Azure by https://ACCOUNT.blob.core.windows.net/…", hint=hint)
    if url.endswith(SUFFIX):
        raise UsageError("--fetch: of a single file KServe would leave the signature where it is", hint=hint)
    if url.startswith("https:") and not (url.endswith(_ARCHIVES) or _AZURE in url):
        raise UsageError("--fetch: from the web KServe fetches single files, and takes archives apart", hint=hint)


def inference_service(plan: Plan) -> dict[str, Any]:
    """The InferenceService, which is called as its callers ask for the model."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": object_name(plan),
            "labels": labels(plan),
            "annotations": annotations_of(plan) | _MODE | _METRICS,
        },
        "spec": {"predictor": _scale(plan) | (_fetched(plan) if plan.choices.fetch else _in_image(plan))},
    }


def _scale(plan: Plan) -> dict[str, Any]:
    said = settings(plan)
    return {
        "minReplicas": plan.choices.replicas,
        "maxReplicas": most_replicas(plan),
        # Of the gateway: longer than a request may take here.
        "timeout": math.ceil(said.body_timeout_s + said.request_timeout_s) + _MARGIN_S,
        "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
    }


def _in_image(plan: Plan) -> dict[str, Any]:
    """The pod whose image has the bundle: nothing is fetched, and no runtime is needed."""
    container = _container(plan, served_name=object_name(plan))
    # For a transformer in front of it, which would take it for V1.
    container["env"].append({"name": "PROTOCOL", "value": "v2"})
    return pod_rest(plan) | {"containers": [container], "volumes": pod_volumes(plan)}


def _fetched(plan: Plan) -> dict[str, Any]:
    """What a runtime cannot say of a pod, and the bundle that it is to serve."""
    model = {
        "modelFormat": FORMAT,
        "protocolVersion": "v2",
        "runtime": runtime_name(plan),
        "storageUri": plan.choices.fetch,
    }
    return pod_rest(plan) | {"model": model}


def runtime_name(plan: Plan) -> str:
    """What the runtime is called: it has the libraries of this model, and is found by name."""
    return object_name(plan, "runtime")


def serving_runtime(plan: Plan) -> dict[str, Any]:
    """The runtime, which serves the one bundle that KServe has put where models are."""
    command = (f"{PROGRAM_FOLDER}/bin/lading", "serve", MODELS_FOLDER)
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": runtime_name(plan), "labels": labels(plan), "annotations": annotations_of(plan)},
        "spec": {
            "annotations": _METRICS,
            "supportedModelFormats": [FORMAT | {"autoSelect": True, "priority": 1}],
            "protocolVersions": ["v1", "v2"],
            "multiModel": False,
            "containers": [_filled_in(_container(plan, served_name="", command=command))],
            "volumes": pod_volumes(plan),
        },
    }


def _container(plan: Plan, *, served_name: str, command: Sequence[str] = ()) -> dict[str, Any]:
    return serving_container(
        plan, name=CONTAINER, port=PORT, port_name=PORT_NAME, served_name=served_name, command=command
    )


def _filled_in(container: dict[str, Any]) -> dict[str, Any]:
    """The container of a runtime: a template of Go for KServe, which fills in what the InferenceService is called."""
    made: dict[str, Any] = _escaped(container)
    for variable in made["env"]:
        if variable["name"] == "LADING_SERVED_NAME":
            variable["value"] = "{{.Name}}"
    return made


def _escaped(tree: Any) -> Any:
    """The same, where two braces stand for themselves; within quotes of JSON, so those of Go are backquotes."""
    if isinstance(tree, dict):
        return {name: _escaped(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_escaped(value) for value in tree]
    return tree.replace(_BRACES, "{{`{{`}}") if isinstance(tree, str) else tree
