"""What Grafana is told: where Prometheus is, and one page about the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from lading.ship.files import File, text_file
from lading.ship.plan import Plan
from lading.ship.yaml_text import yaml_text

PASSWORD = "grafana.password"
"""The file with the password of its user `admin`."""
_FOLDER = "/etc/grafana/dashboards"
_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3


class Panel(NamedTuple):
    """One picture of the page.

    Attributes:
        title: what is asked.
        queries: in PromQL, with what each line is called.
        unit: of the values, as Grafana names it.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"


def grafana_files(plan: Plan) -> list[File]:
    """Where Prometheus is, where pages are, and the page.

    Raises:
        EnvironmentMismatch: PyYAML is not installed.
    """
    page = msgspec.json.format(msgspec.json.encode(dashboard(plan)), indent=2) + b"\n"
    return [
        text_file("provisioning/datasources/prometheus.yml", yaml_text(_data_sources())),
        text_file("provisioning/dashboards/lading.yml", yaml_text(_providers())),
        File(f"dashboards/{plan.name}.json", page),
    ]


def _data_sources() -> dict[str, Any]:
    source = {"name": "Prometheus", **_SOURCE, "access": "proxy", "url": "http://prometheus:9090", "isDefault": True}
    return {"apiVersion": 1, "datasources": [source]}


def _providers() -> dict[str, Any]:
    provider = {"name": "lading", "type": "file", "disableDeletion": True, "options": {"path": _FOLDER}}
    return {"apiVersion": 1, "providers": [provider]}


def dashboard(plan: Plan) -> dict[str, Any]:
    """The page: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/."""
    return {
        "uid": f"lading-{plan.name}"[:40],
        "title": f"{plan.manifest.name}",
        "tags": ["lading"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": [_drawn(panel, number) for number, panel in enumerate(panels(plan))],
    }


def _drawn(panel: Panel, number: int) -> dict[str, Any]:
    place = {"x": number % _COLUMNS * _WIDTH, "y": number // _COLUMNS * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
    targets = [
        {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for index, (expression, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": targets,
    }


# --- what is asked


def panels(plan: Plan) -> Sequence[Panel]:
    """The pictures, in their order: how it does, what it does, what it costs."""
    job = f'job="{plan.name}"'
    route = f'{job},route="{plan.manifest.route}"'
    return (*_answers(job, route), *_work(job), *(_lookups(job) if plan.manifest.features else ()), *_processes(job))


def _answers(job: str, route: str) -> tuple[Panel, ...]:
    failed = f'sum(rate(lading_requests_total{{{job},status=~"5.."}}[$__rate_interval]))'
    every = f"sum(rate(lading_requests_total{{{job}}}[$__rate_interval]))"
    return (
        Panel("Requests", ((_by("status", "lading_requests_total", job), "{{status}}"),), "reqps"),
        Panel("Share that fails", ((f"{failed} / {every}", "5xx"),), "percentunit"),
        Panel("Time of a prediction", _quantiles("lading_request_seconds", route), "s"),
        Panel("Requests, by replica", ((_by("instance", "lading_requests_total", job), "{{instance}}"),), "reqps"),
        Panel("Refused", ((_by("code", "lading_refusals_total", job), "{{code}}"),), "reqps"),
        Panel("Failed", ((_by("code", "lading_failures_total", job), "{{code}}"),), "reqps"),
    )


def _work(job: str) -> tuple[Panel, ...]:
    rows, batches = (f"sum(rate(lading_{name}_total{{{job}}}[$__rate_interval]))" for name in ("rows", "batches"))
    unlike = f"topk(5, {_by('column', 'lading_warnings_total', job)})"
    return (
        Panel("Rows", ((rows, "rows"),), "rowsps"),
        Panel("Rows of a batch", ((f"{rows} / {batches}", "mean"), *_quantiles("lading_batch_rows", job))),
        Panel("Time in the model", _quantiles("lading_model_seconds", job), "s"),
        Panel("Rows that wait", ((f"lading_queue_rows{{{job}}}", "{{instance}}"),)),
        Panel("Requests in flight", ((f"lading_in_flight{{{job}}}", "{{instance}}"),)),
        Panel("Rows unlike training, by column", ((unlike, "{{column}}"),), "rowsps"),
    )


def _lookups(job: str) -> tuple[Panel, ...]:
    names = ("hits", "misses", "unknown")
    keys = tuple((_by("lookup", f"lading_features_{name}_total", job), f"{{{{lookup}}}}, {name}") for name in names)
    return (
        Panel("Keys looked up", keys, "ops"),
        Panel("Time of a lookup", _quantiles("lading_features_seconds", job), "s"),
        Panel("Lookups that failed", ((_by("lookup", "lading_features_failures_total", job), "{{lookup}}"),), "ops"),
    )


def _processes(job: str) -> tuple[Panel, ...]:
    begun, failed = (f"lading_{name}_total{{{job}}}" for name in ("generations", "generations_failed"))
    memory = f"sum by (instance) (lading_process_memory_bytes{{{job}}})"
    return (
        Panel(
            "Replicas and workers", ((f"sum(up{{{job}}})", "replicas"), (f"sum(lading_workers{{{job}}})", "workers"))
        ),
        Panel("Memory", ((memory, "{{instance}}"),), "bytes"),
        Panel(
            "Versions", ((f"count by (name, version, engine) (lading_model_info{{{job}}})", "{{name}} {{version}}"),)
        ),
        Panel("Generations", ((begun, "{{instance}}, begun"), (failed, "{{instance}}, failed"))),
    )


def _by(label: str, counter: str, job: str) -> str:
    return f"sum by ({label}) (rate({counter}{{{job}}}[$__rate_interval]))"


def _quantiles(histogram: str, where: str) -> tuple[tuple[str, str], ...]:
    buckets = f"sum by (le) (rate({histogram}_bucket{{{where}}}[$__rate_interval]))"
    return tuple((f"histogram_quantile({share:g}, {buckets})", f"{share:.0%}") for share in (0.5, 0.95, 0.99))
