"""Lading, on both of its roads, and the limit: nginx that answers a constant."""

import json
import os

from benchmarks.serving.environments import program
from benchmarks.serving.target import ARROW, CSV, ROOT, ROW, ROWS, Launch, Server

REQUIREMENTS = ("-e", f"{ROOT}[convert,parquet]")

NGINX = """
daemon off;
{user}
pid {folder}/pid;
error_log /dev/null;
worker_processes {workers};
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
}}
"""


def lading(launch: Launch, *options: str) -> list[str]:
    """`lading serve`, as a user starts it."""
    bundle = launch.case.folder / "model.lading"
    command = [str(launch.python.parent / "lading"), "serve", str(bundle)]
    return [*command, "--port", str(launch.port), "--workers", str(launch.workers), *options]


def nginx(launch: Launch) -> list[str]:
    """nginx with a configuration and folders of its own; its answer has the size of Lading's."""
    answer = json.dumps({"prediction": launch.case.facts["expected"][0], "id": "0" * 32}, separators=(",", ":"))
    text = NGINX.format(
        folder=launch.folder,
        port=launch.port,
        workers=launch.workers,
        answer=answer + "\\n",
        user="user root;" if os.geteuid() == 0 else "",
    )
    path = launch.folder / "nginx.conf"
    path.write_text(text)
    return [program("nginx") or "nginx", "-p", str(launch.folder), "-e", "/dev/null", "-c", str(path)]


LADING = Server(
    command=lading,
    words="the fast lane; metrics, ids and a log line a request on, as always",
    requirements=REQUIREMENTS,
    environment={"LADING_DRAIN_S": "0"},
    paths=dict.fromkeys((ROW, ROWS, CSV, ARROW), "/predict"),
)
LADING_ASGI = Server(
    command=lambda launch: lading(launch, "--no-lane"),
    words="the same with `--no-lane`: each request goes through ASGI",
    requirements=REQUIREMENTS,
    environment={"LADING_DRAIN_S": "0"},
    paths=dict.fromkeys((ROW, ROWS, CSV), "/predict"),
)
NGINX_CONSTANT = Server(
    command=nginx,
    words="the limit: a constant of the size of Lading's answer, no log",
    needs_model=False,
    paths={ROW: "/predict"},
    is_constant=True,
)

OWN = {"lading": LADING, "lading-asgi": LADING_ASGI, "nginx": NGINX_CONSTANT}
