"""The settings with which a pod serves, as the variables of its environment, and the object that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lading.settings import Settings, load_settings
from lading.ship.cargo import TRUST_FOLDER
from lading.ship.kubernetes.names import digest_of, metadata
from lading.ship.plan import BUNDLE_FOLDER, PORT, SECRETS_FOLDER, Plan, environment

DRAIN_S = 10.0
"""Longer than by itself: so long may what is in front take until it sends nobody any more."""
POD_SECRETS_FOLDER = f"{SECRETS_FOLDER}/lading"
"""Not the folder itself: clouds mount tokens for their stores below it, which a read-only volume does not let them."""
POD_TRUST_FOLDER = "/etc/lading/trust"


def variables(plan: Plan) -> dict[str, str]:
    """Every setting that is said, as variables; secrets are files that are mounted, and only named."""
    return environment(_said(plan))


def settings(plan: Plan) -> Settings:
    """The same as a server takes them: for limits that others have to agree with."""
    return load_settings(environ=variables(plan))


def _said(plan: Plan) -> dict[str, str]:
    places = {name: f"{POD_SECRETS_FOLDER}/{file}" for name, file in plan.secrets.items()}
    trust = POD_TRUST_FOLDER if plan.choices.fetch else f"{BUNDLE_FOLDER}/{TRUST_FOLDER}"
    where = {"host": "0.0.0.0", "port": str(PORT), "trust": trust, "log_format": "json"}
    return where | {"drain_s": f"{DRAIN_S:g}"} | _few_addresses(plan) | places | plan.serving


def _few_addresses(plan: Plan) -> dict[str, str]:
    """All callers come from the few addresses of what is in front, unless it is said which those are."""
    if "trusted_hops" in plan.serving:
        return {}
    return {"max_connections_per_address": str(plan.settings.max_connections)}


def env(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Variables as the `env` of a container."""
    return [{"name": name, "value": literal(value)} for name, value in values.items()]


def literal(text: str) -> str:
    """A text in `env`, `command` or `args`, where `$(NAME)` would stand for a variable, and `$$` for a dollar."""
    return text.replace("$", "$$")


def settings_map(plan: Plan) -> dict[str, Any]:
    """The ConfigMap of the settings. What is in it is in its name: other settings make other pods, and back again."""
    return config_map(plan, "settings", variables(plan))


def config_map(plan: Plan, part: str, data: Mapping[str, str]) -> dict[str, Any]:
    """A ConfigMap that never changes: https://kubernetes.io/docs/concepts/configuration/configmap/."""
    digest = digest_of(msgspec.json.encode(data, order="deterministic").decode())
    named = metadata(plan, f"{part}-{digest}")
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "immutable": True, "data": dict(data)}
