"""The curl line is pasted into a shell, so a shell reads it here."""

import json
import subprocess

import pytest
from hypothesis import example, given, settings

from lading.schema.curl import curl
from lading.schema.decode import Decoder
from lading.schema.fields import Field, Output, Schema
from lading.schema.synthetic import example_row

URL = "http://127.0.0.1:8000/predict"
STAND_IN = """curl() { for word in "$@"; do printf '%s\\0' "$word"; done; }\n"""


def schema_of(*fields):
    return Schema("regression", fields, (Output("prediction"),))


def words_of(command):
    """What the command would hand to curl, by a POSIX shell."""
    done = subprocess.run(["/bin/sh", "-c", STAND_IN + command], capture_output=True, timeout=30, check=True)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


@settings(max_examples=20)
@given(schema=...)
@example(
    schema=schema_of(
        *(Field(name) for name in ("it's", "$(id)", "`id`", "a b", "\\", '"', "!x", "%s", "-d", "@f", "é"))
    )
)
@example(schema=schema_of(Field("a", "category", "str", categories=("'; touch /tmp/x; '", "$HOME"))))
def test_a_shell_hands_over_the_example(schema: Schema):
    if any("\0" in name for name in schema.names):
        return
    words = words_of(curl(URL, schema))
    assert words[:-1] == [URL, "-H", "content-type: application/json", "-d"]
    assert json.loads(words[-1]) == example_row(schema.inputs)
    assert Decoder(schema).json(words[-1].encode()).is_single


def test_the_command_is_short_and_readable():
    schema = schema_of(Field("petal length (cm)", example=1.4), Field("petal width (cm)", example=0.2))
    assert curl(URL, schema).splitlines() == [
        f"curl {URL} -H 'content-type: application/json' -d \\",
        """  '{"petal length (cm)": 1.4, "petal width (cm)": 0.2}'""",
    ]


@pytest.mark.parametrize("url", ["http://[::1]:8000/predict", "http://h/a b", "http://h/$(id)?a=1&b=2"])
def test_the_address_is_one_word(url):
    assert words_of(curl(url, schema_of(Field("a"))))[0] == url
