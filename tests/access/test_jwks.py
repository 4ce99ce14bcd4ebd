"""Key sets, how they are fetched, and what holds while they cannot be."""

import asyncio
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.access.issuer import (
    BROKEN,
    PRIVATE,
    TIMEOUT_S,
    Issuer,
    Reader,
    authority,
    jwk,
    key_set,
    private_key,
    running,
    tls_of,
    token,
)

from lading.access.jwt.claims import principal_of
from lading.access.jwt.fetching import MAX_BYTES, NotFetched, check_url, fetch
from lading.access.jwt.jwks import find_key, keys_of
from lading.access.principal import Principal
from lading.errors import Refused, SettingsError, Unauthenticated

ALL = {"RS256", "PS256", "ES256", "ES384", "EdDSA"}


@pytest.fixture
def issuer():
    with running() as issuer:
        yield issuer


# --- what is in a set


def test_a_key_is_found_by_its_name_and_by_what_it_is_for():
    keys = keys_of(key_set("rsa-1", "ec-1", "ec384-1", "ed-1"), ALL)
    assert len(keys) == 4
    assert find_key(keys, "rsa-1", "RS256") is not None
    assert find_key(keys, "rsa-1", "PS256") is find_key(keys, "rsa-1", "RS256")
    assert find_key(keys, "ec384-1", "ES384") is not None
    assert find_key(keys, "ed-1", "EdDSA") is not None
    assert find_key(keys, "ec-1", "RS256") is None
    assert find_key(keys, "ec-1", "ES384") is None
    assert find_key(keys, "rsa-2", "RS256") is None


def test_without_a_name_there_has_to_be_one_key_that_fits():
    assert find_key(keys_of(key_set("rsa-1", "ec-1"), ALL), None, "ES256") is not None
    assert find_key(keys_of(key_set("rsa-1", "ec-1", "ec-2"), ALL), None, "ES256") is None


def test_two_keys_of_one_name_are_no_key():
    assert find_key(keys_of(key_set(jwk("rsa-1"), jwk("rsa-2", kid="rsa-1")), ALL), "rsa-1", "RS256") is None


def private_jwk(key_id: str) -> dict:
    from jwt.algorithms import RSAAlgorithm

    entry = RSAAlgorithm.to_jwk(private_key(key_id), as_dict=True)
    assert entry.keys() >= PRIVATE
    return entry | {"kid": key_id, "key_ops": ["verify"]}


def short_jwk() -> dict:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from jwt.algorithms import RSAAlgorithm

    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True) | {"kid": "x"}


UNUSABLE = {
    "another algorithm": lambda: jwk("rsa-1", alg="RS512"),
    "an algorithm of another kind": lambda: jwk("rsa-1", alg="ES256"),
    "an algorithm that is a list": lambda: jwk("rsa-1", alg=["RS256"]),
    "to encrypt": lambda: jwk("rsa-1", use="enc"),
    "a use that is a list": lambda: jwk("rsa-1", use=["sig"]),
    "to sign": lambda: jwk("rsa-1", key_ops=["sign"]),
    "operations as a text": lambda: jwk("rsa-1", key_ops="verify"),
    "a name that is a number": lambda: jwk("rsa-1", kid=1),
    "a long name": lambda: jwk("rsa-1", kid="x" * 257),
    "the private half": lambda: private_jwk("rsa-1"),
    "a secret": lambda: {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
    "a short one": short_jwk,
    "an endless one": lambda: jwk("rsa-1", n="A" * 100_000),
    "a large exponent": lambda: jwk("rsa-1", e="AQAB" * 10),
    "no number": lambda: jwk("rsa-1", n="!!"),
    "an even exponent": lambda: jwk("rsa-1", e="Ag"),
    "not on the curve": lambda: jwk("ec-1", x=jwk("ec-2")["x"]),
    "short of the curve": lambda: jwk("ec-1", x="AAAA"),
    "another curve": lambda: jwk("ec-1", crv="secp256k1"),
    "another kind": lambda: jwk("rsa-1", kty="RSA2"),
    "a kind that is a list": lambda: jwk("rsa-1", kty=["RSA"]),
    "a text": lambda: "rsa-1 ",
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_entry_that_cannot_be_used_is_passed_over(case: str):
    entry = UNUSABLE[case]()
    text = key_set("ec-9", entry) if isinstance(entry, dict) else b'{"keys":["rsa",' + key_set("ec-9")[10:]
    assert [key.id for key in keys_of(text, ALL)] == ["ec-9"]


def test_a_set_of_keys_for_other_algorithms_is_of_no_use():
    with pytest.raises(ValueError, match="for one of the algorithms"):
        keys_of(key_set("ec-1"), {"RS256"})


# --- where it may be


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example.com/keys?p=1",
        "https://10.0.0.7:8443/",
        "https://127.0.0.1/keys",
        "http://127.0.0.1:8080/keys",
        "http://[::1]:8080/keys",
        "http://localhost/keys",
    ],
)
def test_https_is_taken_and_http_on_this_machine(url: str):
    check_url("jwks_url", url)


