"""Users: their passwords, the file that they are kept in, and who they are."""

import asyncio
import base64
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lading.access.credentials import Credentials
from lading.access.passwords import authenticator as basic
from lading.access.passwords.authenticator import KNOWN_S, MAX_CHECKS, Basic, make
from lading.access.passwords.hashing import hash_password, is_password_of, prepared, stand_in
from lading.access.passwords.login import login_of
from lading.access.passwords.users import User, UserTable, add_user, change_password, read_users, remove_user
from lading.errors import LadingError, NotForProduction, Refused, SettingsError, Unauthenticated, UsageError
from lading.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSWORD = "correct horse battery"
SHARED = bytes(32)


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def path(hashed: str, tmp_path: Path) -> Path:
    """A file with the user `alice`, made without another hash."""
    path = tmp_path / "users.json"
    write(path, User("alice", hashed, ("models:read", "predict:iris"), NOW))
    return path


def write(path: Path, *users: User) -> None:
    path.write_bytes(msgspec.json.encode(UserTable(users=users)))
    path.chmod(0o600)


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def found(path: Path, clock: Clock) -> Basic:
    return Basic(path, strict=True, clock=clock)


def login(name: str, password: str) -> Credentials:
    return Credentials("basic", base64.b64encode(f"{name}:{password}".encode()).decode())


