"""API keys: their text, the file that they are kept in, and whose they are."""

import asyncio
import hmac
import math
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lading.access.credentials import Credentials
from lading.access.keys import authenticator as keys
from lading.access.keys.authenticator import Keys, make
from lading.access.keys.file import Key, create_key, read_keys, revoke_key
from lading.access.keys.ring import Keyring
from lading.access.keys.text import digest_of, id_of, new_id, new_text
from lading.access.principal import Principal
from lading.errors import LadingError, NotForProduction, SettingsError, Unauthenticated, UsageError
from lading.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHARED = bytes(32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def bearer(text: str) -> Credentials:
    return Credentials("bearer", text)


def authenticator(path: Path, now: datetime = NOW) -> Keys:
    return Keys(Keyring(path, strict=False, clock=lambda: now.timestamp()))


def change(path: Path, alter: Callable[[Any], None]) -> None:
    """Change the file by hand."""
    table = msgspec.json.decode(path.read_bytes())
    alter(table)
    path.write_bytes(msgspec.json.encode(table))


# --- the text of a key


def test_a_key_tells_what_it_is_and_its_id():
    text = new_text("0123abcd")
    assert re.fullmatch(r"lk_0123abcd_[0-9A-Za-z]{28}", text)
    assert id_of(text) == "0123abcd"


def test_no_two_keys_are_alike():
    assert len({new_text("0123abcd") for _ in range(100)}) == 100
    assert len({new_id() for _ in range(100)}) == 100


def test_another_character_anywhere_makes_it_no_key():
    text = new_text("0123abcd")
    for at in range(len(text)):
        other = "1" if text[at] != "1" else "2"
        assert id_of(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "lk_", "lk_0123abcd_", "lk_0123abcd_" + "0" * 28, "lk_" + "é" * 37, "lk_\0"])
def test_what_is_no_key_has_no_id(text: str):
    assert id_of(text) is None


@pytest.mark.parametrize("tail", ["\n", " ", "0"])
def test_a_key_with_something_behind_it_is_none(tail: str):
    assert id_of(new_text("0123abcd") + tail) is None


def test_the_checksum_is_crc32_in_base_62():
    # 2750777472, which is 3·62⁵ + 0·62⁴ + 9·62³ + 60·62² + 54·62 + 36
    assert id_of("lk_00000000_" + "0" * 22 + "309ysa") == "00000000"


# --- the file of keys


def test_a_key_is_kept_without_its_text(path: Path):
    key, text = create_key(path, "web-shop", NOW, scopes=("predict:iris",), rate="100/s")
    assert read_keys(path) == (key,)
    assert (key.name, key.scopes, key.rate, key.sha256) == ("web-shop", ("predict:iris",), "100/s", digest_of(text))
    assert text[12:] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_usual_scopes_are_to_predict_and_to_read_what_models_are(path: Path):
    assert create_key(path, "web-shop", NOW)[0].scopes == ("models:read", "predict:*")


def test_two_who_make_keys_at_the_same_time_lose_none(path: Path):
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda number: create_key(path, f"name-{number}", NOW)[0], range(12)))
    assert sorted(read_keys(path), key=lambda key: key.id) == sorted(made, key=lambda key: key.id)


