"""Whatever is written for systemd comes back out of systemd itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.errors import UsageError
from lading.ship.host import unit_text
from lading.ship.host.unit_text import Section

from .systemd_reader import HOSTILE, environment_of, read, read_by_systemd

printable = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" ")).filter(str.isprintable)


@read_by_systemd
@settings(max_examples=15)  # each is a process, with many texts
@given(texts=st.lists(printable, min_size=20, max_size=60))
def test_every_argument_comes_back(texts: list[str], tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("unit") / "x.service"
    arguments = ["/bin/x", HOSTILE, ";", "", *texts]
    path.write_text(unit_text.render([Section("Service", [unit_text.command("ExecStart", *arguments)])], HOSTILE))
    assert read("unit", path) == [["Service", "ExecStart", arguments]]


@read_by_systemd
def test_a_text_comes_back(tmp_path: Path):
    path = tmp_path / "x.service"
    path.write_text(unit_text.render([Section("Unit", [unit_text.line("Description", HOSTILE)])], "head \\\\"))
    assert read("unit", path) == [["Unit", "Description", HOSTILE]]


@pytest.mark.parametrize("text", ["a\nExecStart=/bin/sh", "a\r", "a\0", "a\x1b[31m", "a\u2028", "\udcff"])
def test_control_characters_are_refused(text: str):
    makers: list[Callable[[], object]] = [
        lambda: unit_text.line("Description", text),
        lambda: unit_text.words("Environment", text),
        lambda: unit_text.command("ExecStart", "/bin/x", text),
        lambda: unit_text.environment_text({"LADING_X": text}, ""),
        lambda: unit_text.sysusers_text([("u", text)], ""),
    ]
    for make in makers:
        with pytest.raises(UsageError, match="no control characters"):
            make()


@pytest.mark.parametrize("text", ["a\\", " a", "a "])
def test_a_value_that_systemd_would_change_is_refused(text: str):
    with pytest.raises(UsageError, match="begin or end"):
        unit_text.line("Description", text)


@pytest.mark.parametrize("program", ["x", "-/bin/x", "/bin/$x", "/bin/x y"])
def test_a_program_is_a_plain_path(program: str):
    with pytest.raises(UsageError, match="absolute path"):
        unit_text.command("ExecStart", program)


@read_by_systemd
@settings(max_examples=15)  # each is a process, with many texts
@given(texts=st.lists(printable, min_size=20, max_size=60))
def test_every_setting_comes_back(texts: list[str], tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("env") / "x.env"
    values = {f"LADING_{'X' * (index + 1)}": text for index, text in enumerate(texts)}
    path.write_text(unit_text.environment_text(values, HOSTILE))
    assert environment_of(path) == values
