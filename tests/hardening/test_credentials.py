"""Keys, passwords and tokens: nothing keeps them, nothing tells them apart in time, and bad ones cost little.

What is tried against whole servers is in the other files; here it is what stands behind them.
"""

import asyncio
import base64
import logging
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from argon2 import PasswordHasher
from tests.conftest import SCALE
from tests.live import run

from lading.access.credentials import Credentials
from lading.access.keys import authenticator as keys
from lading.access.keys.file import create_key, revoke_key
from lading.access.keys.ring import Keyring
from lading.access.keys.text import digest_of
from lading.access.passwords import authenticator as basic
from lading.access.passwords.users import User, UserTable, add_user
from lading.access.tokens import authenticator as tokens
from lading.errors import LadingError, Unauthenticated
from lading.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSWORD = "correct horse battery"
TOKEN_SECRET = "5ecre7" * 8
SHARED = b"shared by all processes of this.."
FORM = [("grant_type", "client_credentials")]


def login(name: str, password: str) -> Credentials:
    return Credentials("basic", base64.b64encode(f"{name}:{password}".encode()).decode())


class Stage(NamedTuple):
    """A folder with keys, users and a secret of tokens, all of which were used."""

    folder: Path
    settings: Settings
    secrets: tuple[str, ...]
    shown: str


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("credentials")
    (folder / "token.secret").write_text(TOKEN_SECRET)
    (folder / "token.secret").chmod(0o600)
    names = {"keys_file": "keys.json", "users_file": "users.json", "token_secret_file": "token.secret"}
    settings = Settings(production=True, **{name: str(folder / file) for name, file in names.items()})
    key, text = create_key(folder / "keys.json", "shop", NOW)
    user = add_user(folder / "users.json", "alice", PASSWORD, NOW)
    made = [each.make(settings, SHARED) for each in (keys, tokens, basic)]
    of_keys, of_tokens, _ = made
    token = of_tokens.grant(login(key.id, text), FORM)
    brought = [Credentials("bearer", text), Credentials("bearer", token.access_token), login("alice", PASSWORD)]
    principals = [asyncio.run(each.authenticate(credentials)) for each, credentials in zip(made, brought, strict=True)]
    shown = repr([key, user, token, settings, *made, *brought, *principals, vars(of_keys), vars(of_tokens)])
    secrets = (text, text[12:34], PASSWORD, login("alice", PASSWORD).secret, token.access_token, SHARED.decode())
    return Stage(folder, settings, secrets, shown)


# --- T037: nothing keeps a secret


def test_no_file_holds_a_key_a_password_or_a_token(stage: Stage):
    kept = {path.name: path.read_bytes() for path in stage.folder.rglob("*") if path.is_file()}
    assert kept.keys() >= {"keys.json", "users.json"}
    found = [(name, secret) for name, data in kept.items() for secret in stage.secrets if secret.encode() in data]
    assert found == []
    assert [name for name, data in kept.items() if TOKEN_SECRET.encode() in data] == ["token.secret"]


def test_every_file_is_its_owners_alone(stage: Stage):
    assert {path.stat().st_mode & 0o077 for path in stage.folder.rglob("*")} == {0}


def test_nothing_shows_a_secret(stage: Stage):
    assert [secret for secret in (*stage.secrets, TOKEN_SECRET) if secret in stage.shown] == []


def _bad(stage: Stage) -> Iterator[tuple[Any, Credentials, str]]:
    """Each authenticator, credentials that it does not take, and the secret in them."""
    for module, prefix in ((keys, "lk_0123abcd_"), (tokens, "lt_")):
        secret = prefix + "wr0ng" * 6
        yield module.make(stage.settings, SHARED), Credentials("bearer", secret), secret
    for password in ("wr0ng password", "wr0ng" * 100, "wr0ng\0"):
        yield basic.make(stage.settings, SHARED), login("alice", password), password


