"""`lading check`: 0 when all is as it was, 3 for damage, 4 for another environment, 5 for another answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.signed import sign, trusting
from tests.testing.relay import spoiled

from lading.bundle.archive import write_archive
from lading.bundle.bundle import Bundle, write_bundle
from lading.bundle.manifest import GOLDEN, MANIFEST, Requirement, encode_manifest
from lading.bundle.signing.keys import PrivateKey
from lading.remote.wire import Reply, Request
from lading.schema.fields import Field, Output, Schema
from lading.testing import serve
from lading.testing.subject import Subject


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


def test_with_a_trust_store_nothing_is_run_that_production_refuses(run: Any, folder: Path, tmp_path: Path) -> None:
    refused = run("check", "iris.lading", "--trust", str(tmp_path / "nobody"))
    assert refused.code == 3
    assert "unsigned" in refused.err
    key = PrivateKey.generate()
    trusting(tmp_path / "trust", key)
    # What is compiled is data. Where its engine is not here, the native model would serve, which is a program.
    assert run("pack", "model.joblib", "--data", "train.csv", "-o", "compiled.lading").code == 0
    missing = (Requirement("not-there", "1.0"), Requirement("onnxruntime", "1.20.0"))
    with Bundle.open(folder / "compiled.lading") as opened:
        engine = msgspec.structs.replace(opened.manifest.engine, requirements=missing)
    rewrite(folder / "compiled.lading", engine=engine)
    sign(folder / "compiled.lading", key)
    told = run("check", "compiled.lading", "--trust", str(tmp_path / "trust"))
    assert told.code == 3, told.err
    assert "trusted for data only" in told.err


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


# --- a running service


@pytest.fixture(scope="module")
def url(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("served") / "iris.lading"
    path.write_bytes(files["iris.lading"])
    with serve(path) as url:
        yield url


def without_health(request: Request, reply: Reply) -> Reply:
    return Reply(500) if request.path == "/health" else reply


def test_a_service_that_keeps_its_contract_is_told_case_by_case(url: str, run: Any) -> None:
    result = run("check", "--http", url)
    assert (result.code, result.err) == (0, "")
    *cases, last = result.out.splitlines()
    assert last == f"{len(cases)} of {len(cases)} hold"
    assert {line[:8] for line in cases} == {"ok      "}
    assert "ok      rows as CSV" in cases


def test_a_bundle_is_compared_with_what_is_served(url: str, run: Any, folder: Path) -> None:
    assert "ok      golden rows" in run("check", "iris.lading", "--http", url).out.splitlines()
    rewrite(folder / "iris.lading", version="2")
    result = run("check", "iris.lading", "--http", url)
    assert result.code == 5
    assert "got another digest: another bundle is served there" in result.out


def test_a_bundle_is_not_loaded_where_a_service_is_checked(url: str, run: Any, folder: Path) -> None:
    rewrite(folder / "iris.lading", requirements=(Requirement("scikit-learn", "1.4.2"),))
    assert run("check", "iris.lading", "--http", url).code == 5
    (folder / "iris.lading").write_bytes(b"no bundle")
    assert run("check", "iris.lading", "--http", url).code == 3


def test_a_case_that_fails_is_told_below_its_name(url: str, run: Any) -> None:
    with spoiled(url, without_health) as relay:
        result = run("check", "--http", relay)
    lines = result.out.splitlines()
    assert lines[:2] == ["FAILED  GET /health", "        sent GET /health; expected 200; got 500"]
    assert lines[-1] == f"{len(lines) - 3} of {len(lines) - 2} hold"
    assert (result.code, result.err.splitlines()) == (
        5,
        [f"error: the service at {relay} does not keep 1 of {len(lines) - 2} cases"],
    )


def test_json_has_every_case(url: str, run: Any) -> None:
    with spoiled(url, without_health) as relay:
        result = run("check", "--http", relay, "--json")
    told = result.json
    assert (result.code, told["is_good"], told["own_columns"], told["columns"]) == (5, False, 4, 4)
    failure = "sent GET /health; expected 200; got 500"
    assert told["cases"][0] == {"name": "GET /health", "holds": False, "failure": failure}
    assert told["cases"][1] == {"name": "GET /ready", "holds": True, "failure": None}


def test_headers_are_sent_and_never_printed(url: str, run: Any) -> None:
    seen = set()

    def note(request: Request, reply: Reply) -> Reply:
        seen.add(dict(request.headers).get("authorization"))
        return without_health(request, reply)

    with spoiled(url, note) as relay:
        result = run("check", "--http", relay, "--header", "Authorization: Bearer SECRET:1")
    assert seen == {"Bearer SECRET:1"}
    assert "SECRET" not in result.out + result.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--http", "127.0.0.1:8000"),
        ("iris.lading", "--header", "authorization: SECRET"),
        ("--http", "http://127.0.0.1:1", "--header", "SECRET"),
        ("--http", "http://127.0.0.1:1", "--header", "authorization: SECRET\nx: y"),
        ("--http", "http://127.0.0.1:1", "--ignore-versions"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(words: tuple[str, ...], run: Any, folder: Path) -> None:
    result = run("check", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert "SECRET" not in result.err


def test_where_nothing_answers_is_said_in_one_line(run: Any) -> None:
    result = run("check", "--http", "http://127.0.0.1:1")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[0] == "error: nothing answers at http://127.0.0.1:1: Connection refused"


def test_that_not_all_columns_have_their_own_cases_is_said(url: str, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = Subject(Schema("regression", tuple(Field(f"x{n}") for n in range(25)), (Output("prediction"),)))
    monkeypatch.setattr("lading.testing.subject.subject_at", lambda url, headers: wide)
    assert run("check", "--http", url).out.splitlines()[-1].endswith("hold; 20 of 25 columns have cases of their own")
