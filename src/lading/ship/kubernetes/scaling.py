"""How many pods there are: by load, and while nodes are drained."""

from __future__ import annotations

from typing import Any

from lading.ship.kubernetes.names import metadata, object_name, selector
from lading.ship.kubernetes.workload import workload
from lading.ship.plan import Plan

PROCESSOR_PERCENT = 70
"""Of what a pod requests: what is beyond is for the time until another one is ready."""
METRIC = "lading_requests_per_second"
_TIMES = 4
_CALM_S = 300
_UNCOUNTED = "/health|/ready|/metrics|/v2/health/.*|unknown"


def most_replicas(plan: Plan) -> int:
    """How many there may be."""
    if plan.choices.store == "sqlite":
        return 1
    return plan.choices.max_replicas or _TIMES * plan.choices.replicas


def is_scaled(plan: Plan) -> bool:
    """Whether there may be more than at first."""
    return most_replicas(plan) > plan.choices.replicas


def autoscaler(plan: Plan) -> dict[str, Any]:
    """The HorizontalPodAutoscaler: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/."""
    made = workload(plan)
    spec = {
        "scaleTargetRef": {"apiVersion": made["apiVersion"], "kind": made["kind"], "name": object_name(plan)},
        "minReplicas": plan.choices.replicas,
        "maxReplicas": most_replicas(plan),
        "metrics": _metrics(plan),
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 0},
            "scaleDown": {
                "stabilizationWindowSeconds": _CALM_S,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
            },
        },
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(plan),
        "spec": spec,
    }


def _metrics(plan: Plan) -> list[dict[str, Any]]:
    used = {"type": "Utilization", "averageUtilization": PROCESSOR_PERCENT}
    metrics: list[dict[str, Any]] = [{"type": "Resource", "resource": {"name": "cpu", "target": used}}]
    if plan.choices.requests_per_second:
        thousandths = max(1, round(plan.choices.requests_per_second * 1000))
        target = {"type": "AverageValue", "averageValue": f"{thousandths}m"}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": METRIC}, "target": target}})
    return metrics


def adapter_values() -> dict[str, Any]:
    """What prometheus-adapter is told, once for a cluster, as values of its chart.

    https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/config.md
    """
    counted = f'<<.LabelMatchers>>,route!~"{_UNCOUNTED}"'
    rule = {
        "seriesQuery": 'lading_requests_total{namespace!="",pod!=""}',
        "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
        "name": {"matches": "^lading_requests_total$", "as": METRIC},
        "metricsQuery": f"sum(rate(<<.Series>>{{{counted}}}[2m])) by (<<.GroupBy>>)",
    }
    return {"rules": {"custom": [rule]}}


def disruption_budget(plan: Plan) -> dict[str, Any]:
    """The PodDisruptionBudget: one at a time, so that a node can be drained even where there is one alone."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector(plan)},
        # One that is not ready serves nobody, and must not keep a node from being drained.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(plan), "spec": spec}


def spread(plan: Plan) -> list[dict[str, Any]]:
    """Over zones, and over the nodes of each, as far as there are some; each version by itself."""
    revision = "controller-revision-hash" if plan.choices.store == "postgresql" else "pod-template-hash"
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(plan)},
            "matchLabelKeys": [revision],
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
