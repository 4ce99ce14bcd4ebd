"""A bundle that is in no image: an init container brings it into a volume, and verifies it by keys of its own.

The server verifies it once more, by the same keys: it need not trust who fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.bundle.signing.entry import encode_entry
from lading.bundle.signing.trust import SUFFIX as ENTRY_SUFFIX
from lading.ship.kubernetes.names import object_name
from lading.ship.kubernetes.quantities import MIB, mebibytes
from lading.ship.kubernetes.served import POD_TRUST_FOLDER, config_map, literal
from lading.ship.plan import PROGRAM_FOLDER, Plan

MODELS_FOLDER = "/models"
_LADING = f"{PROGRAM_FOLDER}/bin/lading"
_SPARE_BYTES = 64 * MIB


def serving_command(plan: Plan) -> list[str]:
    """What serves the bundle that was fetched; empty where that of the image is served."""
    if not plan.choices.fetch:
        return []
    return [literal(word) for word in (_LADING, "serve", f"{MODELS_FOLDER}/{plan.file_name}")]


def fetching_container(plan: Plan, security: Mapping[str, Any]) -> dict[str, Any]:
    """What fetches it before anything is served; empty where nothing is fetched."""
    if not plan.choices.fetch:
        return {}
    target = f"{MODELS_FOLDER}/{plan.file_name}"
    # With the digest it is this very bundle, whatever is put in its place.
    words = (_LADING, "fetch", plan.choices.fetch, "-o", target, "--trust", POD_TRUST_FOLDER)
    return {
        "name": "fetch",
        "image": plan.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [literal(word) for word in (*words, "--sha256", plan.verified.digest)],
        "envFrom": [{"secretRef": {"name": object_name(plan, "bucket"), "optional": True}}],
        "resources": {"requests": {"cpu": "1", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}},
        "securityContext": dict(security),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "models", "mountPath": MODELS_FOLDER},
            {"name": "trust", "mountPath": POD_TRUST_FOLDER, "readOnly": True},
        ],
    }


def fetching_mounts(plan: Plan) -> list[dict[str, Any]]:
    """Where the server reads it."""
    folders = (("models", MODELS_FOLDER), ("trust", POD_TRUST_FOLDER))
    mounts = [{"name": name, "mountPath": folder, "readOnly": True} for name, folder in folders]
    return mounts if plan.choices.fetch else []


def fetching_volumes(plan: Plan) -> list[dict[str, Any]]:
    """A volume for the bundle, and one with the keys that are trusted."""
    if not plan.choices.fetch:
        return []
    size = plan.bundle.stat().st_size + plan.signature.stat().st_size
    return [
        {"name": "models", "emptyDir": {"sizeLimit": mebibytes(size + _SPARE_BYTES)}},
        {"name": "trust", "configMap": {"name": trust_map(plan)["metadata"]["name"]}},
    ]


def trust_map(plan: Plan) -> dict[str, Any]:
    """The ConfigMap of the public keys that are trusted for the bundle."""
    entries = {f"{entry.key_id}{ENTRY_SUFFIX}": encode_entry(entry).decode() for entry in plan.entries}
    return config_map(plan, "trust", dict(sorted(entries.items())))
