"""Access tokens of another issuer: which are taken, as whom, and which never."""

import asyncio
import json
import logging
import string
import sys
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.issuer import (
    AUDIENCE,
    ISSUER,
    NOW,
    Reader,
    claims,
    jwk,
    key_set,
    part,
    private_key,
    running,
    signed,
    token,
)

from lading.access.credentials import Credentials
from lading.access.jwt.authenticator import MAX_REMEMBERED, make
from lading.access.jwt.claims import principal_of
from lading.errors import EnvironmentMismatch, SettingsError, Unauthenticated
from lading.settings import Settings

GOOD = Settings(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwks_url="https://login.example.com/keys")
EVERY = "RS256,PS256,ES256,ES384,EdDSA"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as issuer:
        issuer.keys = key_set("rsa-1", "ec-1", "ec384-1", "ed-1")
        yield issuer.url


@pytest.fixture
def reader(url: str) -> Reader:
    reader = Reader(url, EVERY)
    reader.refresh()
    return reader


def refused(reader: Reader, bad: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        reader.ask(bad)
    assert caught.value.message == "the credentials are not good"
    assert caught.value.hint is None
    assert caught.value.__cause__ is None
    assert reader.known(bad) is None


# --- who it is


@pytest.mark.parametrize(
    ("key_id", "algorithm"),
    [("rsa-1", "RS256"), ("rsa-1", "PS256"), ("ec-1", "ES256"), ("ec384-1", "ES384"), ("ed-1", "EdDSA")],
)
def test_a_good_token_shows_who_asks(reader: Reader, key_id: str, algorithm: str):
    principal = reader.ask(token(key_id, algorithm))
    assert principal.name == "jwt:alice"
    assert principal.scopes == {"predict:iris", "models:read"}
    assert principal.until == NOW + 300


def test_only_a_token_that_was_verified_before_is_known_at_once(reader: Reader):
    good = token()
    assert reader.known(good) is None
    principal = reader.ask(good)
    assert reader.known(good) == principal
    assert reader.known(token(sub="bob")) is None


def test_what_is_known_ends_with_the_token(reader: Reader):
    good = token()
    reader.ask(good)
    reader.clock.now = NOW + 299.9
    assert reader.known(good) is not None
    reader.clock.now = NOW + 300
    refused(reader, good)


def test_so_many_are_known_and_the_oldest_is_forgotten(reader: Reader, monkeypatch: pytest.MonkeyPatch):
    assert MAX_REMEMBERED == 4096
    monkeypatch.setattr("lading.access.jwt.authenticator.MAX_REMEMBERED", 2)
    first, second, third = (token("ec-1", "ES256", sub=str(number)) for number in range(3))
    for each in (first, second, first, third):
        reader.ask(each)
    assert [reader.known(each) is not None for each in (first, second, third)] == [True, False, True]


@pytest.mark.parametrize(
    ("secret", "scheme", "is_taken"),
    [
        ("a.b.c", "bearer", True),
        ("..", "bearer", True),
        ("a.b.c", "basic", False),
        ("a.b", "bearer", False),
        ("a.b.c.d.e", "bearer", False),
        ("lk_a.b.c", "bearer", False),
        ("lt_a.b.c", "bearer", False),
        ("a.b." + "c" * 8192, "bearer", False),
    ],
)
def test_what_looks_like_a_token_is_taken(reader: Reader, secret: str, scheme: str, is_taken: bool):
    assert reader.authenticator.takes(Credentials(scheme, secret)) is is_taken


# --- claims

NAMES = {
    "a client": ({"sub": None, "client_id": "batch"}, "jwt:batch"),
    "another client": ({"sub": None, "azp": "batch"}, "jwt:batch"),
    "auth0": ({"sub": "auth0|5f7c8ec7c33c6c004bbafe82"}, "jwt:auth0|5f7c8ec7c33c6c004bbafe82"),
    "machine": ({"sub": "a1B2@clients"}, "jwt:a1B2@clients"),
}


@pytest.mark.parametrize("case", NAMES)
def test_the_name_is_the_subject_or_the_client(reader: Reader, case: str):
    more, name = NAMES[case]
    assert reader.ask(token(**more)).name == name


STRANGE = ["Alice Smith", "a\r\nb", "\x1b[31m", "é", "a" * 125, "%s{}", "\ud800", "a,b", '"']


@pytest.mark.parametrize("subject", STRANGE)
def test_a_strange_name_is_a_digest_of_it(reader: Reader, subject: str):
    name = reader.ask(token(sub=subject)).name
    assert name.startswith("jwt:sha256-")
    assert len(name) <= 128
    assert name.isascii()
    assert name.isprintable()
    assert name != reader.ask(token(sub=subject + "x")).name


@given(st.text(min_size=1, max_size=200))
def test_every_name_is_plain(subject: str):
    name = principal_of(claims(sub=subject), ISSUER, AUDIENCE, NOW).name
    assert name.startswith("jwt:")
    assert len(name) <= 128
    assert set(name) <= set(string.ascii_letters + string.digits + "._@:|/+=~-")


SCOPES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a list": ({"scope": None, "scp": ["predict:*", "openid"]}, {"predict:*"}),
    "a text": ({"scope": None, "scp": "predict:* metrics"}, {"predict:*", "metrics"}),
    "one claim counts": ({"scope": "metrics", "scp": "predict:*"}, {"metrics"}),
    "none": ({"scope": None}, set()),
    "empty": ({"scope": ""}, set()),
    "others": ({"scope": "openid profile admin * predict: predict:.. predict:a/b PREDICT:iris"}, set()),
    "separated by a tab": ({"scope": "metrics\tmodels:read"}, set()),
    "no text": ({"scope": {"predict:*": True}}, set()),
    "a list of no texts": ({"scope": [1, None, ["metrics"], "models:read"]}, {"models:read"}),
    "roles of an application": ({"scope": None, "idtyp": "app", "roles": ["predict:iris", "x"]}, {"predict:iris"}),
    "roles of a person": ({"scope": None, "roles": ["predict:iris"]}, set()),
    "roles beside scopes": ({"scope": "metrics", "idtyp": "app", "roles": ["predict:iris"]}, {"metrics"}),
    "a great many": ({"scope": " ".join(f"predict:{number}" for number in range(200))}, None),
}


