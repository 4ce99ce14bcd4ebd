"""The strict reader takes RFC 8259 as it stands: neither more, nor less within its bounds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import BrokenInput, InputError
from lading.schema.decode import Decoder
from lading.schema.fields import Field, Output, Schema
from lading.schema.strict import MAX_DEPTH, MAX_NUMBER_CHARS, depth, parse_json

DECODER = Decoder(Schema("regression", (Field("a"), Field("b", "int", "int64")), (Output("prediction"),)))

# In the manner of https://github.com/nst/JSONTestSuite: texts that any reader of RFC 8259 takes
GOOD_JSON = [
    *("[[]   ]", '[""]', "[]", '["a"]', "[false]", '[null, 1, "1", {}]', "[null]", "[1\n]", " [1]", "[1,null,null,2]"),
    *("[2] ", "[0e+1]", "[0e1]", "[ 4]", "[-0.000000000000000000000000000000000000001]", "[20e1]", "[-0]", "[-123]"),
    *("[-1]", "[1E22]", "[1E-2]", "[1E+2]", "[123e45]", "[123.456e78]", "[1e-2]", "[1e+2]", "[123.456789]", "[0.5]"),
    *('{"asd":"sdf"}', "{}", '{"":0}', '{"foo\\u0000bar": 42}', '{"min": -1e28, "max": 1e28}', '{"a":[]}', "{\n}"),
    *('["\\u0060\\u012a\\u12AB"]', '["\\ud801\\udc37"]', '["\\"\\\\\\/\\b\\f\\n\\r\\t"]', '["\\\\u0000"]'),
    *('["\\""]', '["a/*b*/c"]', '["\\\\a"]', '["\\u0012"]', '["\\uFFFF"]', '["asd "]', '["\U0010ffff"]', '["\u2028"]'),
    *('["\x7f"]', '["\\uDBFF\\uDFFF"]', '"\\u0000"', '""', "42", "-0.1", "true", "null", '"x"', '["€𝄞"]', "\t\r\n[]\n"),
]
# … and texts that none takes
BAD_JSON = [
    *(
        "[1 true]",
        "[a]",
        '["": 1]',
        '[""],',
        "[,1]",
        "[1,,2]",
        "[1,,]",
        '["x"]]',
        '["",]',
        '["x"',
        "[x",
        "[3[4]]",
        "[1:2]",
    ),
    *(
        "[,]",
        "[-]",
        "[   , 1]",
        "[1,\n1",
        "[1,]",
        '["a",\n4\n,1',
        "[*]",
        "[1",
        "[1,",
        "[{}",
        "[fals]",
        "[nul]",
        "[tru]",
    ),
    *("[++1234]", "[+1]", "[-01]", "[-1.0.]", "[-2.]", "[.-1]", "[.2e-3]", "[0.1.2]", "[0.3e+]", "[0.3e]", "[0.e1]"),
    *(
        "[0E+]",
        "[0E]",
        "[1.0e+]",
        "[1.0e]",
        "[1 000.0]",
        "[1eE2]",
        "[2.e+3]",
        "[2.e3]",
        "[9.e+]",
        "[1+2]",
        "[0x1]",
        "[0x42]",
    ),
    *(
        "[Inf]",
        "[-Inf]",
        "[NaN]",
        "[+Infinity]",
        "[-012]",
        "[012]",
        "[1.]",
        "[- 1]",
        "[-1x]",
        "[1_000]",
        "[１]",
        "[.5]",
    ),
    *(
        '["x", truth]',
        '{[: "x"}',
        '{"x", null}',
        '{"x"::"b"}',
        '{"a":"a" 123}',
        '{key: "v"}',
        '{"a" b}',
        '{:"b"}',
        '{"a"',
    ),
    *(
        '{"a":',
        "{1:1}",
        '{"id":0,,}',
        "{'a':0}",
        '{"id":0,}',
        '{"a":"b"}/**/',
        '{"a":"b"}//',
        '{"a":"b",,"c":"d"}',
        '{"a',
    ),
    *('{a: "b"}', '{"a":"b"}#', '{"a":"b"} "x"', "[u00A9]", '["\\', '["\\u', '["\\u00A"]', '["\\x00"]', '["\\uqqqq"]'),
    *(
        "['single']",
        "abc",
        '["\\',
        '["\n"]',
        '["\t"]',
        '["\x00"]',
        "\\u0020[]",
        "<.>",
        "[<null>]",
        "[1]x",
        "[1]]",
        "][",
        "1]",
    ),
    *(
        "*",
        '{"a":true} "x"',
        "[True]",
        "]",
        '{"x": true,',
        "[][]",
        '"',
        "{}}",
        '{"":',
        '{"a":/*c*/"b"}',
        "[\u2060]",
        "[\x0c]",
    ),
]


def code_of(body):
    with pytest.raises(BrokenInput) as caught:
        parse_json(body)
    assert str(caught.value).isprintable()
    return caught.value.code


def embedded(text):
    """The text as a body, and in a body, where the quick way looks at it first."""
    values = f'{{"a": {text}, "b": 2}}', f'{{"a": 1, "b": 2, "c": {text}}}', f'{{"X": [[{text}, 2]]}}'
    return [body.encode() for body in (text, *values, f"[{text}]", f'{{"instances": [{text}]}}')]


@pytest.mark.parametrize("text", GOOD_JSON)
def test_json_is_read(text):
    assert repr(parse_json(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("text", GOOD_JSON)
def test_json_is_never_broken_wherever_it_stands(text):
    for body in embedded(text):
        try:
            DECODER.json(body)
        except InputError:
            continue


@pytest.mark.parametrize("text", BAD_JSON)
def test_what_is_not_json_is_broken_wherever_it_stands(text):
    for body in embedded(text):
        with pytest.raises(BrokenInput):
            DECODER.json(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_was_written_is_read_again(value):
    if depth(text := json.dumps(value).encode()) <= MAX_DEPTH:
        assert repr(parse_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_nesting_is_bounded(opening, closing):
    levels = opening.count(b"[") + opening.count(b"{")
    most = MAX_DEPTH // levels
    assert parse_json(opening * most + b"1" + closing * most)
    assert code_of(opening * (most + 1) + b"1" + closing * (most + 1)) == "input.too_deep"
    assert code_of(opening * 10**5) == "input.too_deep"


def test_brackets_in_strings_are_no_nesting():
    text = "[" * 1000 + '\\"' + "{" * 1000
    assert parse_json(json.dumps([text]).encode()) == [text]
    assert depth(json.dumps({text: [text]}).encode()) == 2


def nesting(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(nesting, inner), default=0)


TRICKY = st.text('[]{}"\\/u0é', max_size=8)


@given(st.recursive(TRICKY, lambda inner: st.lists(inner) | st.dictionaries(TRICKY, inner)), st.booleans())
def test_depth_is_that_of_the_value(value, ascii_only):
    assert depth(json.dumps(value, ensure_ascii=ascii_only).encode()) == nesting(value)


@given(st.text('[]{}"\\,:u0 ', max_size=40))
def test_what_is_read_is_never_deeper_than_counted(text):
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return
    assert depth(text.encode()) == nesting(value)


def test_numbers_are_bounded():
    assert parse_json(b"1" * MAX_NUMBER_CHARS) == int("1" * MAX_NUMBER_CHARS)
    for number in (
        b"1" * 65,
        b"0." + b"1" * 63,
        b"-" + b"1" * 64,
        b"1e" + b"0" * 63,
        b"9" * 10**5,
        b"1." + b"0" * 10**6,
    ):
        assert code_of(b"[" + number + b"]") == "input.long_number"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", '{"a": -Infinity}'])
def test_numbers_are_finite(text):
    assert code_of(text.encode()) == "input.not_finite"


@pytest.mark.parametrize(
    "text", [r'{"x": 1, "x": 2}', r'[{"x": 1, "\u0078": 1}]', r'{"a": [{"": 1, "": 1}]}', r'{"é": 1, "\u00e9": 1}']
)
def test_keys_stand_once(text):
    assert code_of(text.encode()) == "input.duplicate_key"


@pytest.mark.parametrize("text", [r'"\ud800"', r'["\udc00"]', r'{"\ud800": 1}', r'"\ud800\ud800"', r'["\udbff\u0041"]'])
def test_half_a_character_is_no_text(text):
    assert code_of(text.encode()) == "input.not_utf8"


@pytest.mark.parametrize(
    "body", [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xff\xfe[\0]\0", b'"\xf4\x90\x80\x80"', b'"\xe2\x82"']
)
def test_text_is_utf8(body):
    assert code_of(body) == "input.not_utf8"


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
def test_nothing_is_not_json(body):
    assert code_of(body) == "input.empty"


def test_where_the_reading_ended_is_said_and_what_stood_there_is_not():
    with pytest.raises(BrokenInput) as caught:
        parse_json('["é", secret]'.encode())
    assert str(caught.value) == "not JSON: expecting value (character 6)"
    with pytest.raises(BrokenInput, match=r"^not JSON: invalid \\escape \(character 1\)$"):
        parse_json(rb'"\x"')


@given(st.binary(max_size=60))
def test_bytes_are_read_or_broken(body):
    try:
        value = parse_json(body)
    except BrokenInput:
        return
    assert repr(value) == repr(json.loads(body.decode()))
