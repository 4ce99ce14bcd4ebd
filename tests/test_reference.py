"""The reference pages name everything that the code has: settings, verbs, error codes, routes, fields."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from lading.access.access import Access
from lading.access.rates import Rates
from lading.access.scopes import Operation
from lading.access.tokens.grant import Token
from lading.bundle.declared import Declared, DeclaredInput
from lading.bundle.lookups import Lookup
from lading.bundle.manifest import Code, Data, Engine, Manifest, Member, Parity, Requirement
from lading.cli import cli
from lading.engine.golden import Golden
from lading.flavors.flavor import Flavor, Predictor
from lading.flavors.registry import flavors
from lading.http.accounts import Accounts
from lading.http.admission import Secured
from lading.http.app import TOKEN_PATH, make_app
from lading.http.routes import plain_routes
from lading.monitor.counters import SharedCounters
from lading.monitor.families import FAMILIES, Family
from lading.monitor.slots import Slots
from lading.schema.fields import Field, Output, Schema
from lading.schema.problems import Problem
from lading.schema.reference import ColumnReference, Reference
from lading.schema.unusual import Warning
from lading.service import Service
from lading.settings import PREFIX, SETTINGS, Setting, Settings

DOCS = Path(__file__).parents[1] / "docs"

# A code says the family of the error and, behind a dot, the error; these families hold nothing else.
ERROR_FAMILIES = {
    *("schema", "input", "request", "output", "route", "query", "proba", "range", "category", "features", "image"),
}
FILE_SUFFIXES = {"json", "png", "toml"}


def _page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def _rows(page: str) -> dict[str, list[str]]:
    """The rows of all tables of a page: the word in backticks in the first cell, and the other cells."""
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", page, re.MULTILINE)
    return {first: rest.split(" | ") for first, rest in rows}


# --- settings


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_on_its_page(setting: Setting):
    default = setting.default
    shown = (
        str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else default
    )
    expected = [f"`{shown}`" if shown != "" else "none", f"`{PREFIX}{setting.name.upper()}`", setting.sentence]
    assert _rows(_page("reference/settings.md"))[setting.name] == expected


def test_no_other_setting_is_on_the_page():
    assert set(_rows(_page("reference/settings.md"))) == {setting.name for setting in SETTINGS}


# --- verbs


def test_every_verb_shows_its_help():
    shown = re.findall(r"^\$ lading (\w+) --help$", _page("reference/command-line.md"), re.MULTILINE)
    assert sorted(shown) == sorted(cli.list_commands(click.Context(cli)))


# --- error codes


def _codes(sources: Mapping[str, str]) -> set[str]:
    return {code for source in sources.values() for code in _codes_in(ast.parse(source))}


def _codes_in(tree: ast.Module) -> Iterator[str]:
    """The codes that a module gives to errors: as `code = "…"`, as `code="…"` or by a constant, or by their family."""
    assigned = [
        node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    ]
    constants = {ast.unparse(node.targets[0]): node.value.value for node in assigned}
    yield from (node.value.value for node in assigned if ast.unparse(node.targets[0]) == "code")
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            if isinstance(node.value, ast.Constant):
                yield node.value.value
            elif (code := constants.get(ast.unparse(node.value))) is not None:
                yield code
        elif isinstance(node, ast.Constant) and _is_of_a_family(node.value):
            yield node.value


def _is_of_a_family(value: object) -> bool:
    family, _, word = str(value).partition(".")
    return family in ERROR_FAMILIES and word not in FILE_SUFFIXES and re.fullmatch("[a-z_]+", word) is not None


def test_a_code_is_found_however_it_is_given():
    source = """
LATE = "late"
class Oops(Error):
    code = "oops"
