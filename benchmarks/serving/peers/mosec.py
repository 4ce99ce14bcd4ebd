"""mosec with dynamic batching, as https://mosecorg.github.io/mosec/ recommends it.

`max_wait_time` is to be less than what a batch takes, and whole milliseconds: so it is one.
"""

import sys
from typing import Any

from benchmarks.serving.target import Server

SERVER = Server(
    command=lambda launch: [
        *(str(launch.python), "-m", __name__, "--workers", str(launch.workers)),
        *("--address", "127.0.0.1", "--port", str(launch.port), "--timeout", "30000"),
        *("--path", str(launch.folder / "mosec")),
    ],
    words="dynamic batching, `max_batch_size=64`, `max_wait_time=1`",
    requirements=("mosec",),
    aim=2.5,
)

if __name__ in ("__main__", "__mp_main__"):
    from benchmarks.serving.tutorial import Tutorial
    from mosec import Server as Mosec
    from mosec import Worker

    class OneRow(Worker):
        """Requests of one row, batched."""

        def __init__(self) -> None:
            self.tutorial = Tutorial()

        def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
            answers = self.tutorial.predict([[row[name] for name in self.tutorial.dtypes] for row in data])
            return [{"prediction": answer} for answer in answers]

    class ManyRows(Worker):
        """Requests that are a batch already."""

        def __init__(self) -> None:
            self.tutorial = Tutorial()

        def forward(self, data: dict[str, Any]) -> dict[str, Any]:
            return {"predictions": self.tutorial.predict(data["X"])}


def serve(workers: int) -> None:
    """Serves until it is told to stop; mosec reads its own options from the command line."""
    server = Mosec()
    if Tutorial.has_one_row():
        server.append_worker(OneRow, num=workers, max_batch_size=64, max_wait_time=1, route="/predict")
    else:
        server.append_worker(ManyRows, num=workers, route="/predict-rows")
    server.run()


if __name__ == "__main__":
    serve(int(sys.argv[sys.argv.index("--workers") + 1]))
