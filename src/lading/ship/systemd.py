"""`lading ship systemd`: a host without containers, where systemd keeps the service and nginx stands in front.

callers ── nginx ── /run/lading-NAME/http.sock ── supervisor and workers, who reach nothing else of the host
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lading import __version__
from lading.errors import SettingsError, UsageError
from lading.settings import words as words_of
from lading.ship import unit_text as unit
from lading.ship.cargo import cargo_files
from lading.ship.files import File, text_file
from lading.ship.host import Host
from lading.ship.install_script import install_text, uninstall_text
from lading.ship.nginx import Front, site
from lading.ship.nginx_text import render
from lading.ship.plan import Plan, environment
from lading.ship.requirements import REQUIREMENTS, is_locked
from lading.ship.unit_text import Line, Section

_SETTLED = {
    **dict.fromkeys(("host", "port", "unix_socket"), "it listens on a socket in /run, behind nginx"),
    **dict.fromkeys(("tls_certificate_file", "tls_key_file", "client_ca_file"), "TLS is the part of nginx here"),
    "trust": "the keys that are trusted come along",
    "reload": "that is for development",
}
"""Settings that nobody has to make here, and why."""
_USUAL = {"workers": "2", "trusted_hops": "127.0.0.1"}
"""Two workers have a supervisor, which reloads without a failed request; through a socket a proxy has no address, and
that it is believed is said with any."""

_MARGIN_S = 20
"""Beyond what the supervisor gives itself and its workers before it kills them."""
_RESTART_S = 5
_NEVER_BETTER = ("2", "3", "4", "5")
"""Exit codes after which another start ends the same: usage, bundle or access, environment, golden rows."""
_MORE_FILES = 1024
"""Beside those of callers: libraries, pipes, the connections of stores."""


class Systemd:
    """Makes a service of systemd, the site of nginx in front of it, and a script that installs it."""

    def files(self, plan: Plan) -> Sequence[File]:
        """The unit, its settings, its user, the site, two scripts, and what they install."""
        _check(plan)
        host, cargo = Host.of(plan), cargo_files(plan)
        requirements = next(file for file in cargo if file.path == REQUIREMENTS)
        install = install_text(plan, host, cargo, is_hashed=is_locked(requirements.data.decode()))
        return [
            text_file(f"{host.service}.service", unit_text(plan, host)),
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
        site = f"{folder}/nginx/{host.site_name}"
        return (
            f"read {folder}/install.sh and {folder}/{host.service}.service",
            f"sudo sh {folder}/install.sh",
            *(f"sudo {step}" for step in _caller_steps(plan, host)),
            f"sudo systemctl start {host.service} && systemctl status {host.service}",
            f"put fullchain.pem and privkey.pem for {plan.choices.host} into {host.certificates}",
            f"sudo cp {site} /etc/nginx/conf.d/ && sudo nginx -t && sudo systemctl reload nginx",
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
    if plan.manifest.version == "current":
        raise UsageError("a release cannot be called `current`: that is the link to it", hint="--version 1.0.0")


def settings_text(plan: Plan, host: Host) -> str:
    """The environment file with the settings of a release."""
    places = {name: f"{host.config}/{file}" for name, file in plan.secrets.items()}
    where = {"unix_socket": host.socket, "trust": host.trust}
    settings = environment(_USUAL | plan.serving | places | where)
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


def unit_text(plan: Plan, host: Host) -> str:
    """The unit."""
    head = (
        f"Made by Lading {__version__} from {plan.manifest.name} {plan.manifest.version}: lading ship systemd\n"
        f"To change a line on one host: systemctl edit {host.service}"
    )
    needs_network = _needs_network(plan)
    service = [*_process(plan, host), *_folders(host), *_sandbox(), *_network(needs_network), *_limits(plan)]
    sections = [
        Section("Unit", _about(plan, needs_network)),
        Section("Service", service),
        Section("Install", [unit.words("WantedBy", "multi-user.target")]),
    ]
    return unit.render(sections, head)


def _needs_network(plan: Plan) -> bool:
    """Whether it asks others: a store for features, an issuer for its keys."""
    return bool(plan.manifest.features) or "jwt" in words_of(plan.choices.auth)


def _about(plan: Plan, needs_network: bool) -> list[Line]:
    target = "network-online.target" if needs_network else "network.target"
    return [
        unit.line("Description", f"{plan.manifest.name} {plan.manifest.version}, served by Lading"),
        *[unit.words("Wants", target)] * needs_network,
        unit.words("After", target),
        unit.line("StartLimitIntervalSec", 0, "It is started again for as long as that may help"),
    ]


def _process(plan: Plan, host: Host) -> list[Line]:
    settings = plan.settings
    leave_s = math.ceil(settings.drain_s + settings.shutdown_s) + _MARGIN_S
    lading = (host.python(host.current), "-I", "-m", "lading")
    is_supervised = int((_USUAL | plan.serving)["workers"]) > 1
    reload = unit.command("ExecReload", *lading, "reload", comment="Ends well once the current release serves")
    return [
        unit.words("Type", "exec"),
        unit.command("ExecStart", *lading, "serve", host.bundle, "--production"),
        *[reload] * is_supervised,
        unit.line("EnvironmentFile", host.environment),
        unit.line("EnvironmentFile", f"-{host.local_environment}"),
        unit.words("Environment", f"XDG_RUNTIME_DIR={host.run_folder}"),
        unit.words("User", host.service),
        unit.words("Group", host.proxy_group, comment="Of the socket; secrets are read through the group of the user"),
        unit.words("SupplementaryGroups", host.service),
        unit.words("KillSignal", "SIGTERM"),
        unit.words("KillMode", "mixed", comment="The supervisor tells its workers when to leave"),
        unit.line("TimeoutStopSec", leave_s, "More than drain_s and shutdown_s"),
        unit.line(
            "TimeoutStartSec", math.ceil(settings.start_timeout_s) + leave_s, "Of a reload: with start_timeout_s"
        ),
        unit.words("Restart", "on-failure"),
        unit.line("RestartSec", _RESTART_S),
        unit.words(
            *("RestartPreventExitStatus", *_NEVER_BETTER),
            comment="Wrong options, an untrusted bundle, nobody who may ask, other libraries, other golden rows",
        ),
        unit.words("OOMPolicy", "continue", comment="The supervisor replaces a worker that was killed"),
    ]


def _folders(host: Host) -> list[Line]:
    return [
        unit.words("RuntimeDirectory", host.service, comment="The socket, for the user and the group of the proxy"),
        unit.words("RuntimeDirectoryMode", "0750"),
        unit.words("UMask", "0007"),
        unit.words("StateDirectory", f"lading/{host.name}", comment="What is kept"),
        unit.words("StateDirectoryMode", "0700"),
        unit.line("WorkingDirectory", f"/var/lib/lading/{host.name}"),
    ]


def _sandbox() -> list[Line]:
    """What the process cannot do although its user might."""
    system = (
        *("ProtectClock", "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"),
        "ProtectKernelTunables",
    )
    itself = (
        *("LockPersonality", "MemoryDenyWriteExecute", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"),
        "RemoveIPC",
    )
    return [
        unit.line("NoNewPrivileges", True, "No program gives more rights, and there are none to give"),
        unit.words("CapabilityBoundingSet"),
        unit.words("AmbientCapabilities"),
        unit.words(
            "ProtectSystem", "strict", comment="Files: nothing is written but in the folders above and in a /tmp"
        ),
        *(unit.line(name, True) for name in ("ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers")),
        unit.words("ProtectProc", "invisible", comment="Other processes, and what the kernel tells of itself"),
        *(unit.line(name, True) for name in system),
        unit.line(itself[0], True, "What a process may become"),
        *(unit.line(name, True) for name in itself[1:]),
        unit.words("SystemCallArchitectures", "native"),
        unit.words("SystemCallFilter", "@system-service"),
        unit.words("SystemCallFilter", "~@privileged", "@resources"),
        unit.words("SystemCallErrorNumber", "EPERM", comment="Libraries that try go on without"),
    ]


def _network(is_needed: bool) -> list[Line]:
    if is_needed:
        comment = "Network: a store or an issuer is asked; IPAddressDeny= and IPAddressAllow= can say which"
        return [unit.words("RestrictAddressFamilies", "AF_UNIX", "AF_INET", "AF_INET6", comment=comment)]
    return [
        unit.words("RestrictAddressFamilies", "AF_UNIX", comment="Network: none, as nobody else is asked"),
        unit.line("PrivateNetwork", True),
        unit.words("IPAddressDeny", "any"),
    ]


def _limits(plan: Plan) -> list[Line]:
    files = plan.settings.max_connections + _MORE_FILES
    return [unit.line("LimitNOFILE", files, "More than max_connections of a worker")]
