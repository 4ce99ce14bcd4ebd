"""What is to be served, as it was said on the command line: nothing of it is opened before it is asked for."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lading.errors import UsageError

if TYPE_CHECKING:
    from lading.engine.model import Model
    from lading.settings import Settings


class Target(msgspec.Struct, frozen=True):
    """A model file or a bundle, and what was said about it.

    The supervisor only hands it on, so what opens models is imported where that is done.

    Attributes:
        path: of the file, or of a folder with one bundle in it; opened anew by every generation.
        said: options that declare something about the model; see `lading.bundle.declared.declared_from`.
        shown: what to call the file in words for people; its path when empty.
        ignore_versions: load although a library has another version than the model was saved with.
    """

    path: str
    said: dict[str, Any] = {}
    ignore_versions: bool = False
    shown: str = ""

    @property
    def title(self) -> str:
        """What people call it."""
        return self.shown or self.path

    def stamp(self) -> tuple[int, ...]:
        """What changes when the file is replaced or written; nothing where there is none."""
        stamps = []
        for path in self.files():
            with contextlib.suppress(OSError):
                found = os.stat(path)
                stamps += [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]
        return tuple(stamps)

    def model(self) -> Path:
        """The model's file; of a folder, the one bundle in it, whatever else lies there.

        Raises:
            UsageError: the folder has no bundle, or several.
        """
        path = Path(self.path)
        if not path.is_dir():
            return path
        bundles = _bundles(path)
        if len(bundles) == 1:
            return bundles[0]
        found = f"has {len(bundles)} bundles, and one is expected" if bundles else "is a folder without a bundle"
        raise UsageError(f"{path} {found}", hint="name the file in it")

    def files(self) -> tuple[str, ...]:
        """The model's file, and those that were named beside it; of a folder, the bundles in it, if any."""
        path = Path(self.path)
        if path.is_dir():
            return tuple(map(str, _bundles(path))) or (self.path,)
        model, _, entry = self.path.rpartition(":")
        is_entry = model.endswith(".py") and entry.isidentifier() and not os.path.exists(self.path)
        return (model if is_entry else self.path, *self.said.get("code", ()), *self.said.get("files", ()))

    def load(self, settings: Settings) -> Model:
        """The model; in production from a signed bundle only.

        Raises:
            LadingError: it cannot be loaded; see `lading.load`.
        """
        from lading.bundle.declared import declared_from
        from lading.engine.loading import load
        from lading.serve.production import trust_of

        declared, trust = declared_from(**self.said), trust_of(settings)
        return load(self.model(), ignore_versions=self.ignore_versions, declared=declared, trust=trust)

    def survives_fork(self, settings: Settings) -> bool:
        """Whether the model may be loaded in a process that forks before it predicts; nothing of it is run.

        Raises:
            LadingError: the file is not there, or is none that can be served.
        """
        from lading.bundle.declared import declared_from
        from lading.bundle.environment import installed
        from lading.engine.loading import is_bundle, open_bundle, unsigned
        from lading.engine.model_file import declared_beside, read_model
        from lading.engine.own_code import OwnCode
        from lading.flavors.registry import flavor_named, survives_fork
        from lading.serve.production import trust_of

        path, trust = self.model(), trust_of(settings)
        if is_bundle(path):
            with open_bundle(path, trust) as bundle:
                manifest = bundle.manifest
                is_quiet = manifest.is_compiled or OwnCode.of_bundle(bundle).survives_fork
            flavor = flavor_named("onnx" if manifest.is_compiled else manifest.flavor)
            return is_quiet and survives_fork(flavor, manifest.needed)
        if trust is not None:
            raise unsigned(path)
        said = declared_beside(path, declared_from(**self.said))
        file = read_model(path, said, ignore_versions=self.ignore_versions)
        return file.code.survives_fork and survives_fork(file.flavor, installed(file.needs.distributions))


def _bundles(folder: Path) -> list[Path]:
    """Those in a folder; none that is hidden, as is what somebody is still writing."""
    from lading.bundle.bundle import SUFFIX

    return sorted(path for path in folder.glob(f"[!.]*{SUFFIX}") if path.is_file())
