"""What objects are called, and what they say of themselves, as the API server takes it.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from lading import __version__
from lading.ship.plan import Plan

_MAX_NAME_CHARS = 40
"""With what is put behind it no name has more than 63, and that of a StatefulSet leaves room for its revisions."""
_MAX_LABEL_CHARS = 63
_NAMELESS = "model"


def object_name(plan: Plan, part: str = "") -> str:
    """What the objects of a plan are called, or one of them behind a dash: a DNS label that begins with a letter."""
    name = plan.choices.name or plan.name
    if not name[:1].isalpha():
        name = f"{_NAMELESS}-{name}".strip("-")
    return "-".join(filter(None, [_shortened(name, _MAX_NAME_CHARS), part]))


def _shortened(text: str, max_chars: int) -> str:
    """The same where it is short enough, else with a digest at its end: two long ones stay two."""
    if len(text) <= max_chars:
        return text
    return f"{text[: max_chars - 9].rstrip('-._')}-{digest_of(text)}"


def digest_of(text: str) -> str:
    """Eight characters that another text does not have."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def label_value(text: str) -> str:
    """A text as the value of a label: up to 63 letters, digits, and `.`, `_`, `-` between them."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text.replace("+", "_")).strip("._-")
    return _shortened(plain, _MAX_LABEL_CHARS) or _NAMELESS


def namespace(plan: Plan) -> str:
    """Where the objects are."""
    return plan.choices.namespace or object_name(plan)


def selector(plan: Plan) -> dict[str, str]:
    """The labels by which pods are found: they never change, as no Deployment can change them."""
    return {
        "app.kubernetes.io/name": label_value(plan.manifest.name),
        "app.kubernetes.io/instance": object_name(plan),
    }


def labels(plan: Plan) -> dict[str, str]:
    """The labels of everything, with those that were said."""
    return plan.choices.labels | {
        **selector(plan),
        "app.kubernetes.io/version": label_value(plan.manifest.version),
        "app.kubernetes.io/component": "model",
        "app.kubernetes.io/managed-by": "lading",
    }


def annotations_of(plan: Plan) -> dict[str, str]:
    """Which bundle it is: in a pod's template, so that another one makes other pods."""
    return {
        "lading.version": __version__,
        "lading.model": f"{plan.manifest.name} {plan.manifest.version}",
        "lading.bundle.sha256": plan.verified.digest,
        "lading.bundle.key": plan.verified.key_id,
    }


def metadata(plan: Plan, part: str = "") -> dict[str, Any]:
    """The metadata of an object; kustomize says its namespace."""
    return {"name": object_name(plan, part), "labels": labels(plan), "annotations": annotations_of(plan)}
