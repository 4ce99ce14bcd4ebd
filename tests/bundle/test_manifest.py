"""The manifest comes back as it was written, and nothing else is taken for one."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.bundle.manifest import (
    ENGINE,
    FORMAT,
    MAX_MANIFEST_BYTES,
    Code,
    Data,
    Engine,
    Manifest,
    Member,
    Parity,
    Requirement,
    check_names,
    decode_manifest,
    encode_manifest,
    safe_name,
)
from lading.errors import BundleError, UsageError
from lading.schema.fields import MAX_NAME_CHARS, Field, Interval, Output, Schema

SCHEMA = Schema(
    "classification",
    (
        Field("age", domain=Interval(minimum=0.0), seen=Interval(18.0, 90.0), example=40.0),
        Field("city", "category", "str", nullable=True, categories=("Bonn", "Lyon"), closed=False),
        Field("vip", "bool", "bool", domain=(True,)),
    ),
    (Output("prediction", "BYTES", classes=(0, 1), labels=("no", "yes")), Output("probabilities", shape=(-1, 2))),
    unused=("id",),
)
MANIFEST = Manifest(
    name="iris",
    version="1.0.0",
    flavor="sklearn",
    model="model/iris.joblib",
    class_name="Pipeline(StandardScaler, SVC)",
    model_schema=SCHEMA,
    metadata={"author": "Jo", "scores": [0.9, {"f1": 0.8}]},
    requirements=(Requirement("scikit-learn", "1.8.0"), Requirement("torch", "2.13.0+cpu")),
    python="3.11.7",
    created="2024-02-29T00:00:00Z",
    notes=("a note",),
    data=Data(150, "ab" * 32),
    files=(Member("model/iris.joblib", "cd" * 32, 5),),
)


def changed(**changes):
    return msgspec.structs.replace(MANIFEST, **changes)


def with_column(name):
    return changed(model_schema=msgspec.structs.replace(SCHEMA, inputs=(Field(name),)))


def reason(data):
    with pytest.raises(BundleError) as caught:
        decode_manifest(data)
    assert str(caught.value).isprintable()
    return str(caught.value)


def document(**changes):
    return json.loads(encode_manifest(MANIFEST)) | changes


def test_a_manifest_comes_back_as_it_was_written():
    assert decode_manifest(encode_manifest(MANIFEST)) == MANIFEST


def test_the_same_manifest_is_the_same_bytes_and_plain_json():
    text = encode_manifest(MANIFEST)
    assert encode_manifest(decode_manifest(text)) == text
    assert text.endswith(b"}\n")
    assert json.loads(text)["format"] == FORMAT
    assert json.loads(text)["schema"]["inputs"][0] == {
        "name": "age",
        "domain": {"min": 0.0, "max": None},
        "seen": {"min": 18.0, "max": 90.0},
        "example": 40.0,
    }


@pytest.mark.parametrize("version", [0, 2, 10**30, -1])
def test_another_format_is_refused_with_the_way_out(version):
    with pytest.raises(BundleError, match=f"the bundle has format {version}, this version reads {FORMAT}") as caught:
        decode_manifest(json.dumps(document(format=version)).encode())
    assert caught.value.hint == "pip install --upgrade lading"


def test_the_format_is_seen_before_anything_that_may_have_changed():
    assert "has format 2" in reason(b'{"format": 2, "everything": "else"}')


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b"{}",
        b'{"format": 1}',
        b'{"format": "1"}',
        b'{"format": true}',
        b"\xff",
        b'{"format": 1, "name": "\xff"}',
        b"[" * 100_000,
        b'{"format": 1, "metadata": ' + b"[" * 100_000,
        encode_manifest(MANIFEST)[:-20],
        b"\xef\xbb\xbf" + encode_manifest(MANIFEST),
    ],
)
def test_what_is_no_manifest_is_refused(data):
    assert reason(data).startswith("the manifest cannot be read")


@pytest.mark.parametrize(
    "changes",
    [
        {"surprise": 1},
        {"name": None},
        {"name": 5},
        {"schema": {}},
        {"files": [{"path": "x"}]},
        {"files": {"path": "x"}},
        {"requirements": [["scikit-learn", "1.0"]]},
        {"data": {"rows": "150"}},
        {"evil\n\x1b[2J": 1},
        {"x" * 10_000: 1},
    ],
)
def test_another_shape_is_refused_in_one_short_line(changes):
    told = reason(json.dumps(document(**changes)).encode())
    assert told.startswith("the manifest cannot be read")
    assert len(told) < 300


@pytest.mark.parametrize("key", ["kind", "dtype", "categories"])
def test_another_shape_of_a_column_is_refused(key):
    schema = document()["schema"]
    schema["inputs"][0] |= {key: {"kind": "complex", "dtype": 5, "categories": [None]}[key]}
    assert "$.schema.inputs[0]" in reason(json.dumps(document(schema=schema)).encode())


def test_a_manifest_is_not_endless():
    assert reason(b" " * (MAX_MANIFEST_BYTES + 1)) == "the manifest is larger than 64 MiB"


HOSTILE = [
    "",
    " ",
    "a b",
    "a\nRUN touch /pwn",
    "a\n",
    "\0",
    "a\x1b[2J",
    "$(id)",
    "`id`",
    "{{7*7}}",
    "a;b",
    "a'b",
    'a"b',
    "${jndi}",
    "!!python/object",
    "../x",
    "..",
    "/etc/passwd",
    "a\\b",
    "C:x",
    "-rf",
    ".hidden",
    "a.",
    "a-",
    "é",
    "ａ",
    "a\u202eb",
    "x" * 64,
    "x" * 2**20,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_at_packing_and_at_reading(name):
    for manifest in (changed(name=name), changed(version=name)):
        with pytest.raises(UsageError):
            check_names(manifest)
        assert reason(encode_manifest(manifest))


@pytest.mark.parametrize("name", ["a", "iris", "iris-2", "my_model.v2", "A1", "x" * 63])
@pytest.mark.parametrize("version", ["1", "1.0.0", "2024-02-29", "1.0.0+build.5", "v2"])
def test_a_plain_name_is_taken(name, version):
    manifest = changed(name=name, version=version)
    assert decode_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize(
    "name", ["", "a\nb", "a\tb", "\0", "a\x1b[2J", "a\u2028b", "a\u202eb", "\x7f", "x" * 257, "x" * 2**20]
)
def test_a_column_with_control_characters_or_without_end_is_refused(name):
    with pytest.raises(UsageError, match="the name of column 0 is empty, too long, or holds control characters"):
        check_names(with_column(name))
    assert "column 0" in reason(encode_manifest(with_column(name)))


@pytest.mark.parametrize(
    "name", ["a b", "petal length (cm)", 'height (")', "it's", "$(id)", "../x", "日本", "x" * MAX_NAME_CHARS]
)
def test_a_column_may_have_any_printable_name(name):
    assert decode_manifest(encode_manifest(with_column(name))).model_schema.names == (name,)


def test_columns_have_different_names_and_there_is_one():
    for inputs, words in (((Field("a"), Field("a")), "the same name"), ((), "1 to 100000 columns, this one has 0")):
        with pytest.raises(UsageError, match=words):
            check_names(changed(model_schema=msgspec.structs.replace(SCHEMA, inputs=inputs)))


@pytest.mark.parametrize("outputs", [(), (Output("prediction", shape=()),), (Output("prediction", shape=(-1, 2, 2)),)])
def test_there_is_an_output_of_values_or_lists(outputs):
    with pytest.raises(UsageError, match="at least one output"):
        check_names(changed(model_schema=msgspec.structs.replace(SCHEMA, outputs=outputs)))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("", "1"),
        ("evil; touch /pwn #", "1"),
        ('x" && id "', "1"),
        ("x @ http://evil", "1"),
        ("-r", "1"),
        ("x\n", "1"),
        ("x", ""),
        ("x", "1; id"),
        ("x", '1" "evil'),
        ("x", "1\n2"),
        ("x" * 101, "1"),
    ],
)
def test_a_requirement_that_pip_would_not_read_as_one_is_refused(name, version):
    with pytest.raises(UsageError, match="a requirement is not the name and version of a distribution"):
        check_names(changed(requirements=(Requirement(name, version),)))


PARITY = Parity("sample", rows=100, forgiven=1, largest_difference=1e-8, tolerance=1e-5, precision="float64")
COMPILED = Engine("onnx", member=ENGINE, parity=PARITY, requirements=(Requirement("onnxruntime", "1.20.0"),))


def test_an_engine_comes_back_as_it_was_written():
    for engine in (COMPILED, Engine("native", reason="not asked for")):
        assert decode_manifest(encode_manifest(changed(engine=engine))).engine == engine


def test_a_manifest_of_old_has_no_engine():
    old = document()
    del old["engine"]
    manifest = decode_manifest(json.dumps(old).encode())
    assert (manifest.engine, manifest.is_compiled, manifest.engine_in_words) == (None, False, "native")
    assert manifest.needed == MANIFEST.requirements


def test_what_is_needed_and_said_follows_the_engine():
    compiled, native = changed(engine=COMPILED), changed(engine=Engine("native", reason="not asked for"))
    assert (compiled.needed, native.needed) == (COMPILED.requirements, MANIFEST.requirements)
    assert compiled.engine_in_words == "onnx, compiled from Pipeline(StandardScaler, SVC)"
    assert native.engine_in_words == "native: not asked for"
    assert changed(flavor="onnx").engine_in_words == "onnx"


WRONG_ENGINES = [
    {"member": "model/iris.joblib"},
    {"member": "../x"},
    {"parity": None},
    {"name": "native"},
    {"reason": "a\x1b[2J"},
    {"reason": "x" * 301},
    {"requirements": (Requirement("evil; id", "1"),)},
    {"requirements": (Requirement("onnxruntime", "1; id"),)},
    {"requirements": ()},
    *(
        {"parity": msgspec.structs.replace(PARITY, **change)}
        for change in (
            {"rows": -1},
            {"forgiven": 101},
            {"largest_difference": float("inf")},
            {"largest_difference": -1.0},
            {"tolerance": float("nan")},
        )
    ),
]


@pytest.mark.parametrize("changes", WRONG_ENGINES, ids=str)
def test_an_engine_that_cannot_be_is_refused(changes):
    with pytest.raises(UsageError):
        check_names(changed(engine=msgspec.structs.replace(COMPILED, **changes)))


@pytest.mark.parametrize("key", ["name", "parity"])
def test_an_engine_of_another_shape_is_refused(key):
    engine = json.loads(msgspec.json.encode(COMPILED)) | {key: {"name": "tensorrt", "parity": {"data": "other"}}[key]}
    assert "$.engine" in reason(json.dumps(document(engine=engine)).encode())


@pytest.mark.parametrize("part", ["class_name", "flavor", "model", "created"])
def test_what_is_printed_holds_no_control_characters(part):
    with pytest.raises(UsageError, match="control characters"):
        check_names(changed(**{part: "a\x1b]0;evil\x07"}))


@pytest.mark.parametrize("python", ["3 BASE=other/python:1 X=y", "3.11-slim", "3.11\n", "latest", "3"])
def test_the_version_of_python_is_one(python):
    # The image that is built on is called by it.
    with pytest.raises(UsageError, match="version of Python"):
        check_names(changed(python=python))


@given(st.text(max_size=80))
def test_a_safe_name_is_one_that_a_model_may_have(text):
    check_names(changed(name=safe_name(text)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("iris", "iris"),
        ("my model (2)", "my-model-2"),
        ("модель", "model"),
        ("..", "model"),
        ("", "model"),
        ("a/b", "a-b"),
    ],
)
def test_a_name_is_made_of_a_file_name(text, name):
    assert safe_name(text) == name


# --- routes, code


@pytest.mark.parametrize("route", ["/predict", "/score", "/api/v1/score", "/v1", "/v20", "/readyness", "/a.b~c-d_e"])
def test_a_route_of_plain_words_is_taken(route):
    assert decode_manifest(encode_manifest(changed(route=route))).route == route


@pytest.mark.parametrize(
    "route",
    [
        "",
        "score",
        "/",
        "//a",
        "/a/",
        "/a b",
        "/a?b",
        "/a#b",
        "/%61",
        "/{a}",
        "/..",
        "/a\n",
        "/ready",
        "/v2/x",
        "/x" * 9,
    ],
)
def test_a_route_that_is_taken_or_is_no_path_is_refused(route):
    with pytest.raises(UsageError, match="route"):
        check_names(changed(route=route))


CODE = Code("code/__main__.py", "__main__", "train.ipynb, In [3]")


def test_code_comes_back_as_it_was_written():
    code = (CODE, Code("code/helpers.py", "helpers"), Code("code/service.py", "service", is_around=True))
    assert decode_manifest(encode_manifest(changed(code=code, entry="Model"))).code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"code": (CODE, CODE)},
        {"code": (Code("code/other.py", "__main__"),)},
        {"code": (Code("../a.py", "a"),)},
        {"code": (Code("code/a-b.py", "a-b"),)},
        {"code": (Code("code/a.b.py", "a.b"),)},
        {"code": (Code("code/a.py", "a", is_around=True), Code("code/b.py", "b", is_around=True))},
        {"code": (Code("code/a.py", "a", "line\nbreak"),)},
        {"entry": "a.b"},
        {"entry": "a b"},
    ],
    ids=str,
)
def test_code_that_cannot_be_is_refused(changes):
    with pytest.raises(UsageError):
        check_names(changed(**changes))
    with pytest.raises(BundleError):
        decode_manifest(encode_manifest(changed(**changes)))
