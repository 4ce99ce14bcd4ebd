"""A certificate that is replaced while it serves: new connections get the new one, and no request fails."""

import http.client
import json
import os
import shutil
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.certificates import SERVER, Authority, Pair

from lading.errors import SettingsError
from lading.serve.tls import Tls
from lading.settings import Settings

from .conftest import Server
from .family import until

WAIT_S = 60
TAKEN_S = 5.0
"""Each process looks once a second."""
KEPT = "the new certificate cannot be used; the one before goes on"


class Port:
    """A server with TLS whose files are its own, and who has certified it."""

    def __init__(self, server: Server, authority: Authority, files: Pair) -> None:
        self.server, self.authority, self.files = server, authority, files
        host, port = server.url.removeprefix("https://").split(":")
        self.address = host, int(port)

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.authority.path))
        return http.client.HTTPSConnection(*self.address, timeout=WAIT_S, context=context)

    def serial(self) -> int:
        """The number of the certificate that a new connection gets."""
        with socket.create_connection(self.address, timeout=WAIT_S) as connection:
            context = ssl.create_default_context(cafile=str(self.authority.path))
            with context.wrap_socket(connection, server_hostname=self.address[0]) as secure:
                shown = secure.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number

    def certify(self) -> Pair:
        """A new pair, which is nowhere yet."""
        return self.authority.certify(f"server-{os.urandom(4).hex()}", "127.0.0.1", usage=SERVER)

    def put(self, pair: Pair) -> None:
        """Put both files of a pair in place, each whole."""
        put(pair.certificate, self.files.certificate)
        put(pair.key, self.files.key)

    def shows(self, pair: Pair, times: int = 8) -> bool:
        """Whether every process shows this one, as far as so many connections tell."""
        return {self.serial() for _ in range(times)} == {pair.serial}


def put(source: Path, place: Path) -> None:
    """Replace a file by another one, whole."""
    os.replace(shutil.copy(source, place.with_suffix(".new")), place)


@pytest.fixture(scope="module", params=["1", "2"])
def port(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    double_path: Path,
    module_start: Callable[..., Server],
) -> Port:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "authority")
    first = authority.certify("first", "127.0.0.1", usage=SERVER)
    files = Pair(folder / "tls.pem", folder / "tls.key", first.serial)
    shutil.copy(first.certificate, files.certificate)
    shutil.copy(first.key, files.key)
    options = ("--tls-certificate-file", str(files.certificate), "--tls-key-file", str(files.key))
    return Port(module_start(double_path, *options, "--workers", request.param), authority, files)


class Old:
    """Callers on connections that they keep, asking without a pause."""

    def __init__(self, port: Port, count: int) -> None:
        self.answers, self.failures = Counter[int](), list[str]()
        self._connections = [port.connect() for _ in range(count)]
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(each,), daemon=True) for each in self._connections]

    def _ask(self, connection: http.client.HTTPSConnection) -> None:
        connection.connect()
        first = connection.sock
        while not self._is_over.is_set():
            try:
                connection.request("POST", "/predict", b'{"x": 21}', {"content-type": "application/json"})
                response = connection.getresponse()
                assert json.loads(response.read())["prediction"] == 42
                self.answers[response.status] += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
                return
        if connection.sock is not first:
            self.failures.append("it was disconnected")
        connection.close()


@contextmanager
def asking(port: Port, count: int = 4) -> Iterator[Old]:
    """Callers who ask on their old connections while the block runs."""
    old = Old(port, count)
    for thread in old._threads:
        thread.start()
    try:
        until(lambda: old.answers[200] > 100 or old.failures, "they are answered")
        yield old
    finally:
        old._is_over.set()
        for thread in old._threads:
            thread.join(WAIT_S)
    assert old.failures == []
    assert set(old.answers) == {200}


def test_new_connections_get_the_new_one_and_old_ones_go_on(port: Port):
    new = port.certify()
    with asking(port) as old:
        before = old.answers[200]
        port.put(new)
        until(lambda: port.shows(new), "the new one is shown", limit_s=TAKEN_S)
        until(lambda: old.answers[200] > before + 100, "old connections go on")
    assert "a new certificate is used" in port.server.log()


def test_half_of_a_pair_changes_nothing_and_the_other_half_completes_it(port: Port):
    before, new = port.serial(), port.certify()
    complaints = port.server.log().count(KEPT)
    with asking(port, 2):
        put(new.certificate, port.files.certificate)
        until(lambda: port.server.log().count(KEPT) > complaints, "it is noticed", limit_s=TAKEN_S)
        assert {port.serial() for _ in range(8)} == {before}
        put(new.key, port.files.key)
        until(lambda: port.shows(new), "both halves are there", limit_s=TAKEN_S)


@pytest.mark.parametrize("damage", ["cut", "gone", "no certificate"])
def test_what_is_broken_changes_nothing(port: Port, damage: str):
    before, new = port.serial(), port.certify()
    place, complaints = port.files.certificate, port.server.log().count(KEPT)
    damages: dict[str, Callable[[], object]] = {
        "cut": lambda: place.write_bytes(new.certificate.read_bytes()[:200]),
        "gone": place.unlink,
        "no certificate": lambda: place.write_bytes(new.key.read_bytes()),
    }
    damages[damage]()
    until(lambda: port.server.log().count(KEPT) > complaints, "it is noticed", limit_s=TAKEN_S)
    assert {port.serial() for _ in range(8)} == {before}
    port.put(new)
    until(lambda: port.shows(new), "the next one is taken", limit_s=TAKEN_S)


def test_one_behind_a_link_is_followed(port: Port, tmp_path: Path):
    """As Kubernetes mounts secrets: a link to a folder is what changes."""
    for number in (1, 2):
        new = port.certify()
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(new.certificate, folder / "tls.pem")
        shutil.copy(new.key, folder / "tls.key")
        (tmp_path / "next").symlink_to(folder)
        os.replace(tmp_path / "next", tmp_path / "now")
        for place in (port.files.certificate, port.files.key):
            if not place.is_symlink():
                place.with_suffix(".link").symlink_to(tmp_path / "now" / place.name)
                os.replace(place.with_suffix(".link"), place)
        until(lambda new=new: port.shows(new), "the new one is shown", limit_s=TAKEN_S)
    for place in (port.files.certificate, port.files.key):
        place.unlink()
    port.put(port.certify())


def test_no_secret_is_in_the_log(port: Port):
    assert "PRIVATE KEY" not in port.server.log()


# --- the context itself


def test_no_old_protocol_is_spoken(port: Port):
    tls = Tls.of(Settings(tls_certificate_file=str(port.files.certificate), tls_key_file=str(port.files.key)))
    assert tls is not None
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("what", ["another key", "a passphrase", "no file"])
def test_files_that_do_not_fit_are_refused_at_the_start(what: str, tmp_path: Path):
    authority = Authority(tmp_path)
    pair, other = (authority.certify(name, "127.0.0.1", usage=SERVER) for name in ("one", "other"))
    keys = {"another key": other.key, "a passphrase": _locked(pair.key), "no file": tmp_path / "none"}
    with pytest.raises(SettingsError) as refused:
        Tls.of(Settings(tls_certificate_file=str(pair.certificate), tls_key_file=str(keys[what])))
    assert "PRIVATE" not in refused.value.message


def _locked(path: Path) -> Path:
    from cryptography.hazmat.primitives import serialization

    key: Any = serialization.load_pem_private_key(path.read_bytes(), None)
    form, lock = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    locked = path.with_name("locked.key")
    locked.touch(0o600)
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))
    return locked
