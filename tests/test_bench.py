"""`scripts/bench` without measuring: what it starts, how it reads its tools, and the page that it draws."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from benchmarks import access, scaling
from benchmarks.serving import __main__ as bench
from benchmarks.serving import peers
from benchmarks.serving.aims import Aim
from benchmarks.serving.openloop import Load, Run, percentile
from benchmarks.serving.page import page
from benchmarks.serving.processes import Reply, wrong
from benchmarks.serving.target import ROW, Case, Launch, Server, find_peers, plain_body
from benchmarks.serving.wrk import MARK, parse

PEERS = find_peers()
NAMES = ("lading", "nginx")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    folder = tmp_path / "iris"
    folder.mkdir()
    facts = {"dtypes": {"a": "float64", "b": "str"}, "rows": [[1.5, None]], "expected": ["setosa"]}
    (folder / "case.json").write_text(json.dumps(facts))
    return Case(folder)


# --- what is started and asked


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_is_started_on_loopback_with_its_own_python(name: str, case: Case, tmp_path: Path):
    command = PEERS[name].command(Launch(Path("own/python"), case, 4321, 2, tmp_path))
    assert command[0] == "own/python"
    assert "127.0.0.1" in " ".join(command)
    assert "4321" in " ".join(command)
    assert PEERS[name].requirements
    assert PEERS[name].words


@pytest.mark.parametrize("name", bench.OWN)
def test_what_is_our_own_is_started_for_the_case_and_the_workers(name: str, case: Case, tmp_path: Path):
    command = bench.OWN[name].command(Launch(Path("own/python"), case, 4321, 2, tmp_path))
    written = (tmp_path / "nginx.conf").read_text() if name == "nginx" else " ".join(command)
    assert "4321" in written
    assert {"nginx": "worker_processes 2;"}.get(name, "--workers 2") in written


def test_a_peer_is_one_file_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = "from benchmarks.serving.target import Server\nSERVER = Server(command=lambda launch: [], words='new')\n"
    (tmp_path / "newcomer.py").write_text(source)
    monkeypatch.setattr(peers, "__path__", [*peers.__path__, str(tmp_path)])
    assert find_peers().keys() == {*PEERS, "newcomer"}
    assert find_peers()["newcomer"].words == "new"


def test_one_row_is_sent_as_an_object(case: Case):
    assert json.loads(plain_body(ROW, case)) == {"a": 1.5, "b": None}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, b'{"prediction": "setosa"}'), ""),
        (Reply(200, b'{"predictions": ["setosa"]}'), ""),
        (Reply(200, b'{"prediction": "virginica"}'), "answered other predictions than the model's"),
        (Reply(200, b"<html>"), "answered 200 with something else than predictions"),
        (Reply(200, b'{"error": 1}'), "answered 200 with something else than predictions"),
        (Reply(415), "answered 415"),
        (Reply(0), "did not answer"),
    ],
)
def test_only_the_models_own_prediction_is_right(reply: Reply, reason: str, case: Case):
    assert wrong(Server(command=lambda launch: [], words=""), case, reply) == reason


def test_options_choose_parts_and_targets():
    plan = bench.parse(["--only", "forest,iris", "--targets", "nginx,lading", "--rounds", "7"]).plan
    assert (plan.parts, plan.targets, plan.rounds) == (("iris", "forest"), ("lading", "nginx"), 7)


@pytest.mark.parametrize("arguments", [["--only", "irsi"], ["--targets", "lading,nope"], ["--seconds", "0"]])
def test_options_that_mean_nothing_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        bench.parse(arguments)
    assert "expected" in capsys.readouterr().err


# --- the tools


def told_by_wrk(**errors: int) -> str:
    none = dict.fromkeys(("connect", "read", "write", "status", "timeout"), 0)
    figures = {"requests": 3000, "duration_us": 2_000_000, "p50_us": 400, "p99_us": 1200, "p999_us": 2500}
    return f"Running 2s test\n  1 threads and 64 connections\n{MARK}{json.dumps(figures | {'errors': none | errors})}\n"


def test_wrk_tells_rates_and_latencies():
    figures = parse(told_by_wrk())
    assert figures == {"requests_s": 1500, "p50_ms": 0.4, "p99_ms": 1.2, "p999_ms": 2.5, "invalid": ""}


def test_a_load_with_errors_does_not_count():
    assert parse(told_by_wrk(status=3, read=1))["invalid"] == "1 errors of read, 3 errors of status"


class _Handler(BaseHTTPRequestHandler):
    """Answers 200 and 503 in turn, and keeps every second connection."""

    answered = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        type(self).answered += 1
        self.protocol_version = f"HTTP/1.{self.answered % 2}"
        self.send_response(200 if self.answered % 4 < 2 else 503)
        self.send_header("content-length", "2")
        self.send_header("connection", "keep-alive" if self.answered % 2 else "close")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_open_loop_accounts_for_every_request(port: int):
    run = Run(Load(port, "/predict", "application/json", "{}", rate=1000, seconds=0.04, connections=1))
    run.go()
    figures = run.figures()
    assert figures["statuses"] == {"200": 20, "503": 20}
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]


def test_percentiles_are_values_that_were_seen():
    values = [float(value) for value in range(1000, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.99, 0.999)] == [501, 991, 1000]
    assert percentile([], 0.5) == 0


# --- the page


def closed(target: str, rate: float, number: int = 0, **more: Any) -> dict[str, Any]:
    row = {"kind": "closed", "round": number, "case": "iris", "target": target, "invalid": "", "body": "row"}
    return {**row, "connections": 64, "workers": 1, "requests_s": rate, "p50_ms": 1.0, "p99_ms": 2.0} | more


def told(*rows: dict[str, Any]) -> dict[str, Any]:
    about = {"words": "words of it", "aim": 0, "versions": {"thing": "1.2"}}
    return {
        "facts": {"date": "2026-11-21"},
        "plan": {"rounds": 3, "seconds": 4, "top_rate": 15_000, "max_queue_rows": 64},
        "cases": {"iris": {"words": "four numbers", "engine": "onnx"}},
        "servers": {"lading": about, "nginx": about, "flask": about | {"aim": 25.0}},
        "rows": list(rows),
    }


def lines_with(words: str, text: str) -> list[str]:
    return [line for line in text.splitlines() if words in line]


def test_the_page_says_which_aims_are_met_and_by_how_much_they_are_missed():
    text = page(told(closed("lading", 60_000), closed("nginx", 100_000), closed("flask", 2000)))
    assert lines_with("of nginx's constant |", text)[0].endswith("| ≥ 0.75 | 0.60 | **missed** by 20% |")
    assert lines_with("of flask's", text)[0].endswith("| ≥ 25 | 30.0 | met |")
    assert lines_with("memory of the first worker", text)[0].endswith("| ≤ 80 MB | - | not measured |")


def test_a_ratio_is_the_median_of_those_within_a_round():
    rates = [(100, 100), (300, 200), (40, 10)]
    rows = [closed(name, pair[place], number) for number, pair in enumerate(rates) for place, name in enumerate(NAMES)]
    assert lines_with("| nginx |", page(told(*rows)))[0] == "| nginx | 100 | 1.00 | 2.00 | 1.50 |"


def test_what_does_not_count_is_shown_with_its_reason():
    failed = {"kind": "failed", "round": 0, "case": "iris", "target": "nginx", "invalid": "ended with 1"}
    text = page(told(closed("lading", 9000), closed("flask", 7777, invalid="3 errors of status"), failed))
    assert "| flask | 3 errors of status |  |  |  |" in text
    assert "| nginx | ended with 1 |  |  |  |" in text
    assert "7,777" not in text


@pytest.mark.parametrize(
    ("figure", "at_least", "verdict"),
    [(80, True, "met"), (60, True, "**missed** by 25%"), (80, False, "met"), (100, False, "**missed** by 25%")],
)
def test_an_aim_has_a_side(figure: float, at_least: bool, verdict: str):
    assert Aim("", 80, figure, at_least=at_least).verdict == verdict


def test_an_aim_that_is_far_away_says_how_often_the_limit_fits():
    assert Aim("", 50, 400, "ms", at_least=False).verdict == "**missed**: 8.0 times the limit"


def test_the_results_are_written_a_row_a_line(tmp_path: Path):
    results = told(closed("lading", 1.0), closed("nginx", 2.0))
    bench.write(tmp_path / "results.json", results)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert len(lines_with('"kind": "closed"', (tmp_path / "results.json").read_text())) == 2


# --- what access costs


def test_requests_have_the_same_bytes_with_a_key_and_without():
    assert len(access.KEY_LINE) == len(access.SAME_LENGTH)
    assert access.SAME_LENGTH.partition(":")[0].lower() not in ("authorization", "x-api-key")


def test_each_round_of_access_goes_the_other_way_round():
    assert access.in_turn(0) == list(reversed(access.in_turn(1))) == list(access.WAYS)


def test_the_page_of_access_says_what_is_left_of_the_open_speed():
    figures = {"p99_ms": 2.0, "cpu_us": 25.0}
    rates = [{"open": 100, "keys": 95, "rates": 90, "tls": 50}, {"open": 300, "keys": 291, "rates": 270, "tls": 150}]
    text = access.report([{name: figures | {"requests_s": rate} for name, rate in each.items()} for each in rates], 2)
    assert lines_with("| `--auth keys` |", text)[0].endswith("| **0.96** (aim: 0.90) |")
    assert lines_with("and TLS |", text)[0] == "| `--auth keys`, and TLS | 100 | 2.00 | 25.0 | **0.50** |"


# --- replicas


def test_each_round_of_replicas_goes_the_other_way_round():
    assert scaling.in_turn(0) == list(reversed(scaling.in_turn(1))) == list(scaling.REPLICAS)


@pytest.mark.parametrize(("rate", "target"), [(8109.0, 5600), (181.0, 120), (12.0, 8)])
def test_a_replica_is_asked_for_less_than_it_can_do(rate: float, target: int):
    assert scaling.target(rate) == target


def test_the_page_of_replicas_says_what_more_of_them_do():
    rates = {
        model: {str(count): {"requests_s": 100.0 * count} for count in scaling.REPLICAS} for model in scaling.WORDS
    }
    figures = {"p50_ms": 1.0, "p99_ms": 2.0}
    rounds = [{model: {count: told | figures for count, told in each.items()} for model, each in rates.items()}] * 3
    rows = lines_with("| waits", scaling.report(rounds, 2, 8))
    assert [row.rpartition(" | ")[2] for row in rows] == ["1.00 |", "2.00 |", "4.00 |"]
