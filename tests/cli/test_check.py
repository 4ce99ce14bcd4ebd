"""`lading check`: 0 when all is as it was, 3 for damage, 4 for another environment, 5 for another answer."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lading.bundle.archive import write_archive
from lading.bundle.bundle import Bundle, write_bundle
from lading.bundle.manifest import GOLDEN, MANIFEST, Requirement, encode_manifest


def rewrite(path: Path, members: dict[str, bytes] | None = None, **changes: Any) -> None:
    """Write the bundle anew with other members or another manifest, by the package's own writer."""
    with Bundle.open(path) as opened:
        manifest = opened.manifest
        kept = {member.path: opened.read(member.path) for member in manifest.files}
    write_bundle(path, msgspec.structs.replace(manifest, **changes), kept | (members or {}))


def test_a_good_bundle_is_told_in_four_lines(run: Any, folder: Path) -> None:
    result = run("check", "iris.lading")
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()] == ["files", "environment", "engine", "golden"]


def test_json_is_for_programs(run: Any, folder: Path) -> None:
    told = run("check", "iris.lading", "--json").json
    assert told == {"bundle": "iris.lading", "engine": "native: not asked for", "golden_rows": 50, "is_good": True}


@pytest.mark.parametrize("place", [0.0, 0.25, 0.5, 0.75, 0.9999])
def test_one_flipped_byte_is_damage(place: float, run: Any, folder: Path) -> None:
    data = bytearray((folder / "iris.lading").read_bytes())
    data[int(place * len(data))] ^= 1
    (folder / "iris.lading").write_bytes(data)
    result = run("check", "iris.lading")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("error: ")


@pytest.mark.parametrize("verb", ["check", "inspect", "doctor"])
def test_a_member_that_is_not_what_the_manifest_says_is_damage(verb: str, run: Any, folder: Path) -> None:
    # The checksums of the archive are right: only the manifest knows. Nothing needs this member to load the model.
    rewrite(folder / "iris.lading", {"code/steps.py": b"as packed"})
    with Bundle.open(folder / "iris.lading") as opened:
        members = {member.path: opened.read(member.path) for member in opened.manifest.files}
        manifest = encode_manifest(opened.manifest)
    write_archive(folder / "iris.lading", [(MANIFEST, manifest), *(members | {"code/steps.py": b"as wanted"}).items()])
    result = run(verb, "iris.lading")
    assert result.code == 3
    assert "`code/steps.py` in the bundle is not what was packed" in result.err


def test_a_bare_file_is_no_bundle(run: Any, folder: Path) -> None:
    result = run("check", "model.joblib")
    assert result.code == 3
    assert "is not a bundle" in result.err


def test_another_environment_is_said_with_the_command(run: Any, folder: Path) -> None:
    rewrite(folder / "iris.lading", requirements=(Requirement("scikit-learn", "1.4.2"),))
    result = run("check", "iris.lading")
    assert (result.code, result.out) == (4, "")
    assert 'pip install "scikit-learn==1.4.2"' in result.err
    assert run("check", "iris.lading", "--ignore-versions").code == 0


@pytest.mark.parametrize("key", ["predictions", "probabilities"])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_another_answer_is_found(key: str, flags: list[str], run: Any, folder: Path) -> None:
    with Bundle.open(folder / "iris.lading") as opened:
        golden = msgspec.json.decode(opened.read(GOLDEN))
    golden[key][7] = golden[key][7] + 1 if key == "predictions" else dict.fromkeys(golden[key][7], 1 / 3)
    rewrite(folder / "iris.lading", {GOLDEN: msgspec.json.encode(golden)})
    result = run("check", "iris.lading", *flags)
    assert (result.code, result.out) == (5, "")
    assert "row 7 first" in result.err
