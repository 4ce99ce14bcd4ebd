"""Flask behind Gunicorn with three sync workers, as tutorials have it."""

from typing import Any

from benchmarks.serving.target import Server

SERVER = Server(
    command=lambda launch: [
        *(str(launch.python), "-m", "gunicorn", f"{__name__}:app()"),
        *("--bind", f"127.0.0.1:{launch.port}", "--workers", str(launch.workers)),
    ],
    words="`request.get_json()`, the model loaded at start; Gunicorn with three sync workers",
    requirements=("flask", "gunicorn"),
    workers=3,
    aim=25.0,
)


def app() -> Any:
    """The application, for Gunicorn."""
    from benchmarks.serving.tutorial import Tutorial
    from flask import Flask, jsonify, request

    tutorial = Tutorial()
    app = Flask(__name__)

    @app.post("/predict")
    def predict() -> Any:
        row = request.get_json()
        return jsonify(prediction=tutorial.predict([[row[name] for name in tutorial.dtypes]])[0])

    @app.post("/predict-rows")
    def predict_rows() -> Any:
        return jsonify(predictions=tutorial.predict(request.get_json()["X"]))

    return app
