"""The scripts that install a release on a host, and take everything away again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lading.ship.cargo import TRUST_FOLDER
from lading.ship.files import File
from lading.ship.host.host import Host
from lading.ship.host.shell_text import Assign, Command, For, If, Remark, Step, Variable, render, run, say
from lading.ship.plan import Plan
from lading.ship.requirements import REQUIREMENTS

_PROXY_USERS = ("www-data", "nginx")
"""Who nginx is: in Debian and Ubuntu, elsewhere."""


def install_text(plan: Plan, host: Host, cargo: Sequence[File], *, is_hashed: bool) -> str:
    """The script that installs a release beside others, and lets it serve where another one serves already.

    Args:
        plan: what is shipped.
        host: where to.
        cargo: the files in the script's folder that belong to the release.
        is_hashed: whether pip is to ask for the digest of everything.
    """
    head = (
        f"Installs {plan.manifest.name} {host.version} in {host.folder}, as the service {host.service}.\n"
        "Run it as root. Where a release serves already, this one takes over without a failed request, or not at all.\n"
        f"Kept as they are: {host.config}, and other releases."
    )
    steps: list[Step] = [
        *_python(plan),
        *_people(host),
        *_release(plan, host, cargo),
        *_libraries(plan, host, is_hashed=is_hashed),
        *_trial(host),
        *_secrets(plan, host),
        *_unit(host),
        *_turn(host),
    ]
    return render(steps, head)


def _python(plan: Plan) -> Iterable[Step]:
    python = f"python{plan.python}"
    yield Remark("Python of the version that the model was packed with")
    missing = [
        say(f"{python} is missing: apt install {python}-venv, dnf install {python}, or from python.org", is_error=True),
        run("exit", "4"),
    ]
    yield If(Command(("command", "-v", python), is_quiet=True), missing, is_not=True)


def _people(host: Host) -> Iterable[Step]:
    target = f"/etc/sysusers.d/{host.service}.conf"
    yield Remark("The user who serves, and the group of the socket, which nginx joins: it needs a reload to know")
    yield run("install", "-D", "-m", "644", f"{host.service}.sysusers.conf", target)
    yield run("systemd-sysusers", target)
    user = Variable("user")
    join = run("usermod", "-a", "-G", host.proxy_group, user)
    yield For("user", _PROXY_USERS, [If(Command(("id", "-u", user), is_quiet=True), [join])])


def _release(plan: Plan, host: Host, cargo: Sequence[File]) -> Iterable[Step]:
    trusted = [f"./{file.path}" for file in cargo if file.path.startswith(f"{TRUST_FOLDER}/")]
    trust = f"{host.release}/{TRUST_FOLDER}"
    yield Remark("The release: files of root that everybody may read; `./` as names may begin with a dash")
    yield run("install", "-d", host.release, trust)
    yield run("install", "-m", "644", f"./{plan.file_name}", f"{host.release}/{host.bundle_name}")
    yield run("install", "-m", "644", f"./{plan.signature.name}", f"{host.release}/{host.bundle_name}.sig")
    yield run("install", "-m", "644", *trusted, trust)
    yield run("install", "-m", "644", host.environment_name, host.release)


def _libraries(plan: Plan, host: Host, *, is_hashed: bool) -> Iterable[Step]:
    python = host.python(host.release)
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input")
    whole = f"{host.release}/.whole"
    steps = [
        run(f"python{plan.python}", "-m", "venv", f"{host.release}/venv"),
        run(*pip, "--only-binary", ":all:", *["--require-hashes"] * is_hashed, "-r", REQUIREMENTS),
        run("touch", whole),
    ]
    yield Remark("Its libraries, once, as wheels only: nothing is built, and root runs none of them afterwards")
    yield If(run("test", "-e", whole), steps, is_not=True)


def _trial(host: Host) -> Iterable[Step]:
    bundle = f"{host.release}/{host.bundle_name}"
    lading = ("runuser", "-u", host.service, "--", host.python(host.release), "-I", "-m", "lading")
    yield Remark("The user who serves can run it (not where this Python is in a home), and golden rows come back")
    yield run(*lading, "verify", "--trust", f"{host.release}/{TRUST_FOLDER}", bundle)
    yield run(*lading, "check", "--trust", f"{host.release}/{TRUST_FOLDER}", bundle)


def _secrets(plan: Plan, host: Host) -> Iterable[Step]:
    yield Remark("Secrets are root's, and the service reads them; what is there stays")
    yield run("install", "-d", "-m", "750", "-g", host.service, host.config)
    for name, file in plan.secrets.items():
        path = f"{host.config}/{file}"
        put = ("install", "-m", "640", "-g", host.service, "/dev/stdin", path)
        if name == "token_secret_file":
            steps: list[Step] = [
                Assign("secret", run("openssl", "rand", "-hex", "32")),
                Command(put, given=Variable("secret")),
            ]
        else:
            steps = [Command(put, given="{}")]
        yield If(run("test", "-e", path), steps, is_not=True)


def _unit(host: Host) -> Iterable[Step]:
    unit = f"{host.service}.service"
    yield Remark("The service; where an image is built, systemd does not run")
    yield run("install", "-m", "644", unit, f"/etc/systemd/system/{unit}")
    yield run("systemctl", "enable", "--quiet", unit)


def _turn(host: Host) -> Iterable[Step]:
    before = Variable("before")
    back: list[Step] = [
        say(
            f"{host.version} does not serve, and what served before goes on: journalctl -u {host.service}",
            is_error=True,
        ),
        If(run("test", "-n", before), [*_point(host, before)]),
        run("exit", "1"),
    ]
    take_over = If(run("systemctl", "try-reload-or-restart", host.service), back, is_not=True)
    yield Remark("Now it is the current release; where the service runs, it goes over to that")
    yield Assign("before", run("readlink", host.current), may_fail=True)
    yield from _point(host, host.version)
    yield If(run("test", "-d", "/run/systemd/system"), [run("systemctl", "daemon-reload"), take_over])


def _point(host: Host, release: str | Variable) -> Iterable[Step]:
    """The link, put in the place of the old one in one step."""
    yield run("ln", "-sfn", release, f"{host.current}.new")
    yield run("mv", "-T", f"{host.current}.new", host.current)


def uninstall_text(host: Host) -> str:
    """The script that takes the service and all its releases away."""
    unit = f"{host.service}.service"
    head = (
        f"Takes away the service {host.service} and all its releases. Run it as root.\n"
        f"Kept, for you to delete: {host.config}, /var/lib/lading/{host.name}, the user {host.service}."
    )
    steps: list[Step] = [
        If(run("test", "-d", "/run/systemd/system"), [run("systemctl", "stop", unit)]),
        run("systemctl", "disable", "--quiet", unit),
        run("rm", "-f", f"/etc/systemd/system/{unit}", f"/etc/sysusers.d/{host.service}.conf"),
        run("rm", "-f", f"/etc/nginx/conf.d/{host.service}.conf"),
        run("rm", "-rf", host.folder),
        If(run("test", "-d", "/run/systemd/system"), [run("systemctl", "daemon-reload")]),
    ]
    return render(steps, head)
