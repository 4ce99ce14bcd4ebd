"""nginx in front of replicas: who is asked, what nobody else sees, and which limits agree with which.

request ─ TLS ─ bounds ─ the replica with the fewest requests ─ another one where that is gone ─ its answer, as it is

What nginx answers by itself are problems in the service's own form. Bodies and answers stay in memory: what callers
send is written to no file, and queries, which may hold values, are in no log.
"""

from __future__ import annotations

from zlib import crc32

import msgspec

from lading import __version__
from lading.settings import Settings
from lading.ship.nginx.nginx_text import Directive, block, duration, literal, plain
from lading.ship.nginx.passing import answer_s, passing, upstream
from lading.ship.nginx.problems import problem_answers, problem_variables
from lading.ship.plan import Plan

_CLIENT_S = 10.0
"""Between two pieces of a body, or of an answer that a caller reads."""
_NAME_CHARS = 24
"""Of a model's name that stand in the names of variables."""
_ID = "~^[A-Za-z0-9._:/@+=-]{1,128}$"
"""An id that a replica takes as it is."""
_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_LOGGED = {
    "time": "$time_iso8601",
    "address": "$remote_addr",
    "method": "$request_method",
    "path": "$PREFIX_path",
    "status": "$status",
    "seconds": "$request_time",
    "bytes_in": "$request_length",
    "bytes_out": "$bytes_sent",
    "request_id": "$PREFIX_id",
    "upstream": "$upstream_addr",
    "upstream_status": "$upstream_status",
    "upstream_seconds": "$upstream_response_time",
    "tls": "$ssl_protocol",
}
"""A line for each request; where several replicas were asked, the last ones have values with commas between."""


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """Where nginx stands.

    Attributes:
        upstreams: whom it asks: `172.30.57.11:8000`, or `unix:/run/lading/http.sock`.
        http: where it listens without TLS, as `listen` has it: `80`, `127.0.0.1:8080`.
        https: where it listens with TLS.
        certificate: path of the certificate and those between it and the root.
        key: path of its private key.
        public_port: where callers reach the server with TLS.
        tls: whether TLS ends here; else another proxy in front has it.
        access_log: where requests are logged.
        error_log: where its troubles are logged.
    """

    upstreams: tuple[str, ...]
    http: str = "80"
    https: str = "443"
    certificate: str = ""
    key: str = ""
    public_port: int = 443
    tls: bool = True
    access_log: str = "/dev/stdout"
    error_log: str = "stderr"


def whole(plan: Plan, front: Front, *, folder: str = "/tmp") -> tuple[Directive, ...]:
    """A configuration for an nginx that does nothing else, of any user, with one folder to write to.

    Args:
        plan: what is served.
        front: where.
        folder: for its process id, and for files that it insists on but does not write.
    """
    made = f"Made by Lading {__version__} from {plan.manifest.name} {plan.manifest.version}: lading ship."
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = [plain(f"{name}_temp_path", literal(f"{folder}/{name}")) for name in temporary]
    shutdown = "What is in flight when nginx is told to quit, or to reload, ends first; but nothing goes on for ever."
    return (
        plain("daemon", "off", comment=f"{made} nginx runs as whoever starts it, and needs no right beyond that."),
        plain("worker_processes", "auto"),
        plain("pid", literal(f"{folder}/nginx.pid")),
        plain("worker_shutdown_timeout", duration(shutdown_s(plan.settings)), comment=shutdown),
        _error_log(front),
        block("events", within=[plain("worker_connections", "4096")]),
        block("http", within=[*places, plain("server_names_hash_bucket_size", "512"), *site(plan, front)]),
    )


def shutdown_s(settings: Settings) -> float:
    """Seconds after which nginx, told to quit, gives up what is still in flight."""
    return answer_s(settings) + _CLIENT_S


def site(plan: Plan, front: Front) -> tuple[Directive, ...]:
    """What stands within `http`: whom to ask, and the servers. All its names begin with the model's."""
    prefix = _prefix(plan.name)
    return (
        *_variables(prefix),
        *problem_variables(prefix, plan.settings),
        _log_format(prefix),
        plain(
            *("limit_conn_zone", "$binary_remote_addr", f"zone={prefix}_addresses:10m"),
            comment="Replicas count no connections of nginx, so those of each address are counted here.",
        ),
        upstream(prefix, plan.settings, front.upstreams),
        *_servers(prefix, plan, front),
    )


def _prefix(name: str) -> str:
    """What the names begin with: nginx keeps those of variables in a table of 64 bytes for each."""
    name = name.replace("-", "_")
    short = name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 9]}_{crc32(name.encode()):08x}"
    return f"lading_{short}"