@pytest.mark.parametrize("case", SCOPES)
def test_scopes_of_ours_are_kept(reader: Reader, case: str):
    more, scopes = SCOPES[case]
    found = reader.ask(token(**more)).scopes
    assert found == scopes if scopes is not None else len(found) == 64


TIMES = {
    "just begun": {"nbf": NOW + 30, "iat": NOW + 30},
    "about to end": {"exp": NOW + 0.001},
    "of long ago": {"iat": 0, "nbf": 0},
    "for as long as can be told": {"exp": 2**53 - 1},
    "no other times": {"iat": None},
}


@pytest.mark.parametrize("case", TIMES)
def test_a_clock_may_be_a_little_ahead(reader: Reader, case: str):
    assert reader.ask(token(**TIMES[case])).name == "jwt:alice"


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://login.example.com/realms/other"},
    "an issuer with a slash": {"iss": ISSUER + "/"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "other"},
    "an audience that begins so": {"aud": AUDIENCE + "-admin"},
    "audiences in a text": {"aud": f"{AUDIENCE} other"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "an audience in a list in a list": {"aud": [[AUDIENCE]]},
    "over": {"exp": NOW},
    "never over": {"exp": None},
    "over as a text": {"exp": str(NOW + 300)},
    "over as a truth": {"exp": True},
    "infinitely": {"exp": float(10**300) * 10**300},
    "over in an unspeakable time": {"exp": 10**400},
    "over when a float has no seconds": {"exp": 2**53},
    "over before there was time": {"exp": -1},
    "not yet in an unspeakable time": {"nbf": 10**400},
    "made in an unspeakable time": {"iat": 10**400},
    "made unspeakably long ago": {"iat": -(10**400)},
    "made before there was time": {"iat": -0.5},
    "made as a truth": {"iat": False},
    "not yet": {"nbf": NOW + 31},
    "not made yet": {"iat": NOW + 31},
    "not yet as a text": {"nbf": "0"},
    "since a truth": {"nbf": True},
    "nobody's": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "an ID token of OpenID Connect": {"nonce": "n"},
    "an ID token with a hash": {"at_hash": "h"},
    "an ID token of Keycloak": {"typ": "ID"},
    "a refresh token of Keycloak": {"typ": "Refresh"},
    "an offline token of Keycloak": {"typ": "Offline"},
    "a kind that is a list": {"typ": ["Bearer"]},
    "an ID token of Cognito": {"token_use": "id"},
    "a logout token": {"events": {}},
    "bound to a certificate": {"cnf": {"x5t#S256": "h"}},
}


