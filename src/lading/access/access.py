"""Who asks a service, by all the ways that its settings name; and how often they may.

Both roads call this, and nothing else decides. What is found out once holds until `Caller.until`, or until a right may
have been lost anywhere: then `epoch` is another one, and everybody is asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lading.access.authenticator import Authenticator
from lading.access.credentials import Credentials, credentials_of
from lading.access.passwords.login import pair_of
from lading.access.principal import Principal
from lading.access.rates import Bucket, Rates
from lading.errors import LadingError, Unauthenticated
from lading.settings import Rate
from lading.settings import rate as rate_of

Fields = Iterable[tuple[bytes, bytes]]

REFRESH_S = 1.0
"""How long a right that was taken away may still be used."""


class Caller:
    """Somebody who asks, as one process knows them.

    Attributes:
        principal: who it is.
        until: seconds since 1970 at which this has to be found out again.
        epoch: of the access that found out.
        bucket: what they may still ask; None where there is no limit.
    """

    __slots__ = ("bucket", "epoch", "principal", "until")

    def __init__(self, principal: Principal, epoch: int, bucket: Bucket | None) -> None:
        self.principal = principal
        self.until = principal.until
        self.epoch = epoch
        self.bucket = bucket


class Known(NamedTuple):
    """What is known at once of who asks.

    Attributes:
        caller: who it is; None where that is to be found out.
        is_shared: it holds for everybody who brings the same credentials, from wherever.
    """

    caller: Caller | None
    is_shared: bool


NOBODY = Known(None, is_shared=False)


class Access:
    """Who may ask.

    Args:
        authenticators: the ways to show who one is; none where everybody may ask.
        rates: where it is counted how often somebody asks.
        address_rate: how often an address may, whoever it is.
        failure_rate: how often an address may bring credentials that are not good.
        takes_certificates: whether a certificate of the connection shows who asks.
        clock: seconds since 1970.

    Attributes:
        authenticators: the ways to show who one is.
        is_open: everybody may ask.
        limits_addresses: it matters from where somebody asks.
        epoch: another one whenever somebody may have lost a right.
    """

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        rates: Rates,
        *,
        address_rate: Rate | None = None,
        failure_rate: Rate | None = None,
        takes_certificates: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.is_open = not authenticators and not takes_certificates
        self.limits_addresses = address_rate is not None
        self.epoch = 0
        self.clock = clock
        self.authenticators = authenticators
        self._rates = rates
        self._address_rate = address_rate
        self._failure_rate = failure_rate
        self._challenge = ", ".join(dict.fromkeys(each.challenge for each in authenticators)) or "Bearer"
        self._needed = (
            "this needs credentials" if authenticators else "this needs a certificate of a name that is taken"
        )
        self._refreshed = clock()

    def refresh(self) -> None:
        """Look, once in `REFRESH_S`, whether anybody has lost a right; called now and then, and before answers."""
        now = self.clock()
        if 0 <= now - self._refreshed < REFRESH_S:
            return
        self._refreshed = now
        # Not `any`, which would leave some of them out.
        if sum([each.refresh() for each in self.authenticators]):
            self.epoch += 1

    def limit_address(self, address: str | None) -> None:
        """Count a request of an address.

        Raises:
            RateLimited: it has asked too often.
        """
        bucket = self.address_bucket(address)
        if bucket is not None:
            spend(bucket, self.clock())

    def address_bucket(self, address: str | None) -> Bucket | None:
        """What an address may still ask; None where there is no limit."""
        if self._address_rate is None or address is None:
            return None
        return self._rates.bucket(f"address {address}", self._address_rate)

    def caller_of(self, principal: Principal, usual_rate: str) -> Caller:
        """Somebody who has shown who they are.

        Args:
            principal: who it is.
            usual_rate: how often a caller may ask for this, unless they have a rate of their own; empty for no limit.
        """
        rate = rate_of(principal.rate or usual_rate)
        bucket = self._rates.bucket(f"caller {principal.name}", rate, is_caller=True) if rate else None
        return Caller(principal, self.epoch, bucket)

    def known(self, fields: Fields, usual_rate: str, address: Callable[[], str | None]) -> Known:
        """Who asks, where that can be said at once; nobody where it cannot, or where the credentials are not good.

        Args:
            fields: of a request, whose names are in lower case.
            usual_rate: as for `caller_of`.
            address: says where the request comes from.
        """
        try:
            credentials = credentials_of(fields)
        except Unauthenticated:
            return NOBODY
        found = self._authenticator(credentials)
        if found is None or credentials is None:
            return NOBODY
        if found.is_guessable and self._is_spent(_guesses(credentials, address())):
            return NOBODY
        principal = found.known(credentials)
        caller = None if principal is None else self.caller_of(principal, usual_rate)
        return Known(caller, is_shared=not found.is_guessable)

    async def find(
        self, fields: Fields, usual_rate: str, address: str | None, *, certified: Principal | None = None
    ) -> Caller:
        """Who asks, by the fields of a request whose names are in lower case, or by its connection's certificate.

        Raises:
            Unauthenticated: nobody whom these credentials show, or there are none.
            RateLimited: this address has brought too many that were not good.
            Refused: it cannot be found out now.
        """
        self.refresh()
        try:
            credentials = credentials_of(fields)
        except Unauthenticated as error:
            raise self._refusal(error, address) from None
        if credentials is None and certified is not None and self.clock() < certified.until:
            return self.caller_of(certified, usual_rate)
        if credentials is None:
            raise Unauthenticated(self._needed, challenge=self._challenge)
        authenticator = self._authenticator(credentials)
        if authenticator is None:
            raise self._refusal(Unauthenticated("the credentials are not good"), address)
        if authenticator.is_guessable:
            self._refuse_spent(_guesses(credentials, address))
        principal = authenticator.known(credentials)
        if principal is None:
            if authenticator.is_guessable:
                self._refuse_spent(_failures(address))
            try:
                principal = await authenticator.authenticate(credentials)
            except Unauthenticated as error:
                raise self._refusal(error, address, credentials) from None
        return self.caller_of(principal, usual_rate)

    def _authenticator(self, credentials: Credentials | None) -> Authenticator | None:
        if credentials is None:
            return None
        return next((each for each in self.authenticators if each.takes(credentials)), None)

    def count_failure(self, address: str | None) -> None:
        """Count credentials that were not good.

        Raises:
            RateLimited: this address has brought too many of them.
        """
        self._spend_failure(_failures(address))

    def _refusal(
        self, error: Unauthenticated, address: str | None, credentials: Credentials | None = None
    ) -> LadingError:
        if credentials is not None:
            self._spend_failure(_guesses(credentials, address))
        self.count_failure(address)
        return Unauthenticated(error.message, challenge=self._challenge)

    def _spend_failure(self, who: str) -> None:
        if self._failure_rate is not None:
            spend(self._rates.bucket(who, self._failure_rate), self.clock())

    def _is_spent(self, who: str) -> bool:
        return self._failure_rate is not None and self._rates.bucket(who, self._failure_rate).is_spent(self.clock())

    def _refuse_spent(self, who: str) -> None:
        if self._failure_rate is not None and self._is_spent(who):
            raise self._rates.bucket(who, self._failure_rate).refusal(self.clock())

    def holds(self, caller: Caller, now: float) -> bool:
        """Whether somebody is still who they were."""
        return caller.epoch == self.epoch and now < caller.until


def spend(bucket: Bucket, now: float) -> None:
    """Count a request.

    Raises:
        RateLimited: there is no more to spend.
    """
    if not bucket.admit(now):
        raise bucket.refusal(now)


def _failures(address: str | None) -> str:
    return f"failures {address or 'socket'}"


def _guesses(credentials: Credentials, address: str | None) -> str:
    """Whose secret an address guesses: a name and a password, of which the name is somebody's."""
    pair = pair_of(credentials.secret) if credentials.scheme == "basic" else None
    return f"{_failures(address)} {pair[0] if pair else credentials.scheme}"
