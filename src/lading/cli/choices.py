"""Options for what is said where a bundle is shipped: none of them has its default here, so what is said is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from lading.cli.options import Sectioned
from lading.errors import UsageError

Decorated = Callable[..., Any]


class Shipping(Sectioned):
    """A command whose help shows to which targets each option is said."""

    @property
    def sections(self) -> Mapping[str, str]:
        """Of options that some targets have alone."""
        compose = dict.fromkeys(("subnet", "http_port", "https_port"), "Compose")
        return compose | dict.fromkeys(_OF_CLUSTERS, "Kubernetes, KServe and Seldon")


_OF_CLUSTERS = (
    *("image", "name", "namespace", "labels", "entrance", "entrance_class", "callers", "max_replicas", "fetch"),
    *("requests_per_second", "store", "storage", "load_s", "memory_mb"),
)


def choice_options(fn: Decorated) -> Decorated:
    """Options for what is said where a bundle is shipped."""
    for option in reversed(_CHOICE_OPTIONS):
        fn = option(fn)
    return fn


_CHOICE_OPTIONS = (
    click.option("--base", metavar="IMAGE", help="Image of Python to build on, by tag or digest [default: slim]"),
    click.option(
        "--auth",
        help="Who is asked for what, as `lading serve --auth` has it; network where something in front asks. "
        "[default: keys; network for kserve and seldon]",
    ),
    click.option("--host", help="Name under which callers find it [default: localhost]"),
    click.option("--replicas", type=int, help="How many containers or pods serve [default: 2]"),
    click.option("--extra", "extras", multiple=True, metavar="NAME", help="Extra of Lading to install; repeatable"),
    click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the server; repeatable"),
    click.option("--lock/--no-lock", default=None, help="Let uv, where it is, name all versions and digests."),
    click.option("--subnet", help="Network of the containers [default: 172.30.57.0/24]"),
    click.option("--http-port", type=int, help="Where nginx listens on the machine [default: 80]"),
    click.option("--https-port", type=int, help="The same with TLS [default: 443]"),
)


def cluster_options(fn: Decorated) -> Decorated:
    """Options for what is said where a bundle is shipped to a cluster."""
    for option in reversed(_CLUSTER_OPTIONS):
        fn = option(fn)
    return fn


_CLUSTER_OPTIONS = (
    click.option(
        "--image",
        metavar="NAME:TAG",
        help="What the image is called [default: the model's name and version]",
    ),
    click.option("--name", help="What it is called in a cluster [default: as the model]"),
    click.option("--namespace", help="Where it is in a cluster [default: the same name]"),
    click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of all of it; repeatable"),
    click.option(
        "--ingress",
        "entrance",
        type=click.Choice(["ingress", "gateway", "none"]),
        help="What leads into a cluster, with TLS. [default: ingress]",
    ),
    click.option("--ingress-class", "entrance_class", help="Of the Ingress or Gateway [default: the usual]"),
    click.option(
        "--from",
        "callers",
        multiple=True,
        metavar="NAMESPACE",
        help="Namespace or network that may reach it; repeatable [default: those of the Ingress and Prometheus]",
    ),
    click.option("--max-replicas", type=int, help="How many there may be under load [default: 4 times]"),
    click.option("--requests-per-second", type=float, help="Beyond which, of one, there are more [default: by CPU]"),
    click.option(
        "--store",
        type=click.Choice(["none", "sqlite", "postgresql"]),
        help="Where it is kept what was answered. [default: none]",
    ),
    click.option("--storage", help="Size of a volume that keeps something [default: 10Gi]"),
    click.option("--fetch", metavar="URL", help="Where a cluster fetches the bundle; else it is in the image"),
    click.option("--load-s", type=float, help="Seconds until a replica is ready [default: measured here]"),
    click.option("--memory-mb", type=int, help="Memory of a replica, in MB [default: measured here]"),
)


def choices_said(said: dict[str, Any]) -> dict[str, Any]:
    """What these options say, by the names of choices; nothing of what is not said.

    Raises:
        UsageError: a setting or a label has no value.
    """
    found = {name: value for name, value in said.items() if value not in (None, ())}
    if "settings" in found:
        settings = _pairs(found["settings"], "--set: expected a setting and its value", "--set max_rows=500")
        found["settings"] = {name.replace("-", "_").lower(): value for name, value in settings.items()}
    if "labels" in found:
        found["labels"] = _pairs(found["labels"], "--label: expected a label and its value", "--label team=fraud")
    return found


def _pairs(texts: Sequence[str], expected: str, hint: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if not all(sign for _, sign, _ in pairs):
        raise UsageError(expected, hint=hint)
    return {name: value for name, _, value in pairs}