@pytest.mark.parametrize("case", WRONG_CLAIMS)
def test_wrong_claims_are_refused(reader: Reader, case: str):
    refused(reader, token(**WRONG_CLAIMS[case]))


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 10**400, True, None, [NOW]])
def test_no_value_of_a_time_is_anything_but_wrong(name: str, number: Any):
    with pytest.raises(ValueError, match="expected seconds since 1970"):
        principal_of(claims() | {name: number}, ISSUER, AUDIENCE, NOW)


def test_what_issuers_call_an_access_token_is_one(reader: Reader):
    assert reader.ask(token(typ="Bearer")).name == "jwt:alice"
    assert reader.ask(token(token_use="access")).name == "jwt:alice"
    for kind in ("JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"):
        assert reader.ask(token(header={"typ": kind})).name == "jwt:alice"


# --- keys and signatures


def part_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_token_without_a_key_id_needs_one_fitting_key(reader: Reader, url: str):
    assert reader.ask(token("ec-1", "ES256", header={"kid": None})).name == "jwt:alice"
    with running() as issuer:
        issuer.keys = key_set("rsa-1", "rsa-2")
        refused(Reader(issuer.url), token(header={"kid": None}))


WRONG_KEYS = {
    "unknown": ("rsa-2", "RS256", {}),
    "a stranger's under a known name": ("rsa-2", "RS256", {"kid": "rsa-1"}),
    "of another kind": ("rsa-1", "RS256", {"kid": "ec-1"}),
    "of another curve": ("ec-1", "ES256", {"kid": "ec384-1"}),
    "not of the algorithms": ("rsa-1", "RS512", {}),
}


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_another_key_is_refused(reader: Reader, case: str):
    key_id, algorithm, header = WRONG_KEYS[case]
    refused(reader, token(key_id, algorithm, header=header))


def test_a_key_is_used_for_what_it_was_published_for():
    with running() as issuer:
        issuer.keys = key_set(jwk("rsa-1", alg="RS256"))
        reader = Reader(issuer.url, EVERY)
        refused(reader, token("rsa-1", "PS256"))
        assert reader.ask(token("rsa-1", "RS256")).name == "jwt:alice"


@pytest.mark.parametrize(("key_id", "algorithm"), [("ec-1", "ES256"), ("rsa-1", "RS256")])
def test_no_character_of_a_token_can_be_another_one(reader: Reader, key_id: str, algorithm: str):
    good = token(key_id, algorithm)
    reader.ask(good)
    credentials = [
        Credentials("bearer", good[:place] + other + good[place + 1 :])
        for place, character in enumerate(good)
        for other in ("B" if character == "A" else "A",)
    ]

    async def taken() -> list[int]:
        answers = [reader.authenticator.authenticate(each) for each in credentials]
        found = await asyncio.gather(*answers, return_exceptions=True)
        return [place for place, answer in enumerate(found) if not isinstance(answer, Unauthenticated)]

    assert asyncio.run(taken()) == []


def test_the_last_character_has_one_spelling(reader: Reader):
    good = token("ec-1", "ES256")
    reader.ask(good)
    for other in string.ascii_letters + string.digits + "-_":
        if other != good[-1]:
            refused(reader, good[:-1] + other)


TWICE = b'{"alg":"none","alg":"RS256","kid":"rsa-1"}'
HEADER = b'{"alg":"RS256","kid":"rsa-1"}'
SHAPES = {
    "a name twice in the header": lambda: signed(TWICE, part_of(claims())),
    "a name twice in the claims": lambda: signed(HEADER, part_of(claims())[:-1] + b',"sub":"bob"}'),
    "NaN beside": lambda: signed(HEADER, part_of(claims(height=float("nan")))),
    "NaN": lambda: signed(HEADER, part_of(claims(exp=float("nan")))),
    "an exponent without end": lambda: signed(HEADER, part_of(claims())[:-1] + b',"nbf":-1e999}'),
    "claims that are a list": lambda: signed(HEADER, b"[]"),
    "claims that are deep": lambda: signed(HEADER, b"[" * 4000),
    "a number without end": lambda: signed(HEADER, b'{"exp":' + b"9" * 5000 + b"}"),
    "no text": lambda: signed(HEADER, b"\xff\xfe"),
    "UTF-16": lambda: signed(HEADER, part_of(claims()).decode().encode("utf-16")),
    "with padding": lambda: token() + "=",
    "with a line end": lambda: token() + "\n",
    "without a signature": lambda: token().rpartition(".")[0] + ".",
    "without claims": lambda: "{0}..{2}".format(*token().split(".")),
}


