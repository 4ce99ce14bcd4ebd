"""FastAPI on Uvicorn, as https://fastapi.tiangolo.com has it: a pydantic model, and the model loaded once, at start."""

from typing import Any

from benchmarks.serving.target import Server

SERVER = Server(
    command=lambda launch: [
        *(str(launch.python), "-m", "uvicorn", "--factory", f"{__name__}:app"),
        *("--host", "127.0.0.1", "--port", str(launch.port), "--workers", str(launch.workers)),
    ],
    words="a pydantic model, an `async` endpoint, the model loaded at start; Uvicorn with uvloop and httptools",
    requirements=("fastapi", "uvicorn[standard]"),
    aim=25.0,
)


def app() -> Any:
    """The application, for Uvicorn."""
    from benchmarks.serving.tutorial import Tutorial
    from fastapi import FastAPI
    from pydantic import BaseModel, create_model

    tutorial = Tutorial()
    Row = create_model("Row", **{name: (kind, ...) for name, kind in tutorial.types.items()})

    class Rows(BaseModel):
        X: list[list[float]]

    app = FastAPI()

    @app.post("/predict")
    async def predict(row: Row) -> dict[str, Any]:  # type: ignore[valid-type]
        return {"prediction": tutorial.predict([list(row.model_dump().values())])[0]}

    @app.post("/predict-rows")
    async def predict_rows(rows: Rows) -> dict[str, Any]:
        return {"predictions": tutorial.predict(rows.X)}

    return app
