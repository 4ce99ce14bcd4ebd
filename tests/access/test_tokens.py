"""Tokens: what they say, who gets one, and whose they are."""

import asyncio
import base64
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import msgspec
import pytest

from lading.access.credentials import MAX_BYTES, Credentials
from lading.access.keys.file import Key, create_key, revoke_key
from lading.access.keys.ring import Keyring
from lading.access.keys.text import new_text
from lading.access.scopes import covers, narrowed
from lading.access.tokens.authenticator import Tokens, make
from lading.access.tokens.grant import GrantError, Token
from lading.access.tokens.text import Claims, Mint
from lading.errors import LadingError, NotForProduction, SettingsError, Unauthenticated
from lading.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHARED = bytes(32)
CLAIMS = Claims("0123abcd", ("predict:iris",), 1, 2)
FORM = [("grant_type", "client_credentials")]


class Clock:
    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def shop(path: Path) -> tuple[Key, str]:
    """A key that may predict with every model, and read what they are."""
    return create_key(path, "shop", NOW, rate="5/s")


@pytest.fixture
def tokens(path: Path, shop: Any, clock: Clock) -> Tokens:
    return Tokens(Keyring(path, strict=True, clock=clock), Mint(SHARED), 600)


def client(key_id: str, secret: str) -> Credentials:
    return Credentials("basic", base64.b64encode(f"{key_id}:{secret}".encode()).decode())


def of(made: tuple[Key, str]) -> Credentials:
    key, text = made
    return client(key.id, text)


def bearer(token: Token) -> Credentials:
    return Credentials("bearer", token.access_token)


def change_key(path: Path, **changes: Any) -> None:
    """Change the first key by hand."""
    table = msgspec.json.decode(path.read_bytes())
    table["keys"][0] |= changes
    path.write_bytes(msgspec.json.encode(table))


# --- the text of a token


def test_a_token_says_what_it_was_told():
    mint = Mint(SHARED)
    text = mint.text_of(CLAIMS)
    assert text.startswith("lt_")
    assert mint.claims_of(text) == CLAIMS


def test_a_token_that_is_changed_anywhere_is_none():
    mint = Mint(SHARED)
    text = mint.text_of(CLAIMS)
    for at in range(len(text)):
        other = "A" if text[at] != "A" else "B"
        assert mint.claims_of(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize(
    "change", [lambda text: text + "=", lambda text: text[:-1], lambda text: text.replace(".", "..")]
)
def test_a_token_is_written_in_one_way(change: Any):
    mint = Mint(SHARED)
    assert mint.claims_of(change(mint.text_of(CLAIMS))) is None


@pytest.mark.parametrize("text", ["", "lt_", "lt_.", "lt_e30.", ".", "lt_é.é", "lt_\0.\0"])
def test_what_is_no_token_says_nothing(text: str):
    assert Mint(SHARED).claims_of(text) is None


def test_another_secret_makes_other_tokens():
    assert Mint(bytes(31) + b"1").claims_of(Mint(SHARED).text_of(CLAIMS)) is None


# --- whose it is


def test_who_brings_a_token_is_who_has_the_key(tokens: Tokens, shop: tuple[Key, str], clock: Clock):
    token = tokens.grant(of(shop), FORM)
    assert tokens.takes(bearer(token))
    principal = asyncio.run(tokens.authenticate(bearer(token)))
    assert principal.name == f"key:{shop[0].id}"
    assert principal.scopes == {"models:read", "predict:*"}
    assert (principal.until, principal.rate) == (clock.now + 600, "5/s")


def test_a_token_ends(tokens: Tokens, shop: tuple[Key, str], clock: Clock):
    token = tokens.grant(of(shop), FORM)
    clock.now += 599
    assert tokens.known(bearer(token)) is not None
    clock.now += 1
    assert tokens.known(bearer(token)) is None


def test_a_token_dies_with_its_key(tokens: Tokens, shop: tuple[Key, str], path: Path):
    token = tokens.grant(of(shop), FORM)
    revoke_key(path, "shop", NOW)
    assert tokens.refresh()
    assert tokens.known(bearer(token)) is None
    with pytest.raises(Unauthenticated, match=r"^the credentials are not good$"):
        asyncio.run(tokens.authenticate(bearer(token)))


def test_a_token_does_not_outlive_its_key(path: Path, clock: Clock):
    made = create_key(path, "short", NOW, expires=NOW + timedelta(seconds=60))
    tokens = Tokens(Keyring(path, strict=True, clock=clock), Mint(SHARED), 600)
    token = tokens.grant(of(made), FORM)
    assert token.expires_in == 60
    change_key(path, expires=(NOW + timedelta(seconds=30)).isoformat())
    tokens.refresh()
    assert tokens.known(bearer(token)).until == clock.now + 30


def test_a_token_loses_the_scopes_that_its_key_loses(tokens: Tokens, shop: tuple[Key, str], path: Path):
    token = tokens.grant(of(shop), FORM)
    change_key(path, scopes=["predict:iris", "metrics"])
    tokens.refresh()
    assert tokens.known(bearer(token)).scopes == {"predict:iris"}


def test_a_token_of_a_key_that_is_not_there_is_nobodys(tokens: Tokens, clock: Clock):
    claims = Claims("ffffffff", ("predict:*",), int(clock.now), int(clock.now) + 60)
    assert tokens.known(Credentials("bearer", Mint(SHARED).text_of(claims))) is None


@pytest.mark.parametrize("credentials", [Credentials("bearer", "lk_x"), Credentials("basic", "lt_x")])
def test_other_credentials_are_not_taken(credentials: Credentials, tokens: Tokens):
    assert not tokens.takes(credentials)


# --- who gets one


def test_a_key_gets_a_token(tokens: Tokens, shop: tuple[Key, str]):
    token = tokens.grant(of(shop), FORM)
    assert msgspec.json.decode(msgspec.json.encode(token)) == {
        "access_token": token.access_token,
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "models:read predict:*",
    }


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("predict:iris", "predict:iris"),
        ("predict:*", "predict:*"),
        ("predict:iris models:read predict:iris", "models:read predict:iris"),
        ("", "models:read predict:*"),
    ],
)
def test_a_token_has_the_scopes_that_were_asked_for(asked: str, got: str, tokens: Tokens, shop: tuple[Key, str]):
    token = tokens.grant(of(shop), [*FORM, ("scope", asked)])
    assert token.scope == got
    assert tokens.known(bearer(token)).scopes == set(got.split(" "))


