"""What is shipped, and what may be said beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.signed import trusting

from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.trust import TrustStore
from lading.errors import LadingError, SettingsError, Untrusted, UsageError
from lading.schema.fields import Image, Schema
from lading.ship.plan import Choices, Plan, make_plan, slim_base

Make = Callable[..., Plan]


def test_everything_has_a_default_that_the_manifest_says(plan: Make):
    made = plan()
    assert made.image == "lading/iris:1.0.0"
    assert made.base == slim_base(made.python) == f"python:{made.python}-slim"
    assert made.file_name == "iris-1.0.0.lading"
    assert made.serving == {"production": "true", "auth": "keys"}
    assert made.secrets == {"keys_file": "keys.json"}


@pytest.mark.parametrize(
    ("auth", "secrets"),
    [
        ("network", {}),
        ("basic", {"users_file": "users.json"}),
        ("keys,tokens", {"keys_file": "keys.json", "token_secret_file": "token.secret"}),
    ],
)
def test_a_secret_is_named_for_each_way_to_show_who_asks(plan: Make, auth: str, secrets: dict[str, str]):
    assert plan(auth=auth).secrets == secrets


def test_a_secret_that_was_said_to_be_elsewhere_is_not_named_again(plan: Make):
    assert plan(settings={"keys_file": "/etc/keys.json"}).secrets == {}


def test_the_extras_are_those_that_the_bundle_and_its_access_need(renamed: Callable[..., Plan]):
    fields = renamed().manifest.model_schema
    image = Schema(fields.task, fields.inputs, fields.outputs, image=Image(2, 1, gray=True))
    jwt = {"jwt_issuer": "https://issuer.example", "jwt_audience": "iris", "jwks_url": "https://issuer.example/keys"}
    made = renamed({"auth": "jwt", "settings": jwt, "extras": ("redis",)}, model_schema=image)
    assert made.extras == ("image", "jwt", "redis")


def test_only_keys_that_are_trusted_for_the_model_now_go_along(bundle: Path, key: PrivateKey, tmp_path: Path):
    other, unrelated = PrivateKey.generate(), PrivateKey.generate()
    trusting(tmp_path, key, other)
    trusting(tmp_path, unrelated, models=("churn",))
    TrustStore.read(tmp_path).revoke(other.public.key_id)
    made = make_plan(bundle, TrustStore.read(tmp_path), Choices())
    assert [entry.key_id for entry in made.entries] == [key.public.key_id]


# --- refusals


def test_a_bundle_that_nobody_trusted_has_signed_is_not_shipped(bundle: Path, tmp_path: Path):
    with pytest.raises(Untrusted, match="unknown key"):
        make_plan(bundle, TrustStore.read(tmp_path), Choices())


def test_a_bundle_that_was_changed_is_not_shipped(copied: Path, trust: TrustStore):
    copied.write_bytes(copied.read_bytes() + b"x")
    with pytest.raises(Untrusted, match="changed"):
        make_plan(copied, trust, Choices())


def test_a_bare_model_is_not_shipped(trust: TrustStore, tmp_path: Path):
    with pytest.raises(UsageError, match="only a bundle"):
        make_plan(tmp_path / "model.joblib", trust, Choices())


@pytest.mark.parametrize(
    "choices",
    [
        {"image": "iris"},
        {"image": "IRIS:1"},
        {"image": "iris:1 --privileged"},
        {"image": "iris:1\nRUN touch /pwned"},
        {"image": "-t:1"},
        {"base": "python:3.11-slim AS other"},
        {"base": "python@sha256:12"},
        {"base": "$(id):1"},
        {"host": "models example"},
        {"host": "a;return 200"},
        {"host": "-x.example"},
        {"host": "{{7*7}}"},
        {"replicas": 0},
        {"replicas": 101},
        {"extras": ("redis]; x",)},
        {"auth": ""},
        {"settings": {"max_rows": "many"}},
        {"settings": {"max_row": "1"}},
        {"settings": {"production": "false"}},
        {"settings": {"client_names": "a\nb"}},
    ],
    ids=str,
)
def test_a_choice_that_could_become_something_else_is_refused(plan: Make, choices: dict[str, Any]):
    with pytest.raises(LadingError):
        plan(**choices)


@pytest.mark.parametrize(
    "image",
    ["iris:1.0.0", "registry.example.com:5000/team/iris:1", "ghcr.io/a/b-c:x", f"python@sha256:{'0' * 64}"],
)
def test_names_of_images_are_taken_as_engines_take_them(plan: Make, image: str):
    assert plan(image=image).image == plan(base=image).base == image


def test_a_secret_has_no_place_in_a_generated_file(plan: Make):
    with pytest.raises(SettingsError, match="secret") as refused:
        plan(settings={"features_url": "redis://:word@store"})
    assert "word" not in f"{refused.value} {refused.value.hint}"
    assert "LADING_FEATURES_URL" in str(refused.value.hint)


@pytest.mark.parametrize(
    "settings",
    [{"FEATURES_URL": "redis://store"}, {"Insecure": "true"}, {"jwks_url": "https://u:word@issuer.example/keys"}],
)
def test_no_way_of_writing_a_setting_goes_round_a_refusal(plan: Make, settings: dict[str, str]):
    with pytest.raises(SettingsError) as refused:
        plan(settings=settings)
    assert "word" not in str(refused.value)
