"""The table of families: it has what is counted anywhere, and fits into an entry."""

import ast
from collections.abc import Mapping

import pytest

from lading.monitor.families import FAMILIES, Family
from lading.monitor.slots import Kind

VERBS = {"add": Kind.COUNTER, "set": Kind.GAUGE, "observe": Kind.HISTOGRAM}


def _counted(sources: Mapping[str, str]) -> set[tuple[str, Kind]]:
    """What the sources count, by a name that they write down, and as what."""
    return {
        (str(node.args[0].value), VERBS[node.func.attr])
        for source in sources.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS
        if "counters" in ast.unparse(node.func.value) and isinstance(node.args[0], ast.Constant)
    }


def test_what_is_counted_is_found():
    source = (
        'self._counters.add("a"); counters.observe("b", 1); self.counters.set("c", 1); seen.add("d"); counters.add(e)'
    )
    expected = {("a", Kind.COUNTER), ("b", Kind.HISTOGRAM), ("c", Kind.GAUGE)}
    assert _counted({"m": source}) == expected


def test_everything_that_is_counted_is_in_the_table_as_what_it_is(package_sources: Mapping[str, str]):
    counted = _counted(package_sources)
    assert {(name, FAMILIES[name].kind) for name, _ in counted} == counted
    assert len(counted) > 10


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_a_family_fits_into_an_entry(family: Family):
    assert 1 <= family.words <= 255
    assert list(family.bounds) == sorted(set(family.bounds))
    assert (family.bounds != ()) == (family.kind is Kind.HISTOGRAM)
    assert not family.is_shared or family.kind is Kind.GAUGE
