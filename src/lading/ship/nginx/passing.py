"""How nginx asks replicas: which one, what it tells it, and when it asks another one."""

from __future__ import annotations

from collections.abc import Sequence

from lading.settings import Settings
from lading.ship.nginx.nginx_text import Directive, block, duration, literal, plain

CONNECT_S = 1.0
"""That a replica may take to accept a connection: one on the same network takes a millisecond."""
AWAY_S = 2.0
"""For which a replica that failed is left alone; less than `drain_s`, so that one which came back is in use again."""
_LATER_S = 2.0
"""By which nginx waits longer for an answer than a replica does, which then says itself that it is too late."""
_KEPT = 2 / 3
"""Of the time that a replica keeps a connection: nginx has closed it by then, and no request meets its end."""
_TRIES = 3
"""Replicas that a request is brought to at most: one that has just gone, another such one, and one that is there."""
_DROPPED = (
    "Forwarded",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Real-IP",
)
"""Fields in which a caller could claim what only a proxy knows."""


def upstream(prefix: str, settings: Settings, addresses: Sequence[str]) -> Directive:
    """Who may be asked, under the name that is the prefix; whom of them, and when nobody is to be asked again."""
    away = ("max_fails=1", f"fail_timeout={duration(AWAY_S)}")
    is_alone = len(addresses) == 1
    kept = [
        plain("keepalive", "32", comment="nginx closes idle connections before a replica does."),
        plain("keepalive_timeout", duration(settings.keep_alive_s * _KEPT)),
    ]
    first = [plain("server", literal(each), *(["max_fails=0"] if is_alone else away)) for each in addresses]
    why = "Where none of them is left, whoever is there is asked nevertheless: a failure may have been the only one."
    again = [plain("server", literal(each), "max_fails=0", "backup") for each in addresses]
    again[0] = again[0]._replace(comment=why)
    within = [
        plain("zone", prefix, "256k", comment="What nginx's processes know of the replicas, they know together."),
        plain("least_conn"),
        *first,
        *([] if is_alone else again),
        *(kept if settings.keep_alive_s else []),
    ]
    return block("upstream", prefix, within=within)


def passing(prefix: str, settings: Settings) -> list[Directive]:
    """How a request is brought to a replica, when to another one, and how its answer comes back."""
    answer = duration(answer_s(settings))
    passed = {
        "Host": "$host",
        "Connection": "",
        "X-Request-ID": f"${prefix}_id",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
    } | dict.fromkeys(_DROPPED, "")
    fields = [plain("proxy_set_header", name, value) for name, value in passed.items()]
    fields[0] = fields[0]._replace(
        comment="What replicas are told of a caller is what nginx knows itself: nothing that the caller wrote there."
    )
    again = (
        "A prediction changes nothing, so a replica that goes away in the middle of one is no reason to fail: the next "
        "one is asked, also for POST. Not after a 503: a queue that is full here is full there too. And not when the "
        "model is slow: `timeout` is for replicas that do not even connect, as the time for asking again has passed "
        "when an answer is too late."
    )
    return [
        plain("proxy_http_version", "1.1"),
        *fields,
        plain("proxy_next_upstream", "error", "timeout", "non_idempotent", comment=again),
        plain("proxy_next_upstream_tries", str(_TRIES)),
        plain("proxy_next_upstream_timeout", answer),
        plain("proxy_connect_timeout", duration(CONNECT_S)),
        plain("proxy_send_timeout", answer),
        plain(
            *("proxy_read_timeout", answer),
            comment="A replica says itself that it is too late, with 504; nginx waits a little longer than that.",
        ),
        plain("proxy_intercept_errors", "off"),
        plain("proxy_redirect", "off"),
        plain("proxy_buffers", "16", "64k", comment="Answers that do not fit in here wait in the replica, in no file."),
        plain("proxy_buffer_size", "16k"),
        plain("proxy_busy_buffers_size", "128k"),
        plain("proxy_max_temp_file_size", "0"),
    ]


def answer_s(settings: Settings) -> float:
    """Seconds that nginx waits for an answer."""
    return settings.request_timeout_s + _LATER_S