raise Oops("no", code="oops.no")
raise Oops("too late", code=LATE)
problems.add(Problem("", "schema.wrong", "detail"))
open("schema.json")
"""
    assert _codes({"lading.oops": source}) == {"late", "oops", "oops.no", "schema.wrong"}


def test_the_page_of_errors_has_every_code_and_no_other(package_sources: Mapping[str, str]):
    assert set(_rows(_page("reference/errors.md"))) == _codes(package_sources)


# --- HTTP


@pytest.fixture
def service() -> Service:
    return Service(Settings(), SharedCounters(Slots.create(1), 0))


def test_every_route_is_on_the_page_of_http(service: Service):
    shown = {name for name in _rows(_page("reference/http.md")) if name.startswith("/")}
    assert shown == {"/", "/predict", TOKEN_PATH, *plain_routes(service, bytes)}


def test_the_rights_on_the_page_are_those_of_the_live_routes(service: Service):
    access = Access([], Rates([], 0, b""))
    app = make_app(service, Accounts(service.counters), bytes, access, grant=lambda *_: Token("", 0, ""))
    service.route = "/predict"  # as a model says it
    told = {_right(each) for each in app.routes}
    section = _page("reference/http.md").partition("## Who may ask")[2].partition("\n## ")[0]
    assert {line for line in section.splitlines() if line.startswith("| ") and "`/" in line} == told


def _right(route: Secured) -> str:
    match route.operation:
        case Operation.HEALTH:
            right = ""
        case Operation.TOKEN:
            right = f"{route.operation.value} "
        case Operation.PREDICT:
            right = "`predict:MODEL`, or `predict:*` "
        case other:
            right = f"`{other.value}` "
    return f"| {', '.join(sorted(route.methods))} `{route.path}` | {right}|"


@pytest.mark.parametrize("struct", [Problem, Warning], ids=lambda struct: struct.__name__)
def test_every_member_of_an_answer_is_on_the_page_of_http(struct: type[msgspec.Struct]):
    page = _page("reference/http.md")
    assert [name for name in struct.__struct_encode_fields__ if f"`{name}`" not in page] == []


# --- metrics


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_family_is_on_the_page_of_metrics(family: Family):
    labels = ", ".join(f"`{label}`" for label in family.labels)
    expected = f"{family.kind.name.lower()} | {labels} | {family.sentence}".replace("|  |", "| |")
    assert " | ".join(_rows(_page("reference/metrics.md"))[family.exposed_name]) == expected


def test_no_other_family_is_on_the_page_of_metrics():
    shown = {name for name in _rows(_page("reference/metrics.md")) if name.startswith("lading_")}
    assert shown == {family.exposed_name for family in FAMILIES.values()}


def test_the_bounds_of_histograms_are_on_the_page_of_metrics():
    page = _page("reference/metrics.md")
    for bounds in {family.bounds for family in FAMILIES.values() if family.bounds}:
        assert ", ".join(f"{bound:g}" for bound in bounds) in page


# --- files


STRUCTS = (
    Manifest,
    Requirement,
    Member,
    Code,
    Data,
    Lookup,
    Engine,
    Parity,
    Schema,
    Field,
    Output,
    Golden,
    Reference,
    ColumnReference,
)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_of_a_bundle_is_on_its_page(struct: type[msgspec.Struct]):
    page = _page("bundle-format.md")
    assert [name for name in struct.__struct_encode_fields__ if f"`{name}`" not in page] == []


def test_every_key_of_lading_toml_is_on_its_page():
    keys = {key.strip("[]").partition(".")[0] for key in _rows(_page("how-to/metadata.md"))}
    assert keys >= {*Declared.__struct_fields__, *DeclaredInput.__struct_fields__}
    assert _rows(_page("how-to/features.md")).keys() >= {*Lookup.__struct_fields__}


# --- flavors


def test_every_flavor_is_on_its_page_with_its_files():
    rows = _rows(_page("reference/flavors.md"))
    for flavor in flavors():
        endings = {f".{part}" for suffix in flavor.suffixes for part in suffix.split(".")[1:]}
        shown = "".join(re.findall(r"`([^`]+)`", rows[flavor.name][0]))
        assert [ending for ending in endings if ending not in shown] == []


@pytest.mark.parametrize("protocol", [Flavor, Predictor], ids=lambda protocol: protocol.__name__)
def test_every_part_of_a_flavor_is_on_its_page(protocol: Any):
    page = _page("reference/flavors.md")
    names = [name for name in {**vars(protocol), **protocol.__annotations__} if not name.startswith("_")]
    assert [name for name in names if not re.search(rf"`{name}[`(]", page)] == []
