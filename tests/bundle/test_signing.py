"""Signatures: ours and those of OpenSSF's own tool stand for each other, and what is not exactly one is refused."""

import base64
import copy
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.signed import sign, statement_of, trusting, write_forged

from lading.bundle.bundle import Bundle
from lading.bundle.signing.envelope import MAX_ENVELOPE_BYTES, pae
from lading.bundle.signing.keys import PrivateKey, PublicKey, public_file
from lading.bundle.signing.signature import signature_path
from lading.bundle.signing.trust import TrustStore
from lading.errors import BundleError, Untrusted, UsageError

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> TrustStore:
    return trusting(tmp_path_factory.mktemp("trust") / "trust", KEY)


@pytest.fixture(scope="module")
def signed_once(iris_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    KEY.write(folder / "signing.key")
    KEY.write_public(folder / "signing.pub")
    return sign(Path(shutil.copy(iris_path, folder)), KEY)


@pytest.fixture
def bundle(signed_once: Path, tmp_path: Path) -> Path:
    """A signed bundle in a folder of its own, with the keys."""
    return Path(shutil.copytree(signed_once.parent, tmp_path / "signed")) / signed_once.name


def code_of(path: Path, trust: TrustStore) -> str:
    """Why a bundle is not opened; empty where it is."""
    try:
        Bundle.open(path, trust).close()
    except BundleError as error:
        return error.code
    return ""


# --- the real tool


def tool_accepts(path: Path) -> bool:
    from model_signing import verifying

    config = verifying.Config().use_elliptic_key_verifier(public_key=path.with_name("signing.pub"))
    try:
        config.verify(path, signature_path(path))
    except Exception:
        return False
    return True


def test_the_tool_accepts_what_we_sign(bundle: Path):
    assert tool_accepts(bundle)


def test_the_tool_refuses_what_was_changed(bundle: Path):
    bundle.write_bytes(bundle.read_bytes() + b"\0")
    assert not tool_accepts(bundle)


def test_we_accept_what_the_tool_signs(bundle: Path, trust: TrustStore):
    from model_signing import signing

    signature_path(bundle).unlink()
    signer = signing.Config().use_elliptic_key_signer(private_key=bundle.with_name("signing.key"))
    signer.sign(bundle, signature_path(bundle))
    assert code_of(bundle, trust) == ""


def test_we_write_what_the_tool_writes(bundle: Path):
    from model_signing import signing

    ours = json.loads(signature_path(bundle).read_bytes())
    signer = signing.Config().use_elliptic_key_signer(private_key=bundle.with_name("signing.key"))
    signer.sign(bundle, signature_path(bundle))
    theirs = json.loads(signature_path(bundle).read_bytes())
    statements = [json.loads(base64.b64decode(each["dsseEnvelope"].pop("payload"))) for each in (ours, theirs)]
    for each in (ours, theirs):
        del each["dsseEnvelope"]["signatures"][0]["sig"]  # it has random bytes in it
    assert ours == theirs
    for statement in statements:
        statement["predicate"]["serialization"]["ignore_paths"].sort()  # the tool has them in any order
    assert statements[0] == statements[1]


def test_the_digest_is_that_of_the_file(bundle: Path, trust: TrustStore):
    with Bundle.open(bundle, trust) as opened:
        verified = opened.verified
    assert verified is not None
    assert verified.digest == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert (verified.key_id, verified.code) == (KEY.public.key_id, False)


# --- what both accept


def test_a_renamed_bundle_is_the_same_bundle(bundle: Path, trust: TrustStore):
    renamed = bundle.with_name("other.lading")
    bundle.rename(renamed)
    signature_path(bundle).rename(signature_path(renamed))
    assert code_of(renamed, trust) == ""
    assert tool_accepts(renamed)


def _fewer_ignored(statement: dict[str, Any]) -> None:
    statement["predicate"]["serialization"]["ignore_paths"] = [".gitignore", ".git"]


def _none_ignored(statement: dict[str, Any]) -> None:
    del statement["predicate"]["serialization"]["ignore_paths"]


def _other_name(statement: dict[str, Any]) -> None:
    statement["subject"][0]["name"] = "as it was called elsewhere"


@pytest.mark.parametrize("change", [_fewer_ignored, _none_ignored, _other_name])
def test_what_makes_no_difference_is_accepted(change: Callable[[Any], None], bundle: Path, trust: TrustStore):
    statement = statement_of(bundle)
    change(statement)
    write_forged(bundle, KEY, statement)
    assert code_of(bundle, trust) == ""
    assert tool_accepts(bundle)


def test_white_space_around_json_makes_no_difference(bundle: Path, trust: TrustStore):
    write_forged(bundle, KEY, change=lambda envelope: b"\n" + msgspec.json.format(msgspec.json.encode(envelope)))
    assert code_of(bundle, trust) == ""
    assert tool_accepts(bundle)


# --- statements that are signed well, and are refused


def _at(path: str, value: Any) -> Callable[[Any], None]:
    """Sets what stands at a path such as `subject.0.name`; DELETE takes it away."""

    def change(document: Any) -> None:
        *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        for part in parents:
            document = document[part]
        if value is DELETE:
            del document[last]
        elif isinstance(document, list) and last == len(document):
            document.append(value)
        else:
            document[last] = value

    return change


DELETE: Any = object()
RESOURCE = {"name": ".", "algorithm": "sha256", "digest": "0" * 64}
SERIALIZATION = "predicate.serialization"
STATEMENTS = {
    "another type": _at("_type", "https://in-toto.io/Statement/v0.1"),
    "no type": _at("_type", DELETE),
    "another predicate": _at("predicateType", "https://model_signing/signature/v1.1"),
    "the predicate of old": _at("predicateType", "https://model_signing/Digests/v0.1"),
    "no subject": _at("subject", []),
    "two subjects": _at("subject.1", {"name": "a", "digest": {"sha256": "0" * 64}}),
    "another digest of the subject": _at("subject.0.digest.sha256", "0" * 64),
    "two digests of the subject": _at("subject.0.digest.sha512", "0" * 128),
    "no name": _at("subject.0.name", ""),
    "a name that is no text": _at("subject.0.name", 1),
    "no resource": _at("predicate.resources", []),
    "two resources": _at("predicate.resources.1", RESOURCE),
    "another resource": _at("predicate.resources.0.name", "model.pkl"),
    "another digest": _at("predicate.resources.0.digest", "0" * 64),
    "a digest in capitals": lambda s: s["predicate"]["resources"][0].update(
        digest=s["predicate"]["resources"][0]["digest"].upper()
    ),
    "a digest with a line end": lambda s: s["predicate"]["resources"][0].update(
        digest=s["predicate"]["resources"][0]["digest"] + "\n"
    ),
    "another algorithm": _at("predicate.resources.0.algorithm", "sha1"),
    "another hash": _at(f"{SERIALIZATION}.hash_type", "blake2b"),
    "shards": _at(f"{SERIALIZATION}.method", "shards"),
    "a size of shards": _at(f"{SERIALIZATION}.shard_size", 1),
    "links": _at(f"{SERIALIZATION}.allow_symlinks", True),
    "links that are no boolean": _at(f"{SERIALIZATION}.allow_symlinks", 0),
    "more is ignored": _at(f"{SERIALIZATION}.ignore_paths.4", "model.pkl"),
    "it is ignored itself": _at(f"{SERIALIZATION}.ignore_paths", ["."]),
    "ignored twice": _at(f"{SERIALIZATION}.ignore_paths.4", ".git"),
    "no serialization": _at(SERIALIZATION, DELETE),
    "an unknown key": _at("predicate.more", {}),
    "an unknown key at the top": _at("more", 1),
    "null": _at("predicate", None),
}
PAYLOADS = {
    "nothing": b" ",
    "an empty object": b"{}",
    "no JSON": b"{",
    "a list": b"[]",
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "not UTF-8": b'{"_type": "\xff"}',
    "half of a pair": b'{"_type": "\\ud800"}',
}


@pytest.mark.parametrize("case", STATEMENTS)
def test_another_statement_is_refused(case: str, bundle: Path, trust: TrustStore):
    statement = copy.deepcopy(statement_of(bundle))
    STATEMENTS[case](statement)
    write_forged(bundle, KEY, statement)
    assert code_of(bundle, trust) in {"bundle.signature", "bundle.changed"}


@pytest.mark.parametrize("case", PAYLOADS)
def test_another_payload_is_refused(case: str, bundle: Path, trust: TrustStore):
    write_forged(bundle, KEY, PAYLOADS[case])
    assert code_of(bundle, trust) == "bundle.signature"


def test_a_key_that_stands_twice_in_a_statement_is_refused(bundle: Path, trust: TrustStore):
    text = json.dumps(statement_of(bundle))
    write_forged(bundle, KEY, text.replace('"method"', '"method": "shards", "method"', 1).encode())
    assert code_of(bundle, trust) == "bundle.signature"


# --- envelopes that are refused

MATERIAL = "verificationMaterial"
SIGNATURES = "dsseEnvelope.signatures"
ENVELOPES = {
    "another version": _at("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.3"),
    "version 0.2": _at("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"),
    "no media type": _at("mediaType", DELETE),
    "another payload type": _at("dsseEnvelope.payloadType", "application/json"),
    "no signature": _at(SIGNATURES, []),
    "a second signature": lambda e: e["dsseEnvelope"]["signatures"].append({"sig": "AAAA", "keyid": ""}),
    "the same twice": lambda e: e["dsseEnvelope"]["signatures"].extend(e["dsseEnvelope"]["signatures"]),
    "no good signature": _at(f"{SIGNATURES}.0.sig", "AAAA"),
    "an empty signature": _at(f"{SIGNATURES}.0.sig", ""),
    "no base64": _at(f"{SIGNATURES}.0.sig", "not base64!"),
    "base64 with a line end": lambda e: e["dsseEnvelope"].update(payload=e["dsseEnvelope"]["payload"] + "\n"),
    "base64 for URLs": _at(f"{SIGNATURES}.0.sig", "_-8="),
    "base64 without its end": lambda e: e["dsseEnvelope"].update(payload=e["dsseEnvelope"]["payload"].rstrip("=")[:-1]),
    "base64 of characters beyond ASCII": _at("dsseEnvelope.payload", "é" * 8),
    "the id of a key": _at(f"{SIGNATURES}.0.keyid", "mine"),
    "no hint": _at(f"{MATERIAL}.publicKey", {}),
    "a hint in capitals": lambda e: e["verificationMaterial"]["publicKey"].update(hint=KEY.public.key_id.upper()),
    "the key itself": _at(f"{MATERIAL}.publicKey.rawBytes", "AAAA"),
    "a certificate": _at(f"{MATERIAL}.certificate", {"rawBytes": "AAAA"}),
    "an entry of a log": _at(f"{MATERIAL}.tlogEntries", [{}]),
    "no log": _at(f"{MATERIAL}.tlogEntries", DELETE),
    "a message in place of an envelope": lambda e: e.update(messageSignature=e.pop("dsseEnvelope")),
    "an unknown key": _at("more", 1),
}
FILES = {
    "nothing": b"",
    "an empty object": b"{}",
    "a list": b"[]",
    "null": b"null",
    "no JSON": b"not a signature",
    "deep": b"[" * 30_000,
    "not UTF-8": b"\xff\xfe",
    "large": b" " * (MAX_ENVELOPE_BYTES + 1),
}


@pytest.mark.parametrize("case", ENVELOPES)
def test_another_envelope_is_refused(case: str, bundle: Path, trust: TrustStore):
    write_forged(bundle, KEY, change=ENVELOPES[case])
    assert code_of(bundle, trust) == "bundle.signature"


@pytest.mark.parametrize("case", FILES)
def test_another_file_is_refused(case: str, bundle: Path, trust: TrustStore):
    signature_path(bundle).write_bytes(FILES[case])
    assert code_of(bundle, trust) == "bundle.signature"


def test_a_good_signature_in_a_file_of_10_mb_is_refused(bundle: Path, trust: TrustStore):
    write_forged(bundle, KEY, change=lambda envelope: msgspec.json.encode(envelope) + b" " * 10_000_000)
    assert code_of(bundle, trust) == "bundle.signature"


def test_bytes_behind_a_signature_are_refused(bundle: Path, trust: TrustStore):
    write_forged(bundle, KEY, change=lambda envelope: msgspec.json.encode(envelope) + b"{}")
    assert code_of(bundle, trust) == "bundle.signature"


def test_a_key_that_stands_twice_is_refused(bundle: Path, trust: TrustStore):
    write_forged(
        bundle, KEY, change=lambda e: msgspec.json.encode(e).replace(b'"signatures"', b'"signatures":[],"signatures"')
    )
    assert code_of(bundle, trust) == "bundle.signature"


def _pae_of_old(payload: bytes) -> bytes:
    """As the tool wrote it before 1.0, and still accepts."""
    return f"DSSEV1 28 application/vnd.in-toto+json {len(payload)} {payload!r}".encode()


@pytest.mark.parametrize(
    "encoding",
    [
        _pae_of_old,
        lambda payload: payload,
        lambda payload: pae(payload).replace(b"DSSEv1", b"DSSEv2"),
        lambda payload: b"DSSEv1 16 application/json %d %s" % (len(payload), payload),
    ],
)
def test_a_signature_over_another_encoding_is_refused(encoding: Any, bundle: Path, trust: TrustStore):
    write_forged(bundle, KEY, pae=encoding)
    assert code_of(bundle, trust) == "bundle.signature"


def test_the_encoding_is_that_of_the_protocol():
    assert pae(b"hello world") == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


def test_a_signature_of_another_key_under_the_name_of_ours_is_refused(bundle: Path, trust: TrustStore):
    key = SimpleNamespace(public=KEY.public, sign=OTHER.sign)
    write_forged(bundle, key)
    assert code_of(bundle, trust) == "bundle.signature"


def test_a_signature_with_another_hash_is_refused(bundle: Path, trust: TrustStore):
    sha512 = SimpleNamespace(public=KEY.public, sign=lambda data: KEY._key.sign(data, ec.ECDSA(hashes.SHA512())))
    write_forged(bundle, sha512)
    assert code_of(bundle, trust) == "bundle.signature"


def test_the_signature_of_another_bundle_is_refused(bundle: Path, churn_path: Path, trust: TrustStore, tmp_path: Path):
    other = sign(Path(shutil.copy(churn_path, tmp_path)), KEY)
    shutil.copy(signature_path(other), signature_path(bundle))
    assert code_of(bundle, trust) == "bundle.changed"


def test_no_signature_is_refused(bundle: Path, trust: TrustStore):
    signature_path(bundle).unlink()
    assert code_of(bundle, trust) == "bundle.unsigned"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path.with_name("elsewhere.sig"))])
