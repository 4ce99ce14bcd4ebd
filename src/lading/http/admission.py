"""The door of every route: who asks is found out, and whether they may, before a byte of a body is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from starlette.datastructures import URL
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from lading.access.access import NOBODY, Access, Caller, Fields, Known, spend
from lading.access.principal import Principal
from lading.access.rates import Bucket
from lading.access.scopes import Operation, authorize
from lading.errors import Forbidden
from lading.http.forwarded import FORWARDED_FOR, client_of, scheme_of
from lading.settings import Settings, networks

Peer = tuple[str, int] | None
"""Who is connected: address and port; None through a Unix socket."""
CONFIRM = "lading.confirm"
"""What asks once more, in the scope of a request whose caller was asked: when its body has been read."""
_MAX_BUCKETS = 1024

CERTIFIED = "lading.certified"
"""Where the protocol of a connection leaves, in the scope, the principal that its certificate shows."""


class Admission:
    """Lets requests in.

    Args:
        access: decides.
        model: the name of the model that requests are routed to; empty while there is none.
        settings: as they are for that model.

    Attributes:
        access: who may ask.
    """

    def __init__(self, access: Access, model: Callable[[], str], settings: Callable[[], Settings]) -> None:
        self.access = access
        self._model = model
        self._settings = settings
        self._trusted = networks(settings().trusted_hops)
        self._buckets: dict[tuple[str | None, bytes], Bucket] = {}

    async def admit(self, scope: Scope, operation: Operation | None) -> None:
        """Nothing, for a request that may go on; its exchange then says who asks.

        Args:
            scope: of the request.
            operation: what its route does; None of a route that is not there, which is told to those who may ask.

        Raises:
            Denied: it may not.
            RateLimited: its caller or its address has asked too often.
        """
        if operation is Operation.HEALTH or (self.access.is_open and not self.access.limits_addresses):
            return
        address = self.address_of(scope)
        self.access.limit_address(address)
        if self.access.is_open or operation is Operation.TOKEN:
            return
        usual_rate = self._settings().for_route(scope["lading"].route).rate_limit
        caller = await self.access.find(scope["headers"], usual_rate, address, certified=scope.get(CERTIFIED))
        scope["lading"].caller = caller.principal.name
        if caller.bucket is not None:
            spend(caller.bucket, self.access.clock())
        self._authorize(caller, operation)
        scope[CONFIRM] = lambda: self._confirm(scope, caller, operation)

    async def _confirm(self, scope: Scope, caller: Caller, operation: Operation | None) -> None:
        """Nothing, where somebody whose body took its time still may ask; else as `admit`."""
        self.access.refresh()
        if not self.access.holds(caller, self.access.clock()):
            address, certified = self.address_of(scope), scope.get(CERTIFIED)
            self._authorize(await self.access.find(scope["headers"], "", address, certified=certified), operation)

    def _authorize(self, caller: Caller, operation: Operation | None) -> None:
        model = self._model()
        # While there is no model, there is nothing that anybody could have a right to; this is said to all alike.
        if operation is not None and (model or operation is not Operation.PREDICT):
            authorize(caller.principal, operation, model)

    @property
    def is_open(self) -> bool:
        """Whether everybody may ask."""
        return self.access.is_open

    def known(self, fields: Fields, peer: Peer) -> Known:
        """Who asks for a prediction, where that can be said at once and they may; else nobody: `admit` says why."""
        host = peer[0] if peer else None
        known = self.access.known(fields, self._settings().rate_limit, lambda: client_of(host, fields, self._trusted))
        return known if known.caller is not None and self.may_predict(known.caller.principal) else NOBODY

    def certified(self, principal: Principal) -> Caller | None:
        """The same for somebody whom the certificate of a connection shows."""
        return self.access.caller_of(principal, self._settings().rate_limit) if self.may_predict(principal) else None

    def may_predict(self, principal: Principal) -> bool:
        """Whether somebody may predict with the model that there is."""
        try:
            authorize(principal, Operation.PREDICT, self._model())
        except Forbidden:
            return False
        return True

    def bucket_of(self, peer: Peer, forwarded: bytes) -> Bucket | None:
        """What the address of a request may still ask; None where there is no limit.

        Args:
            peer: who is connected; None through a Unix socket.
            forwarded: the value of `X-Forwarded-For`.
        """
        host = peer[0] if peer else None
        key = host, forwarded
        bucket = self._buckets.get(key)
        if bucket is None:
            fields = [(FORWARDED_FOR, forwarded)] if forwarded else []
            bucket = self.access.address_bucket(client_of(host, fields, self._trusted))
            if len(self._buckets) >= _MAX_BUCKETS:
                self._buckets.clear()
            if bucket is not None:
                self._buckets[key] = bucket
        return bucket

    def address_of(self, scope: Scope) -> str | None:
        """The address that a request comes from, behind all trusted proxies."""
        client = scope.get("client")
        return client_of(client[0] if client else None, scope["headers"], self._trusted)

    def url_of(self, scope: Scope) -> str:
        """The address that a caller has asked, before all trusted proxies, without a query."""
        client = scope.get("client")
        scheme = scheme_of(client[0] if client else None, scope["headers"], self._trusted, scope["scheme"])
        return str(URL(scope=scope).replace(scheme=scheme, query=""))


class Located(Protocol):
    """A route that says where it is."""

    @property
    def path(self) -> str:
        """Where; empty while that is not known."""

    @property
    def methods(self) -> Collection[str] | None:
        """Which methods it takes."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for it."""

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """The path of the route by this name."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""


class Secured(BaseRoute):
    """A route and what is done there; whether that is allowed is asked when it was found, and before it is taken."""

    def __init__(self, route: Located, operation: Operation, admission: Admission) -> None:
        self.route = route
        self.operation = operation
        self._admission = admission

    @property
    def path(self) -> str:
        """Where it is; `unknown` as long as there is no model to say so."""
        return self.route.path or "unknown"

    @property
    def methods(self) -> Collection[str]:
        """The methods that it takes."""
        return self.route.methods or ()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for it."""
        return self.route.matches(scope)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """The path of the route by this name."""
        return self.route.url_path_for(name, **path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that may be answered."""
        scope["lading"].route = self.path
        await self._admission.admit(scope, self.operation)
        await self.route.handle(scope, receive, send)
