"""The pods: one container each that may do next to nothing, with bounds and probes that were measured.

A pod that is to end gets no `preStop`. What that would do, Lading does by itself at SIGTERM: for `drain_s` seconds it
still takes connections and answers them, while everybody in front learns that it leaves, and it says so to callers with
`Connection: close`, which a pod that sleeps cannot. That needs no program in the image, is the same in every version of
Kubernetes, and holds with Knative too, which allows no `preStop`. To give a slow load balancer more time, say
`--set drain_s=30`.
"""

from __future__ import annotations

import math
from typing import Any

from lading.ship.kubernetes.fetching import (
    fetching_container,
    fetching_mounts,
    fetching_volumes,
    serving_command,
)
from lading.ship.kubernetes.names import annotations_of, labels, metadata, object_name, selector
from lading.ship.kubernetes.quantities import MIB, mebibytes
from lading.ship.kubernetes.served import POD_SECRETS_FOLDER, settings, settings_map
from lading.ship.plan import DATA_FOLDER, PORT, USER_ID, Plan

CONTAINER, PORT_NAME = "lading", "http"
TMP_BYTES, DATA_BYTES = 256 * MIB, 64 * MIB
HEADROOM, HEADROOM_OF_ESTIMATE = 0.5, 1.0
"""Of memory, beyond what was measured: several large requests at once, and what another machine does otherwise."""
MIN_MEMORY_BYTES = 128 * MIB
MIN_START_S, START_FACTOR = 60, 3
"""What a start may take at least, and how many times what was measured."""
MIN_READY_S = 5
MARGIN_S = 10
"""Beyond `drain_s` and `shutdown_s`, until a pod is killed."""
_START_EVERY_S, _READY_EVERY_S, _LIVE_EVERY_S = 2, 5, 10
_SECRET_MODE = 0o440
"""With the group of the pod; who serves takes a file of root's that its group may read."""
_NO_WAIT_S = 600


def workload(plan: Plan) -> dict[str, Any]:
    """The Deployment; a StatefulSet where each pod keeps what is its own."""
    return _stateful_set(plan) if plan.choices.store == "postgresql" else _deployment(plan)


def _deployment(plan: Plan) -> dict[str, Any]:
    spec = {
        "selector": {"matchLabels": selector(plan)},
        "strategy": _strategy(plan),
        "minReadySeconds": MIN_READY_S,
        "progressDeadlineSeconds": max(_NO_WAIT_S, 2 * start_s(plan)),
        "revisionHistoryLimit": 5,
        "template": pod_template(plan),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(plan), "spec": spec}


def _strategy(plan: Plan) -> dict[str, Any]:
    if plan.choices.store == "sqlite":  # its volume is for one at a time
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def _stateful_set(plan: Plan) -> dict[str, Any]:
    spec = {
        "serviceName": object_name(plan),
        "selector": {"matchLabels": selector(plan)},
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "minReadySeconds": MIN_READY_S,
        "revisionHistoryLimit": 5,
        "template": pod_template(plan),
        # Nothing in it ever changes, as no StatefulSet can change it: so no version stands there.
        "volumeClaimTemplates": [
            {"metadata": {"name": "data", "labels": selector(plan)}, "spec": _claim_spec(plan)},
        ],
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(plan), "spec": spec}


