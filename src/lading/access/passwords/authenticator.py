"""Callers with a name and a password: HTTP Basic (RFC 7617)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
import shlex
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lading.access.credentials import Credentials
from lading.access.passwords.hashing import is_password_of, stand_in
from lading.access.passwords.login import Login, login_of
from lading.access.passwords.users import User, read_users, users_path
from lading.access.principal import Principal
from lading.access.watched import Watched
from lading.errors import NotForProduction, Refused, SettingsError, Unauthenticated
from lading.settings import Settings, is_loopback

KNOWN_S = 60.0
"""How long a password that was good is not hashed again."""
MAX_CHECKS = 18
"""Passwords that are hashed or wait for it, in one process."""
_THREADS = 2
"""That hash: each takes 64 MiB, and as many cores as it gets."""
_MAX_KNOWN = 1024


class Basic:
    """Finds out whether a password is right, in threads of its own.

    Args:
        path: of the file of users.
        strict: whether a file that is open to others is refused.
        clock: seconds since 1970.

    Raises:
        NotForProduction: where `strict`, the file does not do, or nobody is in it.
        SettingsError: elsewhere, the same.
    """

    challenge = 'Basic realm="lading", charset="UTF-8"'
    is_guessable = True

    def __init__(self, path: Path, *, strict: bool, clock: Callable[[], float] = time.time) -> None:
        refusal = NotForProduction if strict else SettingsError
        if not os.path.lexists(path):
            raise refusal(f"there are no users: no file {path}", hint=_way_out(path))
        self._users = Watched(path, lambda path: {user.name: user for user in read_users(path, strict=strict)})
        if not self._users.content:
            raise refusal(f"no user is in {path}", hint=_way_out(path))
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[str, float]] = {}
        self._checks: dict[bytes, asyncio.Future[bool]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lading-passwords")

    def takes(self, credentials: Credentials) -> bool:
        """Whether they are a name with a password."""
        return credentials.scheme == "basic"

    def known(self, credentials: Credentials) -> Principal | None:
        """Who it is, where this password was good less than `KNOWN_S` ago; None where it has to be found out."""
        login = login_of(credentials.secret)
        return None if login is None else self._remembered(login, self._fingerprint(login))

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Who it is.

        Raises:
            Unauthenticated: there is no such user, or it has another password.
            Refused: too many passwords are being checked.
        """
        login = login_of(credentials.secret)
        if login is None:
            raise Unauthenticated("the credentials are not good")
        fingerprint = self._fingerprint(login)
        user, nobodys = self._users.content.get(login.name), self._nobodys()
        is_good = await self._check(fingerprint, nobodys if user is None else user.hash, login.password)
        if user is None or not is_good:
            raise Unauthenticated("the credentials are not good")
        self._remember(fingerprint, user)
        principal = self._remembered(login, fingerprint)
        if principal is None:  # while it was hashed, the user was removed or got another password
            raise Unauthenticated("the credentials are not good")
        return principal

    def refresh(self) -> bool:
        """Read the file of users anew where it has changed."""
        return self._users.refresh()

    def _fingerprint(self, login: Login) -> bytes:
        """What a name with a password is remembered by; nobody else can make it. A name has no NUL."""
        return hmac.digest(self._secret, login.name.encode() + b"\0" + login.password, hashlib.sha256)

    def _remembered(self, login: Login, fingerprint: bytes) -> Principal | None:
        hashed, until = self._known.get(fingerprint, ("", 0.0))
        user = self._users.content.get(login.name)
        # A clock that was set back makes nothing last longer.
        if user is None or user.hash != hashed or not 0 < until - self._clock() <= KNOWN_S:
            self._known.pop(fingerprint, None)
            return None
        return Principal.of(f"user:{user.name}", user.scopes, until)

    def _remember(self, fingerprint: bytes, user: User) -> None:
        self._known.pop(fingerprint, None)
        while len(self._known) >= _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[fingerprint] = user.hash, self._clock() + KNOWN_S

    def _nobodys(self) -> str:
        return stand_in(next((user.hash for user in self._users.content.values()), None))

    async def _check(self, fingerprint: bytes, hashed: str, password: bytes) -> bool:
        """Whether the password has this hash; who asks the same at the same time gets the same answer."""
        key = fingerprint + hashed.encode()
        check = self._checks.get(key)
        if check is None:
            if len(self._checks) >= MAX_CHECKS:
                raise Refused("too many passwords are being checked", retry_after_s=1.0)
            check = asyncio.get_running_loop().run_in_executor(self._threads, is_password_of, hashed, password)
            self._checks[key] = check
            check.add_done_callback(lambda _: self._checks.pop(key, None))
        # Who goes away meanwhile leaves the others their answer.
        return await asyncio.shield(check)


def _way_out(path: Path) -> str:
    where = "" if path == users_path("") else f" --users-file {shlex.quote(str(path))}"
    return f"lading users add NAME{where}"


def make(settings: Settings, shared: bytes) -> Basic:
    """The authenticator `basic`.

    Raises:
        NotForProduction: in production, the file of users does not do: it is missing, open to others, or broken; or
            passwords would travel in the open.
        SettingsError: elsewhere, the file is missing or broken.
    """
    _refuse_open_road(settings)
    return Basic(users_path(settings.users_file), strict=settings.production)


def _refuse_open_road(settings: Settings) -> None:
    is_private = is_loopback(settings.host) or settings.unix_socket or settings.tls_certificate_file
    if is_private or settings.trusted_hops or settings.insecure:
        return
    hint = "--tls-certificate-file and --tls-key-file, or --trusted-hops with the proxy that speaks TLS"
    raise NotForProduction("--auth basic would send passwords readable through the network", hint=hint)
