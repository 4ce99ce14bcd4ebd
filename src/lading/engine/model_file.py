"""A model's own file and what stands beside it: its declarations, its author's code, other files. Nothing of it is run
before it is opened."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from lading.bundle.declared import Declared, read_declared, within
from lading.bundle.environment import differences, distributions_of, refuse_differences
from lading.bundle.manifest import FILES_FOLDER
from lading.bundle.names import shown
from lading.engine.around import Around
from lading.engine.files import read_file
from lading.engine.gathering import gather
from lading.engine.own_code import NO_CODE, OwnCode, imported, third_party
from lading.errors import EnvironmentMismatch, UnsupportedModel, UsageError
from lading.flavors.flavor import Flavor, Needs, Predictor, Support
from lading.flavors.registry import flavor_of_file, require
from lading.settings import CONFIG_NAME, read_config

MAX_FILE_BYTES = 16 << 30
_ENTRY = re.compile(r"(.+\.py):([A-Za-z_]\w*)", re.DOTALL | re.ASCII)
_SHOWN = 5
_NAME_CHARS = 100

_Said = TypeVar("_Said", bound=msgspec.Struct)


@dataclass(frozen=True)
class ModelFile:
    """A model's own file and what stands beside it.

    Attributes:
        name: of the file.
        data: its bytes.
        flavor: what opens it.
        needs: what it and its code ask for.
        code: the author's own Python.
        files: other files, by name.
        entry: the function or class that is the model, where it is Python.
        path: where the file is; None where it was made of a Python object.
    """

    name: str
    data: bytes
    flavor: Flavor
    needs: Needs
    code: OwnCode = NO_CODE
    files: Mapping[str, bytes] = field(default_factory=dict)
    entry: str = ""
    path: Path | None = None

    def open(self) -> Predictor:
        """The model. Runs what is in its file: only for what its owner named.

        Raises:
            ModelError: it cannot be served.
            EnvironmentMismatch: its code imports what is not here.
        """
        return _open(self.flavor, self.data, self.code, Support(self.code.modules(), self.entry, self.files))

    @property
    def members(self) -> dict[str, bytes]:
        """What a bundle holds of it beside the file itself."""
        return self.code.members | {f"{FILES_FOLDER}{name}": data for name, data in self.files.items()}


def open_model(flavor: Flavor, data: bytes, code: OwnCode, *, files: Mapping[str, bytes], entry: str) -> Predictor:
    """The model in a bundle, with the author's code around it where there is some.

    Raises:
        UnsupportedModel: it acts on the machine when it is opened.
    """
    _refuse_hostile("the model in the bundle", flavor.needs(data))
    return _open(flavor, data, code, Support(code.modules(), entry, files))


def _open(flavor: Flavor, data: bytes, code: OwnCode, support: Support) -> Predictor:
    predictor = flavor.load(data, support)
    return Around(predictor, support.modules[code.around]) if code.around else predictor


def _refuse_hostile(name: str, needs: Needs) -> None:
    if needs.hostile:
        acts = ", ".join(shown(each[:_NAME_CHARS]) for each in needs.hostile[:_SHOWN])
        message = f"{name} is refused: it uses {acts} when it is opened, which no model needs"
        raise UnsupportedModel(message, hint="nothing was run; lading doctor FILE shows everything that it asks for")


def split_entry(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """The file and the function or class in `score.py:identity`; of any other path the second is empty."""
    found = _ENTRY.fullmatch(str(path))
    if found is None or os.path.exists(path):
        return Path(path), ""
    return Path(found[1]), found[2]


def read_model(path: Path, declared: Declared, *, ignore_versions: bool = False) -> ModelFile:
    """A bare file, with what was declared to stand beside it.

    Raises:
        LadingError: as `read_model_file` and `examine`.
    """
    path, entry = split_entry(path)
    data = read_model_file(path)
    found = examine(path.name, data, declared, path=path, ignore_versions=ignore_versions)
    return dataclasses.replace(found, files=_read_files(declared.file_paths), entry=entry)


def read_model_file(path: Path) -> bytes:
    """The bytes of a model file.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        FormatError: it is larger than `MAX_FILE_BYTES`.
    """
    return read_file(path, MAX_FILE_BYTES)


def _read_files(paths: Sequence[Path]) -> dict[str, bytes]:
    files = {path.name: read_model_file(path) for path in paths}
    if len(files) < len(paths):
        raise UsageError("two files have the same name", hint="rename one of them")
    return files


def examine(
    name: str, data: bytes, declared: Declared, *, path: Path | None = None, ignore_versions: bool = False
) -> ModelFile:
    """The flavor of a bare file and what it asks for, before anything in it is run.

    Raises:
        FormatError: it is empty, broken or of no known format.
        EnvironmentMismatch: the environment lacks what it asks for.
        UnsupportedModel: it asks for something that cannot be installed, or acts on the machine when it is opened.
    """
    flavor = flavor_of_file(name, data)
    require(flavor, name)
    needs = flavor.needs(data)
    _refuse_hostile(name, needs)
    own = imported(data.decode("utf-8", "replace")) if flavor.name == "python" else frozenset[str]()
    code = gather(declared.code_paths, needs, str(path) if path is not None else "", imports=own)
    needs = _with_imports(needs, (code.imports | own) - code.texts.keys())
    if not ignore_versions:
        refuse_differences(name, differences(dict(needs.distributions)))
    if missing := [module for module in needs.modules if module not in code.texts]:
        listed = ", ".join(f"`{module}`" for module in missing)
        hint = "install what has it, put it on the Python path (PYTHONPATH), or carry it along: --code FILE"
        raise EnvironmentMismatch(f"{name} needs the module {listed}, which is not here", hint=hint)
    if needs.problems:
        raise UnsupportedModel(f"{name}: {needs.problems[0]}", hint=f"lading doctor {name}")
    return ModelFile(name, data, flavor, needs, code, path=path)


def _with_imports(needs: Needs, imports: frozenset[str]) -> Needs:
    """What a file needs, with the installed distributions that its author's code imports."""
    found = dict.fromkeys(distributions_of(third_party(imports)))
    return dataclasses.replace(needs, distributions={**found, **needs.distributions})


def declared_beside(path: Path, declared: Declared | None) -> Declared:
    """What `lading.toml` beside a file declares, under what was declared by options."""
    table = read_config(path.parent / CONFIG_NAME)
    table.pop("serve", None)
    beside = within(path.parent, read_declared(table))
    return beside if declared is None else over(beside, declared)


def over(below: Declared, said: Declared) -> Declared:
    """What was said, with what was declared below it wherever nothing was."""
    inputs = below.inputs | {name: _over(below.inputs.get(name), each) for name, each in said.inputs.items()}
    return msgspec.structs.replace(_over(below, said), inputs=inputs)


def _over(below: _Said | None, said: _Said) -> _Said:
    """What was said, with what stands below it wherever nothing was."""
    if below is None:
        return said
    changes = {name: value for name in said.__struct_fields__ if (value := getattr(said, name)) not in (None, (), {})}
    return msgspec.structs.replace(below, **changes)
