"""`lading ship systemd`: a host without containers, where systemd keeps the service and nginx stands in front.

callers ── nginx ── /run/lading-NAME/http.sock ── supervisor and workers, who reach nothing else of the host
"""

from __future__ import annotations

from collections.abc import Sequence

from lading.errors import SettingsError, UsageError
from lading.settings import words as words_of
from lading.ship.cargo import cargo_files
from lading.ship.files import File, text_file
from lading.ship.host import unit_text as unit
from lading.ship.host.host import Host
from lading.ship.host.install_script import install_text, uninstall_text
from lading.ship.host.service_unit import USUAL, service_unit
from lading.ship.nginx.nginx_text import render
from lading.ship.nginx.site import Front, site
from lading.ship.plan import Plan, environment
from lading.ship.requirements import REQUIREMENTS, is_locked

_SETTLED = {
    **dict.fromkeys(("host", "port", "unix_socket"), "it listens on a socket in /run, behind nginx"),
    **dict.fromkeys(("tls_certificate_file", "tls_key_file", "client_ca_file"), "TLS is the part of nginx here"),
    "trust": "the keys that are trusted come along",
    "reload": "that is for development",
}
"""Settings that nobody has to make here, and why."""


class Systemd:
    """Makes a service of systemd, the site of nginx in front of it, and a script that installs it."""

    def files(self, plan: Plan) -> Sequence[File]:
        """The unit, its settings, its user, the site, two scripts, and what they install."""
        _check(plan)
        cargo = cargo_files(plan)
        host = Host.of(plan, [*cargo, text_file("settings", settings_text(plan, Host.of(plan)))])
        requirements = next(file for file in cargo if file.path == REQUIREMENTS)
        install = install_text(plan, host, cargo, is_hashed=is_locked(requirements.data.decode()))
        return [
            text_file(f"{host.service}.service", service_unit(plan, host)),
            text_file(host.environment_name, settings_text(plan, host)),
            text_file(f"{host.service}.sysusers.conf", users_text(plan, host)),
            text_file(f"nginx/{host.site_name}", site_text(plan, host)),
            text_file("install.sh", install, is_executable=True),
            text_file("uninstall.sh", uninstall_text(host), is_executable=True),
            *cargo,
        ]

    def next_steps(self, plan: Plan, folder: str) -> Sequence[str]:
        """Read it, install it, let callers in, start it."""
        host = Host.of(plan)
        included = f"{folder}/nginx/{host.site_name}"
        return (
            f"read {folder}/install.sh and {folder}/{host.service}.service",
            f"sudo sh {folder}/install.sh",
            *(f"sudo {step}" for step in _caller_steps(plan, host)),
            f"sudo systemctl start {host.service} && systemctl status {host.service}",
            f"put fullchain.pem and privkey.pem for {plan.choices.host} into {host.certificates}",
            f"sudo cp {included} /etc/nginx/conf.d/ && sudo nginx -t && sudo systemctl reload nginx",
        )


def _caller_steps(plan: Plan, host: Host) -> list[str]:
    """The commands that make a first caller of each kind."""
    lading = f"{host.current}/venv/bin/lading"
    makers = {"keys_file": "keys create web-shop --keys-file", "users_file": "users add alice --users-file"}
    return [f"{lading} {makers[name]} {host.config}/{file}" for name, file in plan.secrets.items() if name in makers]


def _check(plan: Plan) -> None:
    """Nothing, where this can be served on a bare host."""
    for name, why in _SETTLED.items():
        if name in plan.choices.settings:
            raise SettingsError(f"--set {name}: {why}", hint="leave it out")
    if "certificate" in words_of(plan.choices.auth):
        raise UsageError("callers cannot show a certificate through nginx", hint="--auth keys")


def settings_text(plan: Plan, host: Host) -> str:
    """The environment file with the settings of a release."""
    places = {name: f"{host.config}/{file}" for name, file in plan.secrets.items()}
    where = {"unix_socket": host.socket, "trust": host.trust}
    settings = environment(USUAL | plan.serving | places | where)
    del settings["LADING_PRODUCTION"]  # is said where nobody takes it away by mistake: in the unit
    head = f"Settings of {host.service}, read when it starts; those of this host alone are in {host.local_environment}."
    return unit.environment_text(settings, head)


def site_text(plan: Plan, host: Host) -> str:
    """What nginx includes within `http`."""
    front = Front(
        upstreams=(f"unix:{host.socket}",),
        certificate=f"{host.certificates}/fullchain.pem",
        key=f"{host.certificates}/privkey.pem",
        access_log=f"/var/log/nginx/{host.service}.log",
        error_log=f"/var/log/nginx/{host.service}.error.log",
    )
    return render(site(plan, front))


def users_text(plan: Plan, host: Host) -> str:
    """The user who serves, and the group of those who may reach the socket."""
    lines = [("g", host.proxy_group, "-"), ("u", host.service, "-", f"Serves the model {plan.manifest.name}")]
    return unit.sysusers_text(
        lines, "Who serves owns nothing; the proxy joins the first group, and so reads no secret."
    )
