"""What is written for nginx: nginx takes it whatever the plan is, names change nothing but names, and limits agree."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import crossplane
import pytest
from tests.certificates import SERVER, Authority

from lading.errors import UsageError
from lading.ship.nginx.nginx_text import block, plain, render
from lading.ship.nginx.problems import problem_variables
from lading.ship.nginx.site import Front, site, whole
from lading.ship.plan import Plan

from .fronts import is_well, needs_nginx
from .hostile import CONTROLS, HOSTILE

ERRORS = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
TWO = ("127.0.0.1:8001", "127.0.0.1:8002")
LONG = "a" * 63
Make = Callable[..., Plan]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Front]:
    """A place for nginx, with a certificate that is there."""
    pair = Authority(tmp_path_factory.mktemp("authority")).certify("server", "localhost", usage=SERVER)

    def make(**said: Any) -> Front:
        usual = {"upstreams": TWO, "certificate": str(pair.certificate), "key": str(pair.key), "access_log": "off.log"}
        return Front(**{**usual, "http": "127.0.0.1:8080", "https": "127.0.0.1:8443", **said})

    return make


def tree(text: str, folder: Path) -> Any:
    """The directives of a file, as crossplane reads them."""
    path = folder / "read.conf"
    path.write_text(text)
    told = crossplane.parse(str(path))
    assert told["status"] == "ok", told["errors"]
    return told["config"][0]["parsed"]


def values(parsed: Sequence[Any], name: str) -> set[tuple[str, ...]]:
    """The arguments of each directive of this name, wherever it stands."""
    found = {tuple(each["args"]) for each in parsed if each["directive"] == name}
    return found.union(*(values(each.get("block") or [], name) for each in parsed))


def shape(parsed: Sequence[Any]) -> list[Any]:
    """The directives without what is named."""
    return [(each["directive"][:1], len(each["args"]), shape(each.get("block") or [])) for each in parsed]


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "two replicas": ({"host": "models.example.com"}, {}),
    "one": ({}, {"upstreams": TWO[:1]}),
    "a hundred": ({"replicas": 100}, {"upstreams": tuple(f"127.0.0.1:{8000 + n}" for n in range(100))}),
    "a socket": ({}, {"upstreams": ("unix:/run/lading-iris/http.sock",)}),
    "a path": ({"settings": {"root_path": "/models/iris"}}, {}),
    "no TLS": ({}, {"tls": False}),
    "a long host": ({"host": ".".join([LONG] * 3)}, {}),
    "nothing kept": ({"settings": {"keep_alive_s": "0"}}, {}),
    "small": ({"settings": {"max_head_bytes": "256", "max_body_bytes": "1", "request_timeout_s": "0.001"}}, {}),
    "fractions": ({"settings": {"keep_alive_s": "0.001", "header_timeout_s": "0.001", "body_timeout_s": "0.5"}}, {}),
    "large": ({"settings": {"max_body_bytes": str(1 << 33), "request_timeout_s": "86400"}}, {}),
}


@needs_nginx
@pytest.mark.parametrize("case", CASES)
def test_nginx_takes_it_without_a_warning(case: str, plan: Make, front: Callable[..., Front], tmp_path: Path):
    choices, said = CASES[case]
    text = render(whole(plan(**choices), front(**said, error_log="stderr"), folder=str(tmp_path)))
    taken, told = is_well(text.replace("off.log", str(tmp_path / "log")), tmp_path)
    assert taken, told


@needs_nginx
@pytest.mark.parametrize("name", [LONG, "1.2-3_4", "A"])
def test_whatever_the_model_is_called(name: str, renamed: Make, front: Callable[..., Front], tmp_path: Path):
    text = render(whole(renamed(name=name), front(), folder=str(tmp_path)))
    taken, told = is_well(text.replace("off.log", str(tmp_path / "log")), tmp_path)
    assert taken, told


@needs_nginx
def test_two_models_are_neighbors_in_somebody_elses_nginx(renamed: Make, front: Callable[..., Front], tmp_path: Path):
    names = {"iris": "9001", "churn": "9002"}
    sites = [
        directive
        for name, port in names.items()
        for directive in site(renamed(name=name), front(http=f"127.0.0.1:{port}", tls=False))
    ]
    main = [plain("pid", str(tmp_path / "pid")), block("events", within=[]), block("http", within=sites)]
    taken, told = is_well(render(main).replace("off.log", str(tmp_path / "log")), tmp_path)
    assert taken, told


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_changes_nothing_but_names(
    name: str, renamed: Make, plan: Make, front: Callable[..., Front], tmp_path: Path
):
    harmless, hostile = (render(whole(made, front())) for made in (plan(), renamed(name=name or "-", version=name)))
    assert shape(tree(hostile, tmp_path)) == shape(tree(harmless, tmp_path))


@pytest.mark.parametrize("name", CONTROLS)
def test_a_name_with_control_characters_is_refused(name: str, renamed: Make, front: Callable[..., Front]):
    with pytest.raises(UsageError, match="control characters"):
        render(whole(renamed(version=name), front()))


@pytest.mark.parametrize("field", ["certificate", "key", "http", "https", "access_log", "error_log"])
def test_a_path_with_a_variable_is_refused(field: str, plan: Make, front: Callable[..., Front]):
    with pytest.raises(UsageError, match=r"no way to write `\$`"):
        whole(plan(), front(**{field: "/etc/$host"}))


def test_limits_are_those_of_the_replicas(plan: Make, front: Callable[..., Front], tmp_path: Path):
    limits = {"max_body_bytes": "1234567", "max_head_bytes": "5000", "max_connections_per_address": "7"}
    times = {"keep_alive_s": "30", "header_timeout_s": "3", "request_timeout_s": "20", "body_timeout_s": "4"}
    parsed = tree(render(whole(plan(settings=limits | times), front())), tmp_path)
    expected = {
        "client_max_body_size": {("1234567",)},
        "client_body_buffer_size": {("1234567",)},
        "large_client_header_buffers": {("4", "5000")},
        "client_header_timeout": {("3s",)},
        "client_body_timeout": {("4s",)},
        "keepalive_timeout": {("20s",)},
        "proxy_read_timeout": {("22s",)},
        "worker_shutdown_timeout": {("32s",)},
    }
    assert {name: values(parsed, name) for name in expected} == expected
    assert {each[1] for each in values(parsed, "limit_conn")} == {"7"}


def test_what_agrees_agrees_whatever_the_settings(plan: Make, front: Callable[..., Front], tmp_path: Path):
    for answer_s in ("0.5", "10", "300"):
        parsed = tree(render(whole(plan(settings={"request_timeout_s": answer_s}), front())), tmp_path)
        (again,), (answer,), (connect,) = (
            {seconds(text) for (text,) in values(parsed, name)}
            for name in ("proxy_next_upstream_timeout", "proxy_read_timeout", "proxy_connect_timeout")
        )
        assert answer > float(answer_s)  # a replica says first that it is too late
        assert connect < again <= answer  # who does not connect is passed over, who is slow is not asked twice


def seconds(text: str) -> float:
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])


def test_nothing_but_a_replica_that_is_gone_is_passed_over(plan: Make, front: Callable[..., Front], tmp_path: Path):
    parsed = tree(render(whole(plan(), front())), tmp_path)
    assert values(parsed, "proxy_next_upstream") == {("error", "timeout", "non_idempotent")}


def test_what_nginx_says_is_said_as_the_error_codes_have_it(plan: Make):
    bodies = problem_variables("x", plan().settings)[0].block
    assert bodies is not None
    told = [each.arguments[0] for each in bodies if each.name != "default"]
    rows = ERRORS.read_text()
    for text in told:
        status, code = re.findall(r'"status":(\d+),"code":"([a-z_.]+)"', text)[0]
        assert re.search(rf"^\| `{re.escape(code)}` \| [0-9, ]*{status}", rows, re.MULTILINE), code
    assert len(told) > 8


def test_localhost_is_not_told_to_keep_to_tls(plan: Make, front: Callable[..., Front]):
    assert "Strict-Transport-Security" not in render(whole(plan(), front()))
    assert "Strict-Transport-Security" in render(whole(plan(host="models.example.com"), front()))
