"""What the author declares is understood or refused in words, and what was declared then holds."""

import math
import tomllib
from pathlib import Path

import msgspec
import pytest

from lading.bundle.declared import (
    MAX_METADATA_BYTES,
    Declared,
    DeclaredInput,
    declare,
    default_name,
    named,
    parse_domain,
    read_declared,
    read_metadata,
    within,
)
from lading.errors import SettingsError, UsageError
from lading.schema.cells import accepts, cell_checker
from lading.schema.estimator import Learned
from lading.schema.fields import KINDS, Field, Interval, Output, Schema
from lading.schema.synthetic import example_value
from lading.schema.table import Table

AGE = Field("age", seen=Interval(18.0, 90.0), example=40.0)
FIELDS = {
    "age": AGE,
    "rank": Field("rank", "int", "int64"),
    "vip": Field("vip", "bool", "bool"),
    "zip": Field("zip", "text", "str"),
    "when": Field("when", "date", "datetime64[ns]"),
    "city": Field("city", "category", "str", categories=("Bonn", "Lyon")),
    "tier": Field("tier", "category", "str", categories=("gold", "iron"), closed=False),
    "size": Field("size", "category", "int64", categories=(1, 2, 3)),
}
NUMBER = (Output("prediction"),)
CLASSES = Output("prediction", "INT64", classes=(0, 1)), Output("probabilities", shape=(-1, 2), columns=("0", "1"))


def schema_of(*fields, outputs=NUMBER):
    return Schema("unknown", fields or tuple(FIELDS.values()), outputs)


def declared(name, **said):
    """One column after something was declared of it."""
    schema = declare(schema_of(FIELDS[name]), Declared(inputs={name: DeclaredInput(**said)}))
    return schema.inputs[0]


def from_option(text):
    name, said = parse_domain(text)
    return declare(schema_of(FIELDS[name]), Declared(inputs={name: said})).inputs[0].domain


def refusal(call, *args, **options):
    with pytest.raises(SettingsError) as caught:
        call(*args, **options)
    return caught.value


TOML = """
name = "churn"
version = "2.0"
target = "churned"
labels = ["stays", "leaves"]
output_range = [0, 1]

[inputs.age]
domain = { min = 0, max = 120 }
nullable = true
example = 33
description = "in years"

[inputs."petal length (cm)"]
kind = "int"
domain = [1, 2, 3]

[metadata]
author = "Jo"
trained = 2024-02-29
"""


def test_a_file_says_all_that_can_be_said():
    said = read_declared(tomllib.loads(TOML))
    assert (said.name, said.version, said.targets, said.labels) == ("churn", "2.0", ("churned",), ("stays", "leaves"))
    assert (said.output_range, said.metadata["author"]) == ((0.0, 1.0), "Jo")
    assert said.inputs == {
        "age": DeclaredInput(domain=Interval(0.0, 120.0), nullable=True, example=33, description="in years"),
        "petal length (cm)": DeclaredInput(kind="int", domain=(1, 2, 3)),
    }


def test_nothing_need_be_said():
    assert read_declared({}) == Declared()
    assert declare(schema_of(), Declared()) == schema_of()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('nmae = "x"', "unknown key `nmae` in lading.toml", "did you mean `name`?"),
        ("lables = []", "unknown key `lables` in lading.toml", "did you mean `labels`?"),
        ("[input.age]", "unknown key `input` in lading.toml", "did you mean `inputs`?"),
        ("[inputs.age]\ndomian = [1]", "unknown key `domian` in [inputs.age] of lading.toml", "did you mean `domain`?"),
    ],
)
def test_a_misspelt_key_is_named_with_the_one_that_was_meant(text, message, hint):
    error = refusal(read_declared, tomllib.loads(text))
    assert (str(error), error.hint) == (message, hint)


