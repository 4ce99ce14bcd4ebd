"""Tokens that are not an issuer's access tokens, and issuers that are not there: nobody gets in."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.access.issuer import (
    AUDIENCE,
    BROKEN,
    ISSUER,
    Issuer,
    Reader,
    authority,
    claims,
    jwk,
    key_set,
    part,
    private_key,
    running,
    signed,
    tls_of,
    token,
)

from lading.access.credentials import MAX_BYTES, Credentials, credentials_of
from lading.access.jwt.authenticator import make
from lading.access.jwt.fetching import NotFetched, fetch
from lading.errors import LadingError, Refused, SettingsError, Unauthenticated
from lading.settings import Settings

GOOD = {"alg": "RS256", "kid": "rsa-1", "typ": "JWT"}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


@pytest.fixture
def reader(issuer: Issuer) -> Reader:
    """Of an issuer whose tokens are taken: a test of refusals needs somebody who gets in."""
    reader = Reader(issuer.url)
    assert reader.ask(token()).name == "jwt:alice"
    assert reader.ask(token("ec-1", "ES256")).name == "jwt:alice"
    return reader


def refused(reader: Reader, bad: str) -> None:
    with pytest.raises(Unauthenticated):
        reader.ask(bad)


def headed(**more: Any) -> str:
    """A token with another header, whose signature is good all the same; None leaves a parameter out."""
    header = {name: value for name, value in (GOOD | more).items() if value is not None}
    return signed(json.dumps(header).encode(), json.dumps(claims()).encode())


# --- T027

ALGORITHMS = [*("none", "None", "NONE", "nOnE", "", " RS256", "rs256", "HS256"), None, ["RS256"], ["none"], 0, True, {}]


@pytest.mark.parametrize("signature", ["good", "none", "of nothing"])
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
def test_t027_another_algorithm(reader: Reader, algorithm: Any, signature: str):
    start, _, good = headed(alg=algorithm).rpartition(".")
    refused(reader, f"{start}.{ {'good': good, 'none': '', 'of nothing': part(b'')}[signature] }")


@pytest.mark.parametrize("text", ["..", ".", "", "a..", "..a", "{}..{}", "e30.e30.", "e30..e30"])
def test_t027_next_to_nothing(reader: Reader, text: str):
    refused(reader, text)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_t027_an_empty_signature(reader: Reader, algorithm: str):
    good = token("rsa-1" if algorithm == "RS256" else "ec-1", algorithm)
    refused(reader, good.rpartition(".")[0] + ".")
    refused(reader, good.rpartition(".")[0])
    refused(reader, good.rpartition(".")[0] + "." + part(bytes(64)))


# --- T028

SECRETS: dict[str, Callable[[Any, str], bytes]] = {
    "PEM": lambda key, _: key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": lambda key, _: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "JWK": lambda _, key_id: json.dumps(jwk(key_id)).encode(),
    "JWK without spaces": lambda _, key_id: json.dumps(jwk(key_id), separators=(",", ":")).encode(),
    "JWKS": lambda _, key_id: key_set("rsa-1", "ec-1"),
    "SSH": lambda key, _: key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "nothing": lambda *_: b"",
}


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["as it is", "LF", "CRLF"])
@pytest.mark.parametrize("form", SECRETS)
@pytest.mark.parametrize("key_id", ["rsa-1", "ec-1"])
def test_t028_the_public_key_is_no_secret(reader: Reader, key_id: str, form: str, end: bytes, algorithm: str):
    secret = SECRETS[form](private_key(key_id).public_key(), key_id)
    secret = secret.rstrip(b"\n") + end if form != "DER" else secret + end
    for kid in ({"kid": key_id}, {}):
        text = f"{part({'alg': algorithm, 'typ': 'JWT'} | kid)}.{part(claims())}"
        refused(reader, f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}")


# --- T030

HEADERS: dict[str, dict[str, Any]] = {
    "unknown crit": {"crit": ["exp2"], "exp2": 1},
    "known crit": {"crit": ["b64"], "b64": True},
    "empty crit": {"crit": []},
    "crit as a text": {"crit": "b64"},
    "b64": {"b64": False},
    "b64 that is true": {"b64": True},
    "b64 that is critical": {"b64": False, "crit": ["b64"]},
    "ID token": {"typ": "id+jwt"},
    "another ID token": {"typ": "ID"},
    "refresh token": {"typ": "Refresh"},
    "another refresh token": {"typ": "rt+jwt"},
    "logout token": {"typ": "logout+jwt"},
    "proof of possession": {"typ": "dpop+jwt"},
    "security event": {"typ": "secevent+jwt"},
    "encrypted": {"typ": "JWE"},
    "typ as a list": {"typ": ["JWT"]},
    "an empty typ": {"typ": ""},
    "nested": {"cty": "JWT"},
    "a key of its own": {"jwk": jwk("rsa-1")},
    "the address of a key": {"jku": "https://login.example.com/keys"},
    "a certificate": {"x5c": ["MIIB"]},
    "the address of a certificate": {"x5u": "https://login.example.com/keys"},
    "kid as a number": {"kid": 1},
    "kid as a list": {"kid": ["rsa-1"]},
    "kid as a path": {"kid": "../../dev/null"},
    "kid as SQL": {"kid": "x' UNION SELECT 'key"},
    "a long header": {"x": "y" * 1600},
    "a long kid": {"kid": "rsa-1" * 200},
}


@pytest.mark.parametrize("case", HEADERS)
def test_t030_another_kind_of_token(reader: Reader, case: str):
    assert reader.ask(headed()).name == "jwt:alice"
    refused(reader, headed(**HEADERS[case]))


@pytest.mark.parametrize("more", [{"typ": "ID"}, {"typ": "Refresh"}, {"token_use": "id"}, {"nonce": "n"}], ids=str)
def test_t030_another_kind_by_its_claims(reader: Reader, more: dict[str, str]):
    refused(reader, token(**more))


def test_t030_nested_encryption(reader: Reader):
    inner = token()
    header = part({"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT", "kid": "rsa-1"})
    nested = f"{header}.{part(bytes(256))}.{part(bytes(12))}.{part(inner.encode())}.{part(bytes(16))}"
    refused(reader, nested)
    assert not reader.authenticator.takes(Credentials("bearer", nested))


# --- T032

LARGE: dict[str, Callable[[], str]] = {
    "1 MiB": lambda: token() + "A" * (1 << 20),
    "50 MB": lambda: "A" * 50_000_000 + ".e30.AAAA",
    "1 MiB of dots": lambda: "." * (1 << 20),
    "a header of 1 MiB": lambda: f"{part(GOOD | {'x': 'y' * (1 << 20)})}.e30.AAAA",
    "many claims": lambda: f"{part(GOOD)}.{part({str(number): number for number in range(100_000)})}.AAAA",
    "many claims in 8 KiB": lambda: signed(part_of(GOOD), part_of({str(number): 1 for number in range(500)})),
    "many scopes in 8 KiB": lambda: token(scope="predict:! " * 500),
    "a deep header": lambda: f"{part(b'[' * 1400)}.e30.AAAA",
    "deep claims": lambda: signed(part_of(GOOD), b"[" * 5000),
    "PBES2 with many rounds": lambda: f"{part({'alg': 'PBES2-HS256+A128KW', 'p2c': 10**9, 'enc': 'A'})}.e30.AAAA",
    "a zip of zeros": lambda: f"{part(GOOD | {'zip': 'DEF'})}.{part(b'x' * 5000)}.AAAA",
    "a long number": lambda: part(b'{"alg":' + b"9" * 1400 + b"}") + ".e30.AAAA",
    "junk in base64": lambda: token()[:-9] + "!@# $%^&*",
    "blanks in base64": lambda: token()[:40] + " \t" * 3000 + token()[40:],
    "no ASCII": lambda: token()[:40] + "ſ" * 4000 + token()[40:],
    "padding": lambda: token() + "=" * 7000,
}


def part_of(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("case", LARGE)
def test_t032_much_is_refused_for_little(reader: Reader, case: str):
    bad = LARGE[case]()

    async def seconds() -> float:
        began = time.process_time()
        if reader.authenticator.takes(Credentials("bearer", bad)):
            await asyncio.gather(reader.asked(bad), return_exceptions=True)
        return time.process_time() - began

    if case != "many scopes in 8 KiB":  # which is a good token, of an issuer with odd ideas
        refused(reader, bad)
    assert min(asyncio.run(seconds()) for _ in range(3)) < 0.010


def test_t032_more_than_8_kib_is_not_even_a_token():
    with pytest.raises(Unauthenticated):
        credentials_of([(b"authorization", b"Bearer " + b"a" * MAX_BYTES)])


# --- T034


@pytest.mark.parametrize("mode", BROKEN)
def test_t034_without_its_issuer(issuer: Issuer, mode: str):
    reader = Reader(issuer.url, timeout_s=0.1)
    assert reader.ask(token()).name == "jwt:alice"
    issuer.mode = mode
    reader.later(300)
    assert reader.ask(token(sub="bob")).name == "jwt:bob"
    refused(reader, token("rsa-2"))
    reader.later(3300)
    with pytest.raises(Refused):
        reader.ask(token(sub="bob"))


@pytest.mark.parametrize("mode", BROKEN)
def test_t034_an_issuer_that_was_never_there(issuer: Issuer, mode: str):
    issuer.mode = mode
    reader = Reader(issuer.url, timeout_s=0.1)
    reader.refresh()
    for bad in (token(), token("rsa-2"), headed(kid=None)):
        with pytest.raises(Refused):
            reader.ask(bad)
    refused(reader, headed(alg="none"))


def test_t034_down():
    with running() as issuer:
        reader = Reader(issuer.url)
        reader.ask(token())
    assert reader.later(3599) is False
    assert reader.ask(token()).name == "jwt:alice"
    assert reader.later(1)
    with pytest.raises(Refused):
        reader.ask(token())


def test_t034_a_key_is_removed_and_one_is_added(issuer: Issuer, reader: Reader):
    issuer.keys = key_set("rsa-2", "ec-1")
    assert reader.ask(token("rsa-2")).name == "jwt:alice"
    refused(reader, token("rsa-1"))
    assert reader.refresh()
    assert reader.ask(token("ec-1", "ES256")).name == "jwt:alice"


def test_t034_another_certificate(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    signer = authority(tmp_path)
    tls = tls_of(signer, tmp_path)
    with running(tls) as issuer:
        with pytest.raises(Refused):
            Reader(issuer.url).ask(token())
        monkeypatch.setenv("SSL_CERT_FILE", str(signer.path))
        reader = Reader(issuer.url)
        assert reader.ask(token()).name == "jwt:alice"
        monkeypatch.delenv("SSL_CERT_FILE")
        reader.later(300)
        assert reader.ask(token(sub="bob")).name == "jwt:bob"
        assert reader.later(3300)
        with pytest.raises(Refused):
            reader.ask(token())


@pytest.mark.parametrize("mode", ["slow", "drip", "garbage", "deep", "huge", "many"])
def test_t034_the_event_loop_goes_on(issuer: Issuer, mode: str):
    issuer.mode = mode

    async def longest_pause_s() -> float:
        reader = Reader(issuer.url)
        reader.authenticator.refresh()
        asking = asyncio.gather(*[reader.asked(token(sub=str(number))) for number in range(50)], return_exceptions=True)
        pause = await _longest_pause_s(asking)
        assert {type(answer) for answer in await asking} == {Refused}
        return pause

    assert min(asyncio.run(longest_pause_s()) for _ in range(3)) <= 0.050  # the machine has others to serve too


async def _longest_pause_s(work: asyncio.Future[Any] | Coroutine[Any, Any, Any]) -> float:
    pause, before = 0.0, time.monotonic()
    while not asyncio.ensure_future(work).done():
        await asyncio.sleep(0.001)
        pause, before = max(pause, time.monotonic() - before), time.monotonic()
    return pause


# --- T035

ADDRESSES = (
    *("file:///etc/passwd", "ftp://127.0.0.1/keys", 'data:application/json,{"keys":[]}', "gopher://127.0.0.1/"),
    *("http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "https://[::ffff:a9fe:a9fe]/"),
    *("https://2852039166/", "http://0x7f000001/", "http://login.example.com/", "jar:file:///x!/", "unix:///run/x"),
)


COMPARED_ONLY = ("http://0x7f000001/", "http://login.example.com/")
"""Nothing is fetched from where an issuer says it is."""


def made(**more: str) -> object:
    settings = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwks_url": "https://login.example.com/keys"}
    return make(Settings(**settings | more), b"")  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ADDRESSES)
def test_t035_an_address_that_has_no_keys(url: str):
    with pytest.raises(SettingsError):
        made(jwks_url=url)


@pytest.mark.parametrize("url", [url for url in ADDRESSES if url not in COMPARED_ONLY])
def test_t035_an_address_that_is_no_issuers(url: str):
    with pytest.raises(SettingsError):
        made(jwt_issuer=url)


def test_t035_an_https_address_is_taken():
    assert made()


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "http://169.254.169.254/", "data:application/json,{}", "//127.0.0.1/", "good"]
)
def test_t035_a_redirect_fails_closed(issuer: Issuer, target: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    signer = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(signer.path))
    with running(tls_of(signer, tmp_path)) as redirecting:
        redirecting.mode, redirecting.target = "redirect", issuer.url if target == "good" else target
        with pytest.raises(NotFetched, match="not followed"):
            fetch(redirecting.url)
        with pytest.raises(LadingError) as caught:
            Reader(redirecting.url).ask(token())
        assert isinstance(caught.value, Refused)
    assert issuer.asked == 0
