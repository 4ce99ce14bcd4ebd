"""`lading fetch`, from real servers of each kind: what comes is verified before it has its name, or nothing is left.

HDFS is the exception: a namenode needs Java and Hadoop, which are not here. What is tested of it is what is said then.
"""

import errno
import hashlib
import json
import os
import resource
import shutil
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from tests.certificates import SERVER, Authority
from tests.ship import peers
from tests.signed import sign, trusting

from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.trust import TrustStore
from lading.cli import cli
from lading.cli.failure import exit_code
from lading.errors import BundleError, EnvironmentMismatch, LadingError, Untrusted, UsageError
from lading.ship.fetch import Fetched, Limits, fetch
from lading.ship.fetch.address import read_address

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
NAME = "iris-1.0.0.lading"
PASSWORD = "se%2Fcret"


class Kept(NamedTuple):
    """A bundle and its signature, as some store has them."""

    folder: Path
    data: bytes
    signature: bytes

    @property
    def path(self) -> Path:
        return self.folder / NAME

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def files(self) -> dict[str, bytes]:
        return {f"v1/{NAME}": self.data, f"v1/{NAME}.sig": self.signature}


@pytest.fixture(scope="module")
def kept(iris_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    path = sign(Path(shutil.copy(iris_path, folder / NAME)), KEY)
    return Kept(folder, path.read_bytes(), path.with_name(f"{NAME}.sig").read_bytes())


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> TrustStore:
    return trusting(tmp_path_factory.mktemp("trusted") / "trust", KEY)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def is_here(folder: Path, kept: Kept) -> bool:
    """Whether the bundle and its signature are in a folder, and nothing else is."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files == {NAME: kept.data, f"{NAME}.sig": kept.signature}


def refusal(folder: Path, url: str, trust: TrustStore, **options: Any) -> LadingError:
    """The error, after which nothing has changed in a folder."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(LadingError) as caught:
        fetch(url, trust=trust, **options)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert "\n" not in caught.value.message
    return caught.value


# --- S3


@pytest.fixture(scope="module")
def s3_endpoint(kept: Kept) -> Iterator[str]:
    damaged = {f"damaged/{NAME}": kept.data[:-1] + b"x", f"damaged/{NAME}.sig": kept.signature, "empty.lading": b""}
    large = {"large.lading": bytes(20 << 20)}
    with peers.s3("models", {**kept.files, **damaged, **large, "empty.lading.sig": kept.signature}) as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return s3_endpoint


def test_a_bundle_of_s3_is_fetched_and_verified(s3: str, kept: Kept, trust: TrustStore, here: Path):
    fetched = fetch(f"s3://models/v1/{NAME}", trust=trust)
    assert is_here(here, kept)
    assert (fetched.path, fetched.size, fetched.sha256) == (Path(NAME), len(kept.data), kept.sha256)
    assert (fetched.name, fetched.version, fetched.is_new) == ("iris", "1.0.0", True)
    assert fetched.verified is not None
    assert fetched.verified.key_id == KEY.public.key_id


def test_a_large_object_comes_in_parts(s3: str, trust: TrustStore, here: Path):
    digest = hashlib.sha256(bytes(20 << 20)).hexdigest()
    error = refusal(here, "s3://models/large.lading", trust, sha256=digest)
    assert error.message.startswith("`large.lading` is not a bundle")


def test_an_object_that_was_replaced_meanwhile_is_not_put_together(s3: str, trust: TrustStore, here: Path):
    import boto3

    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    client.put_object(Bucket="models", Key="changing.lading", Body=bytes(40 << 20))
    once = iter([True])

    def replace(transfer: Any) -> None:
        if next(once, False):
            client.put_object(Bucket="models", Key="changing.lading", Body=b"x" * (40 << 20))

    error = refusal(here, "s3://models/changing.lading", trust, sha256="0" * 64, progress=replace)
    client.close()
    assert error.message == "`s3://models/changing.lading` was replaced while it was fetched"


def test_a_bundle_that_was_changed_is_not_left(s3: str, trust: TrustStore, here: Path):
    error = refusal(here, f"s3://models/damaged/{NAME}", trust)
    assert (type(error), error.message) == (Untrusted, f"`{NAME}` is not what was signed: it was changed")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://models/v2/iris.lading", "there is no `s3://models/v2/iris.lading`"),
        (f"s3://model/v1/{NAME}", f"there is no bucket `model`, where `s3://model/v1/{NAME}.sig` would be"),
        ("s3://models/empty.lading", "`s3://models/empty.lading` is empty"),
    ],
)
def test_what_s3_does_not_have_is_said(url: str, words: str, s3: str, trust: TrustStore, here: Path):
    assert refusal(here, url, trust).message == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "no connection"),
        ("AWS_ENDPOINT_URL", "http://nowhere.invalid", "the name of its host is not known"),
        ("AWS_ENDPOINT_URL", "not an address", "what answers is no such store"),
        ("AWS_ALLOW_HTTP", "false", "http is not allowed"),
        ("AWS_SKIP_SIGNATURE", "true", "the store refuses these credentials"),
    ],
)
def test_a_store_that_cannot_be_asked_is_said(
    name: str, value: str, words: str, s3: str, trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    error = refusal(here, f"s3://models/v1/{NAME}", trust)
    assert error.message == f"`s3://models/v1/{NAME}.sig` cannot be fetched: {words}"


def test_a_store_whose_authority_is_unknown(
    s3: str, https_address: str, trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", https_address)
    assert refusal(here, f"s3://models/{NAME}", trust).message.endswith("its certificate is not good")


def test_without_credentials_it_is_said_where_they_may_be(
    s3: str, trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")  # where the cloud would know the machine's role
    error = refusal(here, f"s3://models/v1/{NAME}", trust)
    assert error.message.endswith("no credentials are found")
    assert "AWS_ACCESS_KEY_ID" in str(error.hint)


def test_without_obstore_it_is_said_how_to_get_it(here: Path, trust: TrustStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    error = refusal(here, f"s3://models/v1/{NAME}", trust)
    assert (type(error), error.hint) == (EnvironmentMismatch, 'pip install "lading[fetch]"')


# --- the other stores of objects


@pytest.mark.skipif(peers.AZURITE is None, reason="Azurite is a program of npm, 186 MB: npm install -g azurite")
def test_a_bundle_of_azure_is_fetched(kept: Kept, trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", peers.ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", peers.ACCOUNT_KEY)
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
    with peers.azure("models", kept.files) as endpoint:
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", endpoint)
        fetch(f"az://models/v1/{NAME}", trust=trust)
        assert is_here(here, kept)
        assert refusal(here, f"az://model/{NAME}", trust).message.startswith("there is no container `model`")
        assert refusal(here, f"az://models/{NAME}", trust).message == f"there is no `az://models/{NAME}`"


def test_without_an_account_azure_is_not_asked(trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    error = refusal(here, f"az://models/{NAME}", trust)
    assert error.message.endswith("no credentials are found")
    assert "AZURE_STORAGE_ACCOUNT_NAME" in str(error.hint)


def test_a_bundle_of_google_is_fetched(
    kept: Kept, trust: TrustStore, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    account = tmp_path / "account.json"
    with peers.google("models", kept.files) as endpoint:
        said = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": "", "private_key": ""}
        account.write_text(json.dumps(said | {"private_key_id": ""}))
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
        fetch(f"gs://models/v1/{NAME}", trust=trust)
        assert is_here(here, kept)
        assert refusal(here, f"gs://models/{NAME}", trust).message == f"there is no `gs://models/{NAME}`"
    account.unlink()
    error = refusal(here, f"gs://models/v1/{NAME}", trust)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(error.hint)


# --- FTP and HDFS


@pytest.fixture(scope="module")
def ftp(kept: Kept) -> Iterator[str]:
    with peers.ftp(kept.folder, "jo", "se/cret") as host:
        yield host


def test_a_bundle_of_ftp_is_fetched(ftp: str, kept: Kept, trust: TrustStore, here: Path):
    fetch(f"ftp://jo:{PASSWORD}@{ftp}/{NAME}", trust=trust)
    assert is_here(here, kept)


@pytest.mark.parametrize(
    ("user", "name", "words"),
    [
        ("jo", "other.lading", "or none that may be read"),
        ("mo", NAME, "the server lets this user not in"),
    ],
)
def test_what_ftp_does_not_give_is_said_without_the_password(
    user: str, name: str, words: str, ftp: str, trust: TrustStore, here: Path
):
    error = refusal(here, f"ftp://{user}:{PASSWORD}@{ftp}/{name}", trust)
    assert words in error.message
    assert "cret" not in f"{error.message}{error.hint}"


def test_nobody_at_the_port_of_ftp(trust: TrustStore, here: Path):
    assert refusal(here, f"ftp://127.0.0.1:1/{NAME}", trust).message.endswith("no connection")


@pytest.mark.parametrize("url", [f"hdfs://127.0.0.1:1/{NAME}", f"hdfs:///{NAME}"])
def test_what_hdfs_needs_is_said(url: str, trust: TrustStore, here: Path):
    error = refusal(here, url, trust)
    assert isinstance(error, EnvironmentMismatch)
    assert error.message.startswith("hdfs:// needs ")
    assert "JAVA_HOME" in str(error.hint)


def test_without_pyarrow_hdfs_is_not_asked(trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    error = refusal(here, f"hdfs://namenode/{NAME}", trust)
    assert (type(error), error.hint) == (EnvironmentMismatch, 'pip install "lading[arrow]"')


# --- the web


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def _tls(authority: Authority) -> ssl.SSLContext:
    pair = authority.certify("server", "127.0.0.1", usage=SERVER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What the web server answers, by path; each test has its own paths."""
    return {}


@pytest.fixture(scope="module")
def https_address(answers: dict[str, Any], authority: Authority) -> Iterator[str]:
    with peers.web(answers, _tls(authority)) as address:
        yield address


@pytest.fixture
def https(https_address: str, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    return https_address


@pytest.fixture
def offered(answers: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """What the web server answers, the bundle and its signature among it."""
    answers.clear()
    answers |= {f"/{path}": data for path, data in kept.files.items()}
    return answers


def redirect(to: str, status: int = 302) -> peers.Answer:
    return lambda handler: peers.send(handler, status, Location=to)


def test_a_bundle_of_the_web_is_fetched(https: str, offered: Any, kept: Kept, trust: TrustStore, here: Path):
    fetch(f"{https}/v1/{NAME}", trust=trust)
    assert is_here(here, kept)


def test_http_is_well_on_this_machine(kept: Kept, trust: TrustStore, here: Path):
    with peers.web({f"/{path}": data for path, data in kept.files.items()}) as address:
        fetch(f"{address}/v1/{NAME}", trust=trust)
    assert is_here(here, kept)


def test_who_is_not_certified_by_the_authority_is_not_asked(
    https_address: str, offered: Any, trust: TrustStore, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path / "other").path))
    error = refusal(here, f"{https_address}/v1/{NAME}", trust)
    assert "cannot be fetched: its certificate is not good: " in error.message
    assert "SSL_CERT_FILE" in str(error.hint)


def test_https_where_http_is_spoken(trust: TrustStore, here: Path):
    with peers.web({}) as address:
        error = refusal(here, f"{address.replace('http:', 'https:')}/{NAME}", trust)
    assert error.message.endswith("TLS fails")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_https_is_followed(
    status: int, https: str, offered: dict[str, Any], kept: Kept, trust: TrustStore, here: Path
):
    offered |= {f"/latest/{name}": redirect(f"../v1/{name}", status) for name in (NAME, f"{NAME}.sig")}
    fetch(f"{https}/latest/{NAME}", trust=trust)
    assert is_here(here, kept)


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("http://127.0.0.1:9/x", "redirects to an address that is not https"),
        ("file:///etc/passwd", "redirects to an address that is not https"),
        ("data:,x", "redirects to an address that is not https"),
        ("ftp://127.0.0.1/x", "redirects to an address that is not https"),
        (f"/round/{NAME}.sig", "redirects more than 5 times"),
        ("https://[x", "cannot be fetched: no HTTP answer"),
        ("https://nowhere.invalid/x", "cannot be fetched: the name of its host is not known"),
    ],
)
def test_other_redirects_are_not(
    to: str, words: str, https: str, offered: dict[str, Any], trust: TrustStore, here: Path
):
    offered[f"/round/{NAME}.sig"] = redirect(to)
    assert words in refusal(here, f"{https}/round/{NAME}", trust).message


def test_a_password_goes_to_its_own_server_only(
    https: str, offered: dict[str, Any], kept: Kept, trust: TrustStore, here: Path, authority: Authority
):
    seen = []

    def lead_away(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        peers.send(handler, 302, Location=f"{other}{handler.path}")

    def give(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        peers.send(handler, 200, kept.files[handler.path.removeprefix("/")])

    paths = [f"/v1/{NAME}", f"/v1/{NAME}.sig"]
    offered |= dict.fromkeys(paths, lead_away)
    with peers.web(dict.fromkeys(paths, give), _tls(authority)) as other:
        fetch(https.replace("//", f"//jo:{PASSWORD}@") + f"/v1/{NAME}", trust=trust)
    assert is_here(here, kept)
    assert seen == ["Basic am86c2UvY3JldA==", None] * 2


def test_a_presigned_address_has_another_for_its_signature(
    https: str, offered: Any, kept: Kept, trust: TrustStore, here: Path
):
    url = f"{https}/v1/{NAME}?X-Amz-Signature=topsecret"
    error = refusal(here, url, trust)
    assert "--signature URL" in str(error.hint)
    assert "topsecret" not in f"{error.message}{error.hint}"
    fetch(url, trust=trust, signature=f"{https}/v1/{NAME}.sig?X-Amz-Signature=othersecret")
    assert is_here(here, kept)


@pytest.mark.parametrize(
    ("status", "words"), [(403, "the server answers 403"), (410, "the server answers 410"), (503, "answers 503")]
)
def test_what_the_server_answers_is_said(
    status: int, words: str, https: str, offered: dict[str, Any], trust: TrustStore, here: Path
):
    offered[f"/no/{NAME}.sig"] = offered[f"/no/{NAME}"] = lambda handler: peers.send(handler, status)
    error = refusal(here, f"{https}/no/{NAME}?a=topsecret", trust, signature=f"{https}/no/{NAME}.sig?b=topsecret")
    assert words in error.message
    assert "topsecret" not in f"{error.message}{error.hint}"


def test_a_download_that_ends_early_is_not_left(
    https: str, offered: dict[str, Any], kept: Kept, trust: TrustStore, here: Path
):
    def end_early(handler: BaseHTTPRequestHandler) -> None:
        peers.send(handler, 200, kept.data[:-9], Content_Length=str(len(kept.data)))

    offered[f"/v1/{NAME}"] = end_early
    error = refusal(here, f"{https}/v1/{NAME}", trust)
    assert f"broke off after {len(kept.data) - 9:,} of {len(kept.data):,} bytes" in error.message


def test_a_server_that_dawdles_is_left(https: str, offered: dict[str, Any], trust: TrustStore, here: Path):
    is_over = threading.Event()

    def dawdle(handler: BaseHTTPRequestHandler) -> None:
        peers.send(handler, 200, b"x", Content_Length="1000000")
        while not is_over.wait(0.02):
            handler.wfile.write(b"x")

    offered[f"/v1/{NAME}"] = dawdle
    error = refusal(here, f"{https}/v1/{NAME}", trust, limits=Limits(idle_s=0.3))
    is_over.set()
    assert error.message.endswith("less than 64 KiB came within 0.3 s, after 0 bytes")


@pytest.mark.parametrize("is_said", [True, False], ids=["said", "counted"])
def test_what_is_too_large_is_not_taken(
    is_said: bool, https: str, offered: dict[str, Any], trust: TrustStore, here: Path
):
    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header(*(("Content-Length", str(1 << 40)) if is_said else ("X-Size", "unsaid")))
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(1 << 20))

    offered[f"/v1/{NAME}"] = pour
    error = refusal(here, f"{https}/v1/{NAME}", trust, limits=Limits(max_bytes=3_000_000))
    assert error.message.endswith("has more than the 3,000,000 bytes that it may have")


def test_a_signature_is_small(https: str, offered: dict[str, Any], kept: Kept, trust: TrustStore, here: Path):
    offered[f"/v1/{NAME}.sig"] = bytes(1 << 20)
    assert "has more than the 65,536 bytes" in refusal(here, f"{https}/v1/{NAME}", trust).message


def test_the_proxy_is_asked_where_there_is_one(
    https: str, offered: Any, trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch
):
    with peers.web({}) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        monkeypatch.setenv("no_proxy", "")
        error = refusal(here, f"{https}/v1/{NAME}", trust)
    assert error.message.endswith("the proxy does not let it through")


def test_a_name_that_nobody_knows(trust: TrustStore, here: Path):
    error = refusal(here, f"https://nowhere.invalid/{NAME}", trust)
    assert error.message.endswith("the name of its host is not known")


# --- what lets a bundle in


def unsigned(kept: Kept, folder: Path) -> str:
    return shutil.copy(kept.path, folder)


def test_an_unsigned_bundle_is_refused(kept: Kept, trust: TrustStore, here: Path, tmp_path: Path):
    error = refusal(here, unsigned(kept, tmp_path), trust)
    assert (error.code, "--sha256" in str(error.hint)) == ("bundle.unsigned", True)


def test_an_unsigned_bundle_is_let_in_by_its_digest(kept: Kept, trust: TrustStore, here: Path, tmp_path: Path):
    fetched = fetch(unsigned(kept, tmp_path), trust=trust, sha256=f"sha256:{kept.sha256.upper()}")
    assert fetched.verified is None
    assert [path.name for path in here.iterdir()] == [NAME]


def test_another_digest_than_was_said_is_refused(kept: Kept, trust: TrustStore, here: Path, tmp_path: Path):
    error = refusal(here, unsigned(kept, tmp_path), trust, sha256="0" * 64)
    assert isinstance(error, BundleError)
    assert f"has the sha256 {kept.sha256[:12]}…, not 000000000000…" in error.message


def test_what_is_signed_must_have_the_digest_too(kept: Kept, trust: TrustStore, here: Path):
    error = refusal(here, str(kept.path), trust, sha256="0" * 64)
    assert f"what is signed has the sha256 {kept.sha256[:12]}…" in error.message


def test_a_digest_does_not_replace_a_good_signature(kept: Kept, here: Path, tmp_path: Path):
    nobody = trusting(tmp_path / "nobody", OTHER)
    error = refusal(here, str(kept.path), nobody, sha256=kept.sha256)
    assert (error.code, error.message.startswith(f"`{NAME}` is signed by an unknown key id")) == (
        "bundle.unknown_key",
        True,
    )


def test_a_key_for_another_model_does_not_let_it_in(kept: Kept, here: Path, tmp_path: Path):
    assert refusal(here, str(kept.path), trusting(tmp_path / "t", KEY, models=("churn",))).code == "bundle.model"


def test_what_is_signed_and_no_bundle_is_refused(trust: TrustStore, here: Path, tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    assert refusal(here, str(sign(path, KEY)), trust).message.startswith("`notes.txt` is not a bundle")


# --- where it goes


def test_it_goes_where_it_is_told(kept: Kept, trust: TrustStore, here: Path):
    assert fetch(str(kept.path), here, trust=trust).path == here / NAME
    assert fetch(str(kept.path), Path("other.lading"), trust=trust).path == Path("other.lading")
    assert sorted(path.name for path in here.iterdir()) == [
        NAME,
        f"{NAME}.sig",
        "other.lading",
        "other.lading.sig",
    ]


def test_it_has_the_mode_of_any_new_file(kept: Kept, trust: TrustStore, here: Path):
    (here / "any").touch()
    fetch(str(kept.path), trust=trust)
    assert {path.stat().st_mode for path in here.iterdir()} == {(here / "any").stat().st_mode}


def test_what_is_there_already_is_not_fetched_again(
    https: str, offered: Any, kept: Kept, trust: TrustStore, here: Path
):
    fetch(f"{https}/v1/{NAME}", trust=trust)
    inode = (here / NAME).stat().st_ino
    del offered[f"/v1/{NAME}"]
    again = fetch(f"{https}/v1/{NAME}", trust=trust)
    assert (again.is_new, again.sha256, (here / NAME).stat().st_ino) == (False, kept.sha256, inode)
    assert is_here(here, kept)


def test_another_file_is_replaced_with_its_signature(kept: Kept, trust: TrustStore, here: Path):
    (here / NAME).write_bytes(b"old")
    (here / f"{NAME}.sig").write_bytes(b"old")
    assert fetch(str(kept.path), trust=trust).is_new
    assert is_here(here, kept)


def test_no_reader_sees_a_bundle_with_the_signature_of_another(
    kept: Kept, trust: TrustStore, here: Path, monkeypatch: pytest.MonkeyPatch
):
    old = {NAME: b"old", f"{NAME}.sig": b"old"}
    for name, data in old.items():
        (here / name).write_bytes(data)
    seen, real = [], os.replace

    def replace(source: Path, target: Path) -> None:
        for _ in range(2):
            seen.append({path.name: path.read_bytes() for path in here.iterdir() if path.is_file()})
            if source.exists():
                real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    fetch(str(kept.path), trust=trust)
    new = kept.data
    assert seen[0] == {NAME: b"old"}
    assert seen[1:3] == [{NAME: new}] * 2
    assert seen[3] == {NAME: new, f"{NAME}.sig": kept.signature}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("missing/x.lading", "cannot write in `missing`: No such file or directory"),
        ("file/x.lading", "cannot write in `file`: Not a directory"),
    ],
)
def test_a_folder_that_cannot_be_written_to(target: str, words: str, kept: Kept, trust: TrustStore, here: Path):
    (here / "file").touch()
    with pytest.raises(UsageError) as caught:
        fetch(str(kept.path), Path(target), trust=trust)
    assert caught.value.message == words


def test_a_disk_that_is_full(kept: Kept, trust: TrustStore, here: Path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # fails as writing to a full disk does
    try:
        error = refusal(here, str(kept.path), trust)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.message == f"cannot write `{NAME}` in `.`: {os.strerror(errno.EFBIG)}"


def test_ctrl_c_leaves_nothing(kept: Kept, trust: TrustStore, here: Path):
    def interrupt(transfer: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(str(kept.path), trust=trust, progress=interrupt)
    assert [*here.iterdir()] == []


# --- addresses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s3a://models/x.lading", "did you mean `s3://`?"),
        ("htps://models/x.lading", "did you mean `https://`?"),
        ("abfss://models/x.lading", "did you mean `az://`?"),
        ("s3:/models/x.lading", "did you mean `s3://`?"),
        ("sftp://models/x.lading", "did you mean `ftp://`?"),
        ("file:///models/x.lading", "`file:` is not fetched from"),
        ("data:text/plain,x", "bundles are not fetched from `data:`"),
        ("http://example.com/x.lading", "https is needed"),
        ("s3://models/v1/?x", "takes no query"),
        ("s3:///x.lading", "this is no address of s3"),
        ("https://jo:se/cret@host/x.lading", "this is no address of https"),
        ("https://host/x%0a.lading", "this is no address of https"),
        ("https://host/x.lading#y", "has something behind a `#`"),
        ("s3://jo:secret@models/x.lading", "is no place for credentials"),
        ("", "expected the address of a bundle"),
    ],
)
def test_what_is_no_address(text: str, words: str):
    with pytest.raises(UsageError) as caught:
        read_address(text)
    shown = f"{caught.value.message}{caught.value.hint}"
    assert words.replace("takes no query", "has a query, which s3:// does not take") in caught.value.message
    assert "cret" not in shown.replace("credentials", "")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://models/v1/iris-1.0.0.lading", "iris-1.0.0.lading"),
        ("https://host/a%20b.lading?x=/y", "a b.lading"),
        ("models/iris.lading", "iris.lading"),
    ],
)
def test_the_name_is_the_last_part(url: str, name: str):
    assert read_address(url).name == name


@pytest.mark.parametrize(
    "url",
    ["https://host/", "s3://models", "https://h/..", "https://h/a%2F..%2Fb", "https://h/.profile", "https://h/a%5Cb"],
)
def test_a_name_that_leads_elsewhere_is_none(url: str):
    with pytest.raises(UsageError):
        _ = read_address(url).name


def test_an_address_shows_no_secret():
    address = read_address("https://jo:secret@host:81/a.lading?X-Amz-Signature=secret")
    assert str(address) == "https://host:81/a.lading"
    assert "secret" not in repr(address)


# --- the verb


def run(capfd: pytest.CaptureFixture[str], *words: object) -> SimpleNamespace:
    code = exit_code(lambda: cli([*map(str, words)], "lading", standalone_mode=False))
    out, err = capfd.readouterr()
    return SimpleNamespace(code=code, out=out, err=err)


def test_the_verb_says_what_it_did_and_what_comes_next(
    kept: Kept, trust: TrustStore, here: Path, capfd: pytest.CaptureFixture[str]
):
    done = run(capfd, "fetch", kept.path, "--trust", trust.folder)
    assert (done.code, done.out) == (0, "")
    fetched, verified, following = done.err.splitlines()
    assert fetched.split()[:2] == ["fetched", NAME]
    assert fetched.endswith(f"sha256 {kept.sha256[:12]}…")
    assert verified == f"  verified  key {KEY.public.key_id[:12]}…   every model; data only"
    assert following == f"next: lading serve {NAME} --production --auth keys --trust {trust.folder}"
    assert run(capfd, "fetch", kept.path, "--trust", trust.folder).err.startswith("  kept      ")


def test_on_a_terminal_it_says_how_far_it_is(
    kept: Kept, trust: TrustStore, here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    seconds = iter(range(0, 1000, 2))
    monkeypatch.setattr("lading.cli.fetch.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    done = run(capfd, "fetch", kept.path, "--trust", trust.folder)
    assert done.err.startswith(
        f"\r\x1b[K{len(kept.data) / 1e3:.1f} kB of {len(kept.data) / 1e3:.1f} kB\r\x1b[K  fetched"
    )


def test_json_is_one_line(kept: Kept, trust: TrustStore, here: Path, capfd: pytest.CaptureFixture[str]):
    done = run(capfd, "fetch", kept.path, "--trust", trust.folder, "--json")
    told = json.loads(done.out)
    assert (done.out.count("\n"), done.err) == (1, "")
    assert (told["path"], told["sha256"], told["is_new"], told["is_verified"]) == (NAME, kept.sha256, True, True)
    assert told["key_id"] == KEY.public.key_id


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nothing.lading"], 1),
        (["s3a://models/x.lading"], 2),
        (["--sha256", "123", "x.lading"], 2),
        (["unsigned.lading"], 3),
        (["hdfs://namenode/x.lading"], 4),
    ],
)
def test_the_exit_code_says_what_is_wrong(
    words: list[str], code: int, kept: Kept, trust: TrustStore, here: Path, capfd: pytest.CaptureFixture[str]
):
    shutil.copy(kept.path, here / "unsigned.lading")
    done = run(capfd, "fetch", *words, "--trust", trust.folder)
    assert (done.code, done.err.count("\n"), done.err.startswith("error: ")) == (code, 2, True)


def test_what_was_fetched_is_a_value():
    fetched = Fetched(Path("a"), 1, "0", "iris", "1.0.0", None, True)
    with pytest.raises(AttributeError):
        fetched.size = 2  # type: ignore[misc]
