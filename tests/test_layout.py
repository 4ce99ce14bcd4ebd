"""The house keeps its shape: layers, walls and names, read off the sources with `ast`.

A rule is a function from sources (module name to text) to a list of what breaks it. Each one stands in
`BROKEN` with small sources that it must catch, and the package is held against exactly those rules, so that
none of them can be a rule that never fails.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import pytest

Sources = Mapping[str, str]
Rule = Callable[[Sources], list[str]]

LAYERS = (
    {"errors"},
    {"settings"},
    {"schema"},
    {"bundle"},
    {"flavors", "remote", "access"},
    {"engine"},
    {"service"},
    {"journal", "monitor", "features", "http", "grpc", "batch", "ui"},
    {"serve", "ship", "testing"},
    {"cli"},
    {"__main__"},
    {"lading"},
)
"""Lowest first; a part imports from lower layers only. `lading` is the package root with its lazy names."""
RANKS = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
CEILINGS = {"ship": "bundle", "access": "settings"}
"""The highest part that a part may import, where that is less than its layer would allow."""
WALLS = {
    "ship": {"engine", "http", "flavors"},
    "engine": {"journal", "monitor", "features"},
    "service": {"journal", "monitor", "features"},
    "http": {"flavors", "journal", "monitor"},
    "grpc": {"flavors", "journal", "monitor"},
}
FRAMEWORKS = {
    *("sklearn", "pandas", "joblib", "onnxruntime", "onnx", "skl2onnx", "skops", "scipy", "pyarrow"),
    *("psycopg", "redis", "obstore"),
}
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc"}
MAX_LINES = 400


# --- reading imports


class Import(NamedTuple):
    """One module that another one names, and how."""

    importer: str
    imported: str
    line: int
    for_types: bool
    in_function: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


class Place(NamedTuple):
    """A node, and whether only type checkers or only function calls reach it."""

    node: ast.AST
    for_types: bool = False
    in_function: bool = False


_parse = cache(ast.parse)


def _places(place: Place) -> Iterator[Place]:
    yield place
    node = place.node
    in_function = place.in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    typed = node.body if isinstance(node, ast.If) and _is_type_checking(node.test) else []
    for child in ast.iter_child_nodes(node):
        yield from _places(Place(child, place.for_types or child in typed, in_function))


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def imports(sources: Sources) -> Iterator[Import]:
    """Every import in the sources, wherever it stands, and every module named to `import_module`."""
    for module, source in sources.items():
        has_table = any(_is_computed_import(node) for node in ast.walk(_parse(source)))
        for node, for_types, in_function in _places(Place(_parse(source))):
            names = _named(node, module, sources)
            if has_table and isinstance(node, ast.Constant) and node.value in sources:
                names = [node.value]
            for name in names:
                yield Import(module, name, getattr(node, "lineno", 0), for_types, in_function)


def _named(node: ast.AST, module: str, sources: Sources) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return _named_from(_base(node, module, sources), node, sources)
    if _is_import_call(node) and isinstance(node.args[0], ast.Constant):
        return [node.args[0].value]
    return []


def _named_from(base: str, node: ast.ImportFrom, sources: Sources) -> list[str]:
    # The version is a constant of the package root; reading it imports no layer.
    names = [alias.name for alias in node.names if (base, alias.name) != ("lading", "__version__")]
    return [f"{base}.{name}" if f"{base}.{name}" in sources else base for name in names]


def _base(node: ast.ImportFrom, module: str, sources: Sources) -> str:
    if not node.level:
        return node.module or ""
    is_package = any(other.startswith(f"{module}.") for other in sources)
    parents = module.split(".")[: len(module.split(".")) - node.level + is_package]
    return ".".join([*parents, *filter(None, [node.module])])


def _is_import_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not node.args:
        return False
    return ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}


def _is_computed_import(node: ast.AST) -> bool:
    return _is_import_call(node) and not isinstance(node.args[0], ast.Constant)


def _part(module: str) -> str:
    """`lading.http.app` is of `http`; the root is of `lading`."""
    return module if module == "lading" else module.split(".")[1]


def _inner(sources: Sources) -> list[Import]:
    return [each for each in imports(sources) if each.imported.split(".")[0] == "lading"]


# --- the rules


def unknown_modules(sources: Sources) -> list[str]:
    """Modules that have no layer yet."""
    return [f"{module} is in no layer of LAYERS" for module in sources if _part(module) not in RANKS]


def upward_imports(sources: Sources) -> list[str]:
    """Imports that do not go down, those for types and those inside functions included."""
    return [str(each) for each in _inner(sources) if not _goes_down(each)]


def _goes_down(each: Import) -> bool:
    importer, imported = _part(each.importer), _part(each.imported)
    if importer == imported:
        return True
    top = RANKS[CEILINGS[importer]] + 1 if importer in CEILINGS else RANKS.get(importer, len(LAYERS))
    return RANKS.get(imported, len(LAYERS)) < top


def import_cycles(sources: Sources) -> list[str]:
    """One circle of imports, where there is any; imports for type checkers only do not count."""
    graph: dict[str, set[str]] = {module: set() for module in sources}
    for each in _inner(sources):
        if not each.for_types:
            graph[each.importer] |= _loaded(each) & sources.keys()
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" imports ".join(reversed(error.args[1]))]
    return []


def _loaded(each: Import) -> set[str]:
    # Importing `a.b.c` runs `a.b` first, but not where the importer is inside of `a.b`: then it has begun.
    return {each.imported} | (_parents(each.imported) - _parents(each.importer) - {each.importer})


def _parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def broken_walls(sources: Sources) -> list[str]:
    """Imports through a wall, for types too."""
    return [str(each) for each in _inner(sources) if _part(each.imported) in WALLS.get(_part(each.importer), {})]


def frameworks_at_start(sources: Sources) -> list[str]:
    """Imports of ML libraries that run as soon as the module is imported."""
    return [
        str(each)
        for each in imports(sources)
        if each.imported.split(".")[0] in FRAMEWORKS and not each.in_function and not each.for_types
    ]


def vague_names(sources: Sources) -> list[str]:
    """Modules whose name does not say what is in them."""
    return [module for module in sources if VAGUE & {part.strip("_") for part in module.split(".")}]


def long_modules(sources: Sources) -> list[str]:
    """Modules that are more than one noun."""
    lines = {module: len(source.splitlines()) for module, source in sources.items()}
    return [f"{module} has {count} lines" for module, count in lines.items() if count > MAX_LINES]


# --- what each rule must catch, and what it must let pass; a case is `module: source`, more after a bar

BROKEN: dict[Rule, list[str]] = {
    unknown_modules: ["novelty: ", "novelty.inner: "],
    upward_imports: [
        "schema.fields: import lading.bundle",
        "engine: def load(): from lading.service import Service",
        "engine: async def load(): from lading import cli | cli: ",
        "engine.batcher: from ..serve import worker | serve.worker: ",
        "schema: if TYPE_CHECKING: from lading.bundle import Manifest",
        "schema: if typing.TYPE_CHECKING: pass\nelse: import lading.bundle",
        "errors: from lading.schema.problems import Problem",
        "errors: if TYPE_CHECKING: from lading.schema.problems import Problem",
        "http.app: from lading.monitor import counters",
        "serve: from lading.ship import plan",
        "ship.plan: import lading.service",
        "bundle: importlib.import_module('lading.cli')",
        "bundle: TABLE = {'x': 'lading.cli.x'}; import_module(TABLE['x']) | cli.x: ",
        "service: from lading import serve_model",
        "service: import lading.unheard_of",
    ],
    import_cycles: [
        "bundle.a: def a(): import lading.bundle.b"
        " | bundle.b: def b(): from lading.bundle import c"
        " | bundle.c: def c(): from lading.bundle.a import a",
        "bundle: from lading.bundle.a import A | bundle.a: from lading.bundle import B",
        "bundle: from .a import A | bundle.a: from . import B",
        "bundle: from lading.schema.a import A | bundle.b: | schema.a: import lading.bundle.b",
        "__init__: def __getattr__(name): from lading.cli import x | cli: from lading import y",
    ],
    broken_walls: [
        "ship.docker: def plan(): import lading.flavors.sklearn",
        "engine.batcher: from lading.journal import segments",
        "service: if TYPE_CHECKING: from lading.monitor import counters",
        "http.routes: from lading.flavors.protocol import Flavor",
        "grpc: import lading.journal.segments as segments",
    ],
    frameworks_at_start: [
        "flavors.sklearn: import sklearn.base",
        "flavors.sklearn: try: from joblib import load\nexcept ImportError: load = None",
        "flavors.sklearn: class Flavor: import pandas",
    ],
    vague_names: ["utils: ", "http._helpers: ", "common.dates: "],
    long_modules: ["service: " + "\n" * 401],
}

FINE: list[tuple[Rule, str]] = [
    (unknown_modules, "__init__: | __main__: | http.app: "),
    (upward_imports, "cli: def run(): from lading.serve import supervisor; import numpy"),
    (upward_imports, "http.app: from lading.http import routes; from lading import __version__"),
    (upward_imports, "__init__: import lading.serve | ship: from lading.bundle.manifest import Manifest"),
    (import_cycles, "bundle.a: import lading.bundle.b | bundle.b: import lading.bundle"),
    (import_cycles, "bundle: from .a import A | bundle.a: from . import b | bundle.b: "),
    (import_cycles, "__init__: if TYPE_CHECKING: import lading.schema | schema: import lading.errors | errors: "),
    (broken_walls, "http.app: import lading.service | serve: import lading.journal, lading.monitor"),
    (frameworks_at_start, "flavors.sklearn: def load(): import sklearn"),
    (frameworks_at_start, "flavors.sklearn: if TYPE_CHECKING: import pandas"),
    (vague_names, "http.commonplace: "),
    (long_modules, "service: " + "\n" * 400),
]


def _sources(case: str) -> Sources:
    pairs = (module.split(":", 1) for module in case.split(" | "))
    return {f"lading.{name}".removesuffix(".__init__"): source.removeprefix(" ") for name, source in pairs}


BROKEN_CASES = [(rule, case) for rule, cases in BROKEN.items() for case in cases]


@pytest.mark.parametrize(("rule", "case"), BROKEN_CASES, ids=[rule.__name__ for rule, _ in BROKEN_CASES])
def test_the_rule_catches_what_breaks_it(rule: Rule, case: str):
    assert len(rule(_sources(case))) == 1


@pytest.mark.parametrize(("rule", "case"), FINE, ids=[rule.__name__ for rule, _ in FINE])
def test_the_rule_lets_pass_what_keeps_it(rule: Rule, case: str):
    assert rule(_sources(case)) == []


# --- the package itself


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule, package_sources: Sources):
    assert rule(package_sources) == []


def test_the_package_is_read_whole(package_sources: Sources):
    assert {"lading", "lading.errors", "lading.schema", "lading.schema.fields"} <= package_sources.keys()
    assert any(each.imported == "lading.errors" for each in imports(package_sources))
