"""As much of a cluster as a rolling update needs: kubelets, endpoints, kube-proxy, and who replaces pods.

Pods are processes on this machine, started with the arguments and variables that the manifests and the Dockerfile give
them; paths within a container stand for folders here, and a port for the address of a pod. Everything waits as long as
the manifests say, times `FACTOR`.
"""

import asyncio
import contextlib
import http.client
import itertools
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from tests.conftest import SCALE
from tests.serve.conftest import Server, free_port

from lading.access.keys.file import create_key
from lading.ship.cargo import cargo_files
from lading.ship.files import write_files
from lading.ship.image.docker import Docker, image_environment
from lading.ship.kubernetes.kubernetes import Kubernetes
from lading.ship.plan import BUNDLE_FOLDER, Plan

from .fronts import until

FACTOR = 1.0 if SCALE == "full" else 0.1
PROPAGATION_S = 2.0
"""Until what a pod has become is known wherever connections are given out."""
NOTICED_S = 1.0
"""Until a kubelet sees that a container has ended."""
_TICK_S = 0.01


def scaled(seconds: float) -> float:
    return seconds * FACTOR


class Manifests:
    """What a plan writes for a cluster, read as the cluster reads it."""

    def __init__(self, plan: Plan) -> None:
        files = [file for file in Kubernetes().files(plan) if file.path.startswith("base/")]
        objects = [yaml.safe_load(file.data) for file in files]
        self.deployment = next(each for each in objects if each["kind"] == "Deployment")
        self._maps = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"}
        self.spec = self.deployment["spec"]
        self.pod = self.spec["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.replicas = plan.choices.replicas
        self.image = image_environment(plan)
        dockerfile = next(file.data.decode() for file in Docker().files(plan) if file.path == "Dockerfile")
        entry = next(line for line in dockerfile.splitlines() if line.startswith("ENTRYPOINT "))
        self.command: list[str] = json.loads(entry.removeprefix("ENTRYPOINT "))

    @property
    def arguments(self) -> list[str]:
        """Of `lading serve`."""
        command = self.container.get("command") or self.command
        _, verb, *arguments = [*command, *self.container.get("args", [])]
        assert verb == "serve"
        return arguments

    @property
    def environment(self) -> dict[str, str]:
        """What the image has, and what the pod says."""
        made = dict(self.image)
        for source in self.container.get("envFrom", []):
            made |= self._maps[source["configMapRef"]["name"]]
        return made | {each["name"]: each["value"] for each in self.container.get("env", [])}


class Image:
    """A version that can be started: its manifests, and the folders that its containers see."""

    def __init__(self, plan: Plan, folder: Path, secrets: Path, **changed: str) -> None:
        self.manifests, self.folder, self.version = Manifests(plan), folder, plan.manifest.version
        write_files(cargo_files(plan), folder / "bundle")
        mounts = {mount["name"]: mount["mountPath"] for mount in self.manifests.container["volumeMounts"]}
        self._places = {BUNDLE_FOLDER: folder / "bundle", mounts["keys"]: secrets}
        self._changed = changed

    def start(self, port: int, log: Path) -> Server:
        """A container."""
        said = {name: self._here(value) for name, value in self.manifests.environment.items()}
        said["LADING_DRAIN_S"] = str(scaled(float(said["LADING_DRAIN_S"])))
        own = {"LADING_HOST": "127.0.0.1", "LADING_PORT": str(port), "XDG_RUNTIME_DIR": str(self.folder)}
        arguments = [self._here(argument) for argument in self.manifests.arguments]
        return Server(*arguments, log=log, environment=said | own | self._changed)

    def _here(self, value: str) -> str:
        for place, folder in self._places.items():
            if value.startswith(f"{place}/"):
                return str(folder / value.removeprefix(f"{place}/"))
        return value


class Probe:
    """One of a container's probes, and what came of it so far."""

    def __init__(self, said: Mapping[str, Any], port: int) -> None:
        self._said, self._port = said, port
        self.every_s = scaled(said.get("periodSeconds", 10))
        self.begin()

    def begin(self) -> None:
        """Know nothing yet, and ask at once."""
        self.next_s, self.failures, self.has_succeeded = 0.0, 0, False

    @property
    def has_failed(self) -> bool:
        return self.failures >= int(self._said["failureThreshold"])

    def ask(self) -> None:
        """Ask, if it is time to."""
        if time.monotonic() < self.next_s:
            return
        self.next_s = time.monotonic() + self.every_s
        is_good = self._is_good()
        self.failures = 0 if is_good else self.failures + 1
        self.has_succeeded = is_good or (self.has_succeeded and not self.has_failed)

    def _is_good(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._said["timeoutSeconds"])
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", self._said["httpGet"]["path"])
            return connection.getresponse().status < 400
        return False


class Pod:
    """A pod, and the kubelet that looks after it in a thread."""

    def __init__(self, name: str, image: Image, on_change: Callable[[], None]) -> None:
        self.name, self.image, self.port, self._on_change = name, image, free_port(), on_change
        self.servers: list[Server] = []
        self.is_ready = self.is_ending = self.is_gone = False
        self.ready_since_s = float("inf")
        self.problems: list[str] = []
        container = image.manifests.container
        self._startup, self._readiness, self._liveness = (
            Probe(container[kind], self.port) for kind in ("startupProbe", "readinessProbe", "livenessProbe")
        )
        self._start()
        self._thread = threading.Thread(target=self._look_after, daemon=True)
        self._thread.start()

    @property
    def is_available(self) -> bool:
        """Whether it has been ready for as long as a Deployment wants."""
        ready_s = time.monotonic() - self.ready_since_s
        return self.is_ready and not self.is_ending and ready_s >= scaled(self.image.manifests.spec["minReadySeconds"])

    def end(self) -> None:
        """Be told to end, as by a rollout or an eviction: its endpoint goes, and so does it, at the same time."""
        self.is_ending = True
        self._on_change()

    def kill(self) -> None:
        """Lose its container, as when memory is short."""
        self.servers[-1].signal(signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it is gone."""
        until(lambda: self.is_gone, f"{self.name} is gone")
        self._thread.join()

    def _start(self) -> None:
        self.servers.append(self.image.start(self.port, self.image.folder / f"{self.name}-{len(self.servers)}.log"))
        for probe in (self._startup, self._readiness, self._liveness):
            probe.begin()

    def _look_after(self) -> None:
        try:
            while not self.is_ending:
                if self.servers[-1].process.poll() is not None:
                    threading.Event().wait(scaled(NOTICED_S))
                    self._say(is_ready=False)
                    self._start()
                self._probe()
                threading.Event().wait(_TICK_S)
            self._leave()
        finally:
            self.is_gone = True

    def _probe(self) -> None:
        if not self._startup.has_succeeded:
            self._startup.ask()
        else:
            self._readiness.ask()
            self._liveness.ask()
            self._say(is_ready=self._readiness.has_succeeded)
        for probe, name in ((self._startup, "startup"), (self._liveness, "liveness")):
            if probe.has_failed:
                self.problems.append(f"{self.name}: the {name} probe failed, so it is started anew")
                self.kill()
                self.servers[-1].wait()

    def _say(self, *, is_ready: bool) -> None:
        if is_ready != self.is_ready:
            self.is_ready = is_ready
            self.ready_since_s = time.monotonic() if is_ready else float("inf")
            self._on_change()

    def _leave(self) -> None:
        """What a kubelet does with a pod that is to end."""
        pre_stop = self.image.manifests.container.get("lifecycle", {}).get("preStop", {})
        threading.Event().wait(scaled(pre_stop.get("sleep", {}).get("seconds", 0)))
        server, start_s = self.servers[-1], time.monotonic()
        server.signal(signal.SIGTERM)
        code = server.wait()
        if code or time.monotonic() - start_s > self.image.manifests.pod["terminationGracePeriodSeconds"]:
            self.problems.append(f"{self.name}: ended with {code}: {server.log()[-500:]}")


class Proxy:
    """Gives each new connection to one of the pods that it has heard of; it stays there.

    Attributes:
        went: the pod that a connection was given to, by its port.
        heard: how many pods there were, each time that this changed.
    """

    def __init__(self) -> None:
        self.went: dict[int, Pod] = {}
        self.heard: list[int] = []
        self._pods: Sequence[Pod] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        """Streams hold what waits for them by weak references only."""
        self._loop = asyncio.new_event_loop()
        self._is_open = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_open.wait(10)

    def hear(self, pods: Sequence[Pod], after_s: float) -> None:
        """Know of these pods only, after so long."""
        self._loop.call_soon_threadsafe(self._loop.call_later, after_s, self._know, pods)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _know(self, pods: Sequence[Pod]) -> None:
        self._pods = pods
        self.heard.append(len(pods))

    def _run(self) -> None:
        self._loop.run_until_complete(self._open())
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._is_open.set()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pod = random.choice(self._pods)
            self.went[writer.get_extra_info("peername")[1]] = pod
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", pod.port)
        except (OSError, IndexError):  # nobody tries another one
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        except OSError:  # one side is gone, and so the other one is to know
            pass
        finally:
            for each in (writer, far_writer):
                each.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


class Cluster:
    """A Deployment with its pods behind a Service."""

    def __init__(self, plan: Plan, folder: Path, **changed: str) -> None:
        self._folder, self._names, self._changed = folder, itertools.count(1), changed
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        scopes = ("predict:*", "models:read", "metrics")
        self.key = create_key(self.secrets / "keys.json", "tester", datetime.now(UTC), scopes=scopes)[1]
        self.pods: list[Pod] = []
        self.proxy = Proxy()
        self._lock = threading.Lock()
        try:
            self.image = self._image(plan)
            for _ in range(self.image.manifests.replicas):
                self._add()
            self.is_settled()
        except BaseException:
            self.close()
            raise

    # --- the controllers

    def roll(self, plan: Plan) -> None:
        """Replace every pod, with as many more, or fewer, at a time as the Deployment allows; wait until it is done."""
        self.image = self._image(plan)
        rules = self.image.manifests.spec["strategy"]["rollingUpdate"]
        replicas = self.image.manifests.replicas
        while old := [pod for pod in self._staying() if pod.image is not self.image]:
            new = len(self._staying()) - len(old)
            if new < replicas and len(self._staying()) < replicas + rules["maxSurge"]:
                self._add()
            if sum(pod.is_available for pod in self._staying()) > replicas - rules["maxUnavailable"]:
                old[0].end()
            threading.Event().wait(_TICK_S)
        self.is_settled()

    def evict(self, pod: Pod) -> None:
        """Drain the node of a pod: it is told to end, and another one is started elsewhere."""
        pod.end()
        self._add()
        self.is_settled()

    def is_settled(self) -> None:
        """Wait until there are as many as there should be, known everywhere, and nobody is leaving."""
        until(lambda: all(pod.is_available for pod in self._staying()), "all pods are available")
        for pod in self.pods:
            if pod.is_ending:
                pod.wait()
        until(lambda: set(self.proxy._pods) == set(self._staying()), "the proxy knows them")

    def close(self) -> None:
        """Nobody is left."""
        for pod in self.pods:
            pod.end()
        for pod in self.pods:
            pod.wait()
            for server in pod.servers:
                server.end()
        self.proxy.close()

    @property
    def problems(self) -> list[str]:
        """What no pod should have."""
        return [problem for pod in self.pods for problem in pod.problems]

    def _staying(self) -> list[Pod]:
        return [pod for pod in self.pods if not pod.is_ending]

    def _image(self, plan: Plan) -> Image:
        folder = self._folder / plan.manifest.version
        folder.mkdir()
        return Image(plan, folder, self.secrets, **self._changed)

    def _add(self) -> None:
        self.pods.append(Pod(f"pod-{next(self._names)}", self.image, self._publish))

    def _publish(self) -> None:
        """What the endpoints are, told to who gives connections out."""
        with self._lock:
            ready = [pod for pod in self._staying() if pod.is_ready]
            self.proxy.hear(ready, scaled(PROPAGATION_S))
