"""`lading ship compose`: several containers on one machine behind nginx, and what watches them.

callers ── nginx ──┬── iris-1 ──┬── prometheus ── grafana   (profile `monitoring`)
                   └── iris-2 ──┘
        outside          inside: a network of its own, from which nothing leads out
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

from lading import __version__
from lading.errors import UsageError
from lading.settings import words
from lading.ship.compose.grafana import PASSWORD as GRAFANA_PASSWORD
from lading.ship.compose.grafana import grafana_files
from lading.ship.compose.prometheus import credentials_name, prometheus_files
from lading.ship.files import File, text_file, within
from lading.ship.image.docker import Docker, secret_steps
from lading.ship.nginx.nginx_text import render
from lading.ship.nginx.site import Front, shutdown_s, whole
from lading.ship.plan import DATA_FOLDER, PORT, SECRETS_FOLDER, Plan, environment
from lading.ship.yaml_text import yaml_text

COMPOSE = "compose.yaml"
_NGINX, _FIRST_REPLICA = 10, 11
"""Whose which address of the network is. They stay: nginx keeps those of replicas, and replicas believe nginx's."""
NGINX_USER, PROMETHEUS_USER, GRAFANA_USER = 101, 65534, 472
"""As their images have them."""
IMAGES = {"nginx": "nginx:stable", "prometheus": "prom/prometheus:v3.5.0", "grafana": "grafana/grafana:12.0.0"}
CERTIFICATE, KEY = "tls.crt", "tls.key"
_SECRETS = "./secrets"
_MARGIN_S = 5
_SETTLED = {
    **dict.fromkeys(("host", "port", "unix_socket", "listen_when_ready"), "compose.yaml says where replicas listen"),
    **dict.fromkeys(("tls_certificate_file", "tls_key_file", "client_ca_file"), "TLS is the part of nginx here"),
    **dict.fromkeys(("client_crl_file", "client_names", "client_scopes"), "TLS is the part of nginx here"),
    "trusted_hops": "compose.yaml says which address nginx has",
    "trust": "the keys that are trusted are in the image",
    "reload": "that is for development",
}
"""Settings that nobody has to make here, and why."""


class Compose:
    """Makes a folder for `docker compose`: the image's context, nginx in front, Prometheus and Grafana beside."""

    def files(self, plan: Plan) -> Sequence[File]:
        """All of them; secrets are not among them.

        Raises:
            UsageError: a setting, or a way to ask who it is, does not go with nginx in front.
            EnvironmentMismatch: PyYAML is not installed.
        """
        _check(plan)
        return [
            text_file(COMPOSE, _text(plan)),
            text_file(".gitignore", f"{_SECRETS.removeprefix('.')}/\n*.key\n"),
            *within("image", Docker().files(plan)),
            text_file("nginx/nginx.conf", render(whole(plan, front_of(plan)))),
            *within("prometheus", prometheus_files(plan, [f"{name}:{PORT}" for name in replica_names(plan)])),
            *within("grafana", grafana_files(plan)),
        ]

    def next_steps(self, plan: Plan, folder: str) -> Sequence[str]:
        """Make what is secret, start, and later put a new version in place."""
        own = secret_steps(plan, "secrets/lading")
        names = replica_names(plan)
        again = " && ".join(f"docker compose up -d --no-deps --wait {name}" for name in names)
        new = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={plan.choices.host}"
        names_it = f"-addext subjectAltName=DNS:{plan.choices.host}"
        return (
            f"cd {folder} && mkdir -p secrets/nginx",
            *own,
            f"openssl {new} {names_it} -keyout secrets/nginx/{KEY} -out secrets/nginx/{CERTIFICATE}"
            "   # to try; else yours",
            f"sudo chown -R {NGINX_USER} secrets/nginx",
            f"docker compose build {names[0]} && docker compose up -d",
            f"a new version, one replica after the other: docker compose build {names[0]} && {again}",
        )


def replica_names(plan: Plan) -> list[str]:
    """What the replicas are called, which is how they are found within the network."""
    return [f"{plan.name}-{number}" for number in range(1, plan.choices.replicas + 1)]


def front_of(plan: Plan) -> Front:
    """Where nginx stands."""
    addresses = [_address(plan, _FIRST_REPLICA + number) for number in range(plan.choices.replicas)]
    return Front(
        upstreams=tuple(f"{address}:{PORT}" for address in addresses),
        http="8080",
        https="8443",
        public_port=plan.choices.https_port,
        certificate=f"{SECRETS_FOLDER}/{CERTIFICATE}",
        key=f"{SECRETS_FOLDER}/{KEY}",
    )


def _address(plan: Plan, place: int) -> str:
    return str(IPv4Network(plan.choices.subnet)[place])


def _check(plan: Plan) -> None:
    for name in plan.choices.settings:
        if name in _SETTLED:
            raise UsageError(f"--set {name}: {_SETTLED[name]}", hint="leave it out")
    if "certificate" in words(plan.choices.auth):
        raise UsageError("--auth certificate: TLS ends at nginx, which shows no certificate on", hint="--auth keys")


# --- compose.yaml


def composition(plan: Plan) -> dict[str, Any]:
    """What is in `compose.yaml`: https://github.com/compose-spec/compose-spec/blob/main/spec.md."""
    names = replica_names(plan)
    replicas = {name: _replica(plan, number) for number, name in enumerate(names)}
    volumes = [*(f"{name}-data" for name in names), "prometheus-data", "grafana-data"]
    made: dict[str, Any] = {
        "services": replicas | {"nginx": _nginx(plan), "prometheus": _prometheus(plan), "grafana": _grafana()},
        "networks": {
            "inside": {"internal": not _asks_others(plan), "ipam": {"config": [{"subnet": plan.choices.subnet}]}},
            "outside": {},
        },
        "volumes": {name: {} for name in volumes},
    }
    doubled: dict[str, Any] = _doubled(made)
    if plan.manifest.features:
        url = "${LADING_FEATURES_URL:?where features are looked up, as redis://store/0}"
        doubled["services"][names[0]]["environment"]["LADING_FEATURES_URL"] = url
    return doubled


