"""What leads into the cluster, with TLS: an Ingress, or a Gateway with its route."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lading.ship.kubernetes.names import metadata, object_name
from lading.ship.kubernetes.network import SERVICE_PORT
from lading.ship.kubernetes.served import settings
from lading.ship.kubernetes.workload import PORT_NAME
from lading.ship.plan import Plan

_LISTENER = "https"
_MARGIN_S = 2
"""Longer than the service, which says by itself that it is too late."""


def entrance_objects(plan: Plan) -> Mapping[str, dict[str, Any]]:
    """These objects, by the names of their files."""
    if plan.choices.entrance == "ingress":
        return {"ingress.yaml": ingress(plan)}
    if plan.choices.entrance == "gateway":
        return {"gateway.yaml": gateway(plan), "http-route.yaml": http_route(plan)}
    return {}


def host(plan: Plan) -> str:
    """The name under which callers find the service."""
    return plan.choices.host.lower()


def ingress(plan: Plan) -> dict[str, Any]:
    """The Ingress: https://kubernetes.io/docs/concepts/services-networking/ingress/."""
    backend = {"service": {"name": object_name(plan), "port": {"name": PORT_NAME}}}
    path = {"path": settings(plan).root_path or "/", "pathType": "Prefix", "backend": backend}
    chosen = {"ingressClassName": plan.choices.entrance_class} if plan.choices.entrance_class else {}
    spec = {
        **chosen,
        "tls": [{"hosts": [host(plan)], "secretName": object_name(plan, "tls")}],
        "rules": [{"host": host(plan), "http": {"paths": [path]}}],
    }
    made = metadata(plan)
    made["annotations"] |= _nginx(plan)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": made, "spec": spec}


def _nginx(plan: Plan) -> dict[str, str]:
    """What the controller by nginx has to be told, and others pass over.

    https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/
    """
    said = settings(plan)
    told = {
        "proxy-body-size": str(said.max_body_bytes),
        "proxy-read-timeout": str(math.ceil(said.request_timeout_s) + _MARGIN_S),
        # A prediction changes nothing: where a pod is gone, another one is asked the same.
        "proxy-next-upstream": "error timeout non_idempotent",
        "proxy-next-upstream-timeout": str(math.ceil(said.request_timeout_s)),
    }
    return {f"nginx.ingress.kubernetes.io/{name}": value for name, value in told.items()}


def gateway(plan: Plan) -> dict[str, Any]:
    """A Gateway of its own: https://gateway-api.sigs.k8s.io/reference/spec/."""
    listener = {
        "name": _LISTENER,
        "hostname": host(plan),
        "port": 443,
        "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": object_name(plan, "tls")}]},
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    spec = {"gatewayClassName": plan.choices.entrance_class, "listeners": [listener]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": metadata(plan),
        "spec": spec,
    }


def http_route(plan: Plan) -> dict[str, Any]:
    """What goes through it."""
    said = settings(plan)
    seconds = math.ceil(said.body_timeout_s + said.request_timeout_s) + _MARGIN_S
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": said.root_path or "/"}}],
        "timeouts": {"request": f"{seconds}s"},
        "backendRefs": [{"name": object_name(plan), "port": SERVICE_PORT}],
    }
    spec = {
        "parentRefs": [{"name": object_name(plan), "sectionName": _LISTENER}],
        "hostnames": [host(plan)],
        "rules": [rule],
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(plan),
        "spec": spec,
    }