def test_a_key_like_no_other_is_answered_with_all_that_are_known():
    hint = refusal(read_declared, {"zzz": 1}).hint
    assert hint == f"known: {', '.join(Declared.__struct_fields__)}"
    assert refusal(read_declared, {"inputs": {"a": {"zzz": 1}}}).hint.startswith("known: kind, domain")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name = 5", "lading.toml: Expected `str | null`, got `int` - at `$.name`"),
        ("labels = 'a,b'", "lading.toml: Expected `array`"),
        ("inputs = 5", "lading.toml: Expected `object`"),
        ("inputs.age = 5", "[inputs.age] of lading.toml: Expected `object`"),
        ("output_range = [1]", "lading.toml: Expected `array` of length 2"),
        ("[inputs.age]\nkind = 'number'", "[inputs.age] of lading.toml: Invalid enum value 'number'"),
        ("[inputs.age]\ndomain = '0..1'", "[inputs.age] of lading.toml: Expected"),
        ("[inputs.age]\ndomain = { low = 0 }", "[inputs.age] of lading.toml: Object contains unknown field `low`"),
        ("[inputs.age]\nnullable = 'yes'", "[inputs.age] of lading.toml: Expected `bool | null`, got `str`"),
    ],
)
def test_a_value_of_another_kind_is_refused_where_it_stands(text, where):
    assert str(refusal(read_declared, tomllib.loads(text))).startswith(where)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("age=0..120", Interval(0.0, 120.0)),
        ("age=..120", Interval(maximum=120.0)),
        ("age=-1e3..", Interval(minimum=-1000.0)),
        ("age=0.5 .. 1.5", Interval(0.5, 1.5)),
        ("age=0..inf", Interval(minimum=0.0)),
        ("age=5..5", Interval(5.0, 5.0)),
        ("age=1,2.5", (1.0, 2.5)),
        ("rank=0,1", (0, 1)),
        ("rank= 0 , 1 ", (0, 1)),
        ("rank=0..10", Interval(0.0, 10.0)),
        ("vip=true", (True,)),
        ("vip=False,1", (False, True)),
        ("zip=007,true,1.50", ("007", "true", "1.50")),
        ("when=2024-02-29", ("2024-02-29",)),
        ("city=Lyon", ("Lyon",)),
        ("tier=gold,new", ("gold", "new")),
        ("size=1,2", (1, 2)),
        ("size=2..", Interval(minimum=2.0)),
    ],
)
def test_a_domain_is_of_the_kind_of_its_column(text, domain):
    assert repr(from_option(text)) == repr(domain)


def test_a_column_whose_name_has_an_equals_sign_can_have_a_domain():
    assert parse_domain("a=b=1,2") == ("a=b", DeclaredInput(domain=("1", "2")))


@pytest.mark.parametrize("text", ["", "age", "=1", "age=", "age=1,,2", "age=1,", "age= "])
def test_a_domain_has_a_name_and_values(text):
    error = refusal(parse_domain, text)
    assert str(error) == "a domain is NAME=VALUE,VALUE or NAME=MIN..MAX"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age=a..b", "the bounds of a domain are numbers"),
        ("age=1..2..3", "the bounds of a domain are numbers"),
        ("age=120..0", "MIN is not above MAX"),
        ("age=nan..1", "MIN is not above MAX"),
        ("age=..", "of which one may be left out"),
        ("age=-inf..inf", "of which one may be left out"),
        ("rank=0.2..0.8", "the domain of `rank` leaves no value that the column takes"),
        ("size=10..20", "the domain of `size` leaves no value that the column takes"),
        ("vip=0..1", "the domain of `vip` is an interval, but the column is not a number"),
        ("zip=0..1", "the domain of `zip` is an interval, but the column is not a number"),
        ("age=young", "a value in the domain of `age` is not of its kind, float"),
        ("age=nan", "a value in the domain of `age` is not of its kind, float"),
        ("age=1e999", "a value in the domain of `age` is not of its kind, float"),
        ("age=true", "a value in the domain of `age` is not of its kind, float"),
        ("rank=1.5", "a value in the domain of `rank` is not of its kind, int"),
        ("vip=2", "a value in the domain of `vip` is not of its kind, bool"),
        ("when=soon", "a value in the domain of `when` is not of its kind, date"),
        ("size=a", "a value in the domain of `size` is not of its kind, int"),
        ("city=Bonn,Rome", "the model does not know every value in the domain of `city`"),
    ],
)
def test_a_domain_that_does_not_fit_its_column_is_refused(text, message):
    assert message in str(refusal(from_option, text))