def _refused(tokens: Tokens, credentials: Credentials | None, form: list[tuple[str, str]]) -> str:
    with pytest.raises(GrantError) as refused:
        tokens.grant(credentials, form)
    # The characters that RFC 6749, 5.2, lets a description have.
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in refused.value.description)
    return refused.value.error


@pytest.mark.parametrize("scope", ["metrics", "predict:* metrics", "journal:erase"])
def test_a_scope_is_never_more_than_the_keys(scope: str, tokens: Tokens, shop: tuple[Key, str]):
    assert _refused(tokens, of(shop), [*FORM, ("scope", scope)]) == "invalid_scope"


def test_every_model_is_more_than_one(path: Path, tokens: Tokens):
    narrow = create_key(path, "narrow", NOW, scopes=("predict:iris",))
    tokens.refresh()
    assert tokens.grant(of(narrow), FORM).scope == "predict:iris"
    for scope in ("predict:*", "predict:wine"):
        assert _refused(tokens, of(narrow), [*FORM, ("scope", scope)]) == "invalid_scope"


@pytest.mark.parametrize(
    "scope", [" ", "predict", "predict:iris  models:read", " predict:iris", "predict:iris,models:read", "all", "é"]
)
def test_what_is_no_scope_is_refused(scope: str, tokens: Tokens, shop: tuple[Key, str]):
    assert _refused(tokens, of(shop), [*FORM, ("scope", scope)]) == "invalid_scope"


def test_scopes_that_no_token_has_room_for_are_refused(tokens: Tokens, shop: tuple[Key, str]):
    names = [f"predict:{number:0128}" for number in range(33)]
    assert _refused(tokens, of(shop), [*FORM, ("scope", " ".join(names))]) == "invalid_scope"
    most = tokens.grant(of(shop), [*FORM, ("scope", " ".join(names[:-1]))])
    assert len(f"Bearer {most.access_token}") <= MAX_BYTES
    assert len(tokens.known(bearer(most)).scopes) == 32


@pytest.mark.parametrize("grant_type", ["password", "refresh_token", "authorization_code", "CLIENT_CREDENTIALS"])
def test_another_grant_is_refused(grant_type: str, tokens: Tokens, shop: tuple[Key, str]):
    assert _refused(tokens, of(shop), [("grant_type", grant_type)]) == "unsupported_grant_type"


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("grant_type", "")],
        [("Grant_Type", "client_credentials")],
        FORM * 2,
        [*FORM, ("scope", "metrics"), ("scope", "predict:iris")],
        [*FORM, ("client_id", "ffffffff")],
        [*FORM, ("client_secret", "x")],
        [*FORM, ("client_assertion", "x")],
    ],
)
def test_a_form_that_is_not_in_order_is_refused(form: list[tuple[str, str]], tokens: Tokens, shop: tuple[Key, str]):
    assert _refused(tokens, of(shop), form) == "invalid_request"


def test_what_has_no_meaning_is_ignored(tokens: Tokens, shop: tuple[Key, str]):
    form = [*FORM, ("client_id", shop[0].id), ("resource", "a"), ("resource", "b"), ("client_secret", "")]
    assert tokens.grant(of(shop), form).scope == "models:read predict:*"


