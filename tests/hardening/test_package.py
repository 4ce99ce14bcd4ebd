"""Bundles that mean harm, loaded where only what a trusted key has signed may be: the cases T001 to T022.

A canary file tells when anything of theirs was run. That it can, `test_t015_a_payload_is_one` shows.
"""

import contextlib
import gzip
import hashlib
import io
import itertools
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import threading
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import msgspec
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from tests.conftest import SCALE
from tests.signed import sign, trusting

import lading
from lading.bundle import archive
from lading.bundle.archive import write_archive
from lading.bundle.bundle import Bundle, write_bundle
from lading.bundle.manifest import check_names, encode_manifest
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.signature import signature_path
from lading.bundle.signing.trust import TrustStore
from lading.engine.loading import load_bundle
from lading.errors import BundleError, EnvironmentMismatch, LadingError, ModelError, Untrusted, UsageError

from . import hostile

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
SRC = Path(lading.__file__).parents[1]
MIB = 1 << 20
TIMEOUT_S = 60
PAYLOADS = list(hostile.payloads(Path("canary")))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that is touched when anything hostile was run; a test fails that leaves it."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


@pytest.fixture
def data_only(tmp_path: Path) -> TrustStore:
    """A store that trusts `KEY`, for data only."""
    return trusting(tmp_path / "trust", KEY)


@pytest.fixture
def code_too(tmp_path: Path) -> TrustStore:
    """A store that trusts `KEY`, for programs too."""
    return trusting(tmp_path / "trust with code", KEY, code=True)


@pytest.fixture
def bundle(iris_path: Path, tmp_path: Path) -> Path:
    """A good bundle, signed by `KEY`, that needs no framework."""
    return sign(Path(shutil.copy(iris_path, tmp_path)), KEY)


def code_of(path: Path, trust: TrustStore) -> str:
    """Why a bundle is not loaded."""
    with pytest.raises(LadingError) as caught:
        lading.load(path, trust=trust)
    return caught.value.code


def payload(canary: Path, name: str = "os.system") -> bytes:
    return hostile.payloads(canary)[name]


def test_a_good_bundle_is_loaded(bundle: Path, data_only: TrustStore):
    model = lading.load(bundle, trust=data_only)
    assert model.verified is not None
    assert model.verified.key_id == KEY.public.key_id
    assert model.verified.digest == model.digest == hashlib.sha256(bundle.read_bytes()).hexdigest()


# --- T001, T002: nobody, or nobody who is known


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.exec", "through pkgutil", "before the end is broken", "cut off behind it"]
)
def test_t001_an_unsigned_bundle_is_refused(
    name: str, iris_path: Path, canary: Path, code_too: TrustStore, tmp_path: Path
):
    path = hostile.evil(iris_path, tmp_path / "evil.lading", payload(canary, name))
    with pytest.raises(Untrusted, match="is unsigned") as caught:
        lading.load(path, trust=code_too)
    assert caught.value.code == "bundle.unsigned"


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.skops", "model.onnx", "model.py", "model"])
def test_t001_a_bare_file_is_refused(name: str, canary: Path, code_too: TrustStore, tmp_path: Path):
    (tmp_path / name).write_bytes(payload(canary))
    assert code_of(tmp_path / name, code_too) == "bundle.unsigned"


def test_t002_a_key_that_nobody_trusts_is_refused(iris_path: Path, canary: Path, code_too: TrustStore, tmp_path: Path):
    path = sign(hostile.evil(iris_path, tmp_path / "evil.lading", payload(canary)), OTHER)
    with pytest.raises(Untrusted, match="unknown key id") as caught:
        lading.load(path, trust=code_too)
    assert caught.value.code == "bundle.unknown_key"


# --- T003: what was changed


def _flip(data: bytes, place: int) -> bytes:
    place %= len(data)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "the first byte": lambda data: _flip(data, 0),
    "in the manifest": lambda data: _flip(data, data.index(b'"name"') + 1),
    "in a member": lambda data: _flip(data, data.index(b"lading.linear/1")),
    "in the directory": lambda data: _flip(data, data.index(b"PK\1\2") + 10),
    "a comment": lambda data: data[:-2] + b"\1\0x",
    "the length of the comment": lambda data: _flip(data, -2),
    "the last byte": lambda data: _flip(data, -1),
    "one more": lambda data: data + b"\0",
    "one less": lambda data: data[:-1],
    "none": lambda data: b"",
}


