import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.bundle.rescue.notebook import MAX_BYTES, MAX_CODE_CHARS, Cell, read_source
from lading.errors import FormatError, LadingError


def notebook(*cells, metadata=None, **rest):
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], **cell} for cell in cells]
    return json.dumps({"nbformat": 4, "metadata": metadata or {}, "cells": made, **rest}).encode()


def code(text, count=None):
    return {"source": text, "execution_count": count}


def refused(name, data):
    with pytest.raises(FormatError) as caught:
        read_source(name, data)
    assert "\n" not in caught.value.message
    return caught.value.message


# --- notebooks


def test_cells_come_in_the_order_in_which_all_of_them_were_run():
    source = read_source("work/churn.ipynb", notebook(code("b = 1", 9), code("a = 1", 2), code("", None)))
    assert source.name == "churn.ipynb"
    assert source.cells == (Cell("a = 1", "In [2]"), Cell("b = 1", "In [9]"))


@pytest.mark.parametrize("counts", [(9, None), (9, 9), (9, "2"), (9, True)])
def test_cells_come_as_they_stand_where_not_all_were_run_once(counts):
    source = read_source("churn.ipynb", notebook(code("b = 1", counts[0]), code("a = 1", counts[1])))
    assert [cell.text for cell in source.cells] == ["b = 1", "a = 1"]


def test_a_cell_that_was_not_run_is_called_by_its_position_among_all_cells():
    cells = [{"cell_type": "markdown", "source": "# Churn"}, code("a = 1")]
    assert read_source("churn.ipynb", notebook(*cells)).cells == (Cell("a = 1", "cell 2"),)


def test_the_source_of_a_cell_may_be_a_list_of_lines():
    assert read_source("a.ipynb", notebook(code(["a = 1\n", "b = 2"]))).cells[0].text == "a = 1\nb = 2"


def test_a_notebook_of_format_3_is_read():
    cell = {"cell_type": "code", "input": ["a = 1"], "prompt_number": 4, "language": "python", "outputs": []}
    data = json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": [cell]}]}).encode()
    assert read_source("old.ipynb", data).cells == (Cell("a = 1", "In [4]"),)


def test_a_notebook_may_begin_with_a_byte_order_mark():
    assert read_source("a.ipynb", b"\xef\xbb\xbf" + notebook(code("a = 1"))).cells[0].text == "a = 1"


@pytest.mark.parametrize(
    ("metadata", "is_read"),
    [
        ({"kernelspec": {"language": "python"}}, True),
        ({"language_info": {"name": "ipython"}}, True),
        ({"kernelspec": {"language": ""}}, True),
        ({"kernelspec": {"language": "R"}}, False),
        ({"language_info": {"name": "julia"}}, False),
    ],
)
def test_a_notebook_of_another_language_is_refused(metadata, is_read):
    data = notebook(code("a = 1"), metadata=metadata)
    if is_read:
        assert read_source("a.ipynb", data).cells
    else:
        assert "another language" in refused("a.ipynb", data)


BROKEN = {
    "ending": ("model.txt", b"a = 1"),
    "no JSON": ("a.ipynb", b"a = 1"),
    "no object": ("a.ipynb", b"[1]"),
    "no cells": ("a.ipynb", b"{}"),
    "no code": ("a.ipynb", notebook({"cell_type": "markdown", "source": "x"})),
    "deep": ("a.ipynb", b"[" * 200_000),
    "long number": ("a.ipynb", b"9" * 5000),
    "too large": ("a.ipynb", b" " * (MAX_BYTES + 1)),
    "too much code": ("a.py", b"#" * (MAX_CODE_CHARS + 1)),
    "no such encoding": ("a.py", b"# coding: nothing\na = 1"),
    "no encoding of texts": ("a.py", b"# coding: hex\na = 1"),
    "wrong encoding": ("a.py", b"a = '\xff'"),
    "two lines": ("a\nb.txt", b""),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_what_is_no_source_is_refused_in_one_line(case):
    refused(*case)


# --- scripts


@pytest.mark.parametrize(
    "data",
    ["a = 'é'".encode(), "\ufeffa = 'é'".encode(), "# coding: latin-1\na = 'é'".encode("latin-1")],
    ids=["UTF-8", "byte order mark", "cookie"],
)
def test_a_script_is_read_in_the_encoding_that_it_declares(data):
    assert read_source("a.py", data).cells[0].text.endswith("a = 'é'")


def outcome(name, data):
    try:
        source = read_source(name, data)
    except LadingError as error:
        return str(error)
    assert all(isinstance(cell.text, str) for cell in source.cells)
    return source.name


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    for name in ("a.py", "a.ipynb"):
        assert "\n" not in outcome(name, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("code"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "worksheets", "cell_type", "source", "metadata", "kernelspec", "execution_count"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_json_is_read_or_refused(value):
    assert "\n" not in outcome("a.ipynb", json.dumps(value).encode())
