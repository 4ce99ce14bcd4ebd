"""CSV is read as the standard library wrote it and as pandas reads it, or refused."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import BrokenInput
from lading.schema.csv_text import MAX_CELL_CHARS, MISSING_TEXTS, read_csv

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


def code_of(body):
    with pytest.raises(BrokenInput) as caught:
        read_csv(body)
    return caught.value.code


@st.composite
def tables(draw):
    width = draw(st.integers(1, 4))
    line = st.lists(CELLS, min_size=width, max_size=width)
    header = draw(st.lists(CELLS.filter(bool), min_size=width, max_size=width))
    return [header, *draw(st.lists(line, max_size=5))]


@given(tables(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_was_written_is_read_again(table, ending):
    text = io.StringIO()
    csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows(table)
    assert read_csv(text.getvalue().encode()) == table


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\ufeff"])
def test_only_cr_and_lf_end_a_line(mark):
    body = f"a,b\nx{mark}y,1\n".encode()
    assert read_csv(body) == [["a", "b"], [f"x{mark}y", "1"]]
    assert pd.read_csv(io.BytesIO(body))["a"].tolist() == [f"x{mark}y"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a,b\n1,2", [["a", "b"], ["1", "2"]]),
        ("\ufeffa\n1\n", [["a"], ["1"]]),
        ("a,b\n\n1,2\n\n\n", [["a", "b"], ["1", "2"]]),
        ("a,b\n  \n1,2\n \t\n", [["a", "b"], ["1", "2"]]),
        ("a\n \n1\n", [["a"], ["1"]]),
        ('a\n""\n1\n', [["a"], [""], ["1"]]),
        ('a,b\n"x\ny","""z"""\n', [["a", "b"], ["x\ny", '"z"']]),
        (",a,\n0,1,2\n", [["Unnamed: 0", "a", "Unnamed: 2"], ["0", "1", "2"]]),
        ("a,b\n,\n", [["a", "b"], ["", ""]]),
        ("a, b \n 1 ,2\n", [["a", " b "], [" 1 ", "2"]]),
    ],
)
def test_lines_are_those_of_pandas(text, lines):
    assert read_csv(text.encode()) == lines
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    assert [*frame.columns] == [name.removeprefix("\ufeff") for name in lines[0]]
    assert frame.to_numpy().tolist() == lines[1:]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "input.empty"),
        (b"\n\n \n", "input.empty"),
        (b"a\n\xff\n", "input.not_utf8"),
        ("a\n1\n".encode("utf-16"), "input.not_utf8"),
        (b"a\nx\0y\n", "input.not_csv"),
        (b"a,b\n1\n", "input.not_csv"),
        (b"a,b\n1,2,3\n", "input.not_csv"),
        (b'a\n"x\n', "input.not_csv"),
        (b'a\n"x"y\n', "input.not_csv"),
        (b"a\n" + b"x" * (MAX_CELL_CHARS + 1), "input.not_csv"),
    ],
)
def test_what_is_not_csv_is_broken(body, code):
    assert code_of(body) == code


def test_a_line_of_another_length_is_named_by_its_row():
    with pytest.raises(BrokenInput, match=r"^CSV row 1 has 3 cells, the header has 2$"):
        read_csv(b"a,b\n1,2\n1,2,secret\n")


def test_the_words_for_missing_are_those_of_pandas():
    frame = pd.read_csv(io.StringIO("a,b\n" + "".join(f'"{text}",x\n' for text in sorted(MISSING_TEXTS))))
    assert frame["a"].isna().all()
    others = ["nil", "NAN", "missing", "-", "?", "none", "Null", "0", " NA"]
    assert not MISSING_TEXTS.intersection(others)
    assert pd.read_csv(io.StringIO("a\n" + "\n".join(others))).notna().all(axis=None)


@given(st.binary(max_size=60))
def test_bytes_are_read_or_broken(body):
    try:
        lines = read_csv(body)
    except BrokenInput:
        return
    assert len({len(line) for line in lines}) == 1