def test_an_id_that_is_taken_is_not_given_again(path: Path, monkeypatch: pytest.MonkeyPatch):
    ids = iter(["0000000a", "0000000a", "0000000b"])
    monkeypatch.setattr("lading.access.keys.text.new_id", lambda: next(ids))
    assert [create_key(path, "a", NOW)[0].id for _ in range(2)] == ["0000000a", "0000000b"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "a b"}, "a name is up to 64 letters"),
        ({"name": ""}, "a name is up to 64 letters"),
        ({"name": "a\n"}, "a name is up to 64 letters"),
        ({"scopes": ("predict",)}, "no scope"),
        ({"scopes": tuple(f"predict:{number}" for number in range(33))}, "32 scopes at most"),
        ({"rate": "often"}, "expected a rate"),
        ({"expires": NOW}, "in the future"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(wrong: dict[str, Any], message: str, path: Path):
    with pytest.raises(UsageError, match=message):
        create_key(path, wrong.pop("name", "a"), NOW, **wrong)
    assert not path.exists()


def test_a_key_is_revoked_by_its_id_or_its_name(path: Path):
    one, two = create_key(path, "one", NOW)[0], create_key(path, "two", NOW)[0]
    later = NOW + timedelta(days=1)
    assert revoke_key(path, one.id, later).revoked == revoke_key(path, "two", later).revoked == later
    assert [(key.id, key.state(NOW.timestamp())) for key in read_keys(path)] == [
        (one.id, "revoked"),
        (two.id, "revoked"),
    ]
    assert revoke_key(path, "two", later + timedelta(days=1)).revoked == later


def test_of_two_keys_with_one_name_it_has_to_be_said_which(path: Path):
    one, two = create_key(path, "shop", NOW)[0], create_key(path, "shop", NOW)[0]
    with pytest.raises(UsageError, match="2 keys have this name") as refused:
        revoke_key(path, "shop", NOW)
    assert refused.value.hint == f"say which: {one.id}, {two.id}"
    revoke_key(path, one.id, NOW)
    assert revoke_key(path, "shop", NOW).id == two.id


def test_an_unknown_key_is_not_repeated(path: Path):
    create_key(path, "shop", NOW)
    text = new_text("0" * 8)
    with pytest.raises(UsageError, match="no key has this id or name") as refused:
        revoke_key(path, text, NOW)
    assert text not in f"{refused.value} {refused.value.hint}"


def test_to_revoke_makes_no_file(path: Path):
    with pytest.raises(SettingsError, match="there is no file"):
        revoke_key(path, "shop", NOW)
    assert not path.exists()


@pytest.mark.parametrize(
    ("alter", "where"),
    [
        (lambda table: table.update(more=1), ""),
        (lambda table: table.update(format=2), "$.format"),
        (lambda table: table["keys"].append(table["keys"][0]), ""),
        (lambda table: table["keys"][0].update(admin=True), "$.keys[0]"),
        (lambda table: table["keys"][0].update(sha256="0" * 63), "$.keys[0].sha256"),
        (lambda table: table["keys"][0].update(id="0000000a\n"), "$.keys[0].id"),
        (lambda table: table["keys"][0].update(scopes=["everything"]), "$.keys[0]"),
        (lambda table: table["keys"][0].update(rate="often"), "$.keys[0]"),
        (lambda table: table["keys"][0].update(created="2026-01-02T03:04:05"), "$.keys[0].created"),
        (lambda table: table["keys"][0].pop("scopes"), "$.keys[0]"),
    ],
)
def test_a_file_that_is_not_in_order_is_refused(alter: Callable[[Any], None], where: str, path: Path):
    key, _ = create_key(path, "shop", NOW)
    change(path, alter)
    with pytest.raises(SettingsError) as refused:
        read_keys(path)
    spot = f": it is wrong at `{where}`" if where else ""
    assert refused.value.message == f"{path} is not what Lading writes{spot}"
    assert key.sha256 not in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"null"])
def test_a_file_that_is_no_table_is_refused(data: bytes, path: Path):
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(NotForProduction, match="is not what Lading writes"):
        read_keys(path, strict=True)


# --- whose it is


def test_who_brings_a_key_is_known_at_once(path: Path):
    expires = NOW + timedelta(days=90)
    key, text = create_key(path, "shop", NOW, scopes=("predict:iris",), expires=expires, rate="5/s")
    who = Principal(f"key:{key.id}", frozenset({"predict:iris"}), expires.timestamp(), "5/s")
    found = authenticator(path)
    assert found.known(bearer(text)) == who
    assert asyncio.run(found.authenticate(bearer(text))) == who


def test_a_key_without_an_end_has_none(path: Path):
    _, text = create_key(path, "shop", NOW)
    assert authenticator(path).known(bearer(text)).until == math.inf


@pytest.mark.parametrize(
    ("credentials", "is_taken"),
    [
        (Credentials("bearer", "lk_x"), True),
        (Credentials("basic", "lk_x"), False),
        (Credentials("bearer", "lt_x"), False),
        (Credentials("bearer", "LK_x"), False),
    ],
)
def test_keys_take_what_begins_as_a_key(credentials: Credentials, is_taken: bool, path: Path):
    create_key(path, "shop", NOW)
    assert authenticator(path).takes(credentials) == is_taken


def _bad(path: Path) -> dict[str, str]:
    key, good = create_key(path, "shop", NOW)
    revoked, revoked_text = create_key(path, "gone", NOW)
    revoke_key(path, revoked.id, NOW)
    _, expired_text = create_key(path, "old", NOW - timedelta(days=9), expires=NOW)
    return {
        "unknown": new_text(new_id()),
        "other": new_text(key.id),
        "typo": good[:-1] + ("a" if good[-1] != "a" else "b"),
        "revoked": revoked_text,
        "expired": expired_text,
        "none": "lk_",
    }


