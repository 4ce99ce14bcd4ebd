"""`lading predict`: one row or many, from text, files or stdin, to stdout or a file."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from tests.cli.conftest import IRIS
from tests.images import saved

import lading

ROW = json.dumps(IRIS.data.iloc[0].to_dict())
ROWS = json.dumps(IRIS.data.head(3).to_dict("records"))
CSV = IRIS.data.head(3).to_csv(index=False)


@pytest.mark.parametrize("name", ["iris.lading", "model.joblib"])
def test_one_row_gives_one_prediction(name: str, run: Any, folder: Path) -> None:
    result = run("predict", name, ROW)
    assert (result.code, result.err) == (0, "")
    assert result.json == {"prediction": 0}


@pytest.mark.parametrize(
    "data", [ROWS, "rows.csv", "rows.json", '{"X": [[5.1, 3.5, 1.4, 0.2]]}', f'{{"instances": {ROWS}}}']
)
def test_many_rows_give_as_many(data: str, run: Any, folder: Path) -> None:
    result = run("predict", "iris.lading", data)
    assert result.code == 0
    assert set(result.json["predictions"]) == {0}


@pytest.mark.parametrize("stdin", [ROWS, f"  {ROWS}", CSV])
def test_stdin_may_be_either(stdin: str, run: Any, folder: Path) -> None:
    assert run("predict", "iris.lading", "-", stdin=stdin).json == {"predictions": [0, 0, 0]}


def test_probabilities_are_added_when_asked_for(run: Any, folder: Path, model: Any) -> None:
    told = run("predict", "iris.lading", "--proba", ROW).json
    assert list(told["probabilities"].values()) == model.predict_proba(IRIS.data.iloc[:1])[0].tolist()


def test_a_file_gets_the_rows_with_their_predictions(run: Any, folder: Path, model: Any) -> None:
    result = run("predict", "iris.lading", "rows.csv", "-o", "scored.csv", "--proba")
    assert (result.code, result.out) == (0, "")
    scored = pd.read_csv(folder / "scored.csv")
    assert scored.iloc[:, :4].equals(IRIS.data.head(3))
    assert scored["prediction"].tolist() == [0, 0, 0]
    names = ["probability 0", "probability 1", "probability 2"]
    assert scored[names].to_numpy().tolist() == model.predict_proba(IRIS.data.head(3)).tolist()


def test_a_json_file_gets_what_stdout_would(run: Any, folder: Path) -> None:
    assert run("predict", "iris.lading", "rows.csv", "-o", "scored.json").code == 0
    assert json.loads((folder / "scored.json").read_bytes()) == run("predict", "iris.lading", "rows.csv").json


def test_several_targets_are_columns_with_their_names(run: Any, folder: Path) -> None:
    model = LinearRegression().fit(IRIS.data.iloc[:, :2], IRIS.data.iloc[:, 2:])
    lading.pack(model, IRIS.data.iloc[:, :2], IRIS.data.iloc[:, 2:], folder / "two.lading")
    assert run("predict", "two.lading", '{"X": [5.1, 3.5]}', "-o", "scored.csv").code == 0
    with (folder / "scored.csv").open() as file:
        header = next(csv.reader(file))
    assert header[2:] == ["prediction petal length (cm)", "prediction petal width (cm)"]


def test_what_training_never_saw_is_said_where_a_file_cannot_hold_it(run: Any, folder: Path) -> None:
    result = run("predict", "iris.lading", '{"X": [5.1, 3.5, 1.4, 99]}', "-o", "scored.csv")
    assert result.code == 0
    assert "warning   petal width (cm): outside the range seen in training, 0.1 to 2.5, in 1 row" in result.err


def test_every_problem_is_listed(run: Any, folder: Path) -> None:
    row = {"sepal lenth (cm)": 5.1, "sepal width (cm)": "wide", "petal length (cm)": 1.4}
    result = run("predict", "iris.lading", json.dumps([row, json.loads(ROW)]))
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: 4 problems with the input\n")
    assert "did you mean `sepal length (cm)`?" in result.err
    assert "row 0" in result.err
    assert '"wide"' not in result.err


WRONG = {
    "neither JSON nor a file": (["iris.lading", "rows"], 2),
    "no text": (["iris.lading", ""], 2),
    "no such file": (["iris.lading", "nowhere.csv"], 2),
    "half a row": (["iris.lading", "{"], 1),
    "too deep": (["iris.lading", "[" * 100_000], 1),
    "no rows": (["iris.lading", "[]"], 1),
    "a number": (["iris.lading", "[1]"], 1),
    "an unknown kind of file": (["iris.lading", ROW, "-o", "scored.xlsx"], 2),
    "no folder": (["iris.lading", ROW, "-o", "nowhere/scored.csv"], 2),
    "no model": (["nowhere.joblib", ROW], 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_predicted_is_said(name: str, run: Any, folder: Path) -> None:
    arguments, code = WRONG[name]
    before = sorted(folder.iterdir())
    result = run("predict", *arguments)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("error: ")
    assert sorted(folder.iterdir()) == before


def test_nothing_on_stdin_is_broken_input(run: Any, folder: Path) -> None:
    assert run("predict", "iris.lading", "-").code == 1


def test_probabilities_that_a_model_does_not_give_are_wrong_usage(run: Any, folder: Path) -> None:
    lading.pack(LinearRegression().fit(IRIS.data, IRIS.target), path=folder / "line.lading")
    result = run("predict", "line.lading", ROW, "--proba")
    assert result.code == 2
    assert "LinearRegression gives no probabilities" in result.err


def test_what_a_model_prints_is_no_data(run: Any, folder: Path) -> None:
    (folder / "loud.py").write_text(
        "print('loading')\n\n\ndef twice(x: int) -> int:\n    print('asked')\n    return 2 * x\n"
    )
    predicted, packed = run("predict", "loud.py:twice", '{"x": 2}'), run("pack", "loud.py:twice", "--json")
    assert (predicted.json, packed.json["manifest"]["entry"]) == ({"prediction": 4}, "twice")
    assert "asked" in predicted.err
    assert "loading" in packed.err
    assert run("inspect", "loud.py:twice", "--example").json == {"x": 1}
    assert run("check", "loud-1.0.0.lading", "--json").json["is_good"] is True


def test_lines_of_json_on_stdin_are_known_by_how_they_begin(run: Any, folder: Path) -> None:
    result = run("predict", "iris.lading", "-", "-o", "scored.csv", stdin=f"{ROW}\n{ROW}\n")
    assert result.code == 0
    assert pd.read_csv(folder / "scored.csv")["prediction"].tolist() == [0, 0]


@pytest.fixture
def images(folder: Path) -> list[str]:
    """Images of 2x2 pixels, for `pixels.lading`, which adds them up."""
    model = LinearRegression().fit(
        [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], [0, 1, 1, 1, 1]
    )
    lading.pack(model, path=folder / "pixels.lading", image={"size": "2x2", "gray": True})
    for level in (1, 20):
        (folder / f"{level}.png").write_bytes(saved(np.full((2, 2), level, np.uint8)))
    return ["1.png", "20.png"]


def test_images_are_predicted_as_files(run: Any, folder: Path, images: list[str]) -> None:
    assert run("predict", "pixels.lading", images[0]).json["prediction"] == pytest.approx(4)
    assert run("predict", "pixels.lading", *images).json["predictions"] == pytest.approx([4, 80])


def test_images_that_cannot_be_predicted_are_an_error(run: Any, folder: Path, images: list[str]) -> None:
    refused = run("predict", "iris.lading", *images)
    assert (refused.code, refused.err.splitlines()[0]) == (2, "error: this model takes no images")
    assert run("predict", "pixels.lading", "none.png").code == 2
    assert run("predict", "pixels.lading", "none*.png").err.startswith("error: no file matches none*.png")


def test_images_that_a_pattern_names_are_a_table_of_files(run: Any, folder: Path, images: list[str]) -> None:
    result = run("predict", "pixels.lading", "*.png", "-o", "scored.csv")
    assert (result.code, result.err) == (0, "wrote     scored.csv   2 rows\n")
    assert pd.read_csv(folder / "scored.csv")["file"].tolist() == images


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rows.csv", "iris.lading"], "the model comes first, then the rows"),
        (["127.0.0.1:8000", "rows.csv"], "the address of a service begins with http://"),
    ],
)
def test_words_in_other_places_are_told(words: list[str], said: str, run: Any, folder: Path) -> None:
    result = run("predict", *words)
    assert (result.code, result.err.splitlines()[0]) == (2, f"error: {said}")
