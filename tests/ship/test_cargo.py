"""What goes along: the wheel of the Lading that ships, and what pip installs."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

import lading
from lading.bundle.manifest import Requirement
from lading.errors import LadingError, Untrusted
from lading.ship import requirements
from lading.ship.cargo import cargo_files
from lading.ship.plan import Plan
from lading.ship.requirements import is_locked, requirements_text
from lading.ship.wheel import Wheel, own_wheel

Make = Callable[..., Plan]
UV = """#!/bin/sh
{body}
"""


@pytest.fixture
def wheel() -> Wheel:
    made = own_wheel()
    assert made is not None, "the tests run an installation from a folder"
    return made


def test_the_wheel_is_one_that_pip_installs_and_that_runs(wheel: Wheel, tmp_path: Path):
    path = tmp_path / Path(wheel.path).name
    path.write_bytes(wheel.data)
    install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path / "site"),
        str(path),
    ]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    code = "import lading, lading.ship.plan; print(lading.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(tmp_path / "site"))


def test_the_wheel_has_all_of_the_package_and_nothing_compiled(wheel: Wheel):
    names = zipfile.ZipFile(BytesIO(wheel.data)).namelist()
    assert {"lading/__init__.py", "lading/flavors/iris.linear.json", "lading/py.typed"} <= set(names)
    assert f"lading-{lading.__version__}.dist-info/entry_points.txt" in names
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_same_code_is_the_same_wheel(wheel: Wheel):
    own_wheel.cache_clear()
    assert own_wheel() == wheel


def test_what_was_recorded_is_what_is_asked_for(renamed: Callable[..., Plan], wheel: Wheel):
    made = renamed(
        {"extras": ("parquet",)}, requirements=(Requirement("scikit-learn", "1.9.1"), Requirement("joblib", "1.6"))
    )
    assert requirements_text(made, wheel).splitlines() == [
        f"./{wheel.path}[parquet]",
        "joblib==1.6",
        "scikit-learn==1.9.1",
    ]
    assert requirements_text(made, None).startswith(f"lading[parquet]=={lading.__version__}\n")


def test_a_compiled_bundle_asks_for_no_scikit_learn(renamed: Callable[..., Plan], wheel: Wheel):
    from lading.bundle.manifest import Engine, Parity

    parity = Parity("synthetic", 1, 0, 0.0, 0.0, "float64")
    engine = Engine("onnx", "engine/model.onnx", parity=parity, requirements=(Requirement("onnxruntime", "1.30.0"),))
    made = renamed(engine=engine, requirements=(Requirement("scikit-learn", "1.9.1"),))
    assert requirements_text(made, wheel).splitlines()[1:] == ["onnxruntime==1.30.0"]


def test_uv_is_asked_for_versions_and_digests(
    plan: Make, wheel: Wheel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    # A stand-in: what the real one finds depends on the day and on a network; test_images.py asks it.
    uv = tmp_path / "uv"
    uv.write_text(UV.format(body=f'[ -f {wheel.path} ] && echo "$@" && cat && echo "--hash=sha256:0"'))
    uv.chmod(0o755)
    monkeypatch.setattr(requirements, "_uv", lambda: str(uv))
    text = requirements_text(plan(lock=True), wheel)
    assert is_locked(text)
    assert "--generate-hashes" in text
    assert f"./{wheel.path}\n" in text
    assert not is_locked(requirements_text(plan(), wheel))


def test_versions_that_do_not_fit_together_are_told(
    plan: Make, wheel: Wheel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    uv = tmp_path / "uv"
    uv.write_text(UV.format(body="echo 'no solution found' >&2; exit 1"))
    uv.chmod(0o755)
    monkeypatch.setattr(requirements, "_uv", lambda: str(uv))
    with pytest.raises(LadingError, match="no solution found"):
        requirements_text(plan(lock=True), wheel)


def test_the_bundle_goes_with_its_signature_and_its_keys(plan: Make):
    made = plan()
    paths = [file.path for file in cargo_files(made)]
    (entry,) = made.entries
    assert paths[:3] == ["iris-1.0.0.lading", "iris-1.0.0.lading.sig", f"trust/{entry.key_id}.json"]


def test_a_key_for_data_alone_names_no_other_distribution_than_those_of_models(
    renamed: Callable[..., Plan], wheel: Wheel
):
    # The fixtures' key may run programs; this one may not.
    import msgspec

    made = renamed(requirements=(Requirement("Scikit_Learn", "1.9.1"), Requirement("evil", "1.0")))
    assert "evil==1.0" in requirements_text(made, wheel)
    data_only = msgspec.structs.replace(made, verified=msgspec.structs.replace(made.verified, code=False))
    with pytest.raises(Untrusted, match="`evil` would be installed"):
        requirements_text(data_only, wheel)
