"""`lading ship docker`: the folder from which `docker build` makes an image that serves a bundle.

build stage   Python ─ venv ─ pip install ─ what no server loads is taken away ─ SBOM ─ bundle verified, golden rows
final stage   the same Python, with that venv and the bundle; nobody's user, nothing to write but /data and /tmp
"""

from __future__ import annotations

from collections.abc import Sequence

from lading import __version__
from lading.schema.words import answer_in_words, inputs_in_words, printable
from lading.ship.cargo import TRUST_FOLDER, cargo_files, trust_files
from lading.ship.files import File, text_file
from lading.ship.image import dockerfile_text as dockerfile
from lading.ship.image.dockerfile_text import Instruction
from lading.ship.plan import (
    BUNDLE_FOLDER,
    DATA_FOLDER,
    PORT,
    PROGRAM_FOLDER,
    SECRETS_FOLDER,
    USER_ID,
    Plan,
    environment,
)
from lading.ship.requirements import REQUIREMENTS, is_locked
from lading.ship.wheel import WHEELS_FOLDER

SBOM = f"{PROGRAM_FOLDER}/sbom.cdx.json"
DOCKERFILE = "Dockerfile"
_BIN = f"{PROGRAM_FOLDER}/bin"
_PYTHON = (f"{_BIN}/python", "-I")
_LADING = f"{_BIN}/lading"
_BUILD, _BUILD_FOLDER = "build", "/build"
_HEALTH = {"interval": "10s", "timeout": "5s", "start-period": "60s", "retries": "3"}


class Docker:
    """Makes the context of an image."""

    def files(self, plan: Plan) -> Sequence[File]:
        """The Dockerfile, and all that it copies."""
        cargo = cargo_files(plan)
        requirements = next(file for file in cargo if file.path == REQUIREMENTS)
        has_wheels = any(file.path.startswith(f"{WHEELS_FOLDER}/") for file in cargo)
        text = dockerfile_of(plan, is_hashed=is_locked(requirements.data.decode()), has_wheels=has_wheels)
        return [text_file(DOCKERFILE, text), text_file(".dockerignore", _ignore(cargo)), *cargo]

    def next_steps(self, plan: Plan, folder: str) -> Sequence[str]:
        """Build it, let a caller in, and run it."""
        return (f"docker build -t {plan.image} {folder}", *secret_steps(plan, "secrets"), run_command(plan))


def secret_steps(plan: Plan, folder: str) -> list[str]:
    """The commands that make what is secret, in a folder, for whoever serves in a container."""
    makers = {
        "keys.json": "lading keys create web-shop --keys-file {0}/keys.json > web-shop.key",
        "users.json": "lading users add alice --users-file {0}/users.json",
        "token.secret": "openssl rand -hex 32 > {0}/token.secret",
    }
    made = [f"(umask 077; {makers[name].format(folder)})" for name in plan.secrets.values()]
    return [f"mkdir -p {folder}", *made, f"sudo chown -R {USER_ID} {folder}"] if made else []


def run_command(plan: Plan) -> str:
    """How the image is run on one machine, with the least that it needs."""
    # The folder of secrets, not its files: a file that is replaced would be mounted as it was.
    secrets = [f'-v "$PWD/secrets:{SECRETS_FOLDER}:ro"'] * bool(plan.secrets)
    options = [
        "--read-only",
        "--tmpfs /tmp",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        *secrets,
        f"-p 127.0.0.1:{plan.port}:{plan.port}",
    ]
    return f"docker run --rm {' '.join(options)} {plan.image}"


def dockerfile_of(plan: Plan, *, is_hashed: bool, has_wheels: bool) -> str:
    """The Dockerfile.

    Args:
        plan: what is shipped.
        is_hashed: whether pip is to ask for the digest of everything.
        has_wheels: whether Lading comes as a wheel.
    """
    head = [
        dockerfile.plain(
            "ARG",
            f"BASE={plan.base}",
            f"Made by Lading {__version__} from {plan.manifest.name} {plan.manifest.version}: lading ship docker\n"
            "An image with Python and pip, by tag or digest: --build-arg BASE=…",
        )
    ]
    return dockerfile.render([*head, *_build_stage(plan, is_hashed, has_wheels), *_final_stage(plan)])