def claim(plan: Plan) -> dict[str, Any]:
    """The claim of a volume that outlives pods, for the one that writes to it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(plan, "data"),
        "spec": _claim_spec(plan),
    }


def _claim_spec(plan: Plan) -> dict[str, Any]:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": plan.choices.storage}}}


# --- the pod


def pod_template(plan: Plan) -> dict[str, Any]:
    """What each pod is made from."""
    return {"metadata": {"labels": labels(plan), "annotations": annotations_of(plan)}, "spec": pod(plan)}


def pod(plan: Plan) -> dict[str, Any]:
    """The pod: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/."""
    fetching = fetching_container(plan, container_security())
    return {
        "serviceAccountName": object_name(plan),
        "automountServiceAccountToken": False,
        # Of a Service that is called lading, LADING_PORT would be tcp://…
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_s(plan),
        "securityContext": pod_security(),
        **({"initContainers": [fetching]} if fetching else {}),
        "containers": [container(plan)],
        "volumes": volumes(plan),
    }


def grace_s(plan: Plan) -> int:
    """Seconds from SIGTERM until a pod is killed: more than it takes to drain and to finish."""
    return math.ceil(settings(plan).drain_s + settings(plan).shutdown_s) + MARGIN_S


def pod_security() -> dict[str, Any]:
    """What holds for all containers: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """What a container may do, which is next to nothing."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }


# --- the container


def container(plan: Plan) -> dict[str, Any]:
    """What serves."""
    command = serving_command(plan)
    return {
        "name": CONTAINER,
        "image": plan.image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": command} if command else {}),
        "envFrom": [{"configMapRef": {"name": settings_map(plan)["metadata"]["name"]}}],
        **({"env": [_features_variable(plan)]} if plan.manifest.features else {}),
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "resources": resources(plan),
        **probes(plan),
        "securityContext": container_security(),
        "volumeMounts": _mounts(plan),
    }


def _features_variable(plan: Plan) -> dict[str, Any]:
    reference = {"name": object_name(plan, "features"), "key": "url"}
    return {"name": "LADING_FEATURES_URL", "valueFrom": {"secretKeyRef": reference}}


def resources(plan: Plan) -> dict[str, Any]:
    """What it is promised and what it may take: of memory the same, of processors more, for the start."""
    measured, said = plan.measured, settings(plan)
    headroom = HEADROOM_OF_ESTIMATE if measured.is_estimate else HEADROOM
    memory = mebibytes(max(MIN_MEMORY_BYTES, measured.memory_bytes * (1 + headroom)))
    processors = said.workers * said.threads
    return {
        "requests": {"cpu": str(processors), "memory": memory},
        "limits": {"cpu": str(processors + 1), "memory": memory},
    }


def probes(plan: Plan) -> dict[str, Any]:
    """When it has started, when it gets requests, and when it is started anew, which asks nothing of the model."""
    return {
        "startupProbe": _probe("/ready", _START_EVERY_S, start_s(plan) // _START_EVERY_S),
        "readinessProbe": _probe("/ready", _READY_EVERY_S, 2),
        "livenessProbe": _probe("/health", _LIVE_EVERY_S, 6),
    }


def start_s(plan: Plan) -> int:
    """Seconds that a start may take."""
    wanted_s = max(MIN_START_S, START_FACTOR * plan.measured.load_s)
    return math.ceil(wanted_s / _START_EVERY_S) * _START_EVERY_S


def _probe(path: str, every_s: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT_NAME},
        "periodSeconds": every_s,
        "timeoutSeconds": min(every_s, 5),
        "failureThreshold": failures,
    }


def _mounts(plan: Plan) -> list[dict[str, Any]]:
    secrets = {"name": "keys", "mountPath": POD_SECRETS_FOLDER, "readOnly": True}
    return [
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "data", "mountPath": DATA_FOLDER},
        *[secrets] * bool(plan.secrets),
        *fetching_mounts(plan),
    ]


def volumes(plan: Plan) -> list[dict[str, Any]]:
    """What is mounted; of a StatefulSet the claim of each pod comes by itself."""
    keys = {"name": "keys", "secret": {"secretName": object_name(plan, "keys"), "defaultMode": _SECRET_MODE}}
    kept = {
        "none": [{"name": "data", "emptyDir": {"sizeLimit": mebibytes(DATA_BYTES)}}],
        "sqlite": [{"name": "data", "persistentVolumeClaim": {"claimName": object_name(plan, "data")}}],
        "postgresql": [],
    }
    return [
        {"name": "tmp", "emptyDir": {"sizeLimit": mebibytes(TMP_BYTES)}},
        *kept[plan.choices.store],
        *[keys] * bool(plan.secrets),
        *fetching_volumes(plan),
    ]
