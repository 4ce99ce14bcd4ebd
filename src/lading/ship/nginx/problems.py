"""What nginx answers by itself, in the form of the service: a problem as in RFC 9457, with the id of the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from lading.settings import Settings
from lading.ship.nginx.nginx_text import Directive, block, plain

_FOLDER = "/.problem"


class Said(NamedTuple):
    """One answer of nginx.

    Attributes:
        causes: the statuses that nginx has for it; 494 is a head that is too large.
        status: that the caller gets.
        title: what kind of problem it is.
        code: as Lading has it.
        detail: what is wrong.
        is_later: whether the same request may be well a little later.
    """

    causes: tuple[int, ...]
    status: int
    title: str
    code: str
    detail: str
    is_later: bool = False


_SAID = (
    Said((400, 411, 501, 505), 400, "The request cannot be read", "request.malformed", "the request is not HTTP/1.1"),
    Said((497,), 400, "The request cannot be read", "request.malformed", "here requests are sent with TLS"),
    Said((404,), 404, "Not found", "route.unknown", "there is no such route"),
    Said((405,), 405, "Method not allowed", "route.method", "no route takes this method"),
    Said((413,), 413, "Too large", "input.too_large", "the body has more than {max_body_bytes} bytes"),
    Said((414,), 414, "Too large", "request.head_too_large", "the target has more bytes than it may have"),
    Said((494,), 431, "Too large", "request.head_too_large", "the head has more than {max_head_bytes} bytes"),
    Said((500,), 500, "Internal error", "internal", "an internal error; the log has it under this id"),
    Said((502,), 503, "Not now", "not_ready", "no replica is there that could answer", True),
    Said(
        *((503,), 503, "Not now", "connections.too_many"),
        *("no more than {max_connections_per_address} requests at once from one address", True),
    ),
    Said((504,), 504, "Too late", "deadline_exceeded", "the deadline passed before the answer was there", True),
)


def problem_variables(prefix: str, settings: Settings) -> list[Directive]:
    """The answers by the place where each is found, and which of them have `Retry-After`."""
    bodies = [plain(_place(said), _body(said, prefix, settings)) for said in _SAID]
    later = [plain(_place(said), f"${prefix}_later") for said in _SAID if said.is_later]
    lot = [plain("33.3%", "1"), plain("33.3%", "2"), plain("*", "3")]
    return [
        block(
            *("map", "$uri", f"${prefix}_problem"),
            within=[plain("default", ""), *bodies],
            comment="What nginx answers by itself, in the form of the service: a problem as in RFC 9457.",
        ),
        block(
            *("split_clients", "$request_id", f"${prefix}_later"),
            within=lot,
            comment="Seconds after which to ask again, by lot: who is refused together does not come back together.",
        ),
        block("map", "$uri", f"${prefix}_retry_after", within=[plain("default", ""), *later]),
    ]


def problem_answers(prefix: str, fields: Sequence[Directive]) -> list[Directive]:
    """Which answer stands for which status of nginx's own, and where they are; those of replicas pass as they are.

    Args:
        prefix: of the names of variables.
        fields: that every answer of the server has.
    """
    pages = [
        plain("error_page", *(str(cause) for cause in said.causes), f"={said.status}", _place(said)) for said in _SAID
    ]
    answer = [
        plain("internal"),
        plain("default_type", "application/problem+json"),
        *fields,
        plain("add_header", "X-Request-ID", f"${prefix}_id", "always"),
        plain("add_header", "X-Correlation-ID", f"${prefix}_correlation", "always"),
        plain("add_header", "Retry-After", f"${prefix}_retry_after", "always"),
        plain("return", "200", f"${prefix}_problem", comment="The status is the one that `error_page` says."),
    ]
    return [*pages, block("location", "^~", f"{_FOLDER}/", within=answer)]


def _place(said: Said) -> str:
    return f"{_FOLDER}/{said.causes[0]}"


def _body(said: Said, prefix: str, settings: Settings) -> str:
    limits = {name: getattr(settings, name) for name in settings.__struct_fields__}
    body = {
        "type": f"urn:lading:error:{said.code}",
        "title": said.title,
        "status": said.status,
        "code": said.code,
        "detail": said.detail.format(**limits),
        "id": f"${prefix}_id",
    }
    return msgspec.json.encode(body).decode()
