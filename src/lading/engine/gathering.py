"""The author's own Python for a model, gathered from the files that they name with `--code`.

Each file has one of three places:

    __main__   it defines what a pickle looks up in the notebook or script that saved it: those definitions are taken,
               with what they depend on, and nothing else of it
    a module   the model, or other code, imports it by its name: it is carried whole
    around     it has `preprocess` or `postprocess`, which are called before and after the model

Inside of a notebook or a script that packs its own model, nobody needs to name it.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lading.bundle.manifest import CODE_FOLDER, MAIN, Code
from lading.bundle.names import shown
from lading.bundle.rescue.live import live_source, live_values
from lading.bundle.rescue.notebook import MAX_BYTES, Source, read_source
from lading.bundle.rescue.rescued import definitions, rescue
from lading.engine.files import read_file
from lading.engine.own_code import OwnCode, imported
from lading.errors import LadingError, UnsupportedModel, UsageError
from lading.flavors.flavor import Needs

AROUND = frozenset({"preprocess", "postprocess"})
_SHOWN = 5
_NAME_CHARS = 100
_LOOKED_THROUGH = 50
"""Files beside a model that are read to say which of them defines what it needs."""
_LOOKED_BYTES = 4 << 20
_LOOKED_CHARS = 60_000
"""Of code, in one of them."""
_LOOKED_S = 2.0
"""Seconds after which no further one is looked through."""


def gather(paths: Sequence[Path], needs: Needs, model: str, *, imports: Iterable[str] = ()) -> OwnCode:
    """The code for a model; none of it is run.

    Args:
        paths: of `.py` and `.ipynb` files.
        needs: of the model's file.
        model: the path of that file, to look beside it; empty for a Python object.
        imports: what the model's own file imports.

    Raises:
        UsageError: a file cannot be read, or nothing needs it.
        UnsupportedModel: what the model needs is in none of them; says what to type.
    """
    sources = [_read(path) for path in paths]
    wanted = frozenset(name.partition(".")[0] for name in needs.definitions)
    mains = [source for source in sources if not wanted.isdisjoint(_defined(source))]
    if wanted and not mains:
        # It may be in a cell that is no Python, which is what there is to say then.
        mains = [source for source in sources if source.name.endswith(".ipynb")]
    rest = [source for source in sources if source not in mains]
    code = _main(mains, needs, wanted, model) if wanted else OwnCode()
    asked = {name.partition(".")[0] for name in needs.names} | {*needs.modules, *imports} | code.imports
    asked = asked.union(*(imported(_text(source)) for source in rest))
    placed = [_place(source, asked) for source in rest]
    texts = {file.module: _text(source) for file, source in zip(placed, rest, strict=True)}
    if len(texts) < len(rest) or sum(file.is_around for file in placed) > 1:
        raise UsageError("two files of code have the same place", hint="put them into one")
    return OwnCode((*code.files, *placed), {**code.texts, **texts}, code.notes)


def _read(path: Path) -> Source:
    return read_source(path.name, read_file(path, MAX_BYTES))


def _defined(source: Source) -> frozenset[str]:
    """What a source defines itself: what it imports is of another module, by whose name pickles ask for it."""
    return frozenset(name for name, kind in definitions(source).items() if kind != "import")


def _text(source: Source) -> str:
    return "\n".join(cell.text for cell in source.cells)


def _main(mains: Sequence[Source], needs: Needs, wanted: frozenset[str], model: str) -> OwnCode:
    """What the pickle looks up in `__main__`, out of the files that define it or the notebook that runs now."""
    values = None
    if not mains:
        live = live_source()
        if live is None or not wanted <= _defined(live):
            raise _missing(sorted(wanted), model)
        mains, values = [live], live_values()
    source = mains[0]
    if len(mains) > 1:
        cells = tuple(cell for each in mains for cell in each.cells)
        source = Source(" and ".join(each.name for each in mains), cells)
    found = rescue(source, needs.definitions, values=values)
    origin = f"{source.name}, {', '.join(found.places)}" if found.places else source.name
    return OwnCode((_file(MAIN, origin),), {MAIN: found.text}, found.notes)


def _file(module: str, origin: str, *, is_around: bool = False) -> Code:
    return Code(f"{CODE_FOLDER}{module}.py", module, origin, is_around)


def _place(source: Source, asked: Iterable[str]) -> Code:
    """The place of a file that defines nothing that a pickle looks up in `__main__`."""
    name, _, ending = source.name.rpartition(".")
    if ending == "py" and name in asked:
        return _file(name, source.name)
    if ending == "py" and name.isidentifier() and not AROUND.isdisjoint(definitions(source)):
        return _file(name, source.name, is_around=True)
    raise UsageError(
        f"nothing needs {source.name}: the model looks up none of its definitions and imports no `{name}`",
        hint="named by --code, or as `code` in lading.toml; code around a model has `preprocess` or `postprocess`",
    )


def _missing(wanted: Sequence[str], model: str) -> UnsupportedModel:
    """What to type to give a model the definitions that it looks up."""
    names = ", ".join(shown(name[:_NAME_CHARS]) for name in wanted[:_SHOWN])
    if len(wanted) > _SHOWN:
        names += f" and {len(wanted) - _SHOWN} more"
    message = f"{Path(model).name or 'the model'} needs {names} from the notebook or script that saved it"
    found = _likeliest(frozenset(wanted), Path(model)) if model else None
    command = f"lading serve {shlex.quote(model or 'MODEL')} --code"
    if found is None:
        return UnsupportedModel(message, hint=f"name the .ipynb or .py file that defines it: {command} FILE")
    return UnsupportedModel(message, hint=f"{found.name} beside it defines that: {command} {shlex.quote(str(found))}")


def _likeliest(wanted: frozenset[str], model: Path) -> Path | None:
    """The file beside a model that defines what it needs; one that names the model's file before others."""
    found = list(_defining(wanted, model.parent))
    writers = [path for path, source in found if model.name in _text(source)]
    return next(iter(writers or [path for path, _ in found]), None)


def _defining(wanted: frozenset[str], folder: Path) -> Iterator[tuple[Path, Source]]:
    """The notebooks and scripts in a folder that define all of these names; it is not looked for them long."""
    deadline = time.monotonic() + _LOOKED_S
    beside: list[Path] = []
    with contextlib.suppress(OSError):
        beside = sorted(path for path in folder.iterdir() if path.suffix in (".ipynb", ".py"))
    for path in beside[:_LOOKED_THROUGH]:
        if time.monotonic() > deadline:
            return
        with contextlib.suppress(LadingError):
            data = read_file(path, _LOOKED_BYTES)
            # To read costs little: only what may define them is parsed.
            if all(name.encode() in data for name in wanted):
                source = read_source(path.name, data)
                if _is_short(source) and wanted <= _defined(source):
                    yield path, source


def _is_short(source: Source) -> bool:
    return sum(len(cell.text) for cell in source.cells) <= _LOOKED_CHARS
