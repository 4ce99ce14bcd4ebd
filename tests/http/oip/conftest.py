"""A client that asks in the words of the Open Inference Protocol."""

import json
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from tests.http.conftest import DOUBLE
from tests.images import saved

import lading
from lading.errors import LadingError
from lading.http.oip.infer import Infer
from lading.http.oip.refusals import text_of

Client = Any

IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]


class Asker:
    """Asks one model.

    Attributes:
        client: asks anything.
        path: of the model.
    """

    def __init__(self, client: Client, path: str) -> None:
        self.client = client
        self.path = path

    def infer(self, *inputs: Any, **rest: Any) -> Any:
        """The answer to a request with these tensors, and other members."""
        return self.client.post(f"{self.path}/infer", json={"inputs": list(inputs), **rest})

    def outputs(self, *inputs: Any, **rest: Any) -> dict[str, Any]:
        """The data of each output, where that is what is answered."""
        answer = self.infer(*inputs, **rest)
        assert answer.status_code == 200, answer.text
        return {output["name"]: output["data"] for output in answer.json()["outputs"]}

    def refused(self, *inputs: Any, status: int = 400, **rest: Any) -> str:
        """Why a request is refused."""
        answer = self.infer(*inputs, **rest)
        assert answer.status_code == status, answer.text
        assert answer.json().keys() == {"error"}
        return str(answer.json()["error"])


def tensor(name: str, data: Any, *, datatype: str = "FP64", shape: Any = None, **rest: Any) -> dict[str, Any]:
    """A tensor of one dimension, unless another shape is given."""
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data, **rest}


def matrix(rows: Any = ROWS, name: str = "predict", **rest: Any) -> dict[str, Any]:
    """One tensor of all columns."""
    return tensor(name, rows, shape=[len(rows), len(rows[0])], **rest)


@pytest.fixture
def ask_double(client: Client) -> Asker:
    """Of the model that doubles its one column, `x`."""
    return Asker(client, "/v2/models/model")


@pytest.fixture
def ask_iris(iris_client: Client) -> Asker:
    return Asker(iris_client, "/v2/models/iris")


@pytest.fixture
def ask_churn(churn_client: Client) -> Asker:
    return Asker(churn_client, "/v2/models/model")


@pytest.fixture
def error_of() -> Callable[[Any, int], str]:
    """Checks that an answer is an error of the protocol with this status, and gives its text."""

    def check(answer: Any, status: int) -> str:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"]
        (text,) = answer.json().values()
        assert list(answer.json()) == ["error"]
        assert text
        assert "\n" not in text
        return str(text)

    return check


def _reading(dialect: Any) -> Callable[[Any], Any]:
    """What a dialect makes of a request: rows and the rest, or the error."""

    def read(request: Any) -> Any:
        try:
            asked = dialect.read(json.dumps(request).encode())
        except LadingError as error:
            return text_of(error)
        return [list(asked.rows), asked.proba, asked.id, asked.outputs]

    return read


@pytest.fixture(scope="session")
def quick_and_strict(churn: Any, make_http_app: Callable[..., Any], tmp_path_factory: Any) -> list[Any]:
    """For models of one column and of several: what is read with the quick way before the strict one, and without."""
    path = tmp_path_factory.mktemp("double") / "double-1.0.0.lading"
    double = lading.load(lading.pack(DOUBLE, path=path).path)
    pairs = []
    for model in (double, churn):
        service = make_http_app(model).service
        quick, strict = Infer(service), Infer(service)
        strict._quick = None
        pairs.append((_reading(quick), _reading(strict)))
    return pairs


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> lading.Model:
    """A classifier of digits of 8x8 pixels from 0 to 16."""
    folder = tmp_path_factory.mktemp("digits")
    joblib.dump(SGDClassifier(random_state=0).fit(*load_digits(return_X_y=True)), folder / "digits.joblib")
    image = {"size": "8x8", "gray": True, "scale": [0, 16]}
    packed = lading.pack(folder / "digits.joblib", path=folder / "digits.lading", image=image, output="digit")
    return lading.load(packed.path)


@pytest.fixture
def digits_client(digits: lading.Model, connect: Callable[..., Client], make_http_app: Any) -> Client:
    return connect(make_http_app(digits))


@pytest.fixture(scope="session")
def seven() -> bytes:
    """The file of one of them."""
    return saved(np.round(load_digits().images[7] * 255 / 16).astype(np.uint8))
