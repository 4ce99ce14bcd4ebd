"""`lading ship kubernetes`: what a repository keeps of a service in a cluster, and `kubectl apply -k` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lading import __version__
from lading.ship.files import File, text_file
from lading.ship.kubernetes.kustomization import folders
from lading.ship.kubernetes.refusals import refuse_entrance, refuse_for_cluster
from lading.ship.kubernetes.scaling import adapter_values
from lading.ship.kubernetes.steps import ADAPTER, next_steps
from lading.ship.plan import Plan
from lading.ship.yaml_text import yaml_text


class Kubernetes:
    """Makes a base and overlays for kustomize; secrets are not among them."""

    needs_measure = True

    def files(self, plan: Plan) -> Sequence[File]:
        """One file for each object, and those that say which go together.

        Raises:
            UsageError: a setting, a way to ask who it is, or an image does not go with a cluster.
            EnvironmentMismatch: PyYAML is not installed.
        """
        refuse_for_cluster(plan)
        refuse_entrance(plan)
        made = {f"{folder}/{name}": each for folder, files in folders(plan).items() for name, each in files.items()}
        if plan.choices.requests_per_second:
            made[ADAPTER] = adapter_values()
        return [text_file(path, _text(plan, each)) for path, each in made.items()]

    def next_steps(self, plan: Plan, folder: str) -> Sequence[str]:
        """Build the image, make what is secret, apply."""
        return next_steps(plan, folder)


def _text(plan: Plan, made: Mapping[str, Any]) -> str:
    head = f"# Made by Lading {__version__} from {plan.manifest.name} {plan.manifest.version}: lading ship kubernetes\n"
    return head + yaml_text(made)