def test_a_category_that_the_model_does_not_know_is_refused_with_those_that_it_knows():
    assert refusal(from_option, "city=Rome").hint == "known: Bonn, Lyon"


@pytest.mark.parametrize("domain", [(), Interval(), Interval(math.nan, 1.0), Interval(math.inf, math.inf)])
def test_a_domain_from_a_file_says_something(domain):
    refusal(declared, "age", domain=domain)


def test_what_a_file_says_of_texts_need_not_be_texts():
    assert declared("zip", domain=(7, True)).domain == ("7", "True")


def test_an_input_is_described():
    field = declared("age", description="in years", example=33, nullable=True)
    assert (field.description, field.example, field.nullable) == ("in years", 33, True)
    assert (field.seen, field.kind, field.dtype) == (AGE.seen, "float", "float64")


@pytest.mark.parametrize("example", ["young", True, math.nan, math.inf, 150.0])
def test_an_example_is_one_that_the_column_takes(example):
    error = refusal(declared, "age", domain=Interval(0.0, 120.0), example=example)
    assert str(error) == "the example of `age` is not a value that the column takes"


def test_an_example_that_the_domain_leaves_out_is_replaced():
    field = declared("age", domain=Interval(50.0, 60.0))
    assert 50 <= example_value(field) <= 60


@pytest.mark.parametrize(
    ("name", "kind", "dtype"),
    [
        ("age", "int", "float64"),
        ("age", "bool", "float64"),
        ("age", "text", "str"),
        ("age", "category", "str"),
        ("age", "date", "str"),
        ("rank", "float", "float64"),
        ("rank", "bool", "int64"),
        ("vip", "int", "int64"),
        ("vip", "float", "float64"),
        ("zip", "int", "int64"),
        ("zip", "category", "str"),
        ("when", "text", "str"),
        ("city", "text", "str"),
        ("size", "text", "str"),
    ],
)
def test_a_column_of_another_kind_is_given_in_a_dtype_that_holds_it(name, kind, dtype):
    field = declared(name, kind=kind)
    assert (field.kind, field.dtype, field.categories) == (kind, dtype, ())
    assert field.seen is None or kind in ("int", "float")
    assert accepts(cell_checker(field), example_value(field))


def test_halves_stay_halves():
    half = Field("x", dtype="float32")
    schema = declare(schema_of(half), Declared(inputs={"x": DeclaredInput(kind="int")}))
    assert schema.inputs[0].dtype == "float32"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FIELDS)
def test_whatever_a_column_is_declared_to_be_it_takes_its_own_example(name, kind):
    field = declared(name, kind=kind, nullable=True)
    check = cell_checker(field)
    rows = [(check(example_value(field)),), (None,)]
    assert len(Table.from_rows((field,), rows).columns[name]) == 2


@pytest.mark.parametrize(
    ("name", "hint"), [("Age", "did you mean `age`?"), ("agee", "did you mean `age`?"), ("zzz", None)]
)
def test_a_declared_column_is_an_input(name, hint):
    error = refusal(declare, schema_of(AGE), Declared(inputs={name: DeclaredInput()}))
    assert (str(error), error.hint) == (f"`{name}` is not an input of the model", hint)


def test_labels_stand_in_for_classes_everywhere():
    schema = declare(schema_of(outputs=CLASSES), Declared(labels=("no", "yes")))
    prediction, probabilities = schema.outputs
    assert (prediction.classes, prediction.labels, prediction.datatype) == ((0, 1), ("no", "yes"), "BYTES")
    assert probabilities.columns == ("no", "yes")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("no",), "the model has 2 classes, 1 labels were given"),
        (("no", "yes", "maybe"), "the model has 2 classes, 3 labels were given"),
        (("no", "no"), "two classes have the same label"),
    ],
)
def test_labels_are_as_many_as_classes_and_differ(labels, message):
    assert str(refusal(declare, schema_of(outputs=CLASSES), Declared(labels=labels))) == message


def test_a_number_has_no_labels():
    assert "0 classes" in str(refusal(declare, schema_of(), Declared(labels=("a", "b"))))


