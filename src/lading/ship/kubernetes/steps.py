"""What comes next: the commands, and what is good to know before them, behind a `#`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lading.settings import words
from lading.ship.cluster_choices import OBJECT_STORES
from lading.ship.compose.prometheus import USER, credentials_name
from lading.ship.kubernetes.kustomization import LOCAL, MONITORED, PRODUCTION
from lading.ship.kubernetes.monitoring import credentials_command
from lading.ship.kubernetes.names import namespace, object_name
from lading.ship.kubernetes.network import SERVICE_PORT, callers
from lading.ship.kubernetes.scaling import METRIC
from lading.ship.kubernetes.workload import workload
from lading.ship.plan import PORT, Plan

ADAPTER = "prometheus-adapter/values.yaml"
_KEYS = "(umask 077; lading keys create {} --keys-file keys.json > {})"
_MAKERS = {
    "keys_file": _KEYS.format("web-shop", "web-shop.key"),
    "users_file": "lading users add alice --users-file users.json",
    "token_secret_file": "(umask 077; openssl rand -hex 32 > token.secret)",
}
_METRICS_MAKERS = {
    "metrics.key": _KEYS.format("prometheus --scope metrics", "metrics.key"),
    "metrics.password": f"lading users add {USER} --scope metrics --users-file users.json"
    "   # and its password, without a line end, into metrics.password",
}
_KEPT = {
    "none": "nothing is kept when a pod ends",
    "sqlite": "what is written to the volume is kept; a later version of Lading records answers there",
    "postgresql": "each pod goes on with its volume; a later version of Lading records answers there, for the database",
}


def next_steps(plan: Plan, folder: str) -> Sequence[str]:
    """All of them, in their order."""
    steps = [*_image(plan), *_namespace(plan), *_secrets(plan), *_local(plan, folder), *_production(plan, folder)]
    return [*steps, *(f"# {sentence}" for sentence in _to_know(plan))]


def _image(plan: Plan) -> list[str]:
    options = ["--auth", plan.choices.auth] * ("jwt" in words(plan.choices.auth))
    options += [word for name, value in plan.choices.settings.items() for word in ("--set", f"{name}={value}")]
    options += [word for extra in plan.choices.extras for word in ("--extra", extra)]
    options += ["--base", plan.choices.base] * bool(plan.choices.base)
    bundle = str(plan.bundle)
    if not plan.choices.fetch:
        return [f"lading image {shlex.join([bundle, '-t', plan.image, *options])}"]
    said = shlex.join([bundle, "--fetch", plan.choices.fetch, "--image", plan.image, *options])
    return [f"lading ship docker {said} -o image", f"docker build -t {plan.image} image"]


def _namespace(plan: Plan) -> list[str]:
    named = namespace(plan)
    enforced = f"kubectl label namespace {named} pod-security.kubernetes.io/enforce=restricted"
    return [f"kubectl create namespace {named} && {enforced}"]


def _secrets(plan: Plan) -> list[str]:
    files = " ".join(f"--from-file={file}" for file in plan.secrets.values())
    metrics = credentials_name(plan)
    address = '--from-literal=url="$LADING_FEATURES_URL"'
    bucket = "--from-env-file=bucket.env   # AWS_ACCESS_KEY_ID=… and the like; not where its service account has a role"
    is_in_bucket = plan.choices.fetch.partition(":")[0] in OBJECT_STORES
    return [
        *(_MAKERS[name] for name in plan.secrets),
        *[_METRICS_MAKERS.get(metrics, "")] * bool(metrics and plan.secrets),
        *[_create(plan, "keys", files)] * bool(plan.secrets),
        *[_create(plan, "metrics", credentials_command(plan))] * bool(metrics),
        *[_create(plan, "features", address)] * bool(plan.manifest.features),
        *[_create(plan, "bucket", bucket)] * is_in_bucket,
    ]


def _create(plan: Plan, part: str, what: str) -> str:
    return f"kubectl -n {namespace(plan)} create secret generic {object_name(plan, part)} {what}"


def _local(plan: Plan, folder: str) -> list[str]:
    within = f"kubectl -n {namespace(plan)}"
    kind = workload(plan)["kind"].lower()
    return [
        f"minikube image load {plan.image}   # or: kind load docker-image {plan.image}",
        f"kubectl apply -k {folder}/{LOCAL} && {within} rollout status {kind}/{object_name(plan)}",
        f"{within} port-forward service/{object_name(plan)} {PORT}:{SERVICE_PORT}",
    ]


def _production(plan: Plan, folder: str) -> list[str]:
    certificate = f"create secret tls {object_name(plan, 'tls')} --cert=tls.crt --key=tls.key"
    return [
        f"docker push {plan.image}   # from here on: another cluster than a local one",
        *[f"kubectl -n {namespace(plan)} {certificate}"] * (plan.choices.entrance != "none"),
        f"kubectl apply -k {folder}/{PRODUCTION}   # or {MONITORED}, where the operator of Prometheus is",
    ]


def _to_know(plan: Plan) -> list[str]:
    kinds = words(plan.choices.auth)
    has_local_name = plan.choices.entrance != "none" and plan.choices.host == "localhost"
    other = ", and from its own namespace" * (plan.choices.entrance == "none")
    told = {
        f"it is reached from {', '.join(callers(plan))}{other}; --from NAMESPACE says others": True,
        "callers find it as localhost: --host NAME says another name": has_local_name,
        f"{plan.image} is in no registry: --image REGISTRY/{plan.image}": not plan.choices.image,
        "all callers have one address, unless --set trusted_hops=NETWORK says where those in front are": (
            "trusted_hops" not in plan.serving
        ),
        "nobody is asked here who it is: a mesh, or what is in front, has to": "network" in kinds,
        f"{METRIC} is told by prometheus-adapter: its chart takes {ADAPTER}": plan.choices.requests_per_second > 0,
        _KEPT[plan.choices.store]: True,
    }
    return [sentence for sentence, is_so in told.items() if is_so]
