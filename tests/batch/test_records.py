"""Text is cut where `csv.reader` would end a record, wherever the blocks end that it is read in."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.batch import records
from lading.batch.records import blocks
from lading.errors import BrokenInput

TEXTS = st.text('a",\n x', max_size=60)


def parsed(text: str) -> list[list[str]]:
    return [line for line in csv.reader(io.StringIO(text, newline="")) if line and line[0].strip() + "".join(line[1:])]


@given(st.lists(st.lists(st.text('a", \n', max_size=6), min_size=2, max_size=3), max_size=20), st.integers(1, 40))
def test_records_come_back_whole(lines: list[list[str]], size: int):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "BLOCK_BYTES", size)
        pieces = list(blocks(io.BytesIO(text.getvalue().encode()), has_quotes=True))
    assert b"".join(pieces).decode() == text.getvalue()
    found = [record.decode() for piece in pieces for record in records.records(piece, has_quotes=True)]
    assert [line for record in found for line in csv.reader(io.StringIO(record, newline=""))] == lines


@given(TEXTS)
def test_a_quote_within_a_cell_is_a_character(text: str):
    found = records.records(text.encode(), has_quotes=True)
    alone = [line for record in found for line in parsed(record.decode())]
    assert alone == parsed(text)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_quote_that_is_never_closed_is_said(size: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "BLOCK_BYTES", size)
    read = blocks(io.BytesIO(b'a,b\n1,2\n1,"2\n3,4\n'), has_quotes=True)
    with pytest.raises(BrokenInput, match="a quote is never closed"):
        list(read)


def test_an_endless_record_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "BLOCK_BYTES", 10)
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 100)
    with pytest.raises(BrokenInput, match="a record of more than 0 MiB: is a quote never closed"):
        list(blocks(io.BytesIO(b'"' + b"a\n" * 100), has_quotes=True))
