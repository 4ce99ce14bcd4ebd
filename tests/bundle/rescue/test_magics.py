import pytest

from lading.bundle.rescue.magics import read_python

MENDED = {
    "%matplotlib inline\na = 1": "pass\na = 1",
    "!ls *.csv\na = 1": "pass\na = 1",
    "files = !ls\na = 1": "pass\na = 1",
    "out = %who_ls\na = 1": "pass\na = 1",
    "name?\na = 1": "pass\na = 1",
    "?name\na = 1": "pass\na = 1",
    "pip install pandas\na = 1": "pass\na = 1",
    "!echo a \\\n  b\na = 1": "pass\n\na = 1",
    '!echo "it\'s" (\na = 1': "pass\na = 1",
    "%cd C:\\data\na = 1": "pass\na = 1",
    "if x:\n    !wget y\na = 1": "if x:\n    pass\na = 1",
    "%time a = f(1)": "a = f(1)",
    "%%time\na = 1": "\na = 1",
    "\n%%capture out\na = 1": "\n\na = 1",
    "x = ('%s'\n%y)\n%who": "x = ('%s'\n%y)\npass",
    "a = 1\r\n%who\r\n": "a = 1\npass\n",
}


@pytest.mark.parametrize(("text", "mended"), MENDED.items())
def test_magics_become_harmless_and_the_rest_stays(text, mended):
    python = read_python(text)
    assert python.text == mended
    assert python.tree is not None


SKIPPED = {
    "%%bash\nls": "is not Python (`%%bash`)",
    "%%writefile a.py\na = 1": "is not Python (`%%writefile`)",
    "a = 1\ndef f(:": "could not be read (syntax error in line 2)",
    f"#{'-' * 600_000}\n" + "%who\n" * 300: "could not be read (syntax error in line 5)",
    "a = '\ud800'": "could not be read (it holds characters that no source may)",
    "-" * 100_000 + "1": "could not be read (it is nested too deeply)",
}


@pytest.mark.parametrize(("text", "reason"), SKIPPED.items(), ids=range(len(SKIPPED)))
def test_what_is_not_python_has_a_reason(text, reason):
    python = read_python(text)
    assert python.tree is None
    assert python.reason == reason


@pytest.mark.parametrize("text", ["(" * 5000, "x" + ".a" * 100_000, "a\0b", "1" + "+1" * 50_000, "f(" * 90 + ")" * 90])
def test_hostile_text_ends_in_a_tree_or_a_reason(text):
    python = read_python(text)
    assert (python.tree is None) == bool(python.reason)


def test_an_unusual_escape_is_the_authors_affair():
    assert read_python(r"pattern = '\d'").tree is not None


@pytest.mark.parametrize(
    "line", [f"x ?{' ' * 50_000}x", f"{' ' * 50_000}x y", "a " * 50_000 + "%", "?" * 50_000 + " x y"]
)
def test_a_long_line_takes_no_longer_than_its_length(line):
    assert read_python(f"{line}\na = 1").text.endswith("a = 1")
