"""What watches the service: Prometheus takes it, and each number that is asked for is one that a server tells."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.live import started

from lading.bundle.lookups import Lookup
from lading.ship.compose.grafana import dashboard, grafana_files, panels
from lading.ship.compose.prometheus import prometheus_files, rules, scraping
from lading.ship.files import write_files
from lading.ship.plan import Plan

from .hostile import HOSTILE

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus")
LABELS = {"job", "instance", "le", "status", "code", "route", "column", "lookup", "name", "version", "engine", "digest"}
OTHERS = {"up"}
Make = Callable[..., Plan]


@pytest.fixture
def full(renamed: Make) -> Plan:
    """A plan of which everything is asked that may be."""
    lookup = Lookup(key="id", columns=("a",), sql="SELECT 1")
    return renamed(features={"customer": lookup})


def expressions(plan: Plan) -> list[str]:
    """Everything that is asked in PromQL."""
    asked = [expression for panel in panels(plan) for expression, _ in panel.queries]
    return [*asked, *(rule["expr"] for group in rules(plan)["groups"] for rule in group["rules"])]


def names(expression: str) -> set[str]:
    """The metrics of an expression: what stands before braces."""
    return set(re.findall(r"([a-z_]+)\{", expression))


def test_each_metric_that_is_asked_for_is_one_that_a_server_tells(full: Plan, bundle: Path):
    with started("serve", bundle, "--port", "0", "--workers", "2") as (url, _):
        import httpx

        text = httpx.get(f"{url}/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE))
    told = set(kinds) | {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"} | OTHERS
    asked = set().union(*map(names, expressions(full)))
    assert asked - told == set()
    assert len(asked) > 15


def test_each_label_is_one_that_there_is(full: Plan):
    for expression in expressions(full):
        grouped = [word for group in re.findall(r"by \(([a-z, ]+)\)", expression) for word in group.split(", ")]
        matched = re.findall(r'([a-z_]+)=~?"', expression)
        assert {*grouped, *matched} <= LABELS, expression
        assert 'job="iris"' in expression


def test_a_counter_is_never_shown_as_it_is(full: Plan):
    for expression in expressions(full):
        for name in re.findall(r"(lading_\w+(?:_total|_bucket))\{", expression):
            assert f"rate({name}" in expression or name.startswith("lading_generations")


@needs_promtool
@pytest.mark.parametrize("name", ["iris", *HOSTILE])
def test_prometheus_takes_it_whatever_the_model_is_called(name: str, renamed: Make, tmp_path: Path):
    made = renamed({"auth": "network"}, name=name)
    write_files(prometheus_files(made, ["a:1", "b:2"]), tmp_path)
    command = [str(PROMTOOL), "check", "config", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if made.name:  # a job has one
        assert done.returncode == 0, done.stdout + done.stderr
        assert "6 rules found" in done.stdout
    assert yaml.safe_load((tmp_path / "prometheus.yml").read_text()) == scraping(made, ["a:1", "b:2"])


@needs_promtool
def test_every_rule_and_every_picture_is_promql(full: Plan, tmp_path: Path):
    asked = [expression.replace("$__rate_interval", "1m") for expression in expressions(full)]
    group = {"name": "all", "rules": [{"alert": "A", "expr": expression} for expression in asked]}
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [group]}))
    command = [str(PROMTOOL), "check", "rules", "--lint=none", tmp_path / "rules.yml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alarms_ring_when_they_should(plan: Make, tmp_path: Path):
    write_files(prometheus_files(plan(auth="network"), ["iris-1:8000"]), tmp_path)
    job = 'job="iris",instance="iris-1:8000"'
    series = {
        f"up{{{job}}}": "0x20",
        f'lading_requests_total{{{job},route="/predict",status="200"}}': "0+90x20",
        f'lading_requests_total{{{job},route="/predict",status="503"}}': "0+10x20",
        f'lading_refusals_total{{{job},code="queue_full"}}': "0+10x20",
        f"lading_queue_rows{{{job}}}": "15000x20",
        f'lading_signature_info{{{job},key="a",digest="b"}}': "1x20",
    }
    ringing = {"LadingReplicaDown", "LadingErrors", "LadingRefusals", "LadingQueue"}
    silent = {"LadingSlow", "LadingVersions"}
    assert rings(tmp_path, series) == (ringing, silent)


def rings(folder: Path, series: dict[str, str]) -> tuple[set[str], set[str]]:
    """The alarms that ring after a quarter of an hour, and those that do not; each is asked of promtool alone."""
    found = yaml.safe_load((folder / "rules.yml").read_text())["groups"][0]["rules"]
    test = {"interval": "1m", "input_series": [{"series": name, "values": value} for name, value in series.items()]}
    silent = set()
    for rule in found:
        expected = [{"eval_time": "15m", "alertname": rule["alert"], "exp_alerts": []}]
        tried = {"rule_files": ["rules.yml"], "tests": [{**test, "alert_rule_test": expected}]}
        (folder / "test.yml").write_text(json.dumps(tried))
        done = subprocess.run([str(PROMTOOL), "test", "rules", "test.yml"], cwd=folder, capture_output=True, timeout=30)
        silent |= {rule["alert"]} if done.returncode == 0 else set()
    return {rule["alert"] for rule in found} - silent, silent


def test_it_shows_what_the_service_asks_for(plan: Make):
    def shown(auth: str) -> Any:
        return scraping(plan(auth=auth), ["a:1"])["scrape_configs"][0]

    assert shown("keys")["authorization"] == {"credentials_file": "/run/secrets/metrics.key"}
    assert shown("basic")["basic_auth"] == {"username": "prometheus", "password_file": "/run/secrets/metrics.password"}
    assert not {"authorization", "basic_auth"} & shown("network").keys()


@pytest.mark.parametrize("name", HOSTILE)
def test_grafana_gets_what_was_said(name: str, renamed: Make):
    made = renamed(name=name)
    files = {file.path: file.data for file in grafana_files(made)}
    assert json.loads(files[f"dashboards/{made.name}.json"]) == dashboard(made)
    source = yaml.safe_load(files["provisioning/datasources/prometheus.yml"])["datasources"][0]
    assert source["url"] == "http://prometheus:9090"


def test_no_two_pictures_are_in_one_place(full: Plan):
    drawn = dashboard(full)["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in drawn}
    assert len(places) == len({panel["id"] for panel in drawn}) == len(drawn) > 15
    assert {target["datasource"]["uid"] for panel in drawn for target in panel["targets"]} == {"prometheus"}
