"""The unit of a service: how it is started, stopped and started again, and what it may do, which is next to nothing."""

from __future__ import annotations

import math

from lading import __version__
from lading.settings import words as words_of
from lading.ship.host import unit_text as unit
from lading.ship.host.host import Host
from lading.ship.host.unit_text import Line, Section
from lading.ship.plan import Plan

USUAL = {"workers": "2", "trusted_hops": "127.0.0.1"}
"""Two workers have a supervisor, which reloads without a failed request; through a socket a proxy has no address, and
that it is believed is said with any."""
_MARGIN_S = 20
"""Beyond what the supervisor gives itself and its workers before it kills them."""
_RESTART_S = 5
_NEVER_BETTER = ("2", "3", "4", "5")
"""Exit codes after which another start ends the same: usage, bundle or access, environment, golden rows."""
_MORE_FILES = 1024
"""Beside those of callers: libraries, pipes, the connections of stores."""


def service_unit(plan: Plan, host: Host) -> str:
    """The text of the unit that serves a plan on a host."""
    head = (
        f"Made by Lading {__version__} from {plan.manifest.name} {plan.manifest.version}: lading ship systemd\n"
        f"To change a line on one host: systemctl edit {host.service}"
    )
    needs_network = _needs_network(plan)
    may = [*_sandbox(), *_network(needs_network), *_limits(plan)]
    service = [*_process(plan, host), *_endings(plan), *_folders(host), *may]
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
    lading = (host.python(host.current), "-I", "-m", "lading")
    is_supervised = int((USUAL | plan.serving)["workers"]) > 1
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
    ]


def _endings(plan: Plan) -> list[Line]:
    """How it is stopped, and when it is started again."""
    settings = plan.settings
    leave_s = math.ceil(settings.drain_s + settings.shutdown_s) + _MARGIN_S
    return [
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
