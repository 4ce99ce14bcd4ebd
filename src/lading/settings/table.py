"""The one table of settings: name, type, default, unit and sentence of each."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

LogFormat = Literal["auto", "text", "json"]
Form = Literal["", "networks", "rate", "origins", "path", "name"]
"""What a text is, where it is not any text."""
Section = Literal["Listen", "Access", "Tokens of another issuer", "TLS", "Limits", "Processes and time", "Features"]
"""Where it stands in the help."""
Limits = dict[str, int | float | str]
"""Settings of one model or of one route, by name."""


class Setting(msgspec.Struct, frozen=True):
    """One setting: its default says its type, its unit stands in its name."""

    name: str
    default: bool | int | float | str
    section: Section
    sentence: str
    minimum: float | None = None
    choices: tuple[str, ...] = ()
    form: Form = ""
    is_secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "host", "127.0.0.1", "Listen", "Address to listen on; another than loopback needs --production, or --insecure."
    ),
    Setting("port", 8000, "Listen", "Port to listen on; 0 takes a free one.", minimum=0),
    Setting("insecure", False, "Access", "Listen on another address than loopback without authentication."),
    Setting(
        "production",
        False,
        "Access",
        "Refuse to start unless the bundle is signed by a trusted key and access is settled.",
    ),
    Setting("trust", "", "Access", "Folder of the keys that are trusted; else `trust` in the user's configuration."),
    Setting(
        "auth",
        "",
        "Access",
        "Who is asked for what: keys, tokens, basic, jwt, certificate, with commas between; network where something "
        "in front asks.",
    ),
    Setting("keys_file", "", "Access", "Where API keys are; else `keys.json` in the user's configuration."),
    Setting(
        "users_file",
        "",
        "Access",
        "Where users and their passwords' hashes are; else `users.json` in the configuration.",
    ),
    Setting(
        "token_secret_file",
        "",
        "Access",
        "What tokens are made with, where several replicas take each other's; else random at the start.",
    ),
    Setting("token_s", 600.0, "Access", "Seconds that a token of /oauth/token lasts.", minimum=1),
    Setting(
        "jwt_issuer", "", "Tokens of another issuer", "Who signs the tokens that `jwt` takes: the claim `iss`, exactly."
    ),
    Setting("jwt_audience", "", "Tokens of another issuer", "For whom they are signed: the claim `aud`."),
    Setting("jwks_url", "", "Tokens of another issuer", "Where the issuer's keys are: https, or http on this machine."),
    Setting(
        "jwt_algorithms",
        "RS256,ES256",
        "Tokens of another issuer",
        "What the issuer signs with; one family of keys or the other.",
    ),
    Setting(
        "jwks_refresh_s",
        300.0,
        "Tokens of another issuer",
        "Seconds after which the issuer's keys are fetched again.",
        minimum=1,
    ),
    Setting(
        "jwks_max_stale_s",
        3600.0,
        "Tokens of another issuer",
        "Seconds that keys are taken while the issuer does not answer.",
        minimum=1,
    ),
    Setting("tls_certificate_file", "", "TLS", "Certificate and those between it and the root, PEM: serve HTTPS."),
    Setting("tls_key_file", "", "TLS", "Private key of the certificate, PEM, readable by nobody else."),
    Setting("client_ca_file", "", "TLS", "Who signs the certificates that callers have to show, PEM."),
    Setting("client_crl_file", "", "TLS", "Those of them that were revoked, PEM."),
    Setting("client_names", "", "Access", "Names that a caller's certificate may have, where not all do."),
    Setting("client_scopes", "predict:*,models:read", "Access", "What a caller with a certificate may do."),
    Setting(
        "rate_limit",
        "",
        "Limits",
        "How often each caller may ask, as 100/s, 1000/m or 5000/h; empty for no limit.",
        form="rate",
    ),
    Setting(
        "address_rate_limit",
        "",
        "Limits",
        "How often each address may ask; behind a proxy, see --trusted-hops.",
        form="rate",
    ),
    Setting(
        "failure_rate_limit",
        "60/m",
        "Limits",
        "How often an address may bring credentials that are not good.",
        form="rate",
    ),
    Setting(
        "cors_origins",
        "",
        "Access",
        "Web pages that may ask from a browser, as https://app.example.com.",
        form="origins",
    ),
    Setting("root_path", "", "Listen", "Path under which a proxy offers the service, as /models/iris.", form="path"),
    Setting(
        "served_name",
        "",
        "Listen",
        "Name of the model below /v2 and /v1/models, where a platform has its own for it; else the model's.",
        form="name",
    ),
    Setting("unix_socket", "", "Listen", "Path of a socket to listen on, in place of host and port."),
    Setting(
        "listen_when_ready",
        False,
        "Listen",
        "Take no connection before the model is ready, for a proxy in front that looks at nothing else.",
    ),
    Setting("max_expansion", 100.0, "Limits", "How many times its size a compressed body may become.", minimum=1),
    Setting(
        "workers",
        1,
        "Processes and time",
        "Processes that answer, sharing the model's memory; 1 does without a supervisor.",
        minimum=1,
    ),
    Setting(
        "threads", 1, "Processes and time", "Threads that the libraries of a model may use in each process.", minimum=1
    ),
    Setting(
        "reload",
        False,
        "Processes and time",
        "In development: load the model anew when its file, or Python code beside it, changes.",
    ),
    Setting(
        "log_format",
        "auto",
        "Processes and time",
        "Log lines: text on a terminal, JSON elsewhere.",
        choices=get_args(LogFormat),
    ),
    Setting("max_body_bytes", 8 << 20, "Limits", "Bytes that a request's body may have.", minimum=1),
    Setting("max_rows", 10_000, "Limits", "Rows that one request may have.", minimum=1),
    Setting("max_cells", 5_000_000, "Limits", "Cells, rows times columns, that one request may have.", minimum=1),
    Setting(
        "max_image_pixels",
        40_000_000,
        "Limits",
        "Pixels that the images of one request may have together, as sent.",
        minimum=1,
    ),
    Setting("max_batch_rows", 1024, "Processes and time", "Rows that go through the model together.", minimum=1),
    Setting(
        "max_queue_rows", 20_000, "Limits", "Rows that may wait for the model; more are refused with 503.", minimum=1
    ),
    Setting(
        "request_timeout_s",
        10.0,
        "Processes and time",
        "Seconds after which a request that is not answered gets 504.",
        minimum=0.001,
    ),
    Setting(
        "body_timeout_s",
        60.0,
        "Processes and time",
        "Seconds that a body may take to arrive, however large.",
        minimum=0.001,
    ),
    Setting(
        "lane",
        True,
        "Processes and time",
        "Answer plain prediction requests inside the server protocol; off, all go through ASGI.",
    ),
    Setting("max_head_bytes", 16 << 10, "Limits", "Bytes that the head of a request may have.", minimum=256),
    Setting(
        "header_timeout_s",
        5.0,
        "Processes and time",
        "Seconds that the head of a request may take to arrive.",
        minimum=0.001,
    ),
    Setting(
        "inline_s",
        0.002,
        "Processes and time",
        "A model whose batch takes longer than this runs in a thread.",
        minimum=0,
    ),
    Setting("keep_alive_s", 15.0, "Processes and time", "Seconds that an idle connection is kept.", minimum=0),
    Setting(
        "max_connections", 1000, "Limits", "Connections that a process holds; more are refused with 503.", minimum=1
    ),
    Setting("max_connections_per_address", 100, "Limits", "Connections that it holds from one address.", minimum=1),
    Setting(
        "features_url",
        "",
        "Features",
        "Where features are looked up: sqlite:///, postgresql:// or redis://, or two of them with a space between.",
        is_secret=True,
    ),
    Setting("features_timeout_s", 1.0, "Features", "Seconds that a request may wait for features.", minimum=0.001),
    Setting("features_cache_rows", 100_000, "Features", "Keys of each lookup that a process remembers.", minimum=1),
    Setting(
        "trusted_hops",
        "",
        "Listen",
        "Proxies in front, which limits of connections spare, and whose X-Forwarded-For is believed: "
        "10.0.0.0/8,192.168.1.7.",
        form="networks",
    ),
    Setting(
        "drain_s",
        5.0,
        "Processes and time",
        "Seconds after SIGTERM in which callers are still answered, and told to go elsewhere.",
        minimum=0,
    ),
    Setting(
        "shutdown_s",
        30.0,
        "Processes and time",
        "Seconds that requests in flight may take after a signal to stop.",
        minimum=0,
    ),
    Setting(
        "start_timeout_s",
        600.0,
        "Processes and time",
        "Seconds that a model may take to load and answer its golden rows.",
        minimum=1,
    ),
    Setting(
        "stuck_s",
        30.0,
        "Processes and time",
        "A worker whose model does not return for so many seconds is replaced.",
        minimum=1,
    ),
)
"""Every setting of the server."""

LIMITS = (
    *("max_body_bytes", "max_expansion", "max_rows", "max_cells", "max_image_pixels"),
    *("request_timeout_s", "body_timeout_s", "rate_limit"),
)
"""Those that a model or a route may have for itself."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one server; `SETTINGS` says what each means.

    Attributes:
        models: the limits that a model has for itself, by its name.
        routes: those that a route has, by its path.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    insecure: bool = False
    production: bool = False
    trust: str = ""
    auth: str = ""
    keys_file: str = ""
    users_file: str = ""
    token_secret_file: str = ""
    token_s: float = 600.0
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwks_url: str = ""
    jwt_algorithms: str = "RS256,ES256"
    jwks_refresh_s: float = 300.0
    jwks_max_stale_s: float = 3600.0
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    client_ca_file: str = ""
    client_crl_file: str = ""
    client_names: str = ""
    client_scopes: str = "predict:*,models:read"
    rate_limit: str = ""
    address_rate_limit: str = ""
    failure_rate_limit: str = "60/m"
    cors_origins: str = ""
    root_path: str = ""
    served_name: str = ""
    unix_socket: str = ""
    listen_when_ready: bool = False
    max_expansion: float = 100.0
    workers: int = 1
    threads: int = 1
    reload: bool = False
    log_format: LogFormat = "auto"
    max_body_bytes: int = 8 << 20
    max_rows: int = 10_000
    max_cells: int = 5_000_000
    max_image_pixels: int = 40_000_000
    max_batch_rows: int = 1024
    max_queue_rows: int = 20_000
    request_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    lane: bool = True
    max_head_bytes: int = 16 << 10
    header_timeout_s: float = 5.0
    inline_s: float = 0.002
    keep_alive_s: float = 15.0
    max_connections: int = 1000
    max_connections_per_address: int = 100
    features_url: str = ""
    features_timeout_s: float = 1.0
    features_cache_rows: int = 100_000
    trusted_hops: str = ""
    drain_s: float = 5.0
    shutdown_s: float = 30.0
    start_timeout_s: float = 600.0
    stuck_s: float = 30.0
    models: dict[str, Limits] = {}
    routes: dict[str, Limits] = {}

    def __repr__(self) -> str:
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        said |= {setting.name: "…" for setting in SETTINGS if setting.is_secret and said[setting.name]}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in said.items())})"

    @property
    def is_supervised(self) -> bool:
        """Whether a supervisor starts processes that serve, instead of one process that does all."""
        return self.workers > 1 or self.reload

    def for_model(self, name: str) -> Settings:
        """These settings with the limits of a model in their places."""
        return self._with(self.models.get(name))

    def for_route(self, path: str) -> Settings:
        """These settings with the limits of a route in their places."""
        return self._with(self.routes.get(path))

    def _with(self, limits: Limits | None) -> Settings:
        return msgspec.structs.replace(self, **limits) if limits else self
