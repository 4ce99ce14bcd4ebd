"""A bundle that is trained in a build: in the very Python that serves it, and signed outside, where the key is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from lading import __version__
from lading.bundle.bundle import SUFFIX, Bundle
from lading.bundle.names import shown
from lading.errors import LadingError, UsageError
from lading.ship.image import dockerfile_text as dockerfile
from lading.ship.image.container import Container
from lading.ship.image.docker import DOCKERFILE
from lading.ship.wheel import own_wheel

REQUIREMENTS = "requirements.txt"
_FOLDER, _OUT = "/train", "/trained"
_PROGRAM = "/opt/train"
_NO_PLACE = (
    *(
        ".*",
        "__pycache__",
        "node_modules",
        "venv",
        "env",
        "*.lading",
        "*.lading.sig",
        "*.key",
        "*.pem",
        "*.p12",
        "*.pfx",
    ),
    *("*.jks", "*.keystore", "*.kdbx", "*.env", "*.tfstate*", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
    *("*secret*", "*credential*", "*password*", "service-account*", "kubeconfig*", "keys.json", "users.json"),
    *("netrc", "_netrc", "pgpass", "pip.conf"),
)
"""What has no place in an image, by names in any case: hidden files, environments, and whatever may be secret."""
_PRIVATE = b"PRIVATE KEY-----"
_LOOKED_AT_BYTES = 64 << 10


def training_context(script: Path, folder: Path, *, base: str, pack: Sequence[str]) -> None:
    """Write the folder in which a bundle is trained: the script with what lies beside it, and a Dockerfile.

    Args:
        script: the author's own; it is run as it is, and writes a model.
        folder: to be written; it must not be there.
        base: image of Python.
        pack: behind `lading pack`: the file that the script writes, and what is declared about it.

    Raises:
        UsageError: as `check_script`; or a private key lies beside the script.
    """
    check_script(script, pack)
    shutil.copytree(script.parent, folder / "train", ignore=_without_place)
    _refuse_keys(folder / "train")
    if (wheel := own_wheel()) is not None:
        (folder / wheel.path).parent.mkdir(parents=True)
        (folder / wheel.path).write_bytes(wheel.data)
    own = f"lading[convert]=={__version__}" if wheel is None else f"/wheels/{Path(wheel.path).name}[convert]"
    has_own = (script.parent / REQUIREMENTS).is_file()
    requirements = [own, *["-r", f"{_FOLDER}/{REQUIREMENTS}"] * has_own]
    text = _dockerfile(script.name, base, requirements, pack, has_wheel=wheel is not None)
    (folder / DOCKERFILE).write_text(text, "utf-8")


def check_script(script: Path, pack: Sequence[str]) -> None:
    """Nothing, where a bundle can be trained by a script.

    Raises:
        UsageError: there is no such script, its folder is too much, or nothing is said to be packed.
    """
    if not script.is_file():
        raise UsageError(f"there is no file {shown(str(script))}")
    if not pack:
        raise UsageError("what is to be packed stands behind `--`", hint="-- model.joblib --data train.csv")
    if script.parent.resolve() in (Path.home(), Path("/")):
        raise UsageError("the folder of a script goes into the build whole", hint="put it into a folder of its own")


def _without_place(folder: str, names: list[str]) -> list[str]:
    """The names in a folder that stay where they are; links too, as they may lead anywhere."""
    return [
        name
        for name in names
        if (Path(folder) / name).is_symlink() or any(fnmatch(name.lower(), pattern) for pattern in _NO_PLACE)
    ]


def _refuse_keys(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and _PRIVATE in path.read_bytes()[:_LOOKED_AT_BYTES]:
            message = f"{shown(path.relative_to(folder).as_posix())} holds a private key"
            raise UsageError(message, hint="what lies beside the script goes into the build: put the key elsewhere")


def _dockerfile(script: str, base: str, requirements: Sequence[str], pack: Sequence[str], *, has_wheel: bool) -> str:
    python = f"{_PROGRAM}/bin/python"
    install = (python, "-m", "pip", "--disable-pip-version-check", "install", "--no-cache-dir", *requirements)
    return dockerfile.render(
        [
            dockerfile.stage(base, comment=f"Made by Lading {__version__}: lading image --train"),
            dockerfile.run("python3", "-m", "venv", _PROGRAM),
            *[dockerfile.copy(["wheels/"], "/wheels/")] * has_wheel,
            dockerfile.copy(["train/"], f"{_FOLDER}/"),
            dockerfile.run(*install),
            dockerfile.run("mkdir", _OUT),
            dockerfile.plain("WORKDIR", _FOLDER),
            dockerfile.run(python, script, comment="The author's own, as it is"),
            dockerfile.run(f"{_PROGRAM}/bin/lading", "pack", *pack, "--out", f"{_OUT}/trained{SUFFIX}"),
        ]
    )


def train(script: Path, target: Path, work: Path, *, base: str, pack: Sequence[str], is_shown: bool = False) -> Path:
    """The bundle that was trained, in the folder `target`, named by what it says of itself.

    Args:
        script: the author's own.
        target: where the bundle is to be.
        work: an empty folder to work in.
        base: image of Python.
        pack: behind `lading pack`.
        is_shown: whether what the engine says goes to stderr.

    Raises:
        LadingError: a step of the build failed.
    """
    context = work / "training"
    training_context(script, context, base=base, pack=pack)
    engine = Container.find()
    image = engine.build(context, is_shown=is_shown)
    trained = work / f"trained{SUFFIX}"
    try:
        engine.copy_out(image, f"{_OUT}/{trained.name}", trained)
    finally:
        engine.remove(image)
    with Bundle.open(trained) as bundle:
        bundle.verify()
        name = f"{bundle.manifest.name}-{bundle.manifest.version}{SUFFIX}"
    if (target / name).exists() and (target / name).read_bytes() != trained.read_bytes():
        raise LadingError(
            f"{shown(str(target / name))} is there already, and another one", hint="--version in what is packed"
        )
    shutil.copyfile(trained, target / name)
    return target / name
