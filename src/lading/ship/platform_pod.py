"""What a serving platform gets of the pod that Kubernetes has: it says the port, and what the model is called there."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from lading import __version__
from lading.errors import UsageError
from lading.settings import words
from lading.ship.files import File, text_file
from lading.ship.kubernetes.names import namespace, object_name
from lading.ship.kubernetes.refusals import refuse_for_cluster
from lading.ship.kubernetes.served import env, literal, variables
from lading.ship.kubernetes.workload import container, grace_s, pod_security, volumes
from lading.ship.plan import Plan, environment
from lading.ship.yaml_text import yaml_text

_FETCHED = ("models",)
"""Volumes with a bundle that an init container of ours fetches; a platform has its own for that."""
_SETTLED = {
    **dict.fromkeys(("host", "port", "unix_socket"), "the platform says where it is asked"),
    "served_name": "it is called by the name of its resource: --name",
    "root_path": "the gateway takes its prefix off",
}
"""Settings that nobody has to make here, and why."""


def refuse_for_platform(plan: Plan) -> None:
    """Nothing, where the plan can be run behind the gateway of a platform.

    Raises:
        UsageError: a setting, a way to ask who it is, an image, or a store does not go with it.
    """
    for name, why in _SETTLED.items():
        if name in plan.choices.settings:
            raise UsageError(f"--set {name}: {why}", hint="leave it out")
    refuse_for_cluster(plan)
    if plan.choices.store != "none":
        raise UsageError("--store: the pods of a platform keep nothing", hint="lading ship kubernetes")


def serving_container(
    plan: Plan, *, name: str, port: int, port_name: str, served_name: str, command: Sequence[str] = ()
) -> dict[str, Any]:
    """What serves.

    Args:
        plan: what is shipped.
        name: of the container, by which the platform knows it.
        port: at which the platform asks.
        port_name: what that is called.
        served_name: by which it asks for the model.
        command: in place of what the image runs.
    """
    made = container(plan)
    said = variables(plan) | environment({"port": str(port), "served_name": served_name})
    return {
        "name": name,
        "image": made["image"],
        "imagePullPolicy": made["imagePullPolicy"],
        **({"command": [literal(word) for word in command]} if command else {}),
        "env": [*env(said), *made.get("env", [])],
        "ports": [{"name": port_name, "containerPort": port, "protocol": "TCP"}],
        "resources": made["resources"],
        **{word: _at(made[word], port) for word in ("startupProbe", "readinessProbe", "livenessProbe")},
        # What holds for a whole pod is the platform's to say, and not every one takes it from here.
        "securityContext": made["securityContext"]
        | {word: pod_security()[word] for word in ("runAsUser", "runAsGroup", "seccompProfile")},
        "volumeMounts": [mount for mount in made["volumeMounts"] if mount["name"] not in _FETCHED],
    }


def _at(probe: Mapping[str, Any], port: int) -> dict[str, Any]:
    """The same probe, at a port by its number: platforms give names of their own to ports."""
    return dict(probe) | {"httpGet": probe["httpGet"] | {"port": port}}


def pod_rest(plan: Plan) -> dict[str, Any]:
    """What a pod is beside its containers and volumes; a platform may start others in it, as other users."""
    security = {name: value for name, value in pod_security().items() if name not in ("runAsUser", "runAsGroup")}
    return {
        "automountServiceAccountToken": False,
        # Of a Service that is called lading, LADING_PORT would be tcp://…
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_s(plan),
        "securityContext": security,
    }


def pod_volumes(plan: Plan) -> list[dict[str, Any]]:
    """What is mounted."""
    return [volume for volume in volumes(plan) if volume["name"] not in _FETCHED]


def resource_file(plan: Plan, path: str, resource: Mapping[str, Any], *, target: str, note: str = "") -> File:
    """The file of a resource, which says where it is from.

    Args:
        plan: what is shipped.
        path: of the file.
        resource: what is in it.
        target: word behind `lading ship`.
        note: what its reader has to know first.
    """
    made = f"Made by Lading {__version__} from {plan.manifest.name} {plan.manifest.version}: lading ship {target}"
    lines = [made, *note.splitlines()]
    return text_file(path, "".join(f"# {line}\n" for line in lines) + yaml_text(resource))


def steps_to(plan: Plan, folder: str) -> list[str]:
    """The commands that come next: the image, secrets, and what puts a folder into the cluster."""
    within = f"kubectl -n {namespace(plan)}"
    # These resources are large for what a client would note on each of them.
    applied = f"{within} apply --server-side -f {folder}"
    return [*_image(plan), f"kubectl create namespace {namespace(plan)}", *_secrets(plan, within), applied]


def _image(plan: Plan) -> list[str]:
    options = ["--auth", plan.choices.auth] * ("jwt" in words(plan.choices.auth))
    options += [word for extra in plan.choices.extras for word in ("--extra", extra)]
    options += ["--base", plan.choices.base] * bool(plan.choices.base)
    return [
        f"lading image {shlex.join([str(plan.bundle), '-t', plan.image, *options])}",
        f"docker push {plan.image}",
    ]


def _secrets(plan: Plan, within: str) -> list[str]:
    files = " ".join(f"--from-file={file}" for file in plan.secrets.values())
    made = {"keys": files, "features": '--from-literal=url="$LADING_FEATURES_URL"' * bool(plan.manifest.features)}
    return [f"{within} create secret generic {object_name(plan, part)} {what}" for part, what in made.items() if what]


def who_asks(plan: Plan) -> str:
    """Who asks callers who they are, in so many words."""
    if plan.choices.auth == "network":
        return "LADING_AUTH=network: nobody here asks callers who they are; the gateway or the mesh in front has to"
    return f"LADING_AUTH={shlex.quote(plan.choices.auth)}: the gateway has to leave credentials as callers send them"
