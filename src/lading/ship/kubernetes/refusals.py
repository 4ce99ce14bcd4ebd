"""What cannot be in a cluster, and what to do instead."""

from __future__ import annotations

from ipaddress import ip_address

from lading.errors import UsageError
from lading.settings import words
from lading.ship.cluster_choices import is_subdomain
from lading.ship.controls import refuse_controls
from lading.ship.plan import Plan

_SETTLED = {
    **dict.fromkeys(("host", "port", "unix_socket"), "the container listens on 0.0.0.0:8000"),
    **dict.fromkeys(("tls_certificate_file", "tls_key_file", "client_ca_file"), "TLS is the part of what is in front"),
    **dict.fromkeys(("client_crl_file", "client_names", "client_scopes"), "TLS is the part of what is in front"),
    **dict.fromkeys(("keys_file", "users_file", "token_secret_file"), "secrets are mounted where it finds them"),
    "trust": "the keys that are trusted come along",
    "reload": "that is for development",
}
"""Settings that nobody has to make here, and why."""


def refuse_for_cluster(plan: Plan) -> None:
    """Nothing, where pods can run it.

    Raises:
        UsageError: they cannot; says what may be done.
    """
    refuse_controls(plan.manifest.name, plan.manifest.version, plan.file_name)
    for name, why in _SETTLED.items():
        if name in plan.choices.settings:
            raise UsageError(f"--set {name}: {why}", hint="leave it out")
    _refuse_image(plan.image)
    _refuse_access(plan)


def refuse_entrance(plan: Plan) -> None:
    """Nothing, where an Ingress or a Gateway can lead to it.

    Raises:
        UsageError: it cannot; says what may be done.
    """
    if plan.choices.entrance == "none":
        return
    if not is_subdomain(plan.choices.host.lower()) or _is_address(plan.choices.host):
        raise UsageError("--host: an Ingress needs a name of DNS", hint="--host models.example.com; or --ingress none")
    if plan.choices.entrance == "gateway" and not plan.choices.entrance_class:
        raise UsageError(
            "--ingress gateway: a Gateway needs a class", hint="--ingress-class eg, or `kubectl get gatewayclass`"
        )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _refuse_image(image: str) -> None:
    name, _, digest = image.partition("@")
    if name.endswith(":latest") and not digest:
        hint = "--image REGISTRY/NAME:VERSION, another one for each bundle"
        raise UsageError("--image: `latest` is another image tomorrow, so no roll-back leads back to it", hint=hint)


def _refuse_access(plan: Plan) -> None:
    kinds = words(plan.choices.auth)
    if "certificate" in kinds:
        hint = "--auth keys; or --auth network in a mesh that asks for certificates"
        raise UsageError("--auth certificate: TLS ends in front of the pods, and probes have no certificate", hint=hint)
    if "basic" in kinds and "trusted_hops" not in plan.choices.settings:
        hint = "--set trusted_hops=10.0.0.0/8, the network of the pods in front"
        raise UsageError("--auth basic: passwords are taken behind TLS alone, from what is in front", hint=hint)
