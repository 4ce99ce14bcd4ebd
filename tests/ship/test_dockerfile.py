"""Dockerfiles: what a value holds stays in its value, as somebody else's parser reads it."""

import json
from collections.abc import Callable, Sequence
from io import BytesIO

import pytest
from dockerfile_parse import DockerfileParser

from lading.errors import UsageError
from lading.ship.files import File
from lading.ship.image import dockerfile_text as dockerfile
from lading.ship.image.docker import DOCKERFILE, Docker, labels
from lading.ship.plan import Plan

HOSTILE = (
    'say "x"',
    "$(touch /pwned)",
    "${HOME} $HOME",
    "`id`",
    "a\\b\\",
    "it's; rm -rf /",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "!!python/object:os.system",
    "# no comment",
    "RUN touch /pwned",
    "ü € 漢",
)


def parsed(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile."""
    reader = DockerfileParser(fileobj=BytesIO(text.encode()))
    return [(each["instruction"], each["value"]) for each in reader.structure if each["instruction"] != "COMMENT"]


def text_of(files: Sequence[File]) -> str:
    return next(file.data.decode() for file in files if file.path == DOCKERFILE)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_label_stays_one_instruction(value: str):
    # What the value becomes is asked of a real engine in test_images.py: this parser resolves no escapes.
    text = dockerfile.render([dockerfile.stage("x:1"), dockerfile.pairs("LABEL", {"a": value, "b": "2"})])
    assert [name for name, _ in parsed(text)] == ["FROM", "LABEL"]


@pytest.mark.parametrize("value", HOSTILE)
def test_arguments_are_read_as_they_were_written(value: str):
    (run,) = parsed(dockerfile.render([dockerfile.run("echo", value)]))
    assert run[0] == "RUN"
    assert json.loads(run[1]) == ["echo", value]


@pytest.mark.parametrize("value", ["a\nRUN touch /pwned", "a\0", "a\x1b[2J", "a\u2028b"])
def test_control_characters_are_refused(value: str):
    for make in (
        lambda: dockerfile.run("echo", value),
        lambda: dockerfile.pairs("LABEL", {"a": value}),
        lambda: dockerfile.plain("USER", value),
    ):
        with pytest.raises(UsageError):
            make()


@pytest.mark.parametrize("path", ["a b", "$HOME", "[a]", "*", "a\\b"])
def test_a_path_that_an_engine_would_expand_is_refused(path: str):
    with pytest.raises(UsageError):
        dockerfile.copy([path], "/to")


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_manifest_gives_the_same_instructions(renamed: Callable[..., Plan], value: str):
    harmless, hostile = (Docker().files(renamed(class_name=name)) for name in ("Pipeline", value))
    names = [[name for name, _ in parsed(text_of(files))] for files in (harmless, hostile)]
    assert names[0] == names[1]
    assert parsed(text_of(harmless)) != parsed(text_of(hostile))


def test_the_image_has_nobody_s_user_and_no_shell(plan: Callable[..., Plan]):
    steps = parsed(text_of(Docker().files(plan())))
    by_name = dict(steps)
    assert by_name["USER"] == "65532:65532"
    assert by_name["ENTRYPOINT"] == '["/opt/lading/bin/lading", "serve", "/srv/lading/iris-1.0.0.lading"]'
    assert all(value.startswith("[") for name, value in steps if name in ("RUN", "ENTRYPOINT"))
    assert "CMD [" in by_name["HEALTHCHECK"]
    assert not [value for name, value in steps if name == "RUN" and ("/sh" in value or "bash" in value)]


def test_no_health_check_is_made_where_every_caller_has_to_have_a_certificate(plan: Callable[..., Plan]):
    steps = dict(parsed(text_of(Docker().files(plan(settings={"client_ca_file": "/run/secrets/ca.pem"})))))
    assert steps["HEALTHCHECK"] == "NONE"


def test_only_public_keys_go_along(plan: Callable[..., Plan]):
    files = Docker().files(plan())
    everything = b"".join(file.data for file in files)
    assert b"BEGIN PUBLIC KEY" in everything
    assert b"PRIVATE KEY" not in b"".join(file.data for file in files if not file.path.startswith("wheels/"))


def test_the_engine_gets_what_is_copied_and_nothing_beside_it(plan: Callable[..., Plan]):
    files = Docker().files(plan())
    ignored = next(file for file in files if file.path == ".dockerignore").data.decode().splitlines()
    assert ignored[0] == "*"
    copied = {file.path for file in files} - {DOCKERFILE, ".dockerignore"}
    assert {line.removeprefix("!") for line in ignored[1:]} == copied


def test_the_label_says_which_bundle_it_is(plan: Callable[..., Plan]):
    made = plan()
    assert labels(made)["lading.bundle.sha256"] == made.verified.digest
