"""Applications before small real models, a client in one event loop, and raw ASGI for what no client would send."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message

import lading
from lading.access.access import Access
from lading.access.authenticator import Authenticator
from lading.access.rates import Rates
from lading.engine.job import Commit, commit_at_once
from lading.engine.model import Model
from lading.flavors.flavor import Predictions
from lading.flavors.linear import LinearFile
from lading.http.accounts import Accounts
from lading.http.admission import Admission, Secured
from lading.http.app import make_app
from lading.monitor.counters import SharedCounters
from lading.monitor.exposition import exposition
from lading.monitor.slots import Slots
from lading.service import Service
from lading.settings import Settings, rate

WAIT_S = 20.0

DOUBLE = LinearFile("lading.linear/1", ("x",), coef=((2.0,),), intercept=(0.0,), low=(0.0,), high=(10.0,))
"""A model that doubles its one column, `x`, and has seen 0 to 10."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class App:
    """An application and what stands in it."""

    service: Service
    counters: SharedCounters
    asgi: ASGIApp
    admission: Admission
    routes: tuple[Secured, ...]


class Wrapped:
    """A predictor with other manners than the one inside."""

    def __init__(self, inner: Any, predict: Callable[..., Predictions]) -> None:
        self._inner = inner
        self._predict = predict

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def predict(self, table: Any, *, proba: bool = False) -> Predictions:
        return self._predict(self._inner, table, proba)


def make(
    model: Model | None,
    *,
    commit: Commit = commit_at_once,
    authenticators: Sequence[Authenticator] = (),
    clock: Callable[[], float] = time.time,
    **settings: Any,
) -> App:
    """The application of a model, ready; without a model it is still loading."""
    slots = Slots.create(1)
    counters = SharedCounters(slots, 0)
    service = Service(Settings(**settings), counters, commit=commit)
    if model is not None:
        service.start(lambda: model)
    said = service.settings
    access = Access(
        authenticators,
        Rates([slot.rates for slot in slots], 0, slots.secret),
        address_rate=rate(said.address_rate_limit),
        failure_rate=rate(said.failure_rate_limit),
        clock=clock,
    )
    app = make_app(service, Accounts(counters), lambda: exposition(slots), access)
    return App(service, counters, app.asgi, app.admission, app.routes)


@pytest.fixture(scope="session")
def make_http_app() -> Callable[..., App]:
    return make


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("double") / "double-1.0.0.lading"
    return lading.load(lading.pack(DOUBLE, path=path).path)


@pytest.fixture(scope="session")
def with_predict(double: Model) -> Callable[..., Model]:
    """Makes a model of one column, `x`, whose answers a function `(inner, table, proba)` gives."""
    return lambda predict: replace(double, golden=None, predictor=Wrapped(double.predictor, predict))


@pytest.fixture(scope="session")
def iris(iris_path: Path) -> Model:
    return lading.load(iris_path)


@pytest.fixture(scope="session")
def churn(churn_path: Path) -> Model:
    return lading.load(churn_path)


class Client:
    """A client of an application, in an event loop of its own that runs while it is asked."""

    def __init__(self, asgi: ASGIApp) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://testserver")

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What comes of something in the event loop, which then finishes what it has at hand."""

        async def bounded() -> Any:
            async with asyncio.timeout(WAIT_S):
                result = await work
            await asyncio.sleep(0)
            return result

        return self._runner.run(bounded())

    def request(self, method: str, url: str, **rest: Any) -> httpx.Response:
        """The answer to one request."""
        return self.run(self._client.request(method, url, **rest))

    def get(self, url: str, **rest: Any) -> httpx.Response:
        return self.request("GET", url, **rest)

    def post(self, url: str, **rest: Any) -> httpx.Response:
        return self.request("POST", url, **rest)

    def post_all(self, url: str, bodies: Iterable[Any]) -> list[httpx.Response]:
        """The answers to requests that are sent together."""

        async def together() -> list[httpx.Response]:
            return list(await asyncio.gather(*(self._client.post(url, json=body) for body in bodies)))

        return self.run(together())

    def send(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request with exactly these headers."""
        return self.run(self._client.send(request))

    def close(self) -> None:
        self.run(self._client.aclose())
        self._runner.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Makes clients of applications."""
    clients: list[Client] = []

    def client(app: App | ASGIApp) -> Client:
        clients.append(Client(app.asgi if isinstance(app, App) else app))
        return clients[-1]

    yield client
    for each in clients:
        each.close()


@pytest.fixture
def app(double: Model) -> App:
    """The model that doubles."""
    return make(double)


@pytest.fixture
def client(app: App, connect: Callable[..., Client]) -> Client:
    return connect(app)


@pytest.fixture
def iris_client(iris: Model, connect: Callable[..., Client]) -> Client:
    return connect(make(iris))


@pytest.fixture
def churn_client(churn: Model, connect: Callable[..., Client]) -> Client:
    return connect(make(churn))


@pytest.fixture(scope="module")
def shared_client(churn: Model) -> Iterator[Client]:
    """One client for all the examples of a property."""
    client = Client(make(churn).asgi)
    yield client
    client.close()


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., dict[str, Any]]:
    """Checks that an answer is a problem as RFC 9457 has it, with this status and code, and gives its body."""

    def check(response: Any, status: int, code: str) -> dict[str, Any]:
        body = response.json()
        assert (response.status_code, body["code"]) == (status, code), body
        assert response.headers["content-type"] == "application/problem+json"
        assert body["type"] == f"urn:lading:error:{code}"
        assert (body["status"], body["id"]) == (status, response.headers["x-request-id"])
        assert all(isinstance(body[name], str) and body[name] for name in ("title", "detail", "id"))
        assert "\n" not in body["detail"]
        return body

    return check


# --- raw ASGI


@dataclass
class RawAnswer:
    """What an application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_complete: bool = False


@dataclass
class Raw:
    """One request as ASGI has it: its messages are what the application receives, then nothing until it leaves.

    Attributes:
        left: set when the caller leaves.
        received: messages that the application has taken.
    """

    messages: Sequence[Message] = ()
    method: str = "POST"
    path: str = "/predict"
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ((b"content-type", b"application/json"),)
    received: int = 0
    answer: RawAnswer = field(default_factory=RawAnswer)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, app: ASGIApp) -> RawAnswer:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "root_path": "",
            "headers": list(self.headers),
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 50000),
        }
        await asyncio.wait_for(app(scope, self._receive, self._send), WAIT_S)
        return self.answer

    async def _receive(self) -> Message:
        if self.received < len(self.messages):
            self.received += 1
            return self.messages[self.received - 1]
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.answer.body += message.get("body", b"")
            self.answer.is_complete = not message.get("more_body", False)
            if self.answer.is_complete:
                self.left.set()


def parts(*bodies: bytes) -> list[Message]:
    """A body that arrives in these parts."""
    last = len(bodies) - 1
    return [{"type": "http.request", "body": part, "more_body": i < last} for i, part in enumerate(bodies)]


@pytest.fixture(scope="session")
def raw() -> Callable[..., Raw]:
    """Makes a raw request of parts of a body."""
    return lambda *bodies, **rest: Raw(parts(*(bodies or (b"",))), **rest)
