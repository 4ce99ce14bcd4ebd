"""A real issuer on this machine: a server with keys, tokens that they sign, and every way to fail."""

import asyncio
import base64
import contextlib
import datetime
import functools
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from lading.access.credentials import Credentials
from lading.access.jwt.authenticator import JwtAuthenticator
from lading.access.jwt.fetching import fetch
from lading.access.jwt.issuer_keys import IssuerKeys
from lading.access.principal import Principal

ISSUER = "https://login.example.com/realms/main"
AUDIENCE = "lading"
NOW = 1_800_000_000.0
TIMEOUT_S = 0.3
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


@functools.cache
def private_key(key_id: str) -> Any:
    """A key for each name; what the name begins with says of which kind."""
    if key_id.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if key_id.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP384R1() if key_id.startswith("ec384") else ec.SECP256R1())


def jwk(key_id: str, **more: Any) -> dict[str, Any]:
    """The public half, as an issuer publishes it."""
    kind = {"rsa": RSAAlgorithm, "ed": OKPAlgorithm}.get(key_id.rstrip("0123456789-"), ECAlgorithm)
    entry = kind.to_jwk(private_key(key_id).public_key(), as_dict=True)
    entry.pop("key_ops", None)
    return entry | {"kid": key_id} | more


def key_set(*entries: dict[str, Any] | str) -> bytes:
    """A key set of these entries, or of the keys with these names."""
    return json.dumps({"keys": [jwk(each) if isinstance(each, str) else each for each in entries]}).encode()


def claims(**more: Any) -> dict[str, Any]:
    """Good ones, with others beside or in their places; None leaves one out."""
    good = {
        "iss": ISSUER,
        "aud": [AUDIENCE, "account"],
        "sub": "alice",
        "iat": NOW - 10,
        "exp": NOW + 300,
        "scope": "openid predict:iris models:read",
    }
    return {name: value for name, value in (good | more).items() if value is not None}


def token(key_id: str = "rsa-1", algorithm: str = "RS256", *, header: dict[str, Any] | None = None, **more: Any) -> str:
    """One that an issuer would give."""
    fields = {"kid": key_id} | (header or {})
    fields = {name: value for name, value in fields.items() if value is not None}
    return jwt.encode(claims(**more), private_key(key_id), algorithm, fields)


def part(value: Any) -> str:
    """One part of a token."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(head: bytes, payload: bytes, key_id: str = "rsa-1") -> str:
    """A token of just these bytes, which no library would write, with a good signature."""
    text = f"{part(head)}.{part(payload)}".encode()
    algorithm = RSAAlgorithm(RSAAlgorithm.SHA256)
    return f"{text.decode()}.{part(algorithm.sign(text, private_key(key_id)))}"


class Clock:
    """A time that passes when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Reader:
    """The authenticator as a server has it, with times that are told."""

    def __init__(self, url: str, algorithms: str = "RS256,ES256", timeout_s: float = TIMEOUT_S) -> None:
        self.now, self.clock = Clock(50.0), Clock(NOW)
        names = frozenset(algorithms.split(","))
        self.keys = IssuerKeys(partial(fetch, url, timeout_s), names, refresh_s=300, max_stale_s=3600, now=self.now)
        self.authenticator = JwtAuthenticator(ISSUER, AUDIENCE, names, self.keys, clock=self.clock)

    def ask(self, token: str) -> Principal:
        """Who brings it, as `Access` asks."""
        return asyncio.run(self.asked(token))

    async def asked(self, token: str) -> Principal:
        credentials = Credentials("bearer", token)
        return self.authenticator.known(credentials) or await self.authenticator.authenticate(credentials)

    def known(self, token: str) -> Principal | None:
        return self.authenticator.known(Credentials("bearer", token))

    def refresh(self) -> bool:
        """What the server does once a second, and what it is told when a fetch has ended."""
        has_lost = self.authenticator.refresh()
        asyncio.run(self.keys.fetched())
        return self.authenticator.refresh() or has_lost

    def later(self, seconds: float) -> bool:
        """So much later, and what `refresh` says then."""
        self.now.now += seconds
        return self.refresh()


# --- the server


class Issuer(ThreadingHTTPServer):
    """Answers with its `keys`, or does what its `mode` says, one of `MODES`; `asked` counts requests."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.mode = "good"
        self.keys = key_set("rsa-1", "ec-1")
        self.asked = 0
        self.target = ""
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_port}/keys"

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.asked += 1
        if self.mode == "no handshake":
            self.is_over.wait()
        secured = self.tls.wrap_socket(request, server_side=True) if self.tls else request
        with secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: callers leave, and that is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Issuer

    def do_GET(self) -> None:
        MODES[self.server.mode](self)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.is_over.wait(0.02):
            self.wfile.write(b" ")

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.is_over.is_set():
            self.wfile.write(b" " * 65536)


MODES: dict[str, Callable[[_Handler], Any]] = {
    "good": lambda handler: handler.answer(handler.server.keys),
    "no handshake": lambda handler: None,
    "silent": lambda handler: None,
    "slow": lambda handler: handler.server.is_over.wait(),
    "drip": _Handler.drip,
    "500": lambda handler: handler.answer(b"{}", 500),
    "404": lambda handler: handler.answer(handler.server.keys, 404),
    "garbage": lambda handler: handler.answer(b"\x00<html>" * 100),
    "no http": lambda handler: handler.wfile.write(b"\x15\x03\x01 no http\r\n\r\n"),
    "deep": lambda handler: handler.answer(b'{"keys":' + b"[" * 100_000),
    "large": lambda handler: handler.answer(handler.server.keys, **{"Content-Length": str(100 << 20)}),
    "huge": _Handler.endless,
    "empty": lambda handler: handler.answer(b'{"keys": []}'),
    "no keys": lambda handler: handler.answer(b"{}"),
    "a list": lambda handler: handler.answer(b"[]"),
    "many": lambda handler: handler.answer(key_set(*[jwk("rsa-1", kid=str(number)) for number in range(65)])),
    "others": lambda handler: handler.answer(key_set({"kty": "oct", "k": "AAAA", "kid": "rsa-1"})),
    "redirect": lambda handler: handler.answer(b"", 302, Location=handler.server.target),
}
BROKEN = tuple(mode for mode in MODES if mode not in {"good", "no handshake"})


@contextlib.contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Issuer]:
    """An issuer that answers."""
    issuer = Issuer(tls)
    thread = threading.Thread(target=partial(issuer.serve_forever, 0.01), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.is_over.set()
        issuer.shutdown()
        issuer.server_close()
        thread.join()


# --- certificates


class Authority(NamedTuple):
    """Somebody who signs certificates, and the file that makes them known."""

    name: x509.Name
    key: Any
    path: Path


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, signer: x509.Name, public: Any, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def authority(folder: Path) -> Authority:
    """A new one."""
    key, name = private_key("ec-authority"), _named("Test authority")
    builder = _begun(name, name, key.public_key(), 10).add_extension(x509.BasicConstraints(True, None), True)
    path = folder / "authority.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return Authority(name, key, path)


def tls_of(authority: Authority, folder: Path, *, host: str = "127.0.0.1", days: int = 10) -> ssl.SSLContext:
    """What a server says, with a certificate for an address until so many days from now."""
    key = private_key("ec-server")
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    certificate = _begun(_named("issuer"), authority.name, key.public_key(), days).add_extension(names, False)
    unlocked = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(pem, pkcs8, unlocked) + certificate.sign(authority.key, hashes.SHA256()).public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