def _asks_others(plan: Plan) -> bool:
    """Whether replicas have to reach a store of features, or an identity provider."""
    return bool(plan.manifest.features) or "jwt" in words(plan.choices.auth)


def _doubled(tree: Any) -> Any:
    """The same where `$`, which begins a variable in Compose, stands for itself."""
    if isinstance(tree, dict):
        return {name: _doubled(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_doubled(value) for value in tree]
    return tree.replace("$", "$$") if isinstance(tree, str) else tree


def _replica(plan: Plan, number: int) -> dict[str, Any]:
    own: dict[str, Any] = {
        "volumes": [_volume(f"{replica_names(plan)[number]}-data", DATA_FOLDER)],
        "networks": {"inside": {"ipv4_address": _address(plan, _FIRST_REPLICA + number)}},
    }
    if number:
        return {"extends": {"service": replica_names(plan)[0]}, **own}
    if plan.secrets:
        own["volumes"].append(_mounted(f"{_SECRETS}/lading", SECRETS_FOLDER))
    settings = {"listen_when_ready": "true", "trusted_hops": _address(plan, _NGINX)}
    return {
        "image": plan.image,
        "build": {"context": "./image"},
        "environment": environment(settings),
        "stop_grace_period": _seconds(plan.settings.drain_s + plan.settings.shutdown_s + _MARGIN_S),
        **_confined(),
        **own,
    }


def _nginx(plan: Plan) -> dict[str, Any]:
    return {
        "image": IMAGES["nginx"],
        "entrypoint": ["nginx", "-e", "stderr", "-c", "/etc/lading/nginx.conf"],
        "user": f"{NGINX_USER}:{NGINX_USER}",
        "stop_signal": "SIGQUIT",
        "stop_grace_period": _seconds(shutdown_s(plan.settings) + _MARGIN_S),
        **_confined(),
        "ports": [f"{plan.choices.http_port}:8080", f"{plan.choices.https_port}:8443"],
        "volumes": [_mounted("./nginx", "/etc/lading"), _mounted(f"{_SECRETS}/nginx", SECRETS_FOLDER)],
        "depends_on": {name: {"condition": "service_healthy"} for name in replica_names(plan)},
        "networks": {"inside": {"ipv4_address": _address(plan, _NGINX)}, "outside": {}},
    }


def _prometheus(plan: Plan) -> dict[str, Any]:
    volumes = [_mounted("./prometheus", "/etc/prometheus"), _volume("prometheus-data", "/prometheus")]
    if credentials_name(plan):
        volumes.append(_mounted(f"{_SECRETS}/prometheus", SECRETS_FOLDER))
    folders = ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
    return {
        "image": IMAGES["prometheus"],
        "profiles": ["monitoring"],
        "command": [*folders, "--storage.tsdb.retention.time=30d"],
        "user": f"{PROMETHEUS_USER}:{PROMETHEUS_USER}",
        **_confined(),
        "ports": ["127.0.0.1:9090:9090"],
        "volumes": volumes,
        "networks": {"inside": {}, "outside": {}},
    }


def _grafana() -> dict[str, Any]:
    quiet = (
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
    )
    return {
        "image": IMAGES["grafana"],
        "profiles": ["monitoring"],
        "environment": {
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS_FOLDER}/{GRAFANA_PASSWORD}",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            **dict.fromkeys(quiet, "false"),
        },
        "user": f"{GRAFANA_USER}:{GRAFANA_USER}",
        **_confined(),
        "ports": ["127.0.0.1:3000:3000"],
        "volumes": [
            _mounted("./grafana/provisioning", "/etc/grafana/provisioning"),
            _mounted("./grafana/dashboards", "/etc/grafana/dashboards"),
            _mounted(f"{_SECRETS}/grafana", SECRETS_FOLDER),
            _volume("grafana-data", "/var/lib/grafana"),
        ],
        "networks": {"inside": {}, "outside": {}},
    }


def _confined() -> dict[str, Any]:
    """What no container gets that does not need it; nor does its log fill the disk."""
    return {
        "read_only": True,
        "tmpfs": ["/tmp"],
        "init": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 512,
        "ulimits": {"nofile": 16384},  # newer engines give 1024, fewer than callers
        "restart": "unless-stopped",
        "logging": {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}},
    }


def _mounted(source: str, target: str) -> dict[str, Any]:
    """A folder, not its files: those are replaced by others, and a file that is mounted stays the one it was."""
    return {"type": "bind", "source": source, "target": target, "read_only": True}


def _volume(name: str, target: str) -> dict[str, Any]:
    return {"type": "volume", "source": name, "target": target}


def _seconds(seconds: float) -> str:
    return f"{math.ceil(seconds)}s"


_HEAD = """\
Made by Lading {version} from {model}: lading ship compose

Addresses are fixed: nginx keeps those of replicas, and replicas believe what nginx's address says of callers.
Replicas run as 65532, nginx as 101: nobody on this machine. Nothing may write but to /data and /tmp.
Changes of your own: compose.override.yaml, which is read beside this file and never written by Lading.
"""


def _text(plan: Plan) -> str:
    model = f"{plan.manifest.name} {plan.manifest.version}"
    head = _HEAD.format(version=__version__, model=model).rstrip().splitlines()
    return "".join(f"# {line}".rstrip() + "\n" for line in head) + yaml_text(composition(plan))
