"""Who is let in, on both roads: the same answer whichever road a request takes."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.http.roads import Road

from lading.access.credentials import Credentials
from lading.access.principal import Principal
from lading.access.scopes import Operation
from lading.errors import Unauthenticated

from .conftest import App, make

NAME = "model"
BODY = b'{"x": 1.5}'


class Doorman:
    """Knows people by words; some only after a while, as one who looks them up."""

    challenge = 'Bearer realm="test"'
    is_guessable = False

    def __init__(self) -> None:
        self.people = {
            "good": Principal.of("key:good", [f"predict:{NAME}", "models:read"]),
            "slow": Principal.of("key:slow", [f"predict:{NAME}"]),
            "other": Principal.of("key:other", ["predict:iris", "journal:read", "models:admin"]),
            "brief": Principal.of("key:brief", ["predict:*"], until=1100.0),
            "modest": Principal.of("key:modest", ["predict:*"], rate="2/m"),
            "metrics": Principal.of("key:metrics", ["metrics"]),
        }
        self.asked: list[str] = []
        self.has_changed = False

    def takes(self, credentials: Credentials) -> bool:
        return credentials.scheme == "bearer"

    def known(self, credentials: Credentials) -> Principal | None:
        return self.people.get(credentials.secret) if credentials.secret != "slow" else None

    async def authenticate(self, credentials: Credentials) -> Principal:
        self.asked.append(credentials.secret)
        await asyncio.sleep(0)
        if credentials.secret not in self.people:
            raise Unauthenticated("the credentials are not good")
        return self.people[credentials.secret]

    def refresh(self) -> bool:
        changed, self.has_changed = self.has_changed, False
        return changed


class House:
    """A service on one road, with a doorman and a clock."""

    def __init__(self, model: Any, runner: asyncio.Runner, *, lane: bool, **settings: Any) -> None:
        self.now = 1000.0
        self.doorman = Doorman()
        self.app: App = make(model, authenticators=[self.doorman], clock=lambda: self.now, **settings)
        self._runner = runner
        self._lane = lane
        self._road: Road | None = None

    def ask(self, word: str = "", *fields: str, line: str = "POST /predict", body: bytes = BODY) -> tuple[int, Any]:
        """Status and body of the answer to somebody who says this word."""
        data = self.told(word, *fields, line=line, body=body)
        head, _, answer = data.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), json.loads(answer) if answer.startswith((b"{", b"[")) else answer

    def told(self, word: str = "", *fields: str, line: str = "POST /predict", body: bytes = BODY) -> bytes:
        said = [f"authorization: Bearer {word}"] if word else []
        lines = [f"{line} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {len(body)}"]
        request = "\r\n".join([*lines, *said, *fields, "", ""]).encode() + body
        self._road = self._road or Road(self.app, lane=self._lane)
        return self._runner.run(self._road.tell([request])).raw


@pytest.fixture(params=[True, False], ids=["lane", "ordinary"])
def lane(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def house(double: Any, runner: asyncio.Runner, lane: bool) -> House:
    return House(double, runner, lane=lane, failure_rate_limit="3/m")


def test_who_shows_nothing_is_told_how(house: House):
    status, problem = house.ask()
    assert (status, problem["code"]) == (401, "access.unauthenticated")
    assert b'\r\nwww-authenticate: Bearer realm="test"\r\n' in house.told()


def test_who_is_known_is_answered(house: House):
    status, answer = house.ask("good")
    assert (status, answer["prediction"]) == (200, 3)
    assert house.ask("good")[0] == 200


def test_who_is_not_known_at_once_is_looked_up(house: House):
    assert [house.ask("slow")[0] for _ in range(3)] == [200, 200, 200]
    assert house.doorman.asked == ["slow"] * 3


def test_a_right_to_another_model_is_none(house: House):
    status, problem = house.ask("other")
    assert (status, problem["code"]) == (403, "access.forbidden")
    assert NAME not in problem["detail"]


@pytest.mark.parametrize("line", ["GET /", "GET /metadata", "GET /schema", "GET /openapi.json"])
def test_every_route_asks_for_its_own_scope(house: House, line: str):
    asked = [house.ask(word, line=line, body=b"")[0] for word in ("", "metrics", "good")]
    assert asked == [401, 403, 200]


def test_metrics_are_not_for_everybody(house: House):
    assert [house.ask(word, line="GET /metrics", body=b"")[0] for word in ("", "good")] == [401, 403]


@pytest.mark.parametrize("line", ["GET /nowhere", "POST /", "DELETE /predict", "PUT /v2/models/double/infer"])
def test_what_there_is_not_is_told_to_those_who_may_ask(house: House, line: str):
    assert house.ask(line=line)[0] == 401
    assert house.ask("good", line=line)[0] in (404, 405)


@pytest.mark.parametrize("line", ["GET /health", "GET /ready", "HEAD /health"])
def test_health_is_nobodys_secret(house: House, line: str):
    assert house.ask(line=line, body=b"")[0] == 200
    assert house.ask("wrong", line=line, body=b"")[0] == 200


def test_an_address_that_tries_too_much_is_told_to_wait(house: House):
    assert [house.ask("wrong")[0] for _ in range(5)] == [401, 401, 401, 429, 429]
    assert re.search(rb"\r\nretry-after: \d+\r\n", house.told("wrong"))
    assert house.ask("good")[0] == 200  # who is known at once is let in all the same
    house.now += 120
    assert house.ask("wrong")[0] == 401


def test_what_can_be_guessed_is_not_told_to_who_has_guessed_too_often(house: House):
    house.doorman.is_guessable = True
    assert house.ask("good")[0] == 200
    assert [house.ask("wrong")[0] for _ in range(5)] == [401, 401, 401, 429, 429]
    assert len(house.doorman.asked) == 3
    assert house.ask("good")[0] == 429  # not even that it is right


def test_two_credentials_are_none(house: House):
    assert house.ask("good", "x-api-key: good")[0] == 401
    assert house.ask("", "x-api-key: good")[0] == 200


def test_a_right_that_ends_is_over(house: House):
    assert house.ask("brief")[0] == 200
    house.doorman.people["brief"] = Principal.of("key:brief", ["predict:*"], until=1300.0)
    house.now = 1200.0
    assert house.ask("brief")[0] == 200  # it was asked again, as it has been prolonged
    del house.doorman.people["brief"]
    house.now = 1301.0
    assert house.ask("brief")[0] == 401


def test_a_right_that_is_taken_away_is_over_in_a_second(house: House):
    assert house.ask("good")[0] == 200
    del house.doorman.people["good"]
    house.doorman.has_changed = True
    house.now += 1.5
    house.app.admission.access.refresh()  # as the server does, twice a second
    assert house.ask("good")[0] == 401


def test_a_right_that_is_taken_away_while_a_body_arrives_is_over(house: House):
    head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer good\r\n"
    first, rest = f"{head}content-length: {len(BODY)}\r\n\r\n".encode() + BODY[:3], BODY[3:]

    def portions() -> Iterator[bytes]:
        yield first
        del house.doorman.people["good"]
        house.doorman.has_changed = True
        house.now += 1.5
        house.app.admission.access.refresh()
        yield rest

    told = house._runner.run(Road(house.app, lane=house._lane).tell(portions()))
    assert told.raw.startswith(b"HTTP/1.1 401 ")


def test_a_caller_has_a_rate(house: House):
    assert [house.ask("modest")[0] for _ in range(4)] == [200, 200, 429, 429]
    status, problem = house.ask("modest")
    assert (status, problem["code"]) == (429, "access.rate_limited")
    assert house.ask("good")[0] == 200
    house.now += 120
    assert house.ask("modest")[0] == 200


def test_every_caller_has_the_rate_of_the_service(double: Any, runner: asyncio.Runner, lane: bool):
    house = House(double, runner, lane=lane, rate_limit="2/s")
    assert [house.ask(word)[0] for word in ("good", "good", "good", "brief")] == [200, 200, 429, 200]


def test_an_address_has_a_rate_behind_its_proxy(double: Any, runner: asyncio.Runner, lane: bool):
    house = House(double, runner, lane=lane, address_rate_limit="2/s", trusted_hops="127.0.0.1")
    one, other = "x-forwarded-for: 192.0.2.1", "x-forwarded-for: 192.0.2.1, 192.0.2.2"
    assert [house.ask("good", field)[0] for field in (one, one, one, other)] == [200, 200, 429, 200]


def test_the_lane_does_all_this_by_itself(double: Any, runner: asyncio.Runner):
    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("this was for the lane")

    house = House(double, runner, lane=True)
    house.app = replace(house.app, asgi=nothing)
    assert [house.ask(word)[0] for word in ("good", "good", "modest", "modest", "modest")] == [200] * 4 + [429]


def test_both_roads_give_the_same_bytes(double: Any, runner: asyncio.Runner):
    houses = [House(double, runner, lane=lane) for lane in (True, False)]
    for word in ("", "good", "other", "wrong", "modest", "modest", "modest"):
        one, other = (re.sub(rb"[0-9a-f]{32}|(?<=retry-after: )\d+", b"", house.told(word)) for house in houses)
        assert one == other


def test_a_large_body_of_a_stranger_is_not_waited_for(house: House):
    told = house.told("wrong", "transfer-encoding: chunked", body=b"")
    assert told.startswith(b"HTTP/1.1 400")  # beside a length
    data = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
    road = Road(house.app, lane=house._lane)
    back = house._runner.run(road.tell([data]))
    assert back.raw.startswith(b"HTTP/1.1 401")
    assert b"\r\nconnection: close\r\n" in back.raw


def test_every_route_has_an_operation(double: Any):
    operations = {each.path: each.operation for each in make(double).routes}
    assert operations.pop("/predict") is Operation.PREDICT
    assert {path for path, operation in operations.items() if operation is Operation.HEALTH} == {
        *("/health", "/ready", "/v2/health/live", "/v2/health/ready"),
    }
