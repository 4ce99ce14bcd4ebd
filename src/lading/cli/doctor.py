"""`lading doctor`."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import click
import msgspec

from lading import __version__
from lading.bundle.environment import Difference, differences, installed_version
from lading.cli.options import json_option
from lading.errors import LadingError
from lading.flavors.flavor import Needs
from lading.schema.words import printable

_LIBRARIES = (
    *("numpy", "scikit-learn", "joblib", "skops", "pandas", "xgboost", "onnxruntime", "pyarrow"),
    *("msgspec", "starlette", "uvicorn", "uvloop", "httptools"),
)


@click.command("doctor")
@click.argument("model", type=click.Path(path_type=Path), required=False)
@json_option
def command(model: Path | None, as_json: bool) -> int:
    """Say what is installed, what a model file needs, what will not work, and the command that mends it.

    Nothing in the file is run. Exits with 4 when something is missing, 1 when the file cannot be served.
    """
    told: dict[str, Any] = {
        "lading": __version__,
        "python": platform.python_version(),
        "installed": {name: installed_version(name) for name in _LIBRARIES},
    }
    if model is not None:
        told |= _examine(model)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
    else:
        click.echo(_words(told, model))
    if told.get("problems") or told.get("strange"):
        return 1
    return 4 if told.get("differences") or told.get("modules") else 0


def _examine(path: Path) -> dict[str, Any]:
    from lading.engine.loading import is_bundle

    return _examine_bundle(path) if is_bundle(path) else _examine_file(path)


def _examine_bundle(path: Path) -> dict[str, Any]:
    from lading.engine.loading import open_bundle
    from lading.flavors.registry import flavor_named, refuse_mismatch

    with open_bundle(path) as bundle:
        bundle.verify()
        manifest = bundle.manifest
        data = bundle.read(manifest.model)
    wanted: dict[str, str | None] = {item.name: item.version for item in manifest.needed}
    told: dict[str, Any] = {"class": manifest.class_name, "needs": wanted, **_compared(wanted)}
    if manifest.is_compiled:  # and so asks nothing of what the native model needs
        return told
    try:
        flavor = flavor_named(manifest.flavor)
        refuse_mismatch(flavor, manifest.model, data)
        return told | _asked_for(flavor.needs(data))
    except LadingError as error:
        return told | {"problems": [error.message]}


def _examine_file(path: Path) -> dict[str, Any]:
    from lading.engine.gathering import gather
    from lading.engine.model_file import declared_beside, read_model_file, split_entry
    from lading.flavors.registry import flavor_of_file

    path, _ = split_entry(path)
    data = read_model_file(path)
    flavor = flavor_of_file(path.name, data)
    try:
        needs = flavor.needs(data)
    except LadingError as error:
        return {"class": "?", "needs": {}, "differences": [], "problems": [error.message]}
    wanted = dict(needs.distributions)
    told = {"class": needs.class_name, "needs": wanted, **_compared(wanted), "metadata": dict(needs.metadata)}
    told |= _asked_for(needs)
    try:
        gather(declared_beside(path, None).code_paths, needs, str(path))
    except LadingError as error:
        told["problems"].append(f"{error.message}: {error.hint}")
    return told


def _asked_for(needs: Needs) -> dict[str, Any]:
    problems = list(needs.problems)
    if needs.hostile:
        problems.append("it acts on the machine when it is opened, which no model needs: it is refused")
    return {"names": needs.names, "modules": needs.modules, "strange": needs.strange, "problems": problems}


def _compared(wanted: dict[str, str | None]) -> dict[str, Any]:
    return {"differences": [_difference(item) for item in differences(wanted)]}


def _difference(item: Difference) -> dict[str, Any]:
    return {"name": item.name, "wanted": item.wanted, "installed": item.installed, "mend": item.command}


def _words(told: dict[str, Any], model: Path | None) -> str:
    lines = [f"lading    {told['lading']}   Python {told['python']}", "", "installed"]
    lines += [f"  {name:<14} {version or '-'}" for name, version in told["installed"].items()]
    if model is None:
        return "\n".join(printable(line) for line in lines)
    lines += ["", f"{model.name}   {told['class']}", "needs"]
    lines += [f"  {name:<14} {version or 'any'}" for name, version in told["needs"].items()]
    for item in told["differences"]:
        lines.append(f"! {item['name']}: has {item['installed'] or 'nothing'}, needs {item['wanted'] or 'any'}")
        lines.append(f"    {item['mend']}")
    for module in told.get("modules", ()):
        lines.append(f"! the module `{module}` is not here")
        lines.append("    install what has it, or put it on the Python path: PYTHONPATH")
    for name in told.get("strange", ()):
        lines.append(f"! it calls `{name}`, which models do not: open it only if you trust where it came from")
    lines += [f"! {problem}" for problem in told.get("problems", ())]
    if not any(line.startswith("!") for line in lines):
        lines += ["", f"nothing stands in the way: lading serve {model}"]
    return "\n".join(printable(line) for line in lines)
