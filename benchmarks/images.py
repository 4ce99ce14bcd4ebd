#!/usr/bin/env python3
"""How large the images of the five examples are, and how long they take until they are ready.

Each is built on a stand-in for Python's slim image (Debian with its Python, by debootstrap), and started five times,
read-only; the time is from `docker run` to the first `200` of /ready, and its median. What stands above the base is
what Lading, the libraries of the model and the bundle take. Needs root, docker.io and debootstrap, or an engine that
answers. Writes `benchmarks/images.md`, and the raw figures to `benchmarks/images.json`.
"""

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.container import BASE, Engine, engine  # noqa: E402
from tests.examples import EXAMPLES, packed  # noqa: E402
from tests.signed import sign, trusting  # noqa: E402

from lading.bundle.signing.keys import PrivateKey  # noqa: E402
from lading.ship.files import write_files  # noqa: E402
from lading.ship.image.docker import Docker  # noqa: E402
from lading.ship.plan import Choices, Plan, make_plan  # noqa: E402

STARTS = 5
READY_S = 60.0
AIM_MB = 150
HEAD = """# Images of the examples

How large the image of each example is above its base, and how long a container takes from `docker run` to ready.
{machine}; `python benchmarks/images.py` measures it again. A compiled image is to have at most {aim} MB above its base.

| Example | Serves | Above the base | Bundle | Ready after |
|---|---|---|---|---|
"""


def measured(docker: Engine, name: str, folder: Path, key: PrivateKey) -> dict[str, Any]:
    """The figures of one example."""
    bundle = sign(packed(name, folder), key)
    plan = make_plan(bundle, trusting(folder / "trust", key, code=True), Choices(base=BASE, auth="network"))
    write_files(Docker().files(plan), folder / name / "image")
    image = plan.image
    docker.run("build", "--tag", image, folder / name / "image")
    sizes = [docker.inspect(each)["Size"] for each in (image, BASE)]
    return {
        "example": name,
        "engine": _engine_of(plan),
        "is_compiled": plan.manifest.is_compiled,
        "above_mb": round((sizes[0] - sizes[1]) / 1e6, 1),
        "bundle_kb": round(bundle.stat().st_size / 1e3, 1),
        "ready_s": [round(started(docker, image), 2) for _ in range(STARTS)],
    }


def _engine_of(plan: Plan) -> str:
    needed = ", ".join(f"{each.name} {each.version}" for each in plan.manifest.needed) or "no library"
    return f"{'compiled' if plan.manifest.is_compiled else 'native'}: {needed}"


def started(docker: Engine, image: str) -> float:
    """Seconds until a container is ready."""
    begun = time.monotonic()
    options = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--publish", "127.0.0.1::8000")
    with docker.container(image, *options) as container:
        url = f"http://{docker.ask('port', container, '8000').splitlines()[0]}/ready"
        while time.monotonic() - begun < READY_S:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return time.monotonic() - begun
            time.sleep(0.01)
    raise SystemExit(f"images: {image} was not ready within {READY_S} s")


def row(figures: dict[str, Any]) -> str:
    """The line of the table."""
    ready = statistics.median(figures["ready_s"])
    mark = "" if not figures["is_compiled"] or figures["above_mb"] <= AIM_MB else " (missed)"
    cells = (figures["example"], figures["engine"], f"{figures['above_mb']:.0f} MB{mark}")
    return f"| {' | '.join(cells)} | {figures['bundle_kb']:.0f} kB | {ready:.1f} s |"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lading-") as name, engine(Path(name) / "engine") as docker:
        if isinstance(docker, str):
            raise SystemExit(f"images: {docker}")
        key, all_figures = PrivateKey.generate(), []
        for example in EXAMPLES:
            all_figures.append(measured(docker, example, Path(name), key))
            print(row(all_figures[-1]), flush=True)
    (ROOT / "benchmarks" / "images.json").write_text(json.dumps(all_figures, indent=2) + "\n")
    machine = f"{os.cpu_count()} cores, one container at a time"
    text = HEAD.format(machine=machine, aim=AIM_MB) + "\n".join(map(row, all_figures)) + "\n"
    (ROOT / "benchmarks" / "images.md").write_text(text)


if __name__ == "__main__":
    main()
