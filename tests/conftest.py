"""What all tests share: the scale of the run, a clean environment, and the sources of the package."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lading.settings import bound_threads

# As in a server, before anything numeric is imported: last digits depend on how work is divided among threads.
bound_threads(1)

SCALE = os.environ.get("LADING_TEST_SCALE", "short")
"""`short` is what every change runs; `full` looks further, with fresh examples each time."""

# A busy machine is no defect: neither a slow example nor slow generation fails a test.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("short", _PATIENT, max_examples=50, derandomize=True)
settings.register_profile("full", _PATIENT, max_examples=1000)


def pytest_configure() -> None:
    if SCALE not in {"short", "full"}:
        raise pytest.UsageError("LADING_TEST_SCALE must be `short` or `full`")
    settings.load_profile(SCALE)


def pytest_report_header() -> str:
    return f"scale: {SCALE}"


@pytest.fixture(scope="session")
def scale() -> str:
    """`short` or `full`."""
    return SCALE


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of the person who runs the tests reaches them, nor do they write among that person's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        for name in [name for name in os.environ if name.startswith("LADING_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _native_unless_said() -> Iterator[None]:
    """What a test packs is compiled only where it says so: that takes seconds."""
    from lading.engine.packing import pack

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(pack.__kwdefaults__, "compile", "never")
        yield


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that was run in this process leaves its log handler and its level to no other test."""
    root, showwarning = logging.getLogger(), warnings.showwarning
    level = root.level
    yield
    root.setLevel(level)
    warnings.showwarning = showwarning
    for handler in root.handlers[:]:
        if type(handler.formatter).__module__ == "lading.serve.logs":
            root.removeHandler(handler)


@pytest.fixture(scope="session")
def package_sources() -> Mapping[str, str]:
    """Module name to source, for each module of the package."""
    src = Path(__file__).parents[1] / "src"
    names = {path: path.relative_to(src).with_suffix("").parts for path in (src / "lading").rglob("*.py")}
    return {".".join(name).removesuffix(".__init__"): path.read_text("utf-8") for path, name in names.items()}


@pytest.fixture(scope="session")
def churn_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a pipeline over numbers with missing values, categories and booleans."""
    import numpy as np
    import pandas
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    import lading

    rng = np.random.default_rng(0)
    age = rng.uniform(18, 90, 300)
    frame = pandas.DataFrame(
        {
            "age": np.where(rng.random(300) < 0.1, np.nan, age),
            "plan": rng.choice(["basic", "plus", "pro"], 300),
            "is_member": rng.random(300) < 0.5,
        }
    )
    columns = make_column_transformer(
        (SimpleImputer(), ["age"]), (OneHotEncoder(), ["plan"]), ("passthrough", ["is_member"])
    )
    target = np.where(age + 20 * frame["is_member"] > 60, "leaves", "stays")
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, target)
    path = tmp_path_factory.mktemp("bundles") / "churn-1.0.0.lading"
    return lading.pack(model, frame, path=path).path


@pytest.fixture(scope="session")
def iris_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that `lading demo` serves, which needs no framework."""
    from importlib import resources

    import lading

    path = tmp_path_factory.mktemp("iris") / "iris-1.0.0.lading"
    with resources.as_file(resources.files("lading") / "flavors" / "iris.linear.json") as file:
        return lading.pack(file, path=path).path