@pytest.mark.parametrize("which", ["unknown", "other", "typo", "revoked", "expired", "none"])
def test_whose_key_is_not_good_is_told_nothing_more(which: str, path: Path):
    text = _bad(path)[which]
    found = authenticator(path)
    assert found.known(bearer(text)) is None
    with pytest.raises(Unauthenticated, match=r"^the credentials are not good$") as refused:
        asyncio.run(found.authenticate(bearer(text)))
    assert refused.value.hint is None


def test_a_key_ends_when_it_was_said_to(path: Path):
    _, text = create_key(path, "shop", NOW, expires=NOW + timedelta(seconds=10))
    assert authenticator(path, NOW + timedelta(seconds=9)).known(bearer(text)) is not None
    assert authenticator(path, NOW + timedelta(seconds=10)).known(bearer(text)) is None


def test_the_digests_are_compared_in_constant_time_whatever_is_wrong(path: Path, monkeypatch: pytest.MonkeyPatch):
    bad = _bad(path)
    found = authenticator(path)
    compared: list[tuple[str, str]] = []
    compare_digest = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return compare_digest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for which in ("unknown", "other", "revoked", "expired"):
        assert found.known(bearer(bad[which])) is None
    assert len(compared) == 4
    assert {len(text) for pair in compared for text in pair} == {64}


# --- while it is used


def test_a_revoked_key_is_refused_after_a_look_at_the_file(path: Path):
    _, text = create_key(path, "shop", NOW)
    found = authenticator(path)
    assert not found.refresh()
    revoke_key(path, "shop", NOW)
    assert found.known(bearer(text)) is not None
    assert found.refresh()
    assert found.known(bearer(text)) is None
    assert not found.refresh()


def test_a_new_key_is_taken_after_a_look_at_the_file(path: Path):
    create_key(path, "one", NOW)
    found = authenticator(path)
    _, text = create_key(path, "two", NOW)
    assert found.known(bearer(text)) is None
    assert found.refresh()
    assert found.known(bearer(text)) is not None


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b'{"keys": "lk_"}')])
def test_a_file_that_breaks_or_goes_leaves_the_keys_as_they_were(
    damage: Callable[[Path], object], path: Path, caplog: pytest.LogCaptureFixture
):
    _, text = create_key(path, "shop", NOW)
    found = authenticator(path)
    damage(path)
    assert [found.refresh() for _ in range(3)] == [False] * 3
    assert found.known(bearer(text)) is not None
    assert len(caplog.messages) == 1  # once, not every second
    assert caplog.messages[0].endswith("what was read before holds")
    path.unlink(missing_ok=True)
    create_key(path, "other", NOW)
    assert found.refresh()
    assert found.known(bearer(text)) is None


# --- what is refused at the start


@pytest.mark.parametrize(("production", "kind"), [(True, NotForProduction), (False, SettingsError)])
def test_without_a_key_it_does_not_start(production: bool, kind: type[LadingError], path: Path):
    settings = Settings(production=production, keys_file=str(path))
    with pytest.raises(kind, match="there are no API keys: no file") as refused:
        make(settings, SHARED)
    assert refused.value.hint == f"lading keys create NAME --keys-file {path}"
    path.write_bytes(b'{"format": 1, "keys": []}')
    path.chmod(0o600)
    with pytest.raises(kind, match="no key is in"):
        make(settings, SHARED)


def test_keys_are_in_the_users_configuration_unless_said(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(path.parent))
    _, text = create_key(path.parent / "lading" / "keys.json", "shop", NOW)
    assert make(Settings(), SHARED).known(bearer(text)) is not None


def test_keys_that_others_may_read_are_refused_in_production(path: Path):
    create_key(path, "shop", NOW)
    path.chmod(0o644)
    with pytest.raises(NotForProduction, match="is open to others"):
        make(Settings(production=True, keys_file=str(path)), SHARED)
    os.chmod(path, 0o600)
    assert isinstance(make(Settings(production=True, keys_file=str(path)), SHARED), Keys)


def test_a_key_shows_no_digest(path: Path):
    key, text = create_key(path, "shop", NOW)
    shown = repr(key) + repr(authenticator(path)) + repr(bearer(text)) + repr(keys.principal_of(key))
    assert key.sha256 not in shown
    assert text not in shown
    assert isinstance(key, Key)