def test_what_is_no_regular_file_is_refused(make: Callable[[Path], None], bundle: Path, trust: TrustStore):
    path = signature_path(bundle)
    path.rename(path.with_name("elsewhere.sig"))
    make(path)
    assert code_of(bundle, trust) == "bundle.signature"


def test_an_exception_is_a_refusal(bundle: Path, trust: TrustStore, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> bool:
        raise RuntimeError("of a library")

    monkeypatch.setattr(PublicKey, "has_signed", fail)
    with pytest.raises(Untrusted, match="cannot be verified: RuntimeError") as caught:
        Bundle.open(bundle, trust)
    assert "of a library" not in caught.value.message


# --- properties


@given(data=st.data())
def test_any_other_byte_in_the_archive_is_refused(data: st.DataObject, bundle_bytes: Any, trust: TrustStore):
    path, archive, _ = bundle_bytes
    place = data.draw(st.integers(0, len(archive) - 1))
    other = data.draw(st.integers(1, 255))
    path.write_bytes(archive[:place] + bytes([archive[place] ^ other]) + archive[place + 1 :])
    assert code_of(path, trust) == "bundle.changed"


@given(data=st.data())
def test_any_other_byte_in_the_signature_is_refused(data: st.DataObject, bundle_bytes: Any, trust: TrustStore):
    path, archive, signature = bundle_bytes
    place = data.draw(st.integers(0, len(signature) - 1))
    other = data.draw(st.integers(1, 255))
    path.write_bytes(archive)
    changed = signature[:place] + bytes([signature[place] ^ other]) + signature[place + 1 :]
    signature_path(path).write_bytes(changed)
    assert code_of(path, trust) in {"bundle.signature", "bundle.unknown_key"}


@pytest.fixture(scope="module")
def bundle_bytes(signed_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    folder = shutil.copytree(signed_once.parent, tmp_path_factory.mktemp("bytes") / "signed")
    path = Path(folder) / signed_once.name
    return path, path.read_bytes(), signature_path(path).read_bytes()


# --- keys


def _pem(key: Any) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-384", "secp256k1", "Ed25519", "RSA"],
)
def test_a_key_of_another_kind_is_refused(key: Any, tmp_path: Path):
    with pytest.raises(UsageError, match="P-256"):
        PublicKey.of_pem(_pem(key))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "k").write_bytes(pem)
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(UsageError, match="P-256"):
        PrivateKey.read(tmp_path / "k")


