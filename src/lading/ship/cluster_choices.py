"""What is said for a cluster, and what of it can be written down: names, sizes, addresses."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlsplit

from lading.errors import UsageError

if TYPE_CHECKING:
    from lading.ship.plan import Choices

Store = Literal["none", "sqlite", "postgresql"]
Entrance = Literal["ingress", "gateway", "none"]
OBJECT_STORES = ("s3", "gs", "az")

_MAX_REPLICAS, _MAX_REQUESTS = 1000, 1_000_000
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and …/labels/
_DNS_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"(?:(?P<prefix>[^/]*)/)?(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_SIZE = re.compile(r"[1-9][0-9]{0,5}(?:Mi|Gi|Ti)")


def check_cluster_choices(choices: Choices) -> None:
    """Nothing, where each choice can be written down, and they go together.

    Raises:
        UsageError: one cannot; says which, and what is expected.
    """
    _check_names(choices)
    _check_callers(choices)
    _check_fetch(choices.fetch)
    _check_replicas(choices)
    _check_store(choices)


def is_dns_label(text: str) -> bool:
    """Whether an object or a namespace may be called so."""
    return _DNS_LABEL.fullmatch(text) is not None


def is_subdomain(text: str) -> bool:
    """Whether it is a name of DNS, as classes and hosts have one."""
    return _SUBDOMAIN.fullmatch(text) is not None


def _check_names(choices: Choices) -> None:
    for option, text in (("--name", choices.name), ("--namespace", choices.namespace)):
        if text and not is_dns_label(text):
            raise UsageError(f"{option}: expected small letters, digits and dashes, at most 63", hint=f"{option} iris")
    for name, value in choices.labels.items():
        found = _LABEL_NAME.fullmatch(name)
        is_name = found is not None and (found["prefix"] is None or is_subdomain(found["prefix"]))
        if not is_name or _LABEL_VALUE.fullmatch(value) is None:
            raise UsageError("--label: expected a label of Kubernetes", hint="--label team=fraud")
    if choices.entrance not in get_args(Entrance):
        raise UsageError(f"--ingress: expected {_either(Entrance)}")
    if choices.entrance_class and not is_subdomain(choices.entrance_class):
        raise UsageError("--ingress-class: expected the name of a class, as nginx")


def _either(kind: object) -> str:
    *words, last = get_args(kind)
    return f"{', '.join(words)} or {last}"


def _check_callers(choices: Choices) -> None:
    for caller in choices.callers:
        if not (_is_network(caller) if "/" in caller else is_dns_label(caller)):
            hint = "--from ingress-nginx --from 10.0.0.0/16"
            raise UsageError("--from: expected a namespace of the cluster, or a network", hint=hint)


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _check_fetch(url: str) -> None:
    if not url:
        return
    hint = "--fetch s3://models/iris-1.0.0.lading"
    try:
        parts = urlsplit(url)
        is_plain = url.isascii() and url.isprintable() and " " not in url and (parts.port or 1) > 0
    except ValueError:
        raise UsageError("--fetch: expected an address", hint=hint) from None
    is_plain = is_plain and url.startswith(f"{parts.scheme}://")  # in lower case, as others compare it
    if parts.scheme not in (*OBJECT_STORES, "https") or not parts.netloc or len(parts.path) < 2 or not is_plain:
        raise UsageError("--fetch: expected where the bundle is, at s3://, gs://, az:// or https://", hint=hint)
    if "@" in parts.netloc or parts.query or parts.fragment:
        # Whoever may read a pod's specification could read it.
        raise UsageError("--fetch: an address in a generated file has no password and no query", hint=hint)


def _check_replicas(choices: Choices) -> None:
    most, least = choices.max_replicas, choices.replicas
    if most and not least <= most <= _MAX_REPLICAS:
        raise UsageError(f"--max-replicas: expected --replicas to {_MAX_REPLICAS}, that is {least} at least")
    if not 0 <= choices.requests_per_second <= _MAX_REQUESTS:
        raise UsageError(f"--requests-per-second: expected at most {_MAX_REQUESTS:,}, by one replica")
    if choices.requests_per_second and most == least:
        raise UsageError(
            "--requests-per-second: there are never more replicas than --replicas", hint="--max-replicas 8"
        )


def _check_store(choices: Choices) -> None:
    if choices.store not in get_args(Store):
        raise UsageError(f"--store: expected {_either(Store)}")
    if _SIZE.fullmatch(choices.storage) is None:
        raise UsageError("--storage: expected the size of a volume, as 10Gi")
    if choices.store == "sqlite" and max(choices.replicas, choices.max_replicas) > 1:
        hint = "--replicas 1; or --store postgresql, where each replica keeps its own until it is there"
        raise UsageError("--store sqlite: one file has one replica that writes to it", hint=hint)
    if choices.store == "sqlite" and choices.requests_per_second:
        raise UsageError("--requests-per-second: with --store sqlite there is one replica", hint="leave it out")
