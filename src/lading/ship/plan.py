"""What is shipped and to where, as one value: read off the signed bundle, and off what was said beside it."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points, metadata
from ipaddress import IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from lading.bundle.bundle import SUFFIX, Bundle
from lading.bundle.manifest import Manifest
from lading.bundle.names import shown
from lading.bundle.signing.entry import Entry
from lading.bundle.signing.signature import signature_path
from lading.bundle.signing.trust import TrustStore
from lading.bundle.signing.verified import Verified
from lading.errors import BundleError, SettingsError, UsageError
from lading.settings import PREFIX, SETTINGS, Settings, load_settings, words
from lading.ship.cluster_choices import OBJECT_STORES, Entrance, Store, check_cluster_choices
from lading.ship.measuring import Measured

PORT = 8000
USER_ID = 65532
"""Of whoever serves in a container: nobody who has a name there, and the one of distroless images."""
PROGRAM_FOLDER, BUNDLE_FOLDER, DATA_FOLDER, SECRETS_FOLDER = "/opt/lading", "/srv/lading", "/data", "/run/secrets"
"""In a container: Python with what serves, the bundle with the keys that are trusted, what is kept, what is secret."""

SECRETS: Mapping[str, tuple[str, ...]] = {
    "keys": ("keys_file",),
    "tokens": ("keys_file", "token_secret_file"),
    "basic": ("users_file",),
}
"""The settings that name secret files, by the word of `auth` that needs them."""
SECRET_NAMES = {"keys_file": "keys.json", "users_file": "users.json", "token_secret_file": "token.secret"}
"""What those files are called where they are mounted."""

_REPOSITORY = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]{1,5})?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*")
_MAX_REPLICAS = 100
_LEAST_ADDRESSES = 32
"""Of the network itself, of nginx, and of what watches."""
_OF_JWT = ("jwt_issuer", "jwt_audience", "jwks_url")
AUTHENTICATORS = "lading.authenticators"
"""The group of entry points that knows the words of `auth`; none of them is loaded here."""
_MAX_LOAD_S, _MAX_MEMORY_MB = 86_400, 10_000_000


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What is said where a bundle is shipped; each has a default.

    Attributes:
        image: name and tag of the image; else the model's name and version.
        base: image of Python to build on, by tag or digest; else Python's own slim one of the version at packing.
        auth: how callers show who they are, as the setting `auth` has it.
        host: the name under which callers find the service.
        replicas: how many containers serve.
        extras: of Lading that are wanted beside those that the bundle needs: `parquet`, `redis`, …
        settings: of the server, by their names, as texts.
        lock: whether uv, where it is, names the versions of everything and their digests.
        subnet: network in which containers of Compose are.
        http_port: where nginx listens on the machine.
        https_port: the same with TLS.
        load_s: seconds that a replica takes to be ready; else it is measured.
        memory_mb: what memory a replica takes; else it is measured.
        name: of what runs in a cluster; else the model's.
        namespace: of the cluster; else the same name.
        labels: of everything in a cluster, beside its own.
        entrance: what leads into the cluster: an Ingress, a Gateway, or nothing.
        entrance_class: which of the controllers that are there; else the one that is usual there.
        callers: namespaces and networks from which the service may be reached; else those that are usual.
        max_replicas: how many it may become under load, at most; else four times as many.
        requests_per_second: of one replica, beyond which there are to be more; else its processor alone decides.
        store: where it is kept what was asked and answered.
        storage: size of the volume of each replica that keeps something.
        fetch: where a cluster fetches the bundle, which is in no image then.
    """

    image: str = ""
    base: str = ""
    auth: str = "keys"
    host: str = "localhost"
    replicas: int = 2
    extras: tuple[str, ...] = ()
    settings: dict[str, str] = {}
    lock: bool = True
    subnet: str = "172.30.57.0/24"
    http_port: int = 80
    https_port: int = 443
    load_s: float = 0
    memory_mb: int = 0
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    entrance: Entrance = "ingress"
    entrance_class: str = ""
    callers: tuple[str, ...] = ()
    max_replicas: int = 0
    requests_per_second: float = 0
    store: Store = "none"
    storage: str = "10Gi"
    fetch: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that is shipped.

    Attributes:
        manifest: what the bundle says of itself.
        bundle: where it is.
        verified: by whose signature it was let in.
        entries: the keys that are trusted for it now.
        choices: what was said beside it.
        measured: what a replica takes, where the target asks for it.
    """

    manifest: Manifest
    bundle: Path
    verified: Verified
    entries: tuple[Entry, ...]
    choices: Choices
    measured: Measured = Measured(load_s=1, memory_bytes=128_000_000, is_estimate=True)

    @property
    def file_name(self) -> str:
        """What the bundle is called wherever it is shipped to: its signature names it so too."""
        return self.bundle.name

    @property
    def signature(self) -> Path:
        """Where its signature is."""
        return signature_path(self.bundle)

    @property
    def name(self) -> str:
        """The model's name, as services are called that run it: lower case letters, digits and dashes."""
        return re.sub(r"[^a-z0-9]+", "-", self.manifest.name.lower()).strip("-")

    @property
    def image(self) -> str:
        """Name and tag of the image."""
        return self.choices.image or f"lading/{self.name}:{self.manifest.version.replace('+', '-')}"

    @property
    def base(self) -> str:
        """The image of Python that is built on."""
        return self.choices.base or slim_base(self.python)

    @property
    def python(self) -> str:
        """The version of Python that the model was packed with, `3.11`."""
        return ".".join((self.manifest.python or platform.python_version()).split(".")[:2])

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras of Lading that serving takes."""
        found = set(self.choices.extras)
        if self.manifest.model_schema.image is not None:
            found.add("image")
        if "jwt" in words(self.choices.auth):
            found.add("jwt")
        if urlsplit(self.choices.fetch).scheme in OBJECT_STORES:
            found.add("fetch")
        return tuple(sorted(found))

    @property
    def port(self) -> int:
        """Where it listens in a container."""
        return self.settings.port if "port" in self.choices.settings else PORT

    @property
    def secrets(self) -> dict[str, str]:
        """The settings that name secret files, and what those files are called."""
        names = [name for word in words(self.choices.auth) for name in SECRETS.get(word, ())]
        return {name: SECRET_NAMES[name] for name in dict.fromkeys(names) if name not in self.choices.settings}

    @property
    def serving(self) -> dict[str, str]:
        """The settings with which it is served wherever it is, but for where it listens and where files are."""
        return {"production": "true", "auth": self.choices.auth} | self.choices.settings

    @property
    def settings(self) -> Settings:
        """The same as a server takes them: for limits that others have to agree with."""
        return load_settings(environ=environment(self.serving))


def make_plan(bundle: Path, trust: TrustStore, choices: Choices) -> Plan:
    """The plan for a bundle, whose signature and whose every member is verified.

    Raises:
        Untrusted: it is not signed, or by nobody who is trusted for it.
        BundleError: it is damaged.
        UsageError: a choice cannot be.
    """
    check_choices(choices)
    if bundle.suffix != SUFFIX:
        raise UsageError("only a bundle can be shipped", hint="lading pack MODEL, then lading sign BUNDLE")
    if not bundle.exists():
        raise BundleError(f"there is no file {shown(str(bundle))}")
    with Bundle.open(bundle, trust) as opened:
        opened.verify()
        manifest, verified = opened.manifest, opened.verified
    assert verified is not None
    entries = tuple(entry for entry in trust.entries.values() if _is_for(entry, manifest, trust))
    return Plan(manifest=manifest, bundle=bundle, verified=verified, entries=entries, choices=choices)


def _is_for(entry: Entry, manifest: Manifest, trust: TrustStore) -> bool:
    return entry.state(trust.now()) == "good" and (not entry.models or manifest.name in entry.models)


def slim_base(python: str = "") -> str:
    """Python's own small image of a version as `3.11`, by default of the version that runs."""
    return f"python:{python or '.'.join(platform.python_version_tuple()[:2])}-slim"


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings as variables of the environment."""
    return {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}


def check_choices(choices: Choices) -> None:
    """Nothing, where each choice can be written down anywhere.

    Raises:
        UsageError: one cannot; says which, and what is expected.
    """
    if choices.image and not _is_image(choices.image):
        raise UsageError("an image has a name in lower case, and a tag, as registry.example.com/iris:1.0.0")
    if choices.base and not _is_image(choices.base):
        raise UsageError("--base: expected an image with a tag or a digest, as python:3.11-slim")
    if not _HOST.fullmatch(choices.host):
        raise UsageError("--host: expected the name of a host, as models.example.com")
    if not 1 <= choices.replicas <= _MAX_REPLICAS:
        raise UsageError(f"--replicas: expected 1 to {_MAX_REPLICAS}")
    if not all(0 < port < 65536 for port in (choices.http_port, choices.https_port)):
        raise UsageError("--http-port, --https-port: expected ports, from 1 to 65535")
    _check_subnet(choices)
    _check_words("--extra", choices.extras, metadata("lading").get_all("Provides-Extra") or [])
    methods = words(choices.auth)
    if not methods:
        hint = "--auth keys; or --auth network where something in front asks"
        raise UsageError("--auth: expected how callers show who they are", hint=hint)
    known = {point.name for point in entry_points(group=AUTHENTICATORS)} | {"certificate", "network"}
    _check_words("--auth", methods, sorted(known))
    if not 0 <= choices.load_s <= _MAX_LOAD_S:
        raise UsageError(f"--load-s: expected seconds, at most {_MAX_LOAD_S:,}")
    if not 0 <= choices.memory_mb <= _MAX_MEMORY_MB:
        raise UsageError(f"--memory-mb: expected MB, at most {_MAX_MEMORY_MB:,}")
    check_cluster_choices(choices)
    _check_settings(choices)


def _is_image(text: str) -> bool:
    name, _, digest = text.partition("@")
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    is_named = _REPOSITORY.fullmatch(repository) is not None and (not tag or _TAG.fullmatch(tag) is not None)
    return is_named and bool(tag or digest) and (not digest or _DIGEST.fullmatch(digest) is not None)


def _has_password(value: str) -> bool:
    """Whether it is an address with a password in it."""
    return "://" in value and "@" in value.partition("://")[2].partition("/")[0]


def _check_words(option: str, said: Sequence[str], known: Sequence[str]) -> None:
    for word in said:
        if word not in known:
            near = get_close_matches(word, known, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"{option}: expected words that are known", hint=hint)


def _check_subnet(choices: Choices) -> None:
    try:
        subnet = IPv4Network(choices.subnet)
    except ValueError:
        raise UsageError(
            "--subnet: expected a network, as 172.30.57.0/24", hint="it is named by its first address"
        ) from None
    if not subnet.is_private or subnet.num_addresses < _LEAST_ADDRESSES + choices.replicas:
        raise UsageError("--subnet: expected a private network with room for all containers", hint="172.30.57.0/24")


def _check_settings(choices: Choices) -> None:
    secret = {setting.name for setting in SETTINGS if setting.is_secret}
    for name, value in choices.settings.items():
        if name != name.lower():  # in the environment it would be another one
            raise SettingsError("--set: settings have names in lower case")
        if name in secret or _has_password(value):
            variable = f"{PREFIX}{name.upper()}"
            hint = f"give {variable} to the service when it starts"
            raise SettingsError(f"--set {name}: a secret has no place in a generated file", hint=hint)
        if name in ("production", "insecure", "auth"):
            raise SettingsError(f"--set {name}: what is shipped is for production, with --auth", hint="--auth network")
        if not value.isprintable():
            raise SettingsError(f"--set {name}: a value has no control characters")
    missing = [name for name in _OF_JWT if name not in choices.settings] if "jwt" in words(choices.auth) else []
    if missing:
        raise SettingsError(f"--auth jwt needs `{missing[0]}`", hint=f"--set {missing[0]}=…")
    load_settings(environ=environment({"production": "true", "auth": choices.auth} | choices.settings))