def test_the_id_is_that_of_the_tool():
    assert KEY.public.key_id == hashlib.sha256(KEY.public.pem.encode()).hexdigest()


def test_nobody_else_can_read_a_private_key(tmp_path: Path):
    KEY.write(tmp_path / "a" / "signing.key")
    assert stat.S_IMODE((tmp_path / "a" / "signing.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_a_key_is_never_overwritten(tmp_path: Path):
    KEY.write(tmp_path / "signing.key")
    before = (tmp_path / "signing.key").read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        OTHER.write(tmp_path / "signing.key")
    assert (tmp_path / "signing.key").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606])
def test_a_key_that_others_may_read_is_not_used(mode: int, tmp_path: Path):
    KEY.write(tmp_path / "signing.key")
    (tmp_path / "signing.key").chmod(mode)
    with pytest.raises(UsageError, match="others may read"):
        PrivateKey.read(tmp_path / "signing.key")


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path):
    KEY.write(tmp_path / "signing.key", "correct horse")
    assert PrivateKey.read(tmp_path / "signing.key", lambda: "correct horse").public.key_id == KEY.public.key_id
    with pytest.raises(UsageError, match="another passphrase"):
        PrivateKey.read(tmp_path / "signing.key", lambda: "battery staple")
    with pytest.raises(UsageError, match="has a passphrase"):
        PrivateKey.read(tmp_path / "signing.key")


@pytest.mark.parametrize("data", [b"", b"-----BEGIN PUBLIC KEY-----\n", b"\xff" * 100, b"a" * 20_000])
def test_what_is_no_key_is_refused(data: bytes, tmp_path: Path):
    path = tmp_path / "k.pub"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(UsageError):
        PublicKey.read(path)
    with pytest.raises(UsageError):
        PrivateKey.read(path)


def test_the_public_half_stands_beside_the_private_one():
    assert public_file(Path("a/signing.key")) == Path("a/signing.pub")