@pytest.mark.parametrize(
    ("said", "interval"),
    [
        ((0.0, 1.0), Interval(0.0, 1.0)),
        ((0.0, math.inf), Interval(minimum=0.0)),
        ((-math.inf, 0.0), Interval(maximum=0.0)),
    ],
)
def test_an_output_range_is_an_interval(said, interval):
    schema = declare(schema_of(), Declared(output_range=said))
    assert schema.outputs[0].range == interval
    assert msgspec.json.decode(msgspec.json.encode(schema), type=Schema) == schema


@pytest.mark.parametrize("said", [(1.0, 0.0), (1.0, 1.0), (math.nan, 1.0), (0.0, math.nan)])
def test_an_output_range_has_its_least_first(said):
    assert "MIN is below MAX" in str(refusal(declare, schema_of(), Declared(output_range=said)))


@pytest.mark.parametrize("output", [CLASSES[0], Output("prediction", "BYTES"), Output("prediction", "BOOL")])
def test_only_numbers_have_a_range(output):
    error = refusal(declare, schema_of(outputs=(output,)), Declared(output_range=(0.0, 1.0)))
    assert str(error) == "an output range is for numbers, this model gives classes"


def test_metadata_beside_the_model_is_read(tmp_path):
    model = tmp_path / "iris.joblib.gz"
    assert read_metadata(model) == {}
    (tmp_path / "metadata.json").write_text('{"author": "anybody"}')
    assert read_metadata(model) == {"author": "anybody"}
    (tmp_path / "iris.metadata.json").write_text('{"author": "Jo"}')
    assert read_metadata(model) == {"author": "Jo"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"5", b'{"a": NaN}', b'{"a": "\xff"}', b'{"a":' + b"[" * 100_000]
)
def test_metadata_that_is_no_object_is_refused(tmp_path, content):
    (tmp_path / "metadata.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"^metadata\.json beside the model is not a JSON object$"):
        read_metadata(tmp_path / "iris.joblib")


def test_metadata_without_end_is_refused(tmp_path):
    (tmp_path / "metadata.json").write_bytes(b'"' + b"x" * MAX_METADATA_BYTES + b'"')
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        read_metadata(tmp_path / "iris.joblib")


def test_metadata_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "metadata.json").write_text("{}")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(UsageError, match=r"cannot read .*metadata\.json: Permission denied"):
        read_metadata(tmp_path / "iris.joblib")


@pytest.mark.parametrize(
    ("file", "name"), [("iris.joblib.gz", "iris"), ("my model.pkl", "my-model"), (".joblib", "model")]
)
def test_a_model_is_called_as_its_file_is(tmp_path, file, name):
    assert default_name(tmp_path / file) == name


# --- names of columns, files


def test_a_category_that_the_model_does_not_name_has_the_values_of_its_domain():
    said = Declared(inputs={"age": DeclaredInput(kind="category", domain=("north", "south"))})
    field = declare(schema_of(AGE), said).inputs[0]
    assert (field.kind, field.categories, field.value_kind) == ("category", ("north", "south"), "text")


def test_columns_without_names_get_those_of_their_author():
    learned = Learned((Field("x0"), Field("x1", example=2.0)), named=False, wants="array", notes=("`x1` is `odd`",))
    assert [field.name for field in named(learned, ("a", "b")).fields] == ["a", "b"]
    assert named(learned, ("a", "b")).notes == ("`b` is `odd`",)
    assert named(learned, ()) is learned


@pytest.mark.parametrize(("is_named", "names"), [(True, ("a", "b")), (False, ("a",)), (False, ("a", "b", "c"))])
def test_names_that_do_not_fit_are_refused(is_named, names):
    learned = Learned((Field("x0"), Field("x1")), named=is_named, wants="array")
    assert "names" in refusal(named, learned, names).message


def test_files_of_a_lading_toml_are_those_beside_it(tmp_path):
    said = within(tmp_path, read_declared({"code": "a.ipynb", "files": ["/b.npy"]}))
    assert (said.code_paths, said.file_paths) == ((tmp_path / "a.ipynb",), (Path("/b.npy"),))
