"""The closed loop: `wrk -t1` keeps so many connections busy."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.environments import BenchError
from benchmarks.serving.processes import Request

MARK = "bench: "
# Long strings in Lua end at the first `]=]`, which is in no path.
SCRIPT = """
local file = assert(io.open([=[{body}]=], "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "{content_type}"
file:close()

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{mark}{{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "p999_us": %d, "errors": ' ..
    '{{"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}}}\\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
"""


def closed_loop(
    port: int, request: Request, connections: int, seconds: int, *, scheme: str = "http", fields: Sequence[str] = ()
) -> dict[str, Any]:
    """Requests a second, latencies and errors under this load; `fields` are lines of the head beside the usual ones."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        body, script = Path(folder) / "body", Path(folder) / "load.lua"
        body.write_bytes(request.body)
        script.write_text(SCRIPT.format(body=body, content_type=request.content_type, mark=MARK))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
        command += [word for line in fields for word in ("-H", line)]
        url = f"{scheme}://127.0.0.1:{port}{request.path}"
        done = subprocess.run([*command, url], capture_output=True, text=True, timeout=seconds + 60, check=False)
    if done.returncode:
        raise BenchError(f"wrk failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return parse(done.stdout)


def parse(text: str) -> dict[str, Any]:
    """The figures in what wrk printed; `invalid` says why they do not count, empty where they do."""
    [line] = [line for line in text.splitlines() if line.startswith(MARK)]
    told = json.loads(line.removeprefix(MARK))
    errors = {name: count for name, count in told["errors"].items() if count}
    words = ", ".join(f"{count} errors of {name}" for name, count in errors.items())
    return {
        "requests_s": told["requests"] / (told["duration_us"] / 1e6),
        **{name.replace("_us", "_ms"): told[name] / 1000 for name in ("p50_us", "p99_us", "p999_us")},
        "invalid": words or ("" if told["requests"] else "no request was answered"),
    }