FOREIGN = (
    *("file:///etc/passwd", "ftp://127.0.0.1/keys", "data:application/json,{}", "gopher://127.0.0.1/", "/etc/keys"),
    *(
        "http://login.example.com/keys",
        "http://10.0.0.7/keys",
        "http://127.1/",
        "http://0.0.0.0/",
        "http://2130706433/",
    ),
    *("http://169.254.169.254/latest", "https://169.254.169.254/", "https://[::ffff:169.254.169.254]/"),
    *("https://2852039166/", "https://0xA9FEA9FE/", "https://0251.0376.0251.0376/", "https://[fe80::1]/"),
    *(
        "https://[fd00:ec2::254]/",
        "https://100.100.100.200/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://224.0.0.1/",
    ),
    *("https://user:word@login.example.com/", "https://@login.example.com/", "https:///keys", "https://:443/"),
    *("https://login.example.com:0/", "https://login.example.com:99999/", "https://login.example.com:x/"),
    *("https://a b/", "https://login.example.com/\r\nX: y", "https://login.example.com/#keys", "https://lögin.de/"),
    *("https://[::1", "https://login.example.com\\@127.0.0.1/", "HTTP://login.example.com", "//login.example.com/"),
)


@pytest.mark.parametrize("url", FOREIGN)
def test_another_address_is_refused(url: str):
    with pytest.raises(SettingsError, match="`jwks_url`") as caught:
        check_url("jwks_url", url)
    assert "word" not in caught.value.message


# --- how it is fetched


def test_what_is_there_is_fetched(issuer: Issuer):
    assert fetch(issuer.url) == issuer.keys


KINDS = {
    "silent": "no HTTP answer|no connection",
    "slow": "in time",
    "drip": "in time",
    "500": "it answers 500",
    "404": "it answers 404",
    "no http": "no HTTP answer",
    "huge": "more than 256 KiB",
    "large": "breaks off",
    "redirect": "redirects",
}


@pytest.mark.parametrize("mode", KINDS)
def test_a_failure_says_its_kind(issuer: Issuer, mode: str):
    issuer.mode = mode
    with pytest.raises(NotFetched, match=KINDS[mode]) as caught:
        fetch(issuer.url, TIMEOUT_S)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("mode", ["slow", "drip"])
def test_the_time_is_bounded_however_bytes_trickle(issuer: Issuer, mode: str):
    issuer.mode = mode
    began = time.monotonic()
    with pytest.raises(NotFetched):
        fetch(issuer.url, TIMEOUT_S)
    assert TIMEOUT_S <= time.monotonic() - began < 10 * TIMEOUT_S


def test_a_redirect_is_not_followed(issuer: Issuer):
    with running() as other:
        issuer.mode, issuer.target = "redirect", other.url
        with pytest.raises(NotFetched, match="not followed"):
            fetch(issuer.url, TIMEOUT_S)
        assert other.asked == 0


def test_nobody_there_is_no_connection():
    with running() as issuer:
        url = issuer.url
    with pytest.raises(NotFetched, match="no connection"):
        fetch(url, TIMEOUT_S)


def test_as_much_as_may_be_is_read(issuer: Issuer):
    issuer.keys = b" " * MAX_BYTES
    assert len(fetch(issuer.url)) == MAX_BYTES
    issuer.keys += b" "
    with pytest.raises(NotFetched, match="more than"):
        fetch(issuer.url)


def test_a_proxy_of_the_environment_is_not_asked(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    with running() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert fetch(issuer.url) == issuer.keys
        assert proxy.asked == 0


@pytest.mark.parametrize(
    ("url", "address"), [("https://login.example.com/", "169.254.169.254"), ("http://localhost:1/", "10.0.0.7")]
)
def test_a_name_that_leads_elsewhere_is_not_followed(url: str, address: str, monkeypatch: pytest.MonkeyPatch):
    import socket

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotFetched, match="leads where no issuer is"):
        fetch(url)


