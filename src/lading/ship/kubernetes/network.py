"""Who may reach the pods, and whom they may reach: the Service and the NetworkPolicy."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from lading.settings import words
from lading.ship.kubernetes.names import metadata, selector
from lading.ship.kubernetes.served import settings
from lading.ship.kubernetes.workload import PORT_NAME
from lading.ship.plan import Plan

SERVICE_PORT = 80
MONITORING = "monitoring"
_USUAL_CALLERS = {"ingress": ("ingress-nginx", MONITORING), "gateway": ("envoy-gateway-system", MONITORING)}
_DNS_PORT, _HTTPS_PORT, _HTTP_PORT = 53, 443, 80
_NEAR = "169.254.0.0/16"
"""Addresses of the node itself: a cache of DNS, and whom clouds ask who a pod is."""
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def service(plan: Plan) -> dict[str, Any]:
    """The Service: https://kubernetes.io/docs/concepts/services-networking/service/."""
    port = {"name": PORT_NAME, "port": SERVICE_PORT, "targetPort": PORT_NAME, "protocol": "TCP", "appProtocol": "http"}
    spec = {"type": "ClusterIP", "selector": selector(plan), "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(plan), "spec": spec}


def callers(plan: Plan) -> tuple[str, ...]:
    """The namespaces and networks from which the pods may be reached."""
    return plan.choices.callers or _USUAL_CALLERS.get(plan.choices.entrance, (MONITORING,))


def network_policy(plan: Plan) -> dict[str, Any]:
    """The NetworkPolicy: https://kubernetes.io/docs/concepts/services-networking/network-policies/."""
    sources = [_peer(caller) for caller in callers(plan)]
    if plan.choices.entrance == "none":
        sources.append({"podSelector": {}})  # of the same namespace
    spec = {
        "podSelector": {"matchLabels": selector(plan)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": sources, "ports": [{"protocol": "TCP", "port": PORT_NAME}]}],
        "egress": _egress(plan),
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata(plan), "spec": spec}


def _peer(caller: str) -> dict[str, Any]:
    if "/" in caller:
        return {"ipBlock": {"cidr": caller}}
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": caller}}}


def _egress(plan: Plan) -> list[dict[str, Any]]:
    """DNS, and what the bundle, its access or its place need beside."""
    rules: list[dict[str, Any]] = [_dns()]
    if plan.manifest.features:
        # Where the store is, only its secret says; but it is not the service that tells who a machine is.
        rules.append({"to": [_block(network, but=[_NEAR] * ("." in network)) for network in _EVERYWHERE]})
    if ports := _https_ports(plan):
        rules.append({"to": [_block(network) for network in _EVERYWHERE], "ports": [_tcp(port) for port in ports]})
    if plan.choices.fetch:
        rules.append({"to": [_block(_NEAR)], "ports": [_tcp(_HTTP_PORT)]})
    return rules


def _dns() -> dict[str, Any]:
    ports = [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]
    return {"to": [_peer("kube-system"), _block(_NEAR)], "ports": ports}


def _https_ports(plan: Plan) -> list[int]:
    ports = [_HTTPS_PORT] * bool(plan.choices.fetch)
    if "jwt" in words(plan.choices.auth):
        ports.append(urlsplit(settings(plan).jwks_url).port or _HTTPS_PORT)
    if plan.choices.fetch.startswith("https:"):
        ports.append(urlsplit(plan.choices.fetch).port or _HTTPS_PORT)
    return sorted(set(ports))


def _block(network: str, *, but: list[str] | None = None) -> dict[str, Any]:
    return {"ipBlock": {"cidr": network, **({"except": but} if but else {})}}


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
