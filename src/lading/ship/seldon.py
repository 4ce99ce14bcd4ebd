"""`lading ship seldon`: a SeldonDeployment (Seldon Core 1) of one node, whose image has the bundle.

    caller ── gateway ── executor of Seldon ── the container of the node, at localhost:9000, by V2

https://docs.seldon.io/projects/seldon-core/en/latest/reference/seldon-deployment.html. Seldon Core 2 loads models over
gRPC, which is not spoken yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lading.errors import UsageError
from lading.ship.files import File
from lading.ship.kubernetes.names import annotations_of, labels, namespace, object_name
from lading.ship.plan import Plan
from lading.ship.platform_pod import (
    pod_rest,
    pod_volumes,
    refuse_for_platform,
    resource_file,
    serving_container,
    steps_to,
    who_asks,
)

PORT, PORT_NAME = 9000, "http"
"""Of the first node, where the webhook of Seldon finds the port of that name."""
PREDICTOR = "default"
DEPLOYMENT = "seldondeployment.yaml"


class Seldon:
    """Makes the resource of a model in Seldon Core 1."""

    needs_measure = True
    auth = "network"
    """What is said where nothing is: the gateway of Seldon is in front."""

    def files(self, plan: Plan) -> Sequence[File]:
        """The SeldonDeployment.

        Raises:
            UsageError: a setting, a way to ask who it is, a store, or a place to fetch from does not go with Seldon.
            EnvironmentMismatch: PyYAML is not installed.
        """
        _refuse_for_seldon(plan)
        refuse_for_platform(plan)
        return [resource_file(plan, DEPLOYMENT, seldon_deployment(plan), target="seldon")]

    def next_steps(self, plan: Plan, folder: str) -> Sequence[str]:
        """The image, secrets, what puts it into the cluster, and how it is asked."""
        name = object_name(plan)
        return (
            *steps_to(plan, folder),
            f"kubectl -n {namespace(plan)} wait --for=condition=Ready seldondeployment/{name}",
            f"curl http://GATEWAY/seldon/{namespace(plan)}/{name}/v2/models/{name}/infer -d @request.json",
            f"# {who_asks(plan)}",
            "# this is Seldon Core 1: Seldon Core 2 loads models over gRPC, which is not spoken yet",
        )


def _refuse_for_seldon(plan: Plan) -> None:
    if plan.choices.fetch:
        raise UsageError("--fetch: with Seldon the bundle is in the image", hint="leave it out, or lading ship kserve")
    if plan.secrets:
        raise UsageError(
            "--auth: Seldon has its own security context for pods, in which files of a secret cannot be read",
            hint="--auth network, or jwt, which needs no file",
        )


def seldon_deployment(plan: Plan) -> dict[str, Any]:
    """The SeldonDeployment: a graph of one node, which is called as its container and as callers ask for the model."""
    name = object_name(plan)
    predictor = {
        "name": PREDICTOR,
        "replicas": plan.choices.replicas,
        "graph": {
            "name": name,
            "type": "MODEL",
            "endpoint": {"type": "REST", "httpPort": PORT, "service_port": PORT},
            "children": [],
        },
        "componentSpecs": [
            {"metadata": {"labels": labels(plan), "annotations": annotations_of(plan)}, "spec": _pod(plan)}
        ],
    }
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "labels": labels(plan), "annotations": annotations_of(plan)},
        "spec": {"name": name, "protocol": "v2", "predictors": [predictor]},
    }


def _pod(plan: Plan) -> dict[str, Any]:
    name = object_name(plan)
    container = serving_container(plan, name=name, port=PORT, port_name=PORT_NAME, served_name=name)
    # An empty one: else Seldon adds a `preStop` of /bin/sh, and a pod drains by itself.
    container["lifecycle"] = {}
    return pod_rest(plan) | {"containers": [container], "volumes": pod_volumes(plan)}
