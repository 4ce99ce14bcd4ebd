"""What Prometheus' operator is told: whom to ask, and when to wake somebody.

https://prometheus-operator.dev/docs/api-reference/api/
"""

from __future__ import annotations

from typing import Any

from lading.ship.compose.prometheus import USER, credentials_name, rules
from lading.ship.kubernetes.names import metadata, object_name, selector
from lading.ship.kubernetes.workload import PORT_NAME
from lading.ship.plan import Plan

_EVERY_S, _WITHIN_S = 15, 10
USER_KEY = "username"


def service_monitor(plan: Plan) -> dict[str, Any]:
    """Whom to ask: each pod, through the Service's endpoints."""
    endpoint = {
        "port": PORT_NAME,
        "path": "/metrics",
        "interval": f"{_EVERY_S}s",
        "scrapeTimeout": f"{_WITHIN_S}s",
        **_credentials(plan),
        "relabelings": [_set("job", plan.name), _set("model", plan.manifest.name)],
    }
    spec = {"selector": {"matchLabels": selector(plan)}, "endpoints": [endpoint]}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata(plan),
        "spec": spec,
    }


def _set(label: str, value: str) -> dict[str, str]:
    """A label as rules and pages expect it; `$` begins a group of what was matched."""
    return {"action": "replace", "targetLabel": label, "replacement": value.replace("$", "$$")}


def _credentials(plan: Plan) -> dict[str, Any]:
    name = credentials_name(plan)
    if not name:
        return {}
    secret = {"name": object_name(plan, "metrics"), "key": name}
    if name.endswith(".password"):
        return {"basicAuth": {"username": {**secret, "key": USER_KEY}, "password": secret}}
    return {"authorization": {"type": "Bearer", "credentials": secret}}


def credentials_command(plan: Plan) -> str:
    """What makes that secret, after `kubectl create secret generic NAME`; empty where it shows none."""
    name = credentials_name(plan)
    user = f" --from-literal={USER_KEY}={USER}" if name.endswith(".password") else ""
    return f"--from-file={name}{user}" if name else ""


def prometheus_rule(plan: Plan) -> dict[str, Any]:
    """When to wake somebody."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata(plan),
        "spec": rules(plan),
    }
