"""Whatever is written for a shell comes back out of a shell, and never becomes a command."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.errors import UsageError
from lading.ship.host import shell_text
from lading.ship.host.shell_text import Assign, Command, For, If, Remark, Step, Variable, run

from .systemd_reader import HOSTILE

printable = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" ")).filter(str.isprintable)


def printed(*steps: Step) -> str:
    """What a script prints."""
    script = shell_text.render(steps, HOSTILE).replace('cd "$(dirname "$0")"\n', "")
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=10)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@settings(max_examples=15)  # each is a process, with many texts
@given(texts=st.lists(printable, min_size=20, max_size=60))
def test_every_word_of_a_command_comes_back(texts: list[str]):
    words = [HOSTILE, *texts]
    assert printed(run("printf", "%s\\0", *words)).split("\0")[:-1] == words


def test_a_text_is_said_as_it_is():
    assert printed(Remark(HOSTILE), shell_text.say(HOSTILE)) == f"{HOSTILE}\n"


def test_steps_are_taken_where_their_test_says_so():
    yes, no = run("echo", "yes"), run("echo", "no")
    assert printed(If(run("true"), [yes]), If(run("true"), [no], is_not=True)) == "yes\n"
    assert printed(If(run("false"), [no]), If(run("false"), [If(run("true"), [yes])], is_not=True)) == "yes\n"


def test_variables_are_one_word():
    each = run("printf", "<%s>", Variable("each"))
    assert printed(For("each", [HOSTILE, "b"], [each])) == f"<{HOSTILE}><b>"
    assert printed(Assign("each", shell_text.say(HOSTILE)), each) == f"<{HOSTILE}>"
    assert printed(Assign("each", run("false"), may_fail=True), each) == "<>"


def test_a_command_reads_what_it_is_given():
    assert printed(Command(["cat"], given=HOSTILE)) == f"{HOSTILE}\n"


@pytest.mark.parametrize("text", ["a\nb", "a\r", "a\0", "\x1b", "\u2028", "\udcff"])
def test_control_characters_are_refused(text: str):
    for step in (run("echo", text), shell_text.say(text), Command(["cat"], given=text), For("x", [text], [])):
        with pytest.raises(UsageError, match="no control characters"):
            shell_text.render([step], "")


def test_a_script_ends_at_the_first_failure(tmp_path: Path):
    script = shell_text.render([run("false"), run("touch", str(tmp_path / "after"))], "")
    assert subprocess.run(["sh", "-c", script], timeout=10).returncode == 1
    assert not (tmp_path / "after").exists()
