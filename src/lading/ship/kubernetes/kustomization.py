"""The base, the component and the overlays: which files there are, and which of them go together.

base ──┬── overlays/local        one replica of an image that was loaded, for minikube and kind
       └── overlays/production ── overlays/monitored     and components/monitoring, where Prometheus' operator is
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.ship.kubernetes.entrance import entrance_objects
from lading.ship.kubernetes.fetching import trust_map
from lading.ship.kubernetes.monitoring import prometheus_rule, service_monitor
from lading.ship.kubernetes.names import metadata, namespace, object_name
from lading.ship.kubernetes.network import network_policy, service
from lading.ship.kubernetes.scaling import autoscaler, disruption_budget, is_scaled, spread
from lading.ship.kubernetes.served import settings_map
from lading.ship.kubernetes.workload import CONTAINER, claim, workload
from lading.ship.plan import Plan

Objects = Mapping[str, dict[str, Any]]
KUSTOMIZATION = "kustomization.yaml"
BASE, LOCAL, PRODUCTION, MONITORED = "base", "overlays/local", "overlays/production", "overlays/monitored"
MONITORING = "components/monitoring"
_PATCH = "patch.yaml"


def folders(plan: Plan) -> Mapping[str, Objects]:
    """Every folder with its files: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/."""
    return {
        BASE: _with_list(_base(plan)),
        LOCAL: _local(plan),
        PRODUCTION: _production(plan),
        MONITORING: _monitoring(plan),
        MONITORED: {KUSTOMIZATION: _kustomization(resources=["../production"], components=[f"../../{MONITORING}"])},
    }


def _base(plan: Plan) -> Objects:
    made = workload(plan)
    return {
        "service-account.yaml": service_account(plan),
        "settings.yaml": settings_map(plan),
        **({"trust.yaml": trust_map(plan)} if plan.choices.fetch else {}),
        **({"data.yaml": claim(plan)} if plan.choices.store == "sqlite" else {}),
        "service.yaml": service(plan),
        "network-policy.yaml": network_policy(plan),
        {"Deployment": "deployment.yaml", "StatefulSet": "stateful-set.yaml"}[made["kind"]]: made,
    }


def service_account(plan: Plan) -> dict[str, Any]:
    """Whose pods they are; it may do nothing, and they get no token of it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(plan),
        "automountServiceAccountToken": False,
    }


def _local(plan: Plan) -> Objects:
    # Of an image that was loaded a registry knows nothing, and must not be asked.
    containers = [{"name": CONTAINER, "imagePullPolicy": "Never"}]
    fetching = {"initContainers": [{"name": "fetch", "imagePullPolicy": "Never"}]} if plan.choices.fetch else {}
    patch = _patch(plan, {"replicas": 1, "template": {"spec": {**fetching, "containers": containers}}})
    return {KUSTOMIZATION: _overlay(plan, []), _PATCH: patch}


def _production(plan: Plan) -> Objects:
    scaler = {"autoscaler.yaml": autoscaler(plan)} if is_scaled(plan) else {}
    added = {"disruption-budget.yaml": disruption_budget(plan), **scaler, **entrance_objects(plan)}
    # Where load decides, a number that stands here would be set again with each new version.
    count = {} if is_scaled(plan) else {"replicas": plan.choices.replicas}
    patch = _patch(plan, {**count, "template": {"spec": {"topologySpreadConstraints": spread(plan)}}})
    return {KUSTOMIZATION: _overlay(plan, list(added)), _PATCH: patch, **added}


def _monitoring(plan: Plan) -> Objects:
    added = {"service-monitor.yaml": service_monitor(plan), "prometheus-rule.yaml": prometheus_rule(plan)}
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "resources": list(added)}
    return {KUSTOMIZATION: component | {"namespace": namespace(plan)}, **added}


def _with_list(objects: Objects) -> Objects:
    return {KUSTOMIZATION: _kustomization(resources=list(objects)), **objects}


def _overlay(plan: Plan, added: list[str]) -> dict[str, Any]:
    resources = ["../../base", *added]
    return _kustomization(namespace=namespace(plan), resources=resources, patches=[{"path": _PATCH}])


def _kustomization(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **fields}


def _patch(plan: Plan, spec: dict[str, Any]) -> dict[str, Any]:
    made = workload(plan)
    named = {"name": object_name(plan)}
    return {"apiVersion": made["apiVersion"], "kind": made["kind"], "metadata": named, "spec": spec}
