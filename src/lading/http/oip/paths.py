"""Where the Open Inference Protocol and KServe's V1 have their routes, as counters and the log call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Whoever answers while there is no model does without what loads one.
    from lading.service import Service

ROOTS = ("/v2", "/v1/models")
"""Below them the protocols are spoken, also where there is no route."""
LIVE = "/v2/health/live"
READY = "/v2/health/ready"
MODELS = "/v2/models"
MODEL = "/v2/models/{name}"
VERSION = "/v2/models/{name}/versions/{version}"
INFER = f"{MODEL}/infer"
INFER_VERSION = f"{VERSION}/infer"
V1_MODELS = "/v1/models"
V1_MODEL = "/v1/models/{name}"
PREDICT = f"{V1_MODEL}:predict"


def name_of(service: Service) -> str:
    """What the model is called below these routes: as a platform calls it that has said so, or by its own name.

    Raises:
        NotReady: there is none yet.
    """
    own = service.manifest.name
    return service.settings.served_name or own


def path_of(template: str, name: str, version: str) -> str:
    """The path of a route for one model."""
    return template.replace("{name}", name).replace("{version}", version)
