"""What holds for every object that is written for a cluster, whatever was chosen: pods that may do next to nothing,
references that lead somewhere, times and sizes that go together."""

import re
from collections.abc import Callable
from fractions import Fraction
from ipaddress import ip_network
from typing import Any

import pytest

from lading.settings import load_settings
from lading.ship.plan import Plan

from .kustomized import (
    CASES,
    LOCAL,
    MONITORED,
    OVERLAYS,
    case_plan,
    containers_of,
    kinds,
    objects,
    one_of,
    pod_of,
    workload_of,
)

Make = Callable[..., Plan]
Found = list[dict[str, Any]]
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
UNITS = {None: 1, "m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 1 << (10 * power) for power, letter in enumerate("KMGT", 1)
}


def quantity(text: str) -> Fraction:
    found = QUANTITY.fullmatch(text)
    assert found, text
    return Fraction(found[1]) * UNITS[found[2]]


@pytest.fixture(params=[(case, overlay) for case in CASES for overlay in OVERLAYS], ids="-".join)
def found(request: pytest.FixtureRequest, renamed: Make) -> Found:
    """The objects of each overlay of each case."""
    case, overlay = request.param
    return objects(case_plan(case, renamed), overlay)


# --- what pods may do: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted


def test_nobody_is_root(found: Found):
    pod = pod_of(found)
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == 65532
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not any("runAsUser" in each["securityContext"] for each in containers_of(found))


def test_no_container_may_do_more_than_it_needs(found: Found):
    for each in containers_of(found):
        security = each["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["runAsNonRoot"] is True
        assert not security.get("privileged")


def test_nothing_of_the_node_is_seen(found: Found):
    pod = pod_of(found)
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "hostAliases", "shareProcessNamespace"} & set(pod)
    allowed = {"emptyDir", "secret", "configMap", "persistentVolumeClaim"}
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
    assert not any("hostPort" in port for each in containers_of(found) for port in each.get("ports", ()))


