"""Case T040: /oauth/token answers in the words of RFC 6749, and gives nothing that was not asked for or not had."""

import asyncio
import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from tests.http.roads import Road

from lading.access.keys.file import create_key
from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots
from lading.serve.composition import compose
from lading.settings import Settings

FORM = "content-type: application/x-www-form-urlencoded"
GRANT = "grant_type=client_credentials"
SCOPES = ("metrics", "models:read", "predict:iris")
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")
"""RFC 6749, 5.2."""


class Told(NamedTuple):
    """Status, fields with names in lower case, and body of an answer; the body of a problem or of a token."""

    status: int
    fields: dict[str, str]
    body: dict[str, Any]

    @property
    def error(self) -> tuple[int, str]:
        """Status and word of a refusal, which has to be in the form of the standard."""
        assert self.body.keys() == {"error", "error_description"}
        assert DESCRIPTION.fullmatch(self.body["error_description"])
        return self.status, self.body["error"]


class Office(NamedTuple):
    """A service that gives tokens; the id and the text of a key there."""

    ask: Callable[..., Told]
    id: str
    key: str

    def grant(self, form: str = GRANT, *fields: str, who: str | None = None) -> Told:
        """What who sends a form with good credentials is told."""
        return self.ask("POST /oauth/token", FORM, self.basic() if who is None else who, *fields, body=form.encode())

    def basic(self, id_: str = "", key: str = "") -> str:
        pair = f"{id_ or self.id}:{key or self.key}"
        return f"authorization: Basic {base64.b64encode(pair.encode()).decode()}"


@pytest.fixture(params=[True, False], ids=["lane", "ordinary"])
def office(request: pytest.FixtureRequest, double: Any, tmp_path: Path) -> Iterator[Office]:
    path = tmp_path / "keys.json"
    key, text = create_key(path, "shop", datetime.now(UTC), scopes=SCOPES)
    made = compose(Settings(auth="tokens", keys_file=str(path), failure_rate_limit="50/m"))
    made.service.start(lambda: double)
    counters = SharedCounters(Slots.create(1), 0)
    app = SimpleNamespace(service=made.service, counters=counters, asgi=made.app, admission=made.admission)
    with asyncio.Runner() as runner:

        def ask(line: str, *fields: str, body: bytes = b"") -> Told:
            head = "\r\n".join([f"{line} HTTP/1.1", "host: x", f"content-length: {len(body)}", *filter(None, fields)])
            raw = runner.run(Road(app, lane=request.param).tell([head.encode("latin-1") + b"\r\n\r\n" + body])).raw
            top, _, answer = raw.partition(b"\r\n\r\n")
            first, *lines = top.decode().split("\r\n")
            named = dict(line.split(": ", 1) for line in lines)
            return Told(int(first.split(" ")[1]), named, json.loads(answer) if answer else {})

        yield Office(ask, key.id, text)
    made.service.close()


def test_a_token_is_as_the_standard_says(office: Office):
    answer = office.grant()
    assert answer.status == 200
    assert answer.body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.body["token_type"], answer.body["scope"]) == ("Bearer", " ".join(SCOPES))
    assert 0 < answer.body["expires_in"] <= 600
    assert (answer.fields["cache-control"], answer.fields["pragma"]) == ("no-store", "no-cache")
    assert answer.fields["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("form", "got"),
    [
        (f"{GRANT}&scope=metrics", "metrics"),
        (f"{GRANT}&scope=predict:iris+metrics", "metrics predict:iris"),
        (f"scope=predict%3Airis&{GRANT}&unknown=1&unknown=2", "predict:iris"),
        (f"{GRANT}&scope=", " ".join(SCOPES)),
    ],
)
def test_it_has_the_scopes_that_were_asked_for(office: Office, form: str, got: str):
    assert office.grant(form).body["scope"] == got


