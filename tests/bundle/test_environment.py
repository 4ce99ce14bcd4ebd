"""What differs here from what a model needs is said, with the command that mends it."""

import shlex
from importlib import metadata

import pytest
from packaging.requirements import Requirement as PipRequirement

from lading.bundle.environment import Difference, differences, installed, installed_version, refuse_differences
from lading.bundle.manifest import Requirement
from lading.errors import EnvironmentMismatch

NUMPY = metadata.version("numpy")
ABSENT = "no-such-distribution-lading"


def refusal(found):
    with pytest.raises(EnvironmentMismatch) as caught:
        refuse_differences("iris.lading", found)
    return caught.value


def test_versions_are_those_of_this_environment():
    assert installed_version("numpy") == installed_version("NumPy") == NUMPY
    assert installed_version(ABSENT) is None


def test_what_is_installed_is_recorded_in_the_order_of_names():
    found = installed(["numpy", ABSENT, "msgspec"])
    assert found == (Requirement("msgspec", metadata.version("msgspec")), Requirement("numpy", NUMPY))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ()),
        ({"numpy": NUMPY}, ()),
        ({"numpy": None}, ()),
        ({"numpy": f"{NUMPY}+cpu"}, ()),
        ({"numpy": "0.1"}, (Difference("numpy", "0.1", NUMPY),)),
        ({ABSENT: "1.0"}, (Difference(ABSENT, "1.0", None),)),
        ({ABSENT: None, "numpy": NUMPY}, (Difference(ABSENT, None, None),)),
    ],
)
def test_what_is_missing_or_has_another_version_differs(wanted, found):
    assert differences(wanted) == found


def test_a_local_part_of_the_installed_version_does_not_matter(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cu128")
    assert differences({"torch": "2.13.0", "torchvision": "2.13.0+cpu"}) == ()
    assert differences({"torch": "2.13.1"}) == (Difference("torch", "2.13.1", "2.13.0+cu128"),)


@pytest.mark.parametrize(
    ("difference", "words", "command"),
    [
        (Difference("a", "1.0", None), "a 1.0 is needed, it is not installed", 'pip install "a==1.0"'),
        (Difference("a", None, None), "a is needed, it is not installed", 'pip install "a"'),
        (Difference("a", "1.0", "2.0"), "a 1.0 is needed, this environment has 2.0", 'pip install "a==1.0"'),
    ],
)
def test_a_difference_says_what_mends_it(difference, words, command):
    assert (str(difference), difference.command) == (words, command)


def test_nothing_that_differs_is_no_reason_to_refuse():
    assert refuse_differences("iris.lading", ()) is None


def test_all_that_is_missing_is_named_with_one_command():
    error = refusal([Difference("a", "1.0", None), Difference("b", None, None)])
    assert str(error) == "iris.lading: a 1.0 is needed, it is not installed; b is needed, it is not installed"
    assert error.hint == 'pip install "a==1.0" "b"'


def test_another_version_may_be_ignored_and_says_so():
    error = refusal(iter([Difference("a", "1.0", "2.0"), Difference("b", "3", None)]))
    assert error.hint == 'it may load and answer differently; pip install "a==1.0" "b==3", or --ignore-versions'


def test_the_command_is_one_that_pip_reads():
    words = shlex.split(refusal([Difference("a", "1.0+cpu", None), Difference("b", None, None)]).hint)
    assert words[:2] == ["pip", "install"]
    assert [str(PipRequirement(word)) for word in words[2:]] == ["a==1.0+cpu", "b"]
