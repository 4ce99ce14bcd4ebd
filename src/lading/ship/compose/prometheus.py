"""What Prometheus is told: whom to ask, with which credentials, and when to wake somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lading.settings import words
from lading.ship.files import File, text_file
from lading.ship.plan import SECRETS_FOLDER, Plan
from lading.ship.yaml_text import yaml_text

SCRAPE, RULES = "prometheus.yml", "rules.yml"
_CREDENTIALS = {"keys": "metrics.key", "basic": "metrics.password"}
"""The file with what Prometheus shows, by the word of `auth` that takes it."""
USER = "prometheus"
"""Its name, where it shows a password."""
_EVERY_S = 15
_SLOW_S = 5.0
"""Times of requests are told apart up to 10 seconds."""
_ERROR_SHARE = 0.01
_BUSY = "queue_full|connections.too_many|not_ready"


def credentials_name(plan: Plan) -> str:
    """What the file with its credentials is called; empty where it shows none."""
    return next((_CREDENTIALS[word] for word in words(plan.choices.auth) if word in _CREDENTIALS), "")


def prometheus_files(plan: Plan, targets: Sequence[str]) -> list[File]:
    """Its configuration and its rules.

    Args:
        plan: what is served.
        targets: host and port of each replica. Prometheus asks each of them: what they count is theirs alone.

    Raises:
        EnvironmentMismatch: PyYAML is not installed.
    """
    return [text_file(SCRAPE, yaml_text(scraping(plan, targets))), text_file(RULES, yaml_text(rules(plan)))]


def scraping(plan: Plan, targets: Sequence[str]) -> dict[str, Any]:
    """Whom it asks: https://prometheus.io/docs/prometheus/latest/configuration/configuration/."""
    model = {"model": plan.manifest.name}
    job = {"job_name": plan.name, **_credentials(plan), "static_configs": [{"targets": list(targets), "labels": model}]}
    return {
        "global": {"scrape_interval": f"{_EVERY_S}s", "evaluation_interval": f"{_EVERY_S}s"},
        "rule_files": [RULES],
        "scrape_configs": [job],
    }


def _credentials(plan: Plan) -> dict[str, Any]:
    name = credentials_name(plan)
    path = f"{SECRETS_FOLDER}/{name}"
    if name == _CREDENTIALS["keys"]:
        return {"authorization": {"credentials_file": path}}
    if name == _CREDENTIALS["basic"]:
        return {"basic_auth": {"username": USER, "password_file": path}}
    return {}


# --- rules


def rules(plan: Plan) -> dict[str, Any]:
    """When to wake somebody: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/."""
    job = f'job="{plan.name}"'
    looked_up = [_lookups(job)] if plan.manifest.features else []
    alerts = [_down(job), _errors(job), _slow(job, plan), _busy(job), _queue(job, plan), *looked_up, _versions(job)]
    return {"groups": [{"name": plan.name, "rules": alerts}]}


def _alert(name: str, expression: str, lasting: str, summary: str, what_to_do: str, **labels: str) -> dict[str, Any]:
    said = {"summary": summary, "description": what_to_do}
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": "warning", **labels},
        "annotations": said,
    }


def _down(job: str) -> dict[str, Any]:
    return _alert(
        *("LadingReplicaDown", f"up{{{job}}} == 0", "1m", "{{ $labels.instance }} does not answer"),
        "Its log says why it ended, or is not ready. Where it is ready, Prometheus may lack a key for metrics.",
        severity="critical",
    )


def _errors(job: str) -> dict[str, Any]:
    failed = f'sum(rate(lading_requests_total{{{job},status=~"5.."}}[5m]))'
    return _alert(
        *("LadingErrors", f"{failed} / sum(rate(lading_requests_total{{{job}}}[5m])) > {_ERROR_SHARE}", "5m"),
        "{{ $value | humanizePercentage }} of requests fail",
        "lading_failures_total and lading_refusals_total tell by code what fails; the log has each request.",
        severity="critical",
    )


def _slow(job: str, plan: Plan) -> dict[str, Any]:
    most_s = min(plan.settings.request_timeout_s / 2, _SLOW_S)
    asked = 'route!~"/|/health|/ready|/metrics"'  # predictions, in whatever protocol, and little beside them
    buckets = f"rate(lading_request_seconds_bucket{{{job},{asked}}}[5m])"
    return _alert(
        *("LadingSlow", f"histogram_quantile(0.99, sum by (le) ({buckets})) > {most_s:g}", "5m"),
        "one request in a hundred takes {{ $value | humanizeDuration }}",
        "Where rows wait, more replicas or workers help; where they do not, the model itself is slow.",
    )


def _busy(job: str) -> dict[str, Any]:
    refused = f'sum by (code) (rate(lading_refusals_total{{{job},code=~"{_BUSY}"}}[5m]))'
    return _alert(
        *("LadingRefusals", f"{refused} > 0", "5m", "requests are refused with {{ $labels.code }}"),
        "The service has more to do than it can: more replicas, or fewer requests.",
    )


def _queue(job: str, plan: Plan) -> dict[str, Any]:
    return _alert(
        *("LadingQueue", f"lading_queue_rows{{{job}}} > {plan.settings.max_queue_rows // 2}", "1m"),
        "{{ $value }} rows wait in {{ $labels.instance }}",
        "Beyond max_queue_rows, requests are refused.",
    )


def _lookups(job: str) -> dict[str, Any]:
    return _alert(
        *("LadingLookups", f"sum by (lookup) (rate(lading_features_failures_total{{{job}}}[5m])) > 0", "5m"),
        "the store does not answer the lookup {{ $labels.lookup }}",
        "Look whether it runs; the log of the replicas says what it was.",
    )


def _versions(job: str) -> dict[str, Any]:
    return _alert(
        *("LadingVersions", f"count(count by (digest) (lading_signature_info{{{job}}})) > 1", "15m"),
        "replicas serve different bundles",
        "A new version was not put in place everywhere.",
    )
