"""What pip installs where a bundle is served: exactly what was recorded at packing, and what Lading itself takes.

Where uv is there, it finds the versions of everything else too, and the digests that pip then insists on.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lading import __version__
from lading.bundle.manifest import Requirement
from lading.errors import LadingError, Untrusted
from lading.ship.plan import Plan
from lading.ship.wheel import Wheel

REQUIREMENTS = "requirements.txt"
_OF_MODELS = frozenset(
    {"joblib", "numpy", "onnxruntime", "pandas", "pillow", "pyarrow", "scikit-learn", "scipy", "skops", "xgboost"}
)
"""Distributions that models need which are data alone."""
_TIMEOUT_S = 300
_SHOWN_CHARS = 300


def requirements_text(plan: Plan, wheel: Wheel | None) -> str:
    """The file that `pip install -r` reads, in a folder in which the wheel is.

    Args:
        plan: what is shipped.
        wheel: of Lading, where pip would not find this version on an index.

    Raises:
        LadingError: uv is there, and cannot find versions that fit together.
        Untrusted: as `check_requirements`.
    """
    check_requirements(plan)
    wanted = "\n".join(_wanted(plan, wheel)) + "\n"
    uv = _uv() if plan.choices.lock else None
    return wanted if uv is None else _locked(uv, wanted, plan, wheel)


def is_locked(text: str) -> bool:
    """Whether the file has digests, which pip then asks of everything."""
    return "--hash=sha256:" in text


def check_requirements(plan: Plan) -> None:
    """Nothing, where what would be installed is no more than the key that signed the bundle is trusted for.

    What pip installs runs: whoever names a distribution chooses a program.

    Raises:
        Untrusted: the key is trusted for data only, and the bundle asks for more than the libraries of models.
    """
    others = [] if plan.verified.code else [each.name for each in plan.manifest.needed if _name(each) not in _OF_MODELS]
    if others:
        message = f"`{others[0]}` would be installed, which is a program, and the key is trusted for data only"
        raise Untrusted(message, hint="if its owner may run programs here: lading trust add KEY --code")


def _name(requirement: Requirement) -> str:
    """As indexes compare them: https://packaging.python.org/specifications/name-normalization."""
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def _wanted(plan: Plan, wheel: Wheel | None) -> list[str]:
    extras = f"[{','.join(plan.extras)}]" if plan.extras else ""
    own = f"lading{extras}=={__version__}" if wheel is None else f"./{wheel.path}{extras}"
    recorded = sorted((requirement.name, requirement.version) for requirement in plan.manifest.needed)
    return [own, *(f"{name}=={version}" for name, version in recorded if name != "lading")]


def _uv() -> str | None:
    """The program, on the path or beside this Python."""
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def _locked(uv: str, wanted: str, plan: Plan, wheel: Wheel | None) -> str:
    with tempfile.TemporaryDirectory(prefix="lading-") as folder:
        if wheel is not None:
            target = Path(folder) / wheel.path
            target.parent.mkdir()
            target.write_bytes(wheel.data)
        options = ("--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-config", "--quiet")
        command = [uv, "pip", "compile", *options, "--python-version", plan.python, "-"]
        done = subprocess.run(
            command, cwd=folder, input=wanted, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    if done.returncode:
        said = " ".join(done.stderr.split())[:_SHOWN_CHARS]
        raise LadingError(f"uv finds no versions that fit together: {said}", hint="--no-lock leaves that to pip")
    return done.stdout
