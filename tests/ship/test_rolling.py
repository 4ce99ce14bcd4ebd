"""A rolling update, a drained node and a killed pod, with real replicas as the manifests for Kubernetes order them.

Clients ask all the time, on connections that they keep and on new ones. What they were answered, what replicas have
logged and what replicas have counted has to be the same.
"""

import http.client
import itertools
import json
import re
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

import httpx
import msgspec
import pytest
from tests.signed import sign

import lading
from lading.bundle.declared import Declared
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.trust import TrustStore
from lading.flavors.linear import LinearFile
from lading.ship.plan import Choices, Plan, make_plan

from .cluster import Cluster, Pod, scaled
from .conftest import DEMO

REPLICAS = 3
BODY = b'{"X":[5.1,3.5,1.4,0.2]}'
PHASE_S = 3.0
"""How long each state lasts, at least."""
SHORT_S = 0.02
PAUSES_S = (SHORT_S, SHORT_S, SHORT_S, scaled(0.5), scaled(4.0))
"""Between two requests of a client that keeps its connection: each less than a pod has to drain."""
ONE_SHOTS = 3


class Asked(NamedTuple):
    """A request as its client has seen it: the version that answered, or what was wrong."""

    name: str
    port: int
    version: str = ""
    error: str = ""


class Load:
    """Clients that ask again and again; everything that they get is kept."""

    def __init__(self, cluster: Cluster) -> None:
        self.asked: list[Asked] = []
        self._cluster, self._is_over = cluster, threading.Event()
        kinds = [*((pause_s, True) for pause_s in PAUSES_S), *[(SHORT_S, False)] * ONE_SHOTS]
        self._threads = [
            threading.Thread(target=self._ask, args=(number, *kind), daemon=True) for number, kind in enumerate(kinds)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def bad(self) -> list[Asked]:
        return [each for each in self.asked if each.error]

    def _ask(self, number: int, pause_s: float, is_kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._cluster.proxy.port, timeout=30)
        fields = {"X-API-Key": self._cluster.key, "Content-Type": "application/json"}
        for turn in itertools.count():
            if self._is_over.wait(pause_s):
                break
            self.asked.append(_asked(connection, f"load-{number}-{turn}", fields))
            if not is_kept or self.asked[-1].error:
                connection.close()
        connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def goes_on(self) -> None:
        """Wait for a while."""
        self._is_over.wait(scaled(PHASE_S))

    def end(self) -> None:
        """Let each client have its last answer."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)


def _asked(connection: http.client.HTTPConnection, name: str, fields: dict[str, str]) -> Asked:
    port = 0
    try:
        if connection.sock is None:
            connection.connect()
        port = connection.sock.getsockname()[1]
        connection.request("POST", "/predict", BODY, fields | {"X-Request-ID": name})
        response = connection.getresponse()
        told = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Asked(name, port, error=repr(error))
    if response.status != 200 or (told["predictions"], told["id"]) != (["setosa"], name):
        return Asked(name, port, error=f"{response.status}: {told}")
    return Asked(name, port, version=str(response.headers["x-model"]))


class Mark(NamedTuple):
    """How much has been kept so far."""

    asked: int
    heard: int


class Drill(NamedTuple):
    """What has happened, by phases: requests that ended, how many pods could be connected to; and who was there."""

    phases: dict[str, list[Asked]]
    endpoints: dict[str, list[int]]
    killed: Pod
    counted: dict[str, float]
    cluster: Cluster

    @property
    def asked(self) -> list[Asked]:
        return [each for phase in self.phases.values() for each in phase]


@pytest.fixture(scope="module")
def plans(bundle: Path, trust: TrustStore, key: PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> list[Plan]:
    """Two versions, each as it is shipped."""
    path = tmp_path_factory.mktemp("new") / "iris-1.1.0.lading"
    model = msgspec.json.decode(DEMO.read_bytes(), type=LinearFile)
    new = sign(lading.pack(model, path=path, declared=Declared(name="iris", version="1.1.0")).path, key)
    choices = Choices(lock=False, replicas=REPLICAS, host="models.example.com")
    return [make_plan(each, trust, choices) for each in (bundle, new)]


@pytest.fixture(scope="module")
def drill(plans: list[Plan], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """The whole course, once."""
    old, new = plans
    cluster = Cluster(old, tmp_path_factory.mktemp("cluster"))
    try:
        with Load(cluster) as load:
            load.goes_on()
            marks = [Mark(0, len(cluster.proxy.heard))]
            for change in (lambda: cluster.roll(new), lambda: cluster.evict(cluster.pods[-1])):
                change()
                marks.append(Mark(len(load.asked), len(cluster.proxy.heard)))
            killed = next(pod for pod in cluster.pods if not pod.is_ending)
            killed.kill()
            load.goes_on()
            cluster.is_settled()
            load.goes_on()
        marks.append(Mark(len(load.asked), len(cluster.proxy.heard)))
        spans = dict(zip(("rolled", "evicted", "killed"), itertools.pairwise(marks), strict=True))
        yield Drill(
            {name: load.asked[first.asked : last.asked] for name, (first, last) in spans.items()},
            {name: cluster.proxy.heard[first.heard : last.heard] for name, (first, last) in spans.items()},
            killed,
            {pod.name: _counted(pod, cluster.key) for pod in cluster.pods if not pod.is_ending},
            cluster,
        )
    finally:
        cluster.close()
        shutil.rmtree(cluster.secrets)


def _counted(pod: Pod, key: str) -> float:
    """How many predictions its present container has given, as its metrics have it."""
    text = httpx.get(f"http://127.0.0.1:{pod.port}/metrics", headers={"x-api-key": key}).text
    found = re.search(r'^lading_requests_total{route="/predict",status="200"} (\S+)', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _logged(log: str) -> list[str]:
    """The ids of the predictions that a container has given, as it says itself."""
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{") and line.endswith("}")]
    return [each["request_id"] for each in entries if each.get("route") == "/predict" and each["status"] == 200]


# --- what callers see


def test_nobody_notices_a_rolling_update(drill: Drill, record_property: Callable[[str, object], None]):
    phase = drill.phases["rolled"]
    assert [each for each in phase if each.error] == []
    versions = Counter(each.version for each in phase)
    assert set(versions) == {"iris/1.0.0", "iris/1.1.0"}
    record_property("answered while it was rolled", dict(versions))


def test_nobody_notices_that_a_node_is_drained(drill: Drill, record_property: Callable[[str, object], None]):
    phase = drill.phases["evicted"]
    assert [each for each in phase if each.error] == []
    assert {each.version for each in phase} == {"iris/1.1.0"}
    record_property("answered while a node was drained", len(phase))


def test_only_who_is_connected_to_a_killed_pod_notices(drill: Drill, record_property: Callable[[str, object], None]):
    bad = [each for each in drill.phases["killed"] if each.error]
    assert {drill.cluster.proxy.went[each.port].name for each in bad} == {drill.killed.name}
    assert len(bad) < len(drill.phases["killed"]) / 2
    assert len(drill.killed.servers) == 2
    record_property("failed at the killed pod", f"{len(bad)} of {len(drill.phases['killed'])}")


# --- what pods and controllers have done


def test_a_rollout_never_has_fewer_pods_than_are_wanted_and_one_more_at_most(drill: Drill):
    assert drill.endpoints["rolled"] == [REPLICAS + 1, REPLICAS] * REPLICAS


@pytest.mark.parametrize("phase", ["evicted", "killed"])
def test_one_that_is_lost_comes_back(drill: Drill, phase: str):
    assert drill.endpoints[phase] == [REPLICAS - 1, REPLICAS]


def test_every_pod_that_was_told_to_ended_well_within_its_grace(drill: Drill):
    assert drill.cluster.problems == []
    ended = [pod for pod in drill.cluster.pods if pod.is_ending]
    assert len(ended) == REPLICAS + 1
    assert {pod.servers[-1].wait() for pod in ended} == {0}


# --- both sides have counted the same


def test_clients_and_replicas_have_counted_the_same(drill: Drill, record_property: Callable[[str, object], None]):
    answered = Counter(each.name for each in drill.asked if not each.error)
    lost = drill.killed.servers[0]
    logged = Counter(
        name for pod in drill.cluster.pods for each in pod.servers if each is not lost for name in _logged(each.log())
    )
    at_lost = Counter(_logged(lost.log()))
    assert max((logged + at_lost).values()) == 1
    assert logged - answered == Counter()
    # Of what was in flight when it was killed nobody knows whether it was answered: at most one of each client.
    unknown = (answered - logged - at_lost) + (at_lost - answered)
    assert len(unknown) <= len(PAUSES_S) + ONE_SHOTS
    record_property("answered", sum(answered.values()))
    record_property("logged", sum(logged.values()) + sum(at_lost.values()))


def test_metrics_and_logs_have_counted_the_same(drill: Drill):
    for pod in drill.cluster.pods:
        if pod.name in drill.counted:
            assert drill.counted[pod.name] == len(_logged(pod.servers[-1].log()))


# --- that the drill sees what it is for


def test_without_time_to_drain_callers_would_notice(plans: list[Plan], tmp_path: Path):
    cluster = Cluster(plans[0], tmp_path, LADING_DRAIN_S="0")
    try:
        with Load(cluster) as load:
            cluster.evict(cluster.pods[0])
    finally:
        cluster.close()
    assert {cluster.proxy.went[each.port].name for each in load.bad} == {cluster.pods[0].name}