def ask(found: Basic, credentials: Credentials) -> Any:
    return asyncio.run(found.authenticate(credentials))


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were held against, and no password hashed: PASSWORD is good for a real hash."""
    seen: list[str] = []

    def check(hashed: str, data: bytes) -> bool:
        seen.append(hashed)
        return data == PASSWORD.encode() and not hashed.endswith("AAAA")

    monkeypatch.setattr(basic, "is_password_of", check)
    return seen


# --- passwords


def test_a_password_is_known_by_its_hash(hashed: str):
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert is_password_of(hashed, PASSWORD.encode())
    assert not is_password_of(hashed, PASSWORD.upper().encode())


def test_nobody_has_the_password_of_the_stand_in(hashed: str):
    assert stand_in(hashed).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert stand_in(None) == stand_in(hashed) != hashed
    assert stand_in("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA").startswith("$argon2id$v=19$m=8,t=1,p=1$AAAA")
    assert not is_password_of(stand_in(hashed), PASSWORD.encode())


@pytest.mark.parametrize("text", ["a" * 256, "é" * 128, " " * 12, "😀" * 12])
def test_what_may_be_a_password(text: str):
    assert prepared(text) == text.encode()


@pytest.mark.parametrize("text", ["a" * 257, "é" * 129, "long enough\0", "long enough\n", "long enough\x9f", "\ud800"])
def test_what_may_not_be_a_password_is_not_hashed(text: str):
    assert prepared(text) is None
    with pytest.raises(UsageError, match="256 bytes at most"):
        hash_password(text)


def test_a_password_is_the_same_however_its_letters_are_composed():
    assert prepared("pässword") == prepared("pa\u0308ssword")


@pytest.mark.parametrize("text", ["", "a" * 11, "e\u0301" * 11])
def test_a_short_password_is_refused(text: str):
    with pytest.raises(UsageError, match="12 characters or more"):
        hash_password(text)


def test_where_memory_is_short_nobody_is_told_that_a_password_is_wrong():
    with pytest.raises(Refused, match="cannot be checked now"):
        is_password_of(f"$argon2id$v=19$m=4294967295,t=1,p=1${'A' * 22}${'A' * 43}", b"x")


# --- the file of users


def test_a_user_is_added_and_removed(tmp_path: Path):
    path = tmp_path / "users.json"
    user = add_user(path, "bob@example.com", PASSWORD, NOW, scopes=("predict:iris",))
    assert read_users(path, strict=True) == (user,)
    assert (user.name, user.scopes) == ("bob@example.com", ("predict:iris",))
    assert PASSWORD not in path.read_text()
    assert remove_user(path, "bob@example.com") == user
    assert read_users(path) == ()


def test_a_user_is_added_once(path: Path):
    with pytest.raises(UsageError, match="there is a user `alice`"):
        add_user(path, "alice", PASSWORD, NOW)


def test_a_password_is_changed(path: Path, hashed: str):
    user = change_password(path, "alice", "another password")
    assert user.hash != hashed
    assert is_password_of(read_users(path)[0].hash, b"another password")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é", "a" * 65, "alice\n"])
def test_a_name_that_cannot_be_is_refused(name: str, path: Path):
    with pytest.raises(UsageError, match="a name is up to 64"):
        add_user(path, name, PASSWORD, NOW)


def test_an_unknown_user_is_neither_removed_nor_changed(path: Path):
    with pytest.raises(UsageError, match="no user has this name"):
        remove_user(path, "bob")
    with pytest.raises(UsageError, match="no user has this name"):
        change_password(path, "bob", PASSWORD)


@pytest.mark.parametrize(
    "wrong", [{"hash": "secret"}, {"hash": "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"}, {"scopes": ["all"]}]
)
def test_a_file_that_is_not_in_order_is_refused(wrong: dict[str, Any], path: Path):
    table = msgspec.json.decode(path.read_bytes())
    table["users"][0] |= wrong
    path.write_bytes(msgspec.json.encode(table))
    with pytest.raises(SettingsError, match="is not what Lading writes"):
        read_users(path)


def test_two_users_of_one_name_are_refused(path: Path):
    table = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(table | {"users": table["users"] * 2}))
    with pytest.raises(SettingsError, match="is not what Lading writes"):
        read_users(path)


# --- who it is


def test_who_knows_the_password_is_let_in(found: Basic, clock: Clock):
    principal = ask(found, login("alice", PASSWORD))
    assert principal.name == "user:alice"
    assert principal.scopes == {"models:read", "predict:iris"}
    assert principal.until == clock.now + KNOWN_S
    with pytest.raises(Unauthenticated):
        ask(found, login("alice", PASSWORD + "!"))


def test_basic_takes_what_is_basic_and_says_so(found: Basic):
    assert found.takes(login("alice", PASSWORD))
    assert not found.takes(Credentials("bearer", "lk_x"))
    assert found.challenge == 'Basic realm="lading", charset="UTF-8"'


def test_a_good_password_is_known_at_once_for_a_minute(found: Basic, clock: Clock, checks: list[str]):
    assert found.known(login("alice", PASSWORD)) is None
    principal = ask(found, login("alice", PASSWORD))
    clock.now += KNOWN_S - 1
    assert found.known(login("alice", PASSWORD)) == principal
    assert found.known(login("alice", PASSWORD + "!")) is None
    clock.now += 1
    assert found.known(login("alice", PASSWORD)) is None


def test_a_clock_that_is_set_back_makes_nothing_last_longer(found: Basic, clock: Clock, checks: list[str]):
    ask(found, login("alice", PASSWORD))
    clock.now -= 3600
    assert found.known(login("alice", PASSWORD)) is None


def test_a_bad_password_is_checked_each_time(found: Basic, checks: list[str]):
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            ask(found, login("alice", "wrong password"))
    assert len(checks) == 2


def test_an_unknown_user_costs_as_much_as_a_wrong_password(found: Basic, hashed: str, checks: list[str]):
    for name in ("alice", "mallory"):
        with pytest.raises(Unauthenticated, match=r"^the credentials are not good$"):
            ask(found, login(name, "wrong password"))
    assert checks == [hashed, stand_in(hashed)]


def test_an_unknown_user_is_nobody_even_with_a_password_that_fits(found: Basic, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(basic, "is_password_of", lambda hashed, data: True)
    with pytest.raises(Unauthenticated):
        ask(found, login("mallory", PASSWORD))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "not base64",
        "YWxpY2U",  # no padding
        "YWxpY2U=",  # no colon
        base64.b64encode(b"alice:\xff").decode(),
        base64.b64encode(b"alice:" + b"a" * 257).decode(),
        base64.b64encode(b"alice:nul\0").decode(),
        base64.b64encode(b"al\nice:password").decode(),
        base64.b64encode(b":password").decode(),
        base64.b64encode(b"a" * 65 + b":password").decode(),
    ],
)
def test_what_nobody_can_have_is_refused_before_it_costs_anything(secret: str, found: Basic, checks: list[str]):
    assert login_of(secret) is None
    assert found.known(Credentials("basic", secret)) is None
    with pytest.raises(Unauthenticated, match=r"^the credentials are not good$"):
        ask(found, Credentials("basic", secret))
    assert checks == []


def test_a_password_may_have_colons():
    assert login_of(login("alice", "a:b:c").secret) == ("alice", b"a:b:c")


# --- many at a time


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Every check waits for it."""
    gate = threading.Event()

    def check(hashed: str, data: bytes) -> bool:
        return gate.wait(30) and data == PASSWORD.encode()

    monkeypatch.setattr(basic, "is_password_of", check)
    return gate


def test_passwords_that_are_too_many_at_once_are_told_to_come_later(found: Basic, gate: threading.Event):
    async def storm() -> list[Any]:
        asked = [found.authenticate(login("alice", f"{number}")) for number in range(MAX_CHECKS)]
        tasks = [asyncio.ensure_future(each) for each in asked]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="too many passwords") as refused:
            await found.authenticate(login("alice", "one more"))
        assert refused.value.retry_after_s > 0
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(each) for each in asyncio.run(storm())] == [Unauthenticated] * MAX_CHECKS


