"""Where everything is on a host without containers, and what it is called there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from lading.ship.cargo import TRUST_FOLDER
from lading.ship.files import File, digest_of
from lading.ship.plan import Plan

_MAX_SERVICE_CHARS = 26
"""With `-http` behind it, what Linux and systemd take as the name of a group: 31 characters."""
_DIGEST_CHARS = 8


class Host(msgspec.Struct, frozen=True):
    """The places of one model on a host.

    Attributes:
        name: of the model.
        version: of the release: of the model, and a digest of all that is installed, so that none is written over.
    """

    name: str
    version: str = ""

    @classmethod
    def of(cls, plan: Plan, files: Sequence[File] = ()) -> Host:
        """Those of a plan, of which these files are installed."""
        digest = hashlib.sha256()
        for file in files:
            digest.update(f"{file.path}\0{digest_of(file.content)}\n".encode())
        return cls(plan.name, f"{plan.manifest.version}-{digest.hexdigest()[:_DIGEST_CHARS]}")

    @property
    def service(self) -> str:
        """What the unit, the user who serves and his group are called; where it would be too long, with a digest."""
        full = f"lading-{self.name}"
        if len(full) <= _MAX_SERVICE_CHARS:
            return full
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:_DIGEST_CHARS]
        return f"{full[: _MAX_SERVICE_CHARS - _DIGEST_CHARS - 1].rstrip('-')}-{digest}"

    @property
    def proxy_group(self) -> str:
        """The group that may reach the socket: whoever is in it reads no secret."""
        return f"{self.service}-http"

    @property
    def folder(self) -> str:
        """Where all releases are."""
        return f"/opt/lading/{self.name}"

    @property
    def release(self) -> str:
        """Where this one is."""
        return f"{self.folder}/{self.version}"

    @property
    def current(self) -> str:
        """The link to the release that serves."""
        return f"{self.folder}/current"

    @property
    def bundle_name(self) -> str:
        """What the bundle is called in every release, so that a running server finds the next one at the same place."""
        return f"{self.name}.lading"

    @property
    def bundle(self) -> str:
        """The bundle that serves."""
        return f"{self.current}/{self.bundle_name}"

    @property
    def trust(self) -> str:
        """The folder of the keys that are trusted."""
        return f"{self.current}/{TRUST_FOLDER}"

    @property
    def environment_name(self) -> str:
        """What the file of the settings is called."""
        return f"{self.name}.env"

    @property
    def environment(self) -> str:
        """The settings with which the current release serves."""
        return f"{self.current}/{self.environment_name}"

    @property
    def config(self) -> str:
        """The folder of what belongs to this host alone: secrets, and settings that are not shipped."""
        return f"/etc/lading/{self.name}"

    @property
    def local_environment(self) -> str:
        """Settings of this host alone, as those that are secret."""
        return f"{self.config}/local.env"

    @property
    def run_folder(self) -> str:
        """The folder of the sockets."""
        return f"/run/{self.service}"

    @property
    def socket(self) -> str:
        """The socket that is listened on."""
        return f"{self.run_folder}/http.sock"

    @property
    def site_name(self) -> str:
        """What the file for nginx is called."""
        return f"{self.service}.conf"

    @property
    def certificates(self) -> str:
        """The folder of the certificate that nginx shows, and of its key, which nginx reads as root."""
        return f"/etc/ssl/{self.service}"

    def python(self, folder: str) -> str:
        """The Python with everything that serves, in a release."""
        return f"{folder}/venv/bin/python"
