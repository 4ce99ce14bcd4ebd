"""The bundles of the examples, made as their pages say."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

from tests.live import ROOT, environment


class Example(NamedTuple):
    """One example.

    Attributes:
        train: what makes the model, behind `python`; nothing where there is nothing to train.
        pack: behind `lading pack`.
        request: behind `curl URL`.
        route: where it is asked.
        answer: what stands in the answer.
    """

    train: Sequence[str]
    pack: Sequence[str]
    request: Sequence[str]
    route: str = "/predict"
    answer: str = "prediction"


_JSON = ("-H", "content-type: application/json", "-d")
_HOME = (
    '{"area_m2": 85.5, "rooms": 3, "bathrooms": 1, "floor": 2, "garden_m2": 0, "age_years": 40, "energy_kwh_m2": 110, '
    '"center_km": 3.2, "station_km": 0.4, "green_percent": 25, "noise_db": 58, "income_keur": 45, "shops": 12}'
)

EXAMPLES: Mapping[str, Example] = {
    "iris": Example(
        ("train.py",),
        (
            *("model.pkl", "--data", "flowers.csv", "--name", "iris", "--route", "/prediction"),
            *("--labels", "Setosa,VersiColor,Virginica"),
        ),
        (*_JSON, '{"X": [[5.1, 3.5, 1.4, 0.2]]}'),
        route="/prediction",
        answer="Setosa",
    ),
    "housing": Example(
        ("train.py",),
        ("home.joblib", "--data", "train.csv", "--target", "price_eur", "--output-range", "0..10000000"),
        (*_JSON, _HOME),
    ),
    "digits": Example(
        ("train.py",),
        (*("digits.pkl.gz", "--image", "28x28", "--gray", "--invert"), *("--scale", "0..1", "--output", "digit")),
        ("-F", "file=@test-images/7.png"),
        answer='"digit":7',
    ),
    "score": Example((), ("score.py:identity",), (*_JSON, '{"X": [2]}'), route="/score", answer="2"),
    "notebook-rescue": Example(
        ("-m", "jupyter", "execute", "train.ipynb"),
        ("model.joblib", "--code", "train.ipynb"),
        (*_JSON, '{"feature1": 1, "feature2": 0, "feature3": 1}'),
    ),
}


def packed(name: str, folder: Path) -> Path:
    """The bundle of an example, in a folder of its own within `folder`."""
    example, work = EXAMPLES[name], folder / name
    copytree(ROOT / "examples" / name, work)
    if example.train:
        _python(work, *example.train)
    _python(work, "-m", "lading", "pack", *example.pack)
    (bundle,) = work.glob("*.lading")
    return bundle


def _python(folder: Path, *arguments: str) -> None:
    # Warnings of libraries in the author's own code are the author's.
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment(PYTHONWARNINGS=""), capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