def _variables(prefix: str) -> list[Directive]:
    return [
        block(
            *("map", "$http_x_request_id", f"${prefix}_id"),
            within=[plain("default", "$request_id"), plain(_ID, "$http_x_request_id")],
            comment="The caller's own id where it is one that Lading takes as it is, else one that is made.",
        ),
        block(
            *("map", "$http_x_correlation_id", f"${prefix}_correlation"),
            within=[plain("default", f"${prefix}_id"), plain(_ID, "$http_x_correlation_id")],
        ),
        block(
            *("map", "$request_uri", f"${prefix}_path"),
            within=[plain("~^([^?]*)", "$1")],
            comment="What is logged of a target: its query may hold values of a request.",
        ),
    ]


def _log_format(prefix: str) -> Directive:
    fields = [f'"{name}":"{value.replace("PREFIX", prefix)}"' for name, value in _LOGGED.items()]
    lines = [f"{'{' * (not number)}{field}" for number, field in enumerate(fields)]
    text = [f"{line}," for line in lines[:-1]] + [f"{lines[-1]}}}"]
    return plain("log_format", f"{prefix}_json", "escape=json", *text)


# --- who asks


def _servers(prefix: str, plan: Plan, front: Front) -> list[Directive]:
    host, settings = literal(plan.choices.host), plan.settings
    encrypted = [plain("listen", literal(front.https), "ssl"), plain("server_name", host), *_tls(prefix, front)]
    hsts = _hsts(plan) if front.tls else []
    service = [
        *_bounds(settings),
        *_logging(prefix, front),
        *hsts,
        *passing(prefix, settings),
        *_locations(prefix, settings),
        *problem_answers(prefix, hsts),
    ]
    if not front.tls:
        return [block("server", within=[plain("listen", literal(front.http)), plain("server_name", host), *service])]
    port = "" if front.public_port == 443 else f":{front.public_port}"
    elsewhere = [
        plain("listen", literal(front.http)),
        plain("server_name", host),
        *_bounds(settings),
        *_logging(prefix, front),
        block("location", "/", within=[plain("return", "308", f"https://{host}{port}$request_uri")]),
        *problem_answers(prefix, []),
    ]
    return [
        block("server", within=elsewhere, comment="308 keeps the method and the body, where 301 would not."),
        block("server", within=[*encrypted, *service]),
    ]


def _tls(prefix: str, front: Front) -> list[Directive]:
    return [
        plain("ssl_certificate", literal(front.certificate)),
        plain("ssl_certificate_key", literal(front.key)),
        plain("ssl_protocols", "TLSv1.2", "TLSv1.3"),
        plain("ssl_ciphers", _CIPHERS, comment="Of TLS 1.2, those that keep what was recorded secret for ever."),
        plain("ssl_prefer_server_ciphers", "off"),
        plain("ssl_session_cache", f"shared:{prefix}_tls:10m"),
        plain("ssl_session_timeout", "1d"),
        plain("ssl_session_tickets", "off"),
    ]


def _hsts(plan: Plan) -> list[Directive]:
    if plan.choices.host == "localhost":  # whatever else is developed there would need TLS for a year
        return []
    return [plain("add_header", "Strict-Transport-Security", "max-age=31536000", "always")]


def _bounds(settings: Settings) -> list[Directive]:
    body = str(settings.max_body_bytes)
    return [
        plain("server_tokens", "off"),
        plain("gzip", "off", comment="Answers are small, and compressed secrets beside what callers choose leak."),
        plain("absolute_redirect", "off"),
        plain(
            *("ignore_invalid_headers", "on"),
            comment="Names of fields that could be read in two ways never reach a replica.",
        ),
        plain("underscores_in_headers", "off"),
        plain("client_header_timeout", duration(settings.header_timeout_s), comment="As the settings of Lading are."),
        plain("large_client_header_buffers", "4", str(max(settings.max_head_bytes, 1024))),
        plain("client_max_body_size", body),
        plain("client_body_buffer_size", body, comment="A body stays in memory, and comes to a replica as a whole."),
        plain("client_body_timeout", duration(min(_CLIENT_S, settings.body_timeout_s))),
        plain("send_timeout", duration(_CLIENT_S)),
    ]


def _logging(prefix: str, front: Front) -> list[Directive]:
    return [
        plain("access_log", literal(front.access_log), f"{prefix}_json"),
        _error_log(front)._replace(comment="Below `crit` nginx writes whole targets, queries included."),
        plain("log_not_found", "off"),
    ]


def _error_log(front: Front) -> Directive:
    return plain("error_log", literal(front.error_log), "crit")


def _locations(prefix: str, settings: Settings) -> list[Directive]:
    root = literal(settings.root_path)
    many = [
        plain("limit_conn", f"{prefix}_addresses", str(settings.max_connections_per_address)),
        plain("limit_conn_status", "503"),
    ]
    closed = "Metrics are for Prometheus, which asks each replica."
    return [
        block("location", f"{root}/", within=[*many, plain("proxy_pass", f"http://{prefix}")]),
        block("location", "=", f"{root}/metrics", within=[plain("return", "404")], comment=closed),
        block("location", "^~", f"{root}/metrics/", within=[plain("return", "404")]),
        *([block("location", "/", within=[plain("return", "404")])] if root else []),
    ]
