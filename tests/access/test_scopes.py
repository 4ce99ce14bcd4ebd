"""Which scope allows what."""

import pytest

from lading.access.principal import Principal
from lading.access.scopes import FIXED, Operation, authorize, check_scopes
from lading.errors import Forbidden, UsageError

ASKED = [Operation.PREDICT, Operation.DESCRIBE, Operation.METRICS]


@pytest.mark.parametrize("operation", ASKED)
def test_an_operation_is_allowed_by_its_own_scope_alone(operation: Operation):
    others = {"predict:iris", *FIXED} - {operation.scope("iris")}
    authorize(Principal.of("key:1", [operation.scope("iris")]), operation, "iris")
    with pytest.raises(Forbidden):
        authorize(Principal.of("key:1", others), operation, "iris")


def test_a_model_is_not_the_other_one():
    principal = Principal.of("key:1", ["predict:iris"])
    for model in ("irises", "iri", "IRIS", "iris:", "", "*"):
        with pytest.raises(Forbidden):
            authorize(principal, Operation.PREDICT, model)


def test_every_model_is_said_with_a_star():
    authorize(Principal.of("key:1", ["predict:*"]), Operation.PREDICT, "iris")


def test_a_refusal_tells_nothing_of_the_model():
    with pytest.raises(Forbidden) as refusal:
        authorize(Principal.of("key:1", []), Operation.PREDICT, "iris")
    assert "iris" not in str(refusal.value)


def test_scopes_come_once_and_in_order():
    assert check_scopes(["predict:iris", "metrics", "predict:iris"]) == ("metrics", "predict:iris")


@pytest.mark.parametrize("scope", ["", "predict", "predict:", "predict:a b", "predict:../x", "admin", "*", "metrics\n"])
def test_what_is_no_scope_is_refused(scope: str):
    with pytest.raises(UsageError):
        check_scopes([scope])


def test_a_scope_that_is_nearly_one_is_named():
    with pytest.raises(UsageError) as refusal:
        check_scopes(["metric"])
    assert refusal.value.hint == "did you mean `metrics`?"


def test_which_one_is_wrong_is_said_where_it_can_be_shown():
    with pytest.raises(UsageError, match="is no scope") as refusal:
        check_scopes(["metrics", "admin"])
    assert refusal.value.message == "`admin` is no scope"
    assert refusal.value.hint == "there are predict:MODEL, predict:*, models:read, metrics"
    for scope in ("a\nb", "a\x1b[2J", "a" * 65, ""):
        with pytest.raises(UsageError, match="one of these is no scope"):
            check_scopes([scope])