def _build_stage(plan: Plan, is_hashed: bool, has_wheels: bool) -> list[Instruction]:
    pip = (*_PYTHON, "-m", "pip", "--disable-pip-version-check")
    install = (*pip, "install", "--no-cache-dir", "--no-compile", *["--require-hashes"] * is_hashed)
    bundle = f"{BUNDLE_FOLDER}/{plan.file_name}"
    return [
        dockerfile.stage("${BASE}", _BUILD),
        dockerfile.plain("WORKDIR", _BUILD_FOLDER),
        dockerfile.run("python3", "-m", "venv", PROGRAM_FOLDER),
        *[dockerfile.copy([f"{WHEELS_FOLDER}/"], f"{_BUILD_FOLDER}/{WHEELS_FOLDER}/")] * has_wheels,
        dockerfile.copy([REQUIREMENTS], f"{_BUILD_FOLDER}/"),
        dockerfile.run(*install, "-r", REQUIREMENTS),
        dockerfile.copy(
            [plan.file_name, plan.signature.name],
            f"{BUNDLE_FOLDER}/",
            comment="The bundle was verified before the build, and is so once more with the keys that the image trusts",
        ),
        dockerfile.copy(_trusted(plan), f"{BUNDLE_FOLDER}/{TRUST_FOLDER}/"),
        dockerfile.run(_LADING, "verify", "--trust", f"{BUNDLE_FOLDER}/{TRUST_FOLDER}", bundle),
        dockerfile.run(
            *(*pip, "uninstall", "--yes", "--quiet", "pip", "setuptools"),
            comment="What no server loads goes; the SBOM says what is left; the golden rows have to come back with it",
        ),
        dockerfile.run(*_PYTHON, "-m", "lading.ship.image.inside", bundle, SBOM),
        dockerfile.run(_LADING, "check", "--trust", f"{BUNDLE_FOLDER}/{TRUST_FOLDER}", bundle),
        dockerfile.run(
            *(*_PYTHON, "-c", "import lading.serve.single, lading.serve.supervisor, lading.serve.worker"),
            comment="Python keeps what it compiles beside the sources, where it cannot write later",
        ),
        dockerfile.run("mkdir", f"{_BUILD_FOLDER}{DATA_FOLDER}"),
    ]


def _trusted(plan: Plan) -> list[str]:
    """The keys that are trusted, by name: what else lies beside them is none."""
    return [file.path for file in trust_files(plan)]


def _final_stage(plan: Plan) -> list[Instruction]:
    owner = f"{USER_ID}:{USER_ID}"
    health = () if plan.settings.client_ca_file else (_LADING, "ready")
    return [
        dockerfile.stage("${BASE}"),
        dockerfile.pairs("LABEL", labels(plan)),
        dockerfile.copy([PROGRAM_FOLDER], PROGRAM_FOLDER, stage=_BUILD),
        *[dockerfile.copy([BUNDLE_FOLDER], BUNDLE_FOLDER, stage=_BUILD)] * (not plan.choices.fetch),
        dockerfile.copy([f"{_BUILD_FOLDER}{DATA_FOLDER}"], DATA_FOLDER, stage=_BUILD, owner=owner),
        dockerfile.pairs("ENV", image_environment(plan), "Each is a setting, and may be said otherwise at the start"),
        dockerfile.plain("WORKDIR", DATA_FOLDER),
        dockerfile.plain("USER", owner),
        dockerfile.plain("EXPOSE", str(plan.port)),
        dockerfile.plain("STOPSIGNAL", "SIGTERM"),
        dockerfile.healthcheck(health, _HEALTH),
        _entry(plan),
    ]


def _entry(plan: Plan) -> Instruction:
    if plan.choices.fetch:
        why = "The bundle is fetched where this runs: here it was tried out, and is not kept"
        return dockerfile.entry([_LADING], why)
    return dockerfile.entry([_LADING, "serve", f"{BUNDLE_FOLDER}/{plan.file_name}"])


def image_environment(plan: Plan) -> dict[str, str]:
    """The settings with which a container serves; secrets are files that are mounted, and only named."""
    places = {name: f"{SECRETS_FOLDER}/{file}" for name, file in plan.secrets.items()}
    where = {"host": "0.0.0.0", "port": str(PORT), "trust": f"{BUNDLE_FOLDER}/{TRUST_FOLDER}"}
    return environment(where | places | plan.serving)


def labels(plan: Plan) -> dict[str, str]:
    """What the image says of itself: https://specs.opencontainers.org/image-spec/annotations/."""
    manifest, schema = plan.manifest, plan.manifest.model_schema
    made = {"org.opencontainers.image.created": manifest.created} if manifest.created else {}
    return made | {
        "org.opencontainers.image.title": manifest.name,
        "org.opencontainers.image.version": manifest.version,
        "org.opencontainers.image.description": printable(
            f"{manifest.class_name}: {inputs_in_words(schema)} -> {answer_in_words(schema)}"
        ),
        "lading.version": __version__,
        "lading.bundle.sha256": plan.verified.digest,
        "lading.bundle.key": plan.verified.key_id,
        "lading.sbom": SBOM,
    }


def _ignore(cargo: Sequence[File]) -> str:
    """What the engine gets of the folder: what is copied, and nothing that happens to lie beside it."""
    return "\n".join(["*", *(f"!{file.path}" for file in cargo)]) + "\n"


__all__ = ["DOCKERFILE", "SBOM", "Docker", "dockerfile_of", "image_environment", "labels", "run_command"]