@pytest.mark.parametrize("case", SHAPES)
def test_other_shapes_are_refused(reader: Reader, case: str):
    refused(reader, SHAPES[case]())


def test_a_token_of_just_these_bytes_is_good(reader: Reader):
    assert reader.ask(signed(HEADER, part_of(claims()))).name == "jwt:alice"


@given(st.text(alphabet=string.printable, max_size=300), st.binary(max_size=100))
def test_junk_is_refused_and_nothing_else(text: str, header: bytes):
    reader = Reader("https://127.0.0.1:1/")
    for junk in (text, f"{part(header)}.{text}.{text}", f"{part(header)}.e30.AAAA"):
        refused(reader, junk)


def test_nothing_of_a_token_is_logged(reader: Reader, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        reader.ask(token(sub="canary"))
        for bad in (token(sub="canary", exp=1), token("rsa-9", sub="canary")):
            refused(reader, bad)
            assert bad not in repr(Credentials("bearer", bad))
    assert "canary" not in caplog.text
    assert part(b'{"alg"') not in caplog.text


# --- settings


def test_the_settings_make_one():
    authenticator = make(GOOD, b"")
    assert authenticator.challenge == 'Bearer realm="lading"'
    assert make(replaced(jwks_url="http://127.0.0.1:1/keys", jwt_algorithms=" ES256 , EdDSA "), b"")


def replaced(**more: Any) -> Settings:
    return Settings(**{name: getattr(GOOD, name) for name in GOOD.__struct_fields__} | more)


WRONG_SETTINGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no issuer": ({"jwt_issuer": ""}, "needs `jwt_issuer`", "--jwt-issuer https://"),
    "a blank issuer": ({"jwt_issuer": " "}, "needs `jwt_issuer`", "--jwt-issuer https://"),
    "no audience": ({"jwt_audience": ""}, "needs `jwt_audience`", "--jwt-audience lading"),
    "no address": ({"jwks_url": ""}, "needs `jwks_url`", "--jwks-url https://"),
    "another scheme": ({"jwks_url": "http://login.example.com/"}, "`jwks_url`", "https"),
    "a shared secret": ({"jwt_algorithms": "HS256"}, "shared secret", "RS256,ES256"),
    "two families": ({"jwt_algorithms": "RS256,HS256"}, "shared secret", "RS256,ES256"),
    "two families in lower case": ({"jwt_algorithms": "RS256,hs512"}, "shared secret", "RS256,ES256"),
    "none": ({"jwt_algorithms": "none"}, "expected algorithms", "there are ES256"),
    "none beside": ({"jwt_algorithms": "RS256,None"}, "expected algorithms", "there are ES256"),
    "no algorithm": ({"jwt_algorithms": " , "}, "expected algorithms", "there are ES256"),
    "an algorithm to encrypt": ({"jwt_algorithms": "RSA-OAEP"}, "expected algorithms", "there are ES256"),
    "too old too soon": ({"jwks_max_stale_s": 299.0}, "too old before", "several times"),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_settings_that_do_not_do_are_refused(case: str):
    more, message, hint = WRONG_SETTINGS[case]
    with pytest.raises(SettingsError, match=message) as caught:
        make(replaced(**more), b"")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("issuer", ["file:///etc/passwd", "ftp://a/", "data:,x", "http://169.254.169.254/", "http://["])
def test_an_issuer_that_is_none_is_refused(issuer: str):
    with pytest.raises(SettingsError, match="`jwt_issuer`"):
        make(replaced(jwt_issuer=issuer), b"")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(EnvironmentMismatch) as caught:
        make(GOOD, b"")
    assert caught.value.hint == 'pip install "lading[jwt]"'


def test_the_oracle_takes_what_we_take():
    public = private_key("rsa-1").public_key()
    options: Any = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token(), public, ["RS256"], options, audience=AUDIENCE, issuer=ISSUER)["sub"] == "alice"