def test_two_threads_hash_at_most(found: Basic, gate: threading.Event):
    async def storm() -> int:
        tasks = [asyncio.ensure_future(found.authenticate(login("alice", f"{n}"))) for n in range(MAX_CHECKS)]
        await asyncio.sleep(0)
        running = sum(thread.name.startswith("lading-passwords") for thread in threading.enumerate())
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return running

    before = sum(thread.name.startswith("lading-passwords") for thread in threading.enumerate())
    assert asyncio.run(storm()) - before <= 2


def test_who_asks_the_same_at_the_same_time_shares_the_check_and_may_go_away(found: Basic, checks: list[str]):
    async def storm() -> list[Any]:
        tasks = [asyncio.ensure_future(found.authenticate(login("alice", PASSWORD))) for _ in range(100)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    gone, *others = asyncio.run(storm())
    assert isinstance(gone, asyncio.CancelledError)
    assert {each.name for each in others} == {"user:alice"}
    assert len(checks) == 1


def test_the_loop_goes_on_while_a_password_is_hashed(found: Basic, gate: threading.Event):
    async def other() -> str:
        task = asyncio.ensure_future(found.authenticate(login("alice", PASSWORD)))
        await asyncio.sleep(0)
        assert not task.done()
        gate.set()
        name: str = (await task).name
        return name

    assert asyncio.run(other()) == "user:alice"


def test_only_so_many_passwords_are_remembered(found: Basic, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(basic, "_MAX_KNOWN", 2)
    monkeypatch.setattr(basic, "is_password_of", lambda hashed, data: True)
    for password in ("one", "two", "three"):
        ask(found, login("alice", password))
    assert [found.known(login("alice", password)) is not None for password in ("one", "two", "three")] == [
        *(False, True, True)
    ]


# --- while it is used


def test_a_removed_user_is_nobody_after_a_look_at_the_file(found: Basic, path: Path, checks: list[str]):
    ask(found, login("alice", PASSWORD))
    write(path)
    assert found.refresh()
    assert found.known(login("alice", PASSWORD)) is None
    with pytest.raises(Unauthenticated):
        ask(found, login("alice", PASSWORD))
    assert checks[-1] == stand_in(None)


def test_another_password_ends_what_the_old_one_could(found: Basic, path: Path, hashed: str, checks: list[str]):
    ask(found, login("alice", PASSWORD))
    write(path, User("alice", stand_in(hashed), ("models:read",), NOW))
    assert found.refresh()
    assert found.known(login("alice", PASSWORD)) is None


def test_other_scopes_hold_at_once(found: Basic, path: Path, hashed: str, checks: list[str]):
    ask(found, login("alice", PASSWORD))
    write(path, User("alice", hashed, ("metrics",), NOW))
    found.refresh()
    assert found.known(login("alice", PASSWORD)).scopes == {"metrics"}


def test_who_is_removed_while_the_password_is_hashed_is_not_let_in(found: Basic, path: Path, gate: threading.Event):
    async def ask_late() -> None:
        task = asyncio.ensure_future(found.authenticate(login("alice", PASSWORD)))
        await asyncio.sleep(0)
        write(path)
        found.refresh()
        gate.set()
        await task

    with pytest.raises(Unauthenticated):
        asyncio.run(ask_late())


# --- what is refused at the start


@pytest.mark.parametrize(("production", "kind"), [(True, NotForProduction), (False, SettingsError)])
def test_without_a_user_it_does_not_start(production: bool, kind: type[LadingError], path: Path):
    settings = Settings(production=production, users_file=str(path))
    write(path)
    with pytest.raises(kind, match="no user is in"):
        make(settings, SHARED)
    path.unlink()
    with pytest.raises(kind, match="there are no users: no file") as refused:
        make(settings, SHARED)
    assert refused.value.hint == f"lading users add NAME --users-file {path}"


def test_users_that_others_may_read_are_refused_in_production(path: Path):
    path.chmod(0o644)
    with pytest.raises(NotForProduction, match="is open to others"):
        make(Settings(production=True, users_file=str(path)), SHARED)


def test_passwords_do_not_travel_in_the_open_unless_it_is_said(path: Path):
    open_road = {"production": True, "users_file": str(path), "host": "0.0.0.0"}
    with pytest.raises(NotForProduction, match="readable through the network"):
        make(Settings(**open_road), SHARED)
    for said in ({"tls_certificate_file": "c.pem"}, {"trusted_hops": "10.0.0.0/8"}, {"insecure": True}):
        assert isinstance(make(Settings(**open_road, **said), SHARED), Basic)


def test_a_user_shows_no_hash(path: Path, hashed: str):
    shown = repr(read_users(path)) + repr(login_of(login("alice", PASSWORD).secret)) + repr(login("alice", PASSWORD))
    assert hashed not in shown
    assert PASSWORD not in shown