def test_a_client_that_is_not_good_is_refused(tokens: Tokens, shop: tuple[Key, str], path: Path):
    key, text = shop
    other, _ = create_key(path, "other", NOW)
    tokens.refresh()
    bad = [
        client(key.id, new_text(key.id)),
        client(other.id, text),
        client("ffffffff", text),
        client("shop", text),
        client(key.id, text + "%"),
        client(key.id, ""),
        client("", text),
        Credentials("basic", "not base64"),
        Credentials("bearer", text),
    ]
    assert [_refused(tokens, each, FORM) for each in bad] == ["invalid_client"] * len(bad)


def test_a_secret_in_the_body_alone_is_no_client(tokens: Tokens, shop: tuple[Key, str]):
    key, text = shop
    assert _refused(tokens, None, [*FORM, ("client_id", key.id), ("client_secret", text)]) == "invalid_client"


def test_a_revoked_key_gets_no_token(tokens: Tokens, shop: tuple[Key, str], path: Path):
    revoke_key(path, "shop", NOW)
    tokens.refresh()
    assert _refused(tokens, of(shop), FORM) == "invalid_client"


def test_the_id_and_the_secret_are_decoded(tokens: Tokens, shop: tuple[Key, str]):
    key, text = shop
    escaped = "".join(f"%{ord(letter):02x}" for letter in text)
    assert tokens.grant(client(key.id, escaped), FORM).expires_in == 600
    assert tokens.grant(client(quote_plus(key.id), quote_plus(text)), FORM).expires_in == 600


# --- scopes within scopes


def test_every_model_covers_each():
    assert covers({"predict:*"}, "predict:iris")
    assert covers({"predict:iris"}, "predict:iris")
    assert not covers({"predict:iris"}, "predict:*")
    assert not covers({"predict:*"}, "metrics")


def test_what_both_allow_is_left():
    assert narrowed({"predict:*", "metrics"}, {"predict:iris", "models:read"}) == {"predict:iris"}
    assert narrowed({"predict:iris"}, {"predict:*"}) == {"predict:iris"}
    assert narrowed({"metrics"}, {"models:read"}) == frozenset()


# --- what is refused at the start


def _settings(path: Path, secret: Path | None = None, **said: Any) -> Settings:
    return Settings(keys_file=str(path), token_secret_file=str(secret or ""), **said)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "token.secret"
    path.write_text("0123456789abcdef" * 2 + "\n")
    path.chmod(0o600)
    return path


def test_servers_with_one_secret_take_each_others_tokens(path: Path, shop: tuple[Key, str], secret: Path):
    one, two = (make(_settings(path, secret, production=True), shared) for shared in (SHARED, bytes(31) + b"1"))
    assert two.known(bearer(one.grant(of(shop), FORM))) is not None


def test_servers_without_one_do_not(path: Path, shop: tuple[Key, str]):
    one, two = (make(_settings(path), shared) for shared in (SHARED, bytes(31) + b"1"))
    assert two.known(bearer(one.grant(of(shop), FORM))) is None


@pytest.mark.parametrize(("production", "kind"), [(True, NotForProduction), (False, SettingsError)])
@pytest.mark.parametrize("text", ["", " \n" * 40, "0" * 31, " " * 40 + "0" * 31 + "\n"])
def test_a_secret_that_is_too_short_is_refused(
    text: str, production: bool, kind: type[LadingError], path: Path, shop: tuple[Key, str], secret: Path
):
    secret.write_text(text)
    with pytest.raises(kind, match="expected 32 bytes or more"):
        make(_settings(path, secret, production=production), SHARED)


@pytest.mark.parametrize(("production", "kind"), [(True, NotForProduction), (False, SettingsError)])
def test_a_secret_that_is_not_there_is_named_with_the_way_to_make_it(
    production: bool, kind: type[LadingError], path: Path, shop: tuple[Key, str], secret: Path
):
    secret.unlink(missing_ok=True)
    with pytest.raises(kind, match="there is no secret of tokens: no file") as refused:
        make(_settings(path, secret, production=production), SHARED)
    assert refused.value.hint == f"(umask 077; openssl rand -hex 32 > {secret})"


def test_a_secret_that_others_may_read_is_refused_in_production(path: Path, shop: tuple[Key, str], secret: Path):
    secret.chmod(0o644)
    with pytest.raises(NotForProduction, match="is open to others"):
        make(_settings(path, secret, production=True), SHARED)


def test_tokens_need_keys(path: Path):
    with pytest.raises(SettingsError, match="there are no API keys"):
        make(_settings(path), SHARED)


def test_tokens_last_as_long_as_the_setting_says(path: Path, shop: tuple[Key, str]):
    tokens = make(_settings(path, token_s=60.0), SHARED)
    assert tokens.grant(of(shop), FORM).expires_in == 60


def test_a_token_is_not_shown(tokens: Tokens, shop: tuple[Key, str]):
    token = tokens.grant(of(shop), FORM)
    assert token.access_token not in repr(token) + repr(bearer(token)) + repr(tokens) + repr(Mint(SHARED))
    assert math.isfinite(token.expires_in)