FORMS = {
    "": "invalid_request",
    "grant_type=": "invalid_request",
    "scope=metrics": "invalid_request",
    f"{GRANT}&{GRANT}": "invalid_request",
    f"{GRANT}&scope=metrics&scope=metrics": "invalid_request",
    f"{GRANT}&client_id=other": "invalid_request",
    f"{GRANT}&client_secret=x": "invalid_request",
    f"{GRANT}&client_assertion=x": "invalid_request",
    f"{GRANT}&scope=%ff": "invalid_request",
    f"{GRANT}&scope=é": "invalid_request",
    GRANT + "&a=1" * 40: "invalid_request",
    "grant_type=password&username=a&password=b": "unsupported_grant_type",
    "grant_type=authorization_code&code=x": "unsupported_grant_type",
    "grant_type=refresh_token": "unsupported_grant_type",
    "grant_type=CLIENT_CREDENTIALS": "unsupported_grant_type",
    f"{GRANT}&scope=everything": "invalid_scope",
    f"{GRANT}&scope=predict:*": "invalid_scope",
    f"{GRANT}&scope=predict:other": "invalid_scope",
    f"{GRANT}&scope=models:admin": "invalid_scope",
    f"{GRANT}&scope=metrics+models:admin": "invalid_scope",
    f"{GRANT}&scope=metrics,models:read": "invalid_scope",
    f"{GRANT}&scope=metrics%0amodels:read": "invalid_scope",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_does_not_do_is_refused(office: Office, form: str):
    answer = office.grant(form)
    assert answer.error == (400, FORMS[form])
    assert (answer.fields["cache-control"], answer.fields["pragma"]) == ("no-store", "no-cache")
    assert "www-authenticate" not in answer.fields


def test_a_client_that_is_not_good_is_challenged(office: Office):
    wrong = office.key[:-10] + ("a" if office.key[-10] != "a" else "b") + office.key[-9:]
    clients = {
        *(
            "",
            office.basic(key=wrong),
            office.basic(id_="00000000"),
            office.basic(id_="shop"),
            f"x-api-key: {office.key}",
        ),
        *(
            f"authorization: Bearer {office.key}",
            "authorization: Basic x",
            "authorization: Basic",
            office.basic(key="%zz"),
        ),
        *(
            f"{office.basic()}\r\nx-api-key: x",
            f"{office.basic()}\r\n{office.basic()}",
            office.basic(key=f"{office.key} "),
        ),
    }
    answers = [office.grant(who=client) for client in clients]
    assert {answer.error for answer in answers} == {(401, "invalid_client")}
    assert all(answer.fields["www-authenticate"].startswith('Basic realm="lading"') for answer in answers)
    assert {answer.fields["cache-control"] for answer in answers} == {"no-store"}


def test_a_secret_in_the_body_alone_shows_nobody(office: Office):
    form = f"{GRANT}&client_id={office.id}&client_secret={quote(office.key)}"
    assert office.grant(form, who="").error == (401, "invalid_client")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "text/plain", "multipart/form-data; boundary=b", "application/x-www-form-urlencodedx", ""],
)
def test_another_body_than_a_form_is_refused(office: Office, kind: str):
    field = f"content-type: {kind}" if kind else ""
    body = json.dumps({"grant_type": "client_credentials"}).encode() if "json" in kind else GRANT.encode()
    assert office.ask("POST /oauth/token", field, office.basic(), body=body).error == (400, "invalid_request")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-Urlencoded"]
)
def test_a_form_is_a_form_however_it_is_written(office: Office, kind: str):
    answer = office.ask("POST /oauth/token", f"content-type: {kind}", office.basic(), body=GRANT.encode())
    assert answer.status == 200


@pytest.mark.parametrize("query", [GRANT, "client_secret=x", "x"])
def test_nothing_stands_in_the_address(office: Office, query: str):
    answer = office.ask(f"POST /oauth/token?{query}", FORM, office.basic(), body=GRANT.encode())
    assert answer.error == (400, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_is_asked_by_post_alone(office: Office, method: str):
    answer = office.ask(f"{method} /oauth/token", office.basic())
    assert (answer.status, answer.fields["allow"]) == (405, "POST")


def test_a_body_is_small_and_stays_so(office: Office):
    large = f"{GRANT}&x={'a' * 8192}".encode()
    for body, coding in ((large, ""), (gzip.compress(large), "content-encoding: gzip")):
        assert office.ask("POST /oauth/token", FORM, coding, office.basic(), body=body).status == 413


def test_nothing_that_was_sent_is_said_again(office: Office):
    for form in (
        f"grant_type=c4nary&{GRANT}",
        "grant_type=c4nary",
        f"{GRANT}&scope=c4nary",
        f"{GRANT}&client_id=c4nary",
    ):
        assert "c4nary" not in json.dumps(office.grant(form).body)


def test_who_tries_too_often_is_told_to_wait(office: Office):
    answers = [office.grant(who=office.basic(key="lk_x")) for _ in range(52)]
    assert [answer.status for answer in answers] == [401] * 50 + [429] * 2
    assert int(answers[-1].fields["retry-after"]) >= 1