def test_no_log_and_no_error_holds_what_was_brought(stage: Stage, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    for found, credentials, secret in _bad(stage):
        with pytest.raises(Unauthenticated) as refused:
            asyncio.run(found.authenticate(credentials))
        told = f"{refused.value!r} {refused.value.hint} {caplog.text}"
        assert [each for each in (secret, credentials.secret, *stage.secrets) if each in told] == []


def test_the_command_line_shows_a_key_once_and_a_password_never(tmp_path: Path):
    made = run("keys", "create", "shop", XDG_CONFIG_HOME=str(tmp_path))
    added = run("users", "add", "alice", stdin=PASSWORD.encode(), XDG_CONFIG_HOME=str(tmp_path))
    text = made.stdout.decode().strip()
    lists = [run(verb, "list", "--json", XDG_CONFIG_HOME=str(tmp_path)).stdout for verb in ("keys", "users")]
    told = b"".join([made.stderr, added.stdout, added.stderr, *lists]).decode()
    assert "shop" in told
    assert "alice" in told
    assert [each for each in (text, text[12:], digest_of(text), PASSWORD, "argon2id$") if each in told] == []


# --- T038: what is bad costs little


@pytest.mark.parametrize("password", ["a" * (1 << 20), "long enough\0", "long enough\x1b", "\ud800" * 12])
def test_what_cannot_be_a_password_is_never_hashed(password: str, stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(basic, "is_password_of", lambda *_: pytest.fail("it was hashed"))
    found = basic.make(stage.settings, SHARED)
    data = b"alice:" + password.encode("utf-8", "surrogatepass")
    with pytest.raises(Unauthenticated):
        asyncio.run(found.authenticate(Credentials("basic", base64.b64encode(data).decode())))


def test_a_thousand_logins_at_once_hash_one_password_or_are_told_to_come_later(tmp_path: Path):
    """1,000 callers with the right password: 1 hash. 1,000 with wrong ones: as many as may wait, the others 503."""
    found = _with_cheap_hashes(tmp_path)

    async def storm(password: Callable[[int], str]) -> list[Any]:
        asked = [found.authenticate(login("alice", password(number))) for number in range(1000)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert {each.name for each in asyncio.run(storm(lambda _: PASSWORD))} == {"user:alice"}
    kinds = [type(each).__name__ for each in asyncio.run(storm(lambda number: f"wr0ng password {number}"))]
    assert kinds.count("Unauthenticated") == basic.MAX_CHECKS
    assert kinds.count("Refused") == 1000 - basic.MAX_CHECKS


def _with_cheap_hashes(folder: Path) -> basic.Basic:
    """One user, whose hash is argon2id as any, but takes no time: what is beside it counts."""
    path = folder / "users.json"
    hashed = PasswordHasher(1, 8, 1).hash(PASSWORD)
    path.write_bytes(msgspec.json.encode(UserTable(users=(User("alice", hashed, ("metrics",), NOW),))))
    path.chmod(0o600)
    return basic.Basic(path, strict=True)


# --- T039: no start with half of it


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": _empty,
    "a folder": _folder,
    "world-readable": lambda path: path.chmod(0o604),
    "world-writable": lambda path: path.chmod(0o602),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "blank": lambda path: path.write_text(" \n" * 50),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize(
    ("make", "name"),
    [(keys.make, "keys.json"), (basic.make, "users.json"), (tokens.make, "keys.json"), (tokens.make, "token.secret")],
)
def test_a_file_that_does_not_do_is_refused_in_production(
    make: Any, name: str, damage: Callable[[Path], object], stage: Stage, tmp_path: Path
):
    for path in stage.folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / path.name).chmod(0o600)
    names = {"keys_file": "keys.json", "users_file": "users.json", "token_secret_file": "token.secret"}
    settings = Settings(production=True, **{setting: str(tmp_path / file) for setting, file in names.items()})
    make(settings, SHARED)
    damage(tmp_path / name)
    with pytest.raises(LadingError) as refused:
        make(settings, SHARED)
    assert refused.value.code == "production"
    assert str(tmp_path / name) in refused.value.message


def test_nobody_is_let_in_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for make in (keys.make, basic.make, tokens.make):
        with pytest.raises(LadingError):
            make(Settings(), SHARED)
    assert list(tmp_path.iterdir()) == []


# --- T042: what was revoked is refused everywhere


def test_a_key_that_is_revoked_is_refused_by_all_who_look(tmp_path: Path):
    path = tmp_path / "keys.json"
    _, text = create_key(path, "a", NOW)
    _, other = create_key(path, "b", NOW)
    rings = [Keyring(path, strict=True) for _ in range(24)]
    revoke_key(path, "a", NOW)
    assert all(ring.refresh() for ring in rings)
    assert {ring.of_text(text) for ring in rings} == {None}
    assert None not in {ring.of_text(other) for ring in rings}


def test_who_reads_while_keys_are_made_sees_whole_files(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "keys.json"
    _, text = create_key(path, "first", NOW)
    ring = Keyring(path, strict=True)
    with ThreadPoolExecutor(1) as threads:
        writing = [threads.submit(create_key, path, f"name-{number}", NOW) for number in range(20)]
        while not all(each.done() for each in writing):
            ring.refresh()
            assert ring.of_text(text) is not None
    assert caplog.messages == []


# --- T036: time tells nothing


def _difference_s(one: Callable[[], object], two: Callable[[], object], count: int) -> float:
    """By how much the medians of their times differ.

    Not whether the times are of one distribution: of two lookups that are the same but for where their objects lie in
    memory, 10,000 timings show that they are not, by 10 ns.
    """
    # At random, as what was run just before leaves its traces in the time.
    order = random.sample([0, 1] * count, 2 * count)
    times: tuple[list[float], list[float]] = [], []
    for which in order:
        began = time.perf_counter()
        (one, two)[which]()
        times[which].append(time.perf_counter() - began)
    return abs(statistics.median(times[0]) - statistics.median(times[1]))


full = pytest.mark.skipif(SCALE != "full", reason="10,000 timings each: LADING_TEST_SCALE=full")


@full
def test_time_does_not_tell_where_a_key_is_wrong(tmp_path: Path):
    """One key, against files in which the first and the last digit of its digest are others."""
    _, text = create_key(tmp_path / "keys.json", "shop", NOW)
    first, last = (_with_wrong_digit(tmp_path / "keys.json", at) for at in (0, 63))
    assert first.of_text(text) is last.of_text(text) is None
    assert _difference_s(lambda: first.of_text(text), lambda: last.of_text(text), 10_000) < 1e-6


def _with_wrong_digit(path: Path, at: int) -> Keyring:
    table = msgspec.json.decode(path.read_bytes())
    (key,) = table["keys"]
    digit = "0" if key["sha256"][at] != "0" else "1"
    key["sha256"] = key["sha256"][:at] + digit + key["sha256"][at + 1 :]
    changed = path.with_name(f"{at}.json")
    changed.write_bytes(msgspec.json.encode(table))
    return Keyring(changed, strict=False)


@full
def test_time_does_not_tell_who_is_a_user(tmp_path: Path):
    found = _with_cheap_hashes(tmp_path)
    with asyncio.Runner() as runner:

        def ask(name: str) -> None:
            with pytest.raises(Unauthenticated):
                runner.run(found.authenticate(login(name, "wr0ng password")))

        assert _difference_s(lambda: ask("alice"), lambda: ask("mallo"), 10_000) < 50e-6