def test_there_is_no_token_and_no_variable_of_other_services(found: Found):
    pod = pod_of(found)
    assert pod["automountServiceAccountToken"] is False
    assert one_of(found, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == one_of(found, "ServiceAccount")["metadata"]["name"]
    assert pod["enableServiceLinks"] is False


def test_every_image_has_a_tag_that_stays(found: Found):
    for each in containers_of(found):
        name = each["image"].rpartition("/")[2]
        assert ":" in name
        assert not name.endswith(":latest")


def test_there_are_bounds_on_everything(found: Found):
    for each in containers_of(found):
        asked, most = each["resources"]["requests"], each["resources"]["limits"]
        assert set(asked) == set(most) == {"cpu", "memory"}
        assert all(0 < quantity(asked[name]) <= quantity(most[name]) for name in asked)
    empty = [volume["emptyDir"] for volume in pod_of(found)["volumes"] if "emptyDir" in volume]
    assert all(quantity(each["sizeLimit"]) > 0 for each in empty)


def test_what_is_written_to_is_a_volume_and_what_is_secret_is_not(found: Found):
    for each in containers_of(found):
        writable = {mount["mountPath"] for mount in each["volumeMounts"] if not mount.get("readOnly")}
        assert writable <= {"/tmp", "/data", "/models"}
    (serving,) = pod_of(found)["containers"]
    assert {"/tmp", "/data"} <= {mount["mountPath"] for mount in serving["volumeMounts"]}


def test_secrets_are_read_by_the_group_of_the_pod_alone(found: Found):
    pod = pod_of(found)
    for volume in pod["volumes"]:
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440
            assert pod["securityContext"]["fsGroup"] == 65532
    assert "Secret" not in kinds(found)


# --- what leads somewhere


def test_whoever_selects_pods_finds_these(found: Found):
    labels = workload_of(found)["spec"]["template"]["metadata"]["labels"].items()
    selectors = {
        "Service": lambda spec: spec["selector"],
        "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
        "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
        "Deployment": lambda spec: spec["selector"]["matchLabels"],
        "StatefulSet": lambda spec: spec["selector"]["matchLabels"],
    }
    looked = [selectors[each["kind"]](each["spec"]) for each in found if each["kind"] in selectors]
    looked += [each["labelSelector"]["matchLabels"] for each in pod_of(found).get("topologySpreadConstraints", ())]
    assert len(looked) >= 3
    assert all(chosen and chosen.items() <= labels for chosen in looked)


def test_every_name_of_a_port_is_one(found: Found):
    (serving,) = pod_of(found)["containers"]
    names = {port["name"] for port in serving["ports"]}
    assert {serving[probe]["httpGet"]["port"] for probe in serving if probe.endswith("Probe")} <= names
    (offered,) = one_of(found, "Service")["spec"]["ports"]
    assert offered["targetPort"] in names
    for rule in one_of(found, "NetworkPolicy")["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= names


def test_the_container_listens_where_its_port_is(found: Found):
    (serving,) = pod_of(found)["containers"]
    data = next(each["data"] for each in found if "LADING_PORT" in each.get("data", ()))
    assert [port["containerPort"] for port in serving["ports"]] == [int(data["LADING_PORT"])]
    assert load_settings(environ=data).host == "0.0.0.0"


def test_what_is_in_front_finds_the_service(found: Found):
    service = one_of(found, "Service")
    (port,) = service["spec"]["ports"]
    for each in found:
        if each["kind"] == "Ingress":
            (path,) = each["spec"]["rules"][0]["http"]["paths"]
            target = path["backend"]["service"]
            assert (target["name"], target["port"]["name"]) == (service["metadata"]["name"], port["name"])
            assert each["spec"]["tls"][0]["hosts"] == [each["spec"]["rules"][0]["host"]]
        if each["kind"] == "HTTPRoute":
            (target,) = each["spec"]["rules"][0]["backendRefs"]
            assert (target["name"], target["port"]) == (service["metadata"]["name"], port["port"])
            (parent,) = each["spec"]["parentRefs"]
            gateway = one_of(found, "Gateway")
            assert parent["name"] == gateway["metadata"]["name"]
            assert parent["sectionName"] in [listener["name"] for listener in gateway["spec"]["listeners"]]
        if each["kind"] == "ServiceMonitor":
            assert each["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
            assert each["spec"]["endpoints"][0]["port"] == port["name"]


def test_what_scales_finds_its_target(found: Found):
    for each in found:
        if each["kind"] == "HorizontalPodAutoscaler":
            target, made = each["spec"]["scaleTargetRef"], workload_of(found)
            assert (target["apiVersion"], target["kind"]) == (made["apiVersion"], made["kind"])
            assert target["name"] == made["metadata"]["name"]
            assert 1 <= each["spec"]["minReplicas"] < each["spec"]["maxReplicas"]
            assert "replicas" not in made["spec"]


def test_what_is_mounted_is_there(found: Found):
    pod, made = pod_of(found), workload_of(found)
    claimed = {each["metadata"]["name"] for each in made["spec"].get("volumeClaimTemplates", ())}
    volumes = {volume["name"] for volume in pod["volumes"]} | claimed
    for each in containers_of(found):
        assert {mount["name"] for mount in each["volumeMounts"]} <= volumes
    there = {(each["kind"], each["metadata"]["name"]) for each in found}
    for volume in pod["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in there
        if "persistentVolumeClaim" in volume:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there
    (serving,) = pod["containers"]
    for source in serving["envFrom"]:
        assert ("ConfigMap", source["configMapRef"]["name"]) in there


def test_secret_files_are_where_the_settings_say(found: Found):
    (serving,) = pod_of(found)["containers"]
    data = next(each["data"] for each in found if "LADING_PORT" in each.get("data", ()))
    files = [value for name, value in data.items() if name in ("LADING_KEYS_FILE", "LADING_USERS_FILE")]
    folders = {mount["mountPath"] for mount in serving["volumeMounts"] if mount["name"] == "keys"}
    assert {value.rpartition("/")[0] for value in files} <= folders


# --- what goes together


def test_probes_ask_what_each_is_for(found: Found):
    (serving,) = pod_of(found)["containers"]
    paths = {name: serving[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/ready", "readiness": "/ready", "liveness": "/health"}
    start = serving["startupProbe"]
    assert start["failureThreshold"] * start["periodSeconds"] >= 60
    assert all(serving[f"{name}Probe"]["timeoutSeconds"] >= 1 for name in paths)


def test_who_is_told_to_end_has_the_time_for_it(found: Found):
    data = next(each["data"] for each in found if "LADING_PORT" in each.get("data", ()))
    settings = load_settings(environ=data)
    assert settings.drain_s >= 10 or "LADING_DRAIN_S" in data
    assert pod_of(found)["terminationGracePeriodSeconds"] > settings.drain_s + settings.shutdown_s
    assert "lifecycle" not in pod_of(found)["containers"][0]  # it drains by itself


def test_no_pod_goes_before_another_has_come(found: Found):
    made = workload_of(found)["spec"]
    if made.get("strategy", {}).get("type") == "RollingUpdate":
        assert made["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        assert made["minReadySeconds"] > 0


def test_a_node_can_be_drained(found: Found):
    for each in found:
        if each["kind"] == "PodDisruptionBudget":
            assert each["spec"]["maxUnavailable"] == 1
            assert "minAvailable" not in each["spec"]


def test_everything_says_what_it_is(found: Found):
    wanted = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "component", "managed-by")}
    for each in found:
        assert wanted <= set(each["metadata"]["labels"])
        assert re.fullmatch("[0-9a-f]{64}", each["metadata"]["annotations"]["lading.bundle.sha256"])
        assert re.fullmatch("[0-9a-f]{64}", each["metadata"]["annotations"]["lading.bundle.key"])


# --- the network


def egress(plan: Plan) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = one_of(objects(plan), "NetworkPolicy")["spec"]["egress"]
    return rules


def test_pods_ask_nobody_unless_they_have_to(plan: Make, renamed: Make):
    (dns,) = egress(plan())
    assert {port["port"] for port in dns["ports"]} == {53}
    ports = {case: _ports(egress(case_plan(case, renamed))) for case in ("jwt", "fetched", "features")}
    assert ports == {"jwt": {53, 8443}, "fetched": {53, 80, 443}, "features": {53, None}}


def _ports(rules: list[dict[str, Any]]) -> set[int | None]:
    return {port["port"] for rule in rules for port in rule.get("ports", [{"port": None}])}


def test_pods_are_reached_from_where_it_was_said(plan: Make):
    def sources(**choices: Any) -> list[dict[str, Any]]:
        (rule,) = one_of(objects(plan(**choices)), "NetworkPolicy")["spec"]["ingress"]
        peers: list[dict[str, Any]] = rule["from"]
        return peers

    names = [each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for each in sources()]
    assert names == ["ingress-nginx", "monitoring"]
    assert sources(callers=("10.0.0.0/16",)) == [{"ipBlock": {"cidr": "10.0.0.0/16"}}]
    assert {"podSelector": {}} in sources(entrance="none")
    assert {"podSelector": {}} not in sources()


def test_every_network_is_one(found: Found):
    for rule in one_of(found, "NetworkPolicy")["spec"]["egress"]:
        for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
            assert all(ip_network(inner).subnet_of(ip_network(block["cidr"])) for inner in block.get("except", ()))


# --- what is kept


def test_where_nothing_is_kept_there_is_no_claim(plan: Make):
    found = objects(plan())
    assert "PersistentVolumeClaim" not in kinds(found)
    assert workload_of(found)["kind"] == "Deployment"


def test_one_file_has_one_pod_at_a_time(renamed: Make):
    found = objects(case_plan("sqlite", renamed), MONITORED)
    assert workload_of(found)["spec"]["strategy"] == {"type": "Recreate"}
    assert workload_of(found)["spec"]["replicas"] == 1
    assert one_of(found, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert "HorizontalPodAutoscaler" not in kinds(found)


def test_each_pod_keeps_its_own(renamed: Make):
    made = workload_of(objects(case_plan("postgresql", renamed), LOCAL))
    assert made["kind"] == "StatefulSet"
    (claim,) = made["spec"]["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod_of([made])["containers"][0]["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/data"
    assert quantity(claim["spec"]["resources"]["requests"]["storage"]) == 10 << 30


# --- a bundle that is in no image


def test_what_is_fetched_is_verified_before_it_is_served(renamed: Make):
    made = case_plan("fetched", renamed)
    found = objects(made)
    (fetching,) = pod_of(found)["initContainers"]
    (serving,) = pod_of(found)["containers"]
    said = dict(zip(fetching["command"][3::2], fetching["command"][4::2], strict=True))
    assert said["--sha256"] == made.verified.digest
    assert said["-o"] == serving["command"][-1]
    trust = next(mount["mountPath"] for mount in serving["volumeMounts"] if mount["name"] == "trust")
    data = next(each["data"] for each in found if "LADING_PORT" in each.get("data", ()))
    assert said["--trust"] == data["LADING_TRUST"] == trust
    (keys,) = [each["data"] for each in found if each["kind"] == "ConfigMap" and "LADING_PORT" not in each["data"]]
    assert set(keys) == {f"{entry.key_id}.json" for entry in made.entries}
    assert all(mount.get("readOnly") for mount in serving["volumeMounts"] if mount["name"] in ("models", "trust"))