@pytest.mark.parametrize("change", CHANGES)
def test_t003_what_was_changed_is_refused_before_it_is_parsed(
    change: str, bundle: Path, data_only: TrustStore, monkeypatch: pytest.MonkeyPatch
):
    def parse(*_: object) -> None:
        raise AssertionError("the zip was parsed")

    monkeypatch.setattr(archive, "_read_entries", parse)
    bundle.write_bytes(CHANGES[change](bundle.read_bytes()))
    assert code_of(bundle, data_only) == "bundle.changed"


def test_t003_a_file_that_is_too_large_is_not_even_hashed(
    bundle: Path, data_only: TrustStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lading.bundle.regular_file.RegularFile.digest", None)
    os.truncate(bundle, 1 << 32)  # without a byte of it on the disk
    with pytest.raises(BundleError, match="is the most"):
        lading.load(bundle, trust=data_only)


# --- T004: what is no signature


def _pasted(path: Path, tmp_path: Path) -> bytes:
    other = hostile.rewritten(path, tmp_path / "other.lading", name="other")
    return signature_path(sign(other, KEY)).read_bytes()


def _two(path: Path, tmp_path: Path) -> bytes:
    """The first is not good, and the second is good and of somebody unknown."""
    envelope = json.loads(signature_path(path).read_bytes())
    second = json.loads(signature_path(sign(Path(shutil.copy(path, tmp_path / "b.lading")), OTHER)).read_bytes())
    bad = envelope["dsseEnvelope"]["signatures"][0] | {"sig": "MAA="}
    envelope["dsseEnvelope"]["signatures"] = [bad, *second["dsseEnvelope"]["signatures"]]
    return json.dumps(envelope).encode()


def _none(path: Path, tmp_path: Path) -> bytes:
    envelope = json.loads(signature_path(path).read_bytes())
    envelope["dsseEnvelope"]["signatures"] = []
    return json.dumps(envelope).encode()


SIGNATURES: dict[str, Callable[[Path, Path], bytes]] = {
    "empty": lambda path, tmp_path: b"",
    "an empty object": lambda path, tmp_path: b"{}",
    "no signatures": _none,
    "a bad one and one of somebody unknown": _two,
    "that of another bundle": _pasted,
    "a pickle": lambda path, tmp_path: payload(tmp_path / "canary"),
}


@pytest.mark.parametrize("case", SIGNATURES)
def test_t004_what_is_no_signature_is_refused(
    case: str, bundle: Path, canary: Path, data_only: TrustStore, tmp_path: Path
):
    signature_path(bundle).write_bytes(SIGNATURES[case](bundle, tmp_path))
    assert code_of(bundle, data_only) == ("bundle.changed" if "another bundle" in case else "bundle.signature")


def test_t004_a_missing_signature_is_refused(bundle: Path, data_only: TrustStore):
    signature_path(bundle).unlink()
    assert code_of(bundle, data_only) == "bundle.unsigned"


def test_t004_an_exception_on_the_way_is_a_refusal(
    bundle: Path, data_only: TrustStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lading.bundle.signing.signature.decode_envelope", lambda data: 1 / 0)
    assert code_of(bundle, data_only) == "bundle.signature"


# --- T007: files that were put in, or taken out

STRANGERS = ["sitecustomize.py", "numpy.py", "conftest.py", ".git/x.py", ".github/x", "model.pkl.bak"]


@pytest.mark.parametrize("name", STRANGERS)
def test_t007_a_file_that_was_put_in_is_refused(name: str, bundle: Path, data_only: TrustStore):
    with zipfile.ZipFile(bundle, "a") as opened:
        opened.writestr(name, "raise SystemExit")
    assert code_of(bundle, data_only) == "bundle.changed"


@pytest.mark.parametrize("name", STRANGERS)
def test_t007_nor_is_one_that_the_manifest_does_not_list(name: str, bundle: Path, code_too: TrustStore):
    members = _members(bundle)
    bundle.write_bytes(hostile.zipped([*members, (name, b"raise SystemExit")]))
    assert code_of(sign(bundle, KEY), code_too) == "bundle.invalid"


def test_t007_a_file_that_was_taken_out_is_missed(bundle: Path, code_too: TrustStore):
    write_archive(bundle, _members(bundle)[:-1])
    assert code_of(bundle, code_too) == "bundle.changed"
    assert code_of(sign(bundle, KEY), code_too) == "bundle.invalid"


def _members(bundle: Path) -> list[tuple[str, bytes]]:
    with Bundle.open(bundle) as opened:
        members = [(item.path, opened.read(item.path)) for item in opened.manifest.files]
        return [("manifest.json", encode_manifest(opened.manifest)), *members]


def test_t007_nothing_beside_a_bundle_is_imported(bundle: Path, canary: Path, data_only: TrustStore):
    for name in STRANGERS:
        (bundle.parent / name).parent.mkdir(exist_ok=True)
        (bundle.parent / name).write_text(hostile.source(canary))
    before = list(sys.path)
    lading.load(bundle, trust=data_only)
    assert sys.path == before
    assert [path for path in sys.path if Path(path or ".").resolve() in (bundle, bundle.parent)] == []


# --- T008, T009: names that lead elsewhere

NAMES = {
    "above": "../x",
    "far above": "../../evil",
    "absolute": "/etc/passwd",
    "down and up": "a/../../b",
    "backslashes": "a\\..\\..\\b",
    "a drive": "C:x",
    "a path on a drive": "C:\\x",
    "a share": "\\\\host\\share\\x",
    "NUL": "a\0b",
    "a dot at the end": "a.",
    "a space at the end": "a ",
    "itself": ".",
    "nothing": "",
    "through /proc": "//proc/self/root/etc/passwd",
    "a fragment": "x#/../../etc",
    "a hidden file": ".git/x.py",
    "a device": "model/NUL",
    "a line end": "a\nb",
    "composed": unicodedata.normalize("NFC", "é"),
    "decomposed": unicodedata.normalize("NFD", "é"),
}


@pytest.fixture
def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are opened from here on."""
    paths: list[str] = []
    for name, real in (("os.open", os.open), ("builtins.open", open), ("io.open", io.open)):

        def note(path: Any, *rest: Any, real: Any = real, **more: Any) -> Any:
            if not isinstance(path, int):  # of a descriptor that is open already
                paths.append(str(path))
            return real(path, *rest, **more)

        monkeypatch.setattr(name, note)
    return paths


@pytest.mark.parametrize("case", NAMES)
def test_t008_a_path_in_the_manifest_is_never_followed(
    case: str, bundle: Path, code_too: TrustStore, opened_files: list[str]
):
    path = hostile.crafted(bundle, bundle.with_name("b.lading"), listed=lambda name: _first(name, NAMES[case]))
    sign(path, KEY)
    opened_files.clear()
    assert code_of(path, code_too) == "bundle.invalid"
    assert set(opened_files) <= {str(path), str(signature_path(path))}


@pytest.mark.parametrize("case", NAMES)
def test_t009_nor_is_a_name_in_the_zip(case: str, bundle: Path, code_too: TrustStore, opened_files: list[str]):
    name = NAMES[case]
    path = hostile.crafted(
        bundle,
        bundle.with_name("b.lading"),
        named=lambda member: _first(member, name),
        listed=lambda member: _first(member, name),
    )
    sign(path, KEY)
    before = sorted(bundle.parent.rglob("*"))
    opened_files.clear()
    assert code_of(path, code_too) == "bundle.invalid"
    assert set(opened_files) <= {str(path), str(signature_path(path))}
    assert sorted(bundle.parent.rglob("*")) == before


def _first(name: str, other: str) -> str:
    return other if name.startswith("model/") else name


@pytest.mark.parametrize("twins", [("model/a", "model/A"), ("model/a", "model/a"), ("model", "model/a")])
def test_t008_twins_are_refused(twins: tuple[str, str], bundle: Path, code_too: TrustStore):
    bundle.write_bytes(hostile.zipped([*_members(bundle)[:1], *((name, b"x") for name in twins)]))
    assert code_of(sign(bundle, KEY), code_too) == "bundle.invalid"


def test_t009_a_member_that_is_a_link_is_refused(bundle: Path, code_too: TrustStore):
    data = bundle.read_bytes()
    regular, link = (0o100644 << 16).to_bytes(4, "little"), (0o120777 << 16).to_bytes(4, "little")
    assert regular in data
    bundle.write_bytes(data.replace(regular, link))
    assert code_of(sign(bundle, KEY), code_too) == "bundle.invalid"


def test_t009_a_bundle_that_is_a_link_is_refused(bundle: Path, data_only: TrustStore):
    link = bundle.with_name("link.lading")
    link.symlink_to(bundle)
    shutil.copy(signature_path(bundle), signature_path(link))
    assert code_of(link, data_only) == "bundle.invalid"


# --- T011: bombs


def _nested(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.writestr("manifest.json", bytes(10 * MIB))
        outer.writestr("inner.zip", data)
    return file.getvalue()


BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "overlapping entries": lambda data: hostile.overlapping(60_000, bytes(10 * MIB)),
    "nested": _nested,
    "a size that lies": lambda data: data.replace(len(b"").to_bytes(4, "little") + b"\0\0", b"\xff\xff\xff\x7f\0\0", 1),
    "a size of the directory that lies": lambda data: data[:-10] + b"\xff" * 4 + data[-6:],
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_t011_a_bomb_is_refused_without_being_unpacked(bomb: str, bundle: Path, code_too: TrustStore, peak: Any):
    data = BOMBS[bomb](bundle.read_bytes())
    assert data != bundle.read_bytes()
    bundle.write_bytes(data)
    assert peak(lambda: code_of(sign(bundle, KEY), code_too)) < len(data) + 4 * MIB


def test_t011_a_compressed_pickle_is_unpacked_to_a_bound(
    iris_path: Path, code_too: TrustStore, tmp_path: Path, peak: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lading.flavors.sklearn.FREE_BYTES", MIB)
    packed = gzip.compress(b"\x80\x04X" + (1 << 30).to_bytes(4, "little") + bytes(200 * MIB))
    assert len(packed) * 900 < 200 * MIB
    path = sign(hostile.evil(iris_path, tmp_path / "bomb.lading", packed, "model.pkl.gz"), KEY)
    assert peak(lambda: code_of(path, code_too)) < 3 * 100 * len(packed) < 100 * MIB


@pytest.fixture
def peak() -> Callable[[Callable[[], object]], int]:
    """The bytes that Python has taken at most while something is done."""
    import tracemalloc

    def measure(do: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            do()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure


# --- T013: what is changed meanwhile


@contextlib.contextmanager
def meanwhile(do: Callable[[int], object]) -> Iterator[None]:
    """Something that is done again and again beside what is tested."""
    is_over = threading.Event()

    def loop() -> None:
        for turn in itertools.count():
            if is_over.is_set():
                return
            do(turn)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _switch(path: Path, files: list[bytes], how: str) -> Callable[[int], object]:
    def switch(turn: int) -> None:
        data, fresh = files[turn % len(files)], path.with_name(f"next-{turn % len(files)}")
        if how == "in place":
            with path.open("r+b") as file:
                file.write(data)
                file.truncate()
            return
        if how == "links" and turn % 2:
            fresh.symlink_to(path.with_name("evil.lading"))
        else:
            fresh.write_bytes(data)
        fresh.replace(path)

    return switch


@pytest.mark.parametrize("how", ["renames", "links", "in place"])
def test_t013_what_is_loaded_is_what_was_verified(
    how: str, bundle: Path, iris_path: Path, canary: Path, code_too: TrustStore, tmp_path: Path
):
    good = bundle.read_bytes()
    evil = hostile.evil(iris_path, tmp_path / "evil.lading", payload(canary)).read_bytes()
    digest, loaded = hashlib.sha256(good).hexdigest(), 0
    cycles = 10_000 if SCALE == "full" else 200
    with meanwhile(_switch(bundle, [good, evil], how)):
        for _ in range(cycles):
            with contextlib.suppress(BundleError, UsageError):
                assert load_bundle(bundle, trust=code_too).digest == digest
                loaded += 1
    assert loaded


@pytest.mark.parametrize("step", ["digest", "entries", "manifest"])
def test_t013_a_change_in_place_is_noticed_at_each_step(
    step: str, bundle: Path, iris_path: Path, canary: Path, code_too: TrustStore, monkeypatch: pytest.MonkeyPatch
):
    """Right behind each step that has read the file, other bytes of the same length stand in it."""
    place = {
        "digest": "lading.bundle.regular_file.RegularFile.digest",
        "entries": "lading.bundle.archive._read_entries",
        "manifest": "lading.bundle.bundle.decode_manifest",
    }[step]
    module, _, name = place.rpartition(".")
    owner: Any = sys.modules.get(module) or getattr(sys.modules[module.rpartition(".")[0]], module.rpartition(".")[2])
    real = getattr(owner, name)
    with Bundle.open(bundle) as opened:
        name_of_model, model = opened.manifest.model, opened.read(opened.manifest.model)
    place_of_digit = next(re.finditer(rb"(?<=\.)\d", model)).start()
    digit = b"1" if model[place_of_digit : place_of_digit + 1] != b"1" else b"2"
    other = model[:place_of_digit] + digit + model[place_of_digit + 1 :]
    changed = hostile.rewritten(bundle, bundle.with_name("b.lading"), {name_of_model: other}).read_bytes()
    assert changed != bundle.read_bytes()
    assert len(changed) == bundle.stat().st_size

    def then_change(*arguments: Any) -> Any:
        found = real(*arguments)
        with bundle.open("r+b") as file:
            file.write(changed)
        return found

    monkeypatch.setattr(owner, name, then_change)
    with pytest.raises(BundleError):
        load_bundle(bundle, trust=code_too)


# --- T014: files that are not what they are said to be


def _joblib(canary: Path, how: str) -> bytes:
    file = io.BytesIO()
    joblib.dump(hostile.Call(exec, hostile.source(canary)), file, compress=(how, 3))
    return file.getvalue()


SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c\0\4"
LIES: dict[str, tuple[str, str, Callable[[Path], bytes]]] = {
    f"{flavor}: {what}": (flavor, name, make)
    for flavor, name in (
        ("skops", "m.skops"),
        ("onnx", "m.onnx"),
        ("xgboost", "m.json"),
        ("xgboost", "m.ubj"),
        ("linear", "m.linear.json"),
        ("python", "m.py"),
    )
    for what, make in {
        "a pickle": payload,
        "an old pickle": lambda canary: payload(canary, "protocol 0"),
        "joblib, zlib": lambda canary: _joblib(canary, "zlib"),
        "joblib, xz": lambda canary: _joblib(canary, "xz"),
        "7z": lambda canary: SEVEN_ZIP + payload(canary),
        "nothing": lambda canary: b"",
    }.items()
} | {
    "sklearn: a zip": ("sklearn", "m.joblib", lambda canary: hostile.zipped([("schema.json", b"{}")])),
    "sklearn: 7z": ("sklearn", "m.pkl", lambda canary: SEVEN_ZIP + payload(canary)),
    "sklearn: named as skops": ("sklearn", "m.skops", payload),
    "sklearn: named as ONNX": ("sklearn", "m.onnx", payload),
    "sklearn: named as safetensors": ("sklearn", "m.safetensors", payload),
    "safetensors": ("safetensors", "m.safetensors", payload),
}


@pytest.mark.parametrize("lie", LIES)
def test_t014_no_other_loader_is_tried(lie: str, iris_path: Path, canary: Path, code_too: TrustStore, tmp_path: Path):
    flavor, name, make = LIES[lie]
    path = sign(hostile.evil(iris_path, tmp_path / "lie.lading", make(canary), name, flavor), KEY)
    with pytest.raises((ModelError, EnvironmentMismatch)):
        lading.load(path, trust=code_too)


# --- T015: what scanners were found to pass over


@pytest.mark.parametrize("name", PAYLOADS)
def test_t015_a_payload_is_one(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    data = payload(tmp_path / "canary", name)
    with contextlib.suppress(Exception):
        joblib.load(io.BytesIO(data)) if name.startswith("joblib") else pickle.loads(data)
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", PAYLOADS)
def test_t015_nobody_unpickles_what_nobody_signed(
    name: str, iris_path: Path, canary: Path, code_too: TrustStore, tmp_path: Path
):
    path = hostile.evil(iris_path, tmp_path / "evil.lading", payload(canary, name))
    assert code_of(path, code_too) == "bundle.unsigned"


@pytest.mark.parametrize("name", PAYLOADS)
def test_t015_nor_what_was_signed_as_data(
    name: str, iris_path: Path, canary: Path, data_only: TrustStore, tmp_path: Path
):
    path = sign(hostile.evil(iris_path, tmp_path / "evil.lading", payload(canary, name)), KEY)
    assert code_of(path, data_only) == "bundle.code"


def test_t015_nor_is_python_run(iris_path: Path, canary: Path, data_only: TrustStore, tmp_path: Path):
    path = hostile.evil(iris_path, tmp_path / "evil.lading", hostile.source(canary).encode(), "m.py", "python")
    assert code_of(sign(path, KEY), data_only) == "bundle.code"


def test_t015_nor_code_beside_a_model_that_is_data(canary: Path, data_only: TrustStore, tmp_path: Path):
    (tmp_path / "around.py").write_text("def postprocess(outputs):\n    return outputs\n")
    with Path(lading.__file__).with_name("flavors").joinpath("iris.linear.json").open("rb") as file:
        (tmp_path / "m.linear.json").write_bytes(file.read())
    packed = lading.pack(tmp_path / "m.linear.json", path=tmp_path / "m.lading", code=[str(tmp_path / "around.py")])
    code = hostile.source(canary).encode()
    path = hostile.rewritten(packed.path, tmp_path / "evil.lading", {packed.manifest.code[0].path: code})
    with pytest.raises(Untrusted, match=r"holds Python, which is a program, and key .* is trusted for data only"):
        lading.load(sign(path, KEY), trust=data_only)


# --- what a key that is trusted for data is enough for


@pytest.fixture(scope="module")
def model() -> Any:
    return LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))


def test_a_compiled_bundle_needs_no_trust_in_code_until_it_falls_back(
    model: Any, data_only: TrustStore, code_too: TrustStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = sign(lading.pack(model, path=tmp_path / "m.lading", compile="require").path, KEY)
    assert lading.load(path, trust=data_only).predict([[5.1, 3.5, 1.4, 0.2]]).tolist() == [0]
    monkeypatch.setattr("lading.engine.loading._is_runnable", lambda manifest: False)
    with pytest.raises(Untrusted, match="holds a pickle, which is a program") as caught:
        lading.load(path, trust=data_only)
    assert caught.value.hint is not None
    assert "--code" in caught.value.hint
    assert lading.load(path, trust=code_too).predict([[5.1, 3.5, 1.4, 0.2]]).tolist() == [0]


def test_skops_is_data(model: Any, data_only: TrustStore, tmp_path: Path):
    (tmp_path / "m.skops").write_bytes(skops.io.dumps(model))
    path = sign(lading.pack(tmp_path / "m.skops", path=tmp_path / "m.lading").path, KEY)
    assert lading.load(path, trust=data_only).predict([[5.1, 3.5, 1.4, 0.2]]).tolist() == [0]


@pytest.mark.parametrize(("version", "is_program"), [("0.12.0", True), ("0.13.0", False), ("0.9", True), (None, True)])
def test_skops_of_old_is_not(version: str | None, is_program: bool, monkeypatch: pytest.MonkeyPatch):
    from lading.flavors.registry import flavor_named, runs_code

    monkeypatch.setattr("lading.flavors.skops.installed_version", lambda name: version)
    assert runs_code(flavor_named("skops")) is is_program


def test_a_flavor_that_says_nothing_of_it_runs_code():
    from lading.flavors.registry import runs_code

    assert runs_code(object())  # type: ignore[arg-type]


# --- T016: skops


def _skops_nodes(canary: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "__id__": 2, "is_json": True}
    shell = text | {"content": json.dumps(hostile.command(canary))}
    system = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 3, "content": "system"}
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "__id__": 4}
    called = arguments | {"content": [system, shell]}
    shown = {"__class__": "LogisticRegression", "__module__": "sklearn.linear_model._logistic"}
    state = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "__id__": 5, "content": {}}
    return {
        "an operator under another name (CVE-2025-54413)": (
            "OperatorFuncNode",
            {"__class__": "call", "__module__": "sklearn.linear_model", "attrs": called},
        ),
        "an operator": ("OperatorFuncNode", {"__class__": "call", "__module__": "operator", "attrs": called}),
        "a method under another name (CVE-2025-54412)": (
            "MethodNode",
            shown | {"content": {"func": "system", "obj": {"__module__": "os", **shown, "__loader__": "ObjectNode"}}},
        ),
        "a partial": (
            "PartialNode",
            {
                "__class__": "partial",
                "__module__": "functools",
                "content": {
                    "func": system,
                    "args": arguments | {"content": [shell]},
                    "kwds": state,
                    "namespace": state,
                },
            },
        ),
        "a type": ("TypeNode", {"__class__": "Popen", "__module__": "subprocess"}),
        "a reduce": (
            "ReduceNode",
            {"__class__": "system", "__module__": "os", "__reduce__": {"args": arguments | {"content": [shell]}}},
        ),
        "an object with a state": ("ObjectNode", {"__class__": "Popen", "__module__": "subprocess", "content": state}),
        "a loader of its own": ("os.system", {"__class__": "system", "__module__": "os", "content": shell}),
        "a joblib": ("JoblibNode", {"__class__": "system", "__module__": "os", "content": "model.joblib"}),
    }


@pytest.mark.parametrize("case", list(_skops_nodes(Path("canary"))))
def test_t016_skops_builds_nothing_that_is_not_trusted(
    case: str, model: Any, iris_path: Path, canary: Path, data_only: TrustStore, tmp_path: Path
):
    loader, node = _skops_nodes(canary)[case]
    data = hostile.skops_naming(loader, node, skops.io.dumps(model))
    path = sign(hostile.evil(iris_path, tmp_path / "evil.lading", data, "m.skops", "skops"), KEY)
    with pytest.raises(ModelError):
        lading.load(path, trust=data_only)


def test_t016_skops_in_a_zip_is_no_model(
    model: Any, iris_path: Path, canary: Path, data_only: TrustStore, tmp_path: Path
):
    data = hostile.zipped([("inner.skops", skops.io.dumps(model)), ("model.pkl", payload(canary))])
    path = sign(hostile.evil(iris_path, tmp_path / "evil.lading", data, "m.skops", "skops"), KEY)
    with pytest.raises(ModelError):
        lading.load(path, trust=data_only)


# --- T017: formats of others, of which no flavor is here


@pytest.mark.parametrize(
    ("flavor", "name", "data"),
    [
        ("keras", "model.h5", b"\x89HDF\r\n\x1a\n"),
        ("keras", "model.keras", hostile.zipped([("config.json", b'{"module": "os", "class_name": "system"}')])),
        ("tensorflow", "saved_model.pb", b"\x08\x01"),
        ("torch", "model.pt", hostile.zipped([("archive/data.pkl", b"cos\nsystem\n.")])),
        ("torch", "model.pth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
    ],
)
def test_t017_what_no_flavor_opens_is_not_opened(
    flavor: str, name: str, data: bytes, iris_path: Path, code_too: TrustStore, tmp_path: Path
):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError):
        lading.pack(tmp_path / name)
    path = sign(hostile.evil(iris_path, tmp_path / "m.lading", data, name, flavor), KEY)
    with pytest.raises(EnvironmentMismatch, match="supplies the flavor"):
        lading.load(path, trust=code_too)


# --- T019: trees that are not as they say; more of them stand in the tests of the flavor

TREES: dict[str, Callable[[dict[str, Any]], None]] = {
    "10⁹ trees": lambda model: model["gbtree_model_param"].update(num_trees="1000000000"),
    "a child outside": lambda model: model["trees"][0]["left_children"].__setitem__(0, 1 << 30),
    "a column outside": lambda model: model["trees"][0]["split_indices"].__setitem__(0, 1 << 30),
    "fewer nodes than said": lambda model: model["trees"][0]["tree_param"].update(num_nodes="1000000"),
}


@pytest.fixture(scope="module")
def trees() -> dict[str, Any]:
    import xgboost

    booster = xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(*load_iris(return_X_y=True)).get_booster()
    return json.loads(booster.save_raw("json"))


@pytest.mark.parametrize("case", TREES)
def test_t019_trees_that_lie_are_refused(
    case: str, trees: dict[str, Any], iris_path: Path, data_only: TrustStore, tmp_path: Path
):
    changed = json.loads(json.dumps(trees))
    TREES[case](changed["learner"]["gradient_booster"]["model"])
    path = hostile.evil(iris_path, tmp_path / "m.lading", json.dumps(changed).encode(), "m.json", "xgboost")
    with pytest.raises(ModelError):
        lading.load(sign(path, KEY), trust=data_only)


# --- T020: names that mean something elsewhere

WORDS = [
    "a\nRUN touch /pwn",
    "$(id)",
    "`id`",
    "{{7*7}}",
    "a;b",
    "it's",
    "a\0b",
    "x" * MIB,
    "${jndi:x}",
    "!!python/object:os.x",
]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: ascii(word[:20]))
@pytest.mark.parametrize("name", ["name", "version"])
def test_t020_a_model_is_not_called_so(name: str, word: str, iris_path: Path, tmp_path: Path):
    with Bundle.open(iris_path) as bundle:
        with pytest.raises(UsageError):
            check_names(msgspec.structs.replace(bundle.manifest, **{name: word}))
        model = bundle.read(bundle.manifest.model)
    (tmp_path / "m.linear.json").write_bytes(model)
    with pytest.raises(UsageError):
        lading.pack(tmp_path / "m.linear.json", path=tmp_path / "m.lading", **{name: word})
    assert not (tmp_path / "m.lading").exists()


@pytest.mark.parametrize("word", [word for word in WORDS if not word.isprintable() or len(word) > 256], ids=len)
def test_t020_nor_a_column(word: str, tmp_path: Path):
    file = {"format": "lading.linear/1", "features": [word], "coef": [[1]], "intercept": [0]}
    (tmp_path / "m.linear.json").write_text(json.dumps(file))
    with pytest.raises((UsageError, ModelError)):
        lading.pack(tmp_path / "m.linear.json", path=tmp_path / "m.lading")


# --- T022: the order, without a network

LOADED = """
import logging, sys
from lading.bundle.signing.trust import TrustStore
from lading.engine.loading import load_bundle, open_bundle
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
path, trust = sys.argv[1:3]
store = TrustStore.read(trust)
from pathlib import Path
if sys.argv[3] == "load":
    load_bundle(Path(path), trust=store)
else:
    open_bundle(Path(path), store).close()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _run(*before: str, path: Path, trust: TrustStore, do: str) -> Any:
    command = [*before, sys.executable, "-P", "-c", LOADED, str(path), str(trust.folder), do]
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def _can(*command: str) -> bool:
    try:
        return subprocess.run([*command, "true"], capture_output=True, timeout=TIMEOUT_S, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not _can("strace", "-f", "--seccomp-bpf", "-o", "/dev/null"), reason="no strace")
def test_t022_nothing_is_opened_to_run_before_the_signature_is_good(model: Any, code_too: TrustStore, tmp_path: Path):
    path = sign(lading.pack(model, path=tmp_path / "m.lading").path, KEY)
    network = ["unshare", "-rn"] if _can("unshare", "-rn") else []
    calls = ["-e", "trace=openat,execve,connect,write", "-o", str(tmp_path / "trace")]
    trace = ["strace", "-f", "--seccomp-bpf", "-s", "200", *calls]
    done = _run(*network, *trace, path=path, trust=code_too, do="load")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "trace").read_text().splitlines()
    good = next(number for number, line in enumerate(lines) if "signature ok" in line)
    first = next(number for number, line in enumerate(lines) if f"{path}.sig" in line)
    opener = re.compile(r"openat\(.*/(sklearn|joblib|onnxruntime|skops)/.*\) = \d")
    assert [line for line in lines[:good] if opener.search(line)] == []
    assert any(opener.search(line) for line in lines[good:])
    assert first < good
    assert [line for line in lines if "connect(" in line and "AF_INET" in line] == []
    assert len([line for line in lines if "execve(" in line and line.endswith("= 0")]) == 1


def test_t022_a_large_bundle_is_verified_in_little_memory(iris_path: Path, data_only: TrustStore, tmp_path: Path):
    size = (2 << 30 if SCALE == "full" else 256 << 20) - (1 << 20)
    with Bundle.open(iris_path) as bundle:
        members = {item.path: bundle.read(item.path) for item in bundle.manifest.files}
        write_bundle(tmp_path / "large.lading", bundle.manifest, members | {"files/large": bytes(size)})
    done = _run(path=sign_in_chunks(tmp_path / "large.lading"), trust=data_only, do="open")
    (tmp_path / "large.lading").unlink()
    assert done.returncode == 0, done.stderr
    assert "signature ok" in done.stderr
    assert int(done.stdout) * 1024 < 200 << 20


def sign_in_chunks(path: Path) -> Path:
    from lading.bundle.signing.signature import write_signature

    with path.open("rb") as file:
        write_signature(path, hashlib.file_digest(file, "sha256").hexdigest(), KEY)
    return path


def test_t022_random_bytes_are_never_loaded(bundle: Path, data_only: TrustStore):
    """Whatever stands in the place of a signed bundle, nothing but that bundle is loaded."""
    rng, data = random.Random(22), bundle.read_bytes()
    for _ in range(20_000 if SCALE == "full" else 300):
        start, stop = sorted(rng.choices(range(len(data) + 1), k=2))
        other = data[:start] + rng.randbytes(rng.randrange(4)) + data[stop:]
        bundle.write_bytes(other)
        if other != data:
            assert code_of(bundle, data_only) == "bundle.changed"