# --- TLS


def test_a_certificate_of_a_known_authority_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(known.path))
    with running(tls_of(known, tmp_path)) as issuer:
        assert fetch(issuer.url) == issuer.keys


@pytest.mark.parametrize("wrong", [{"days": -1}, {"host": "127.0.0.2"}, {}], ids=["expired", "name", "authority"])
def test_another_certificate_is_not(wrong: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    signer = authority(tmp_path)
    if wrong:
        monkeypatch.setenv("SSL_CERT_FILE", str(signer.path))
    with running(tls_of(signer, tmp_path, **wrong)) as issuer, pytest.raises(NotFetched, match="certificate"):
        fetch(issuer.url)


@pytest.mark.parametrize("mode", ["no handshake", "slow", "drip"])
def test_tls_is_bounded_in_time_too(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(known.path))
    with running(tls_of(known, tmp_path)) as issuer:
        issuer.mode = mode
        with pytest.raises(NotFetched, match="in time"):
            fetch(issuer.url, TIMEOUT_S)


def test_http_where_tls_is_expected_is_a_failure(issuer: Issuer):
    with pytest.raises(NotFetched, match="TLS fails"):
        fetch(issuer.url.replace("http:", "https:"), TIMEOUT_S)


# --- rotation and outage


def test_keys_are_fetched_when_it_is_time_and_not_before(issuer: Issuer):
    reader = Reader(issuer.url)
    assert issuer.asked == 0
    assert [reader.refresh(), reader.refresh(), reader.later(299)] == [False, False, False]
    assert issuer.asked == 1
    reader.later(1)
    assert issuer.asked == 2


def test_the_first_who_asks_waits_for_the_keys(issuer: Issuer):
    reader = Reader(issuer.url)
    assert reader.ask(token()).name == "jwt:alice"
    assert issuer.asked == 1


def test_all_who_wait_wait_for_one_fetch(issuer: Issuer):
    reader = Reader(issuer.url)

    async def several() -> list:
        return await asyncio.gather(*[reader.asked(token(sub=str(number))) for number in range(20)])

    assert len({principal.name for principal in asyncio.run(several())}) == 20
    assert issuer.asked == 1


def test_who_leaves_while_waiting_takes_nothing_from_the_others(issuer: Issuer):
    reader = Reader(issuer.url)

    async def one_leaves() -> str:
        leaving, staying = (asyncio.ensure_future(reader.asked(token())) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        return (await staying).name

    assert asyncio.run(one_leaves()) == "jwt:alice"


def test_a_new_key_is_looked_for_at_once_and_then_seldom(issuer: Issuer):
    reader = Reader(issuer.url)
    reader.refresh()
    issuer.keys = key_set("rsa-1", "rsa-2")
    assert reader.ask(token("rsa-2")).name == "jwt:alice"
    for number in range(5):
        with pytest.raises(Unauthenticated):
            reader.ask(token("rsa-3", header={"kid": f"other-{number}"}))
    assert issuer.asked == 2
    reader.now.now += 10
    issuer.keys = key_set("rsa-3")
    assert reader.ask(token("rsa-3")).name == "jwt:alice"


def test_a_key_that_is_gone_is_not_taken_any_more(issuer: Issuer):
    reader = Reader(issuer.url)
    reader.ask(token("rsa-1"))
    issuer.keys = key_set("rsa-2", "ec-1")
    assert reader.known(token("rsa-1")) is not None
    assert reader.later(300)
    assert reader.known(token("rsa-1")) is None
    with pytest.raises(Unauthenticated):
        reader.ask(token("rsa-1"))
    assert reader.later(300) is False


def test_the_same_keys_again_change_nothing(issuer: Issuer):
    reader = Reader(issuer.url)
    reader.ask(token())
    issuer.keys = key_set("ec-1", "rsa-1")
    assert reader.later(300) is False
    assert issuer.asked == 2
    assert reader.known(token()) is not None


def test_a_key_that_goes_while_a_token_is_verified_leaves_nobody_known(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    reader = Reader(issuer.url)
    reader.refresh()

    def while_fetched(*arguments: Any) -> Principal:
        reader.keys._take(reader.now(), key_set("rsa-2"))
        return principal_of(*arguments)

    monkeypatch.setattr("lading.access.jwt.authenticator.principal_of", while_fetched)
    assert reader.ask(token()).name == "jwt:alice"
    assert reader.known(token()) is None


def test_other_numbers_under_the_same_name_are_another_key(issuer: Issuer):
    reader = Reader(issuer.url)
    reader.ask(token("rsa-1"))
    issuer.keys = key_set(jwk("rsa-2", kid="rsa-1"))
    assert reader.later(300)
    with pytest.raises(Unauthenticated):
        reader.ask(token("rsa-1"))
    assert reader.ask(token("rsa-2", header={"kid": "rsa-1"})).name == "jwt:alice"


def test_a_key_more_takes_nothing_from_anybody(issuer: Issuer):
    reader = Reader(issuer.url)
    reader.refresh()
    issuer.keys = key_set("rsa-1", "ec-1", "rsa-2")
    assert reader.later(300) is False
    assert reader.ask(token("rsa-2")).name == "jwt:alice"


@pytest.mark.parametrize("mode", BROKEN)
def test_keys_are_taken_until_they_are_too_old(issuer: Issuer, mode: str):
    reader = Reader(issuer.url, timeout_s=0.1)
    reader.ask(token())
    issuer.mode = mode
    assert reader.later(3599) is False
    assert reader.ask(token()).name == "jwt:alice"
    assert reader.later(1)
    assert reader.known(token()) is None
    with pytest.raises(Refused) as caught:
        reader.ask(token())
    assert caught.value.retry_after_s == 10
    issuer.mode = "good"
    assert reader.later(10) is False
    assert reader.ask(token()).name == "jwt:alice"


def test_while_the_issuer_is_silent_it_is_asked_now_and_then(issuer: Issuer):
    issuer.mode = "500"
    reader = Reader(issuer.url)
    for _ in range(21):
        reader.later(1)
    assert issuer.asked == 3


def test_without_keys_nobody_is_let_in_and_the_issuer_is_spared(issuer: Issuer):
    issuer.mode = "500"
    reader = Reader(issuer.url)
    for _ in range(5):
        with pytest.raises(Refused):
            reader.ask(token())
    assert issuer.asked == 1


def test_a_failure_is_told_once_and_its_end_too(issuer: Issuer, caplog: pytest.LogCaptureFixture):
    reader = Reader(issuer.url)
    with caplog.at_level(logging.INFO, "lading.access"):
        for mode in ("500", "500", "garbage", "garbage", "good", "good"):
            issuer.mode = mode
            reader.later(300)
    assert [record.getMessage() for record in caplog.records] == [
        "the keys of the issuer cannot be had: it answers 500",
        "the keys of the issuer cannot be had: expected one JSON object",
        "the keys of the issuer are there again",
    ]


def test_where_no_thread_can_be_had_it_is_tried_again(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    import threading

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    reader = Reader(issuer.url)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert reader.authenticator.refresh() is False
    reader.later(10)
    assert reader.ask(token()).name == "jwt:alice"


STRANGE = [OverflowError("canary"), TypeError("canary"), MemoryError(), RecursionError("too deep")]


@pytest.mark.parametrize("error", STRANGE, ids=lambda error: type(error).__name__)
def test_whatever_a_fetch_ends_with_it_is_tried_again_soon(error: Exception):
    answers: list[Exception | bytes] = [error, error, key_set("rsa-1")]

    def strange() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reader = Reader("https://127.0.0.1:1/")
    reader.keys._fetch = strange
    with pytest.raises(Refused):
        reader.ask(token())
    for _ in range(2):
        reader.later(10)
    assert answers == []
    assert reader.ask(token()).name == "jwt:alice"


def test_a_strange_failure_is_told_once_by_its_kind(issuer: Issuer, caplog: pytest.LogCaptureFixture):
    reader = Reader(issuer.url)

    def of(kind: type[Exception]) -> bytes:
        raise kind("canary")

    with caplog.at_level(logging.INFO, "lading.access"):
        for kind in (OverflowError, OverflowError, TypeError):
            reader.keys._fetch = partial(of, kind)
            reader.later(10)
    assert [record.getMessage() for record in caplog.records] == [
        "the keys of the issuer cannot be had: OverflowError",
        "the keys of the issuer cannot be had: TypeError",
    ]
