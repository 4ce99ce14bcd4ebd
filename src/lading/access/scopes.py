"""What may be done with a service, and which scope allows it. No scope holds another one, and none is implied."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

from lading.access.principal import Principal
from lading.errors import Forbidden, UsageError

EVERY_MODEL = "*"
PREDICT = "predict:"
FIXED = ("models:read", "models:admin", "journal:read", "journal:erase", "metrics")
"""Scopes that name no model."""
USUAL = (f"{PREDICT}{EVERY_MODEL}", "models:read")
"""Of who only wants predictions, of whichever model the service has."""
_OF_USE = f"{PREDICT}MODEL, {PREDICT}{EVERY_MODEL}, models:read, metrics"
"""Those that a route asks for; the others are kept for what comes later."""
_SHOWN_CHARS = 64
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}|\*")


class Operation(enum.Enum):
    """What is asked; a route has one. `{model}` stands for the model that the request was routed to."""

    HEALTH = "nobody is asked"
    TOKEN = "the id and the secret of a key"
    """It asks by its own rules (RFC 6749)."""
    PREDICT = "predict:{model}"
    DESCRIBE = "models:read"
    METRICS = "metrics"

    def scope(self, model: str) -> str:
        """The scope that allows it."""
        return self.value.replace("{model}", model)


def authorize(principal: Principal, operation: Operation, model: str) -> None:
    """Nothing, for somebody who may do this with this model.

    Raises:
        Forbidden: they may not; does not say whether there is such a model.
    """
    if not covers(principal.scopes, operation.scope(model)):
        raise Forbidden("these credentials do not allow this")


def covers(scopes: Collection[str], scope: str) -> bool:
    """Whether whoever has these scopes has this one, too."""
    return scope in scopes or (scope.startswith(PREDICT) and PREDICT + EVERY_MODEL in scopes)


def narrowed(scopes: Collection[str], within: Collection[str]) -> frozenset[str]:
    """What both of them allow."""
    of_scopes = {scope for scope in scopes if covers(within, scope)}
    return frozenset(of_scopes | {scope for scope in within if covers(scopes, scope)})


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes, once each and in order.

    Raises:
        UsageError: one of them is none; says which are.
    """
    for scope in scopes:
        is_prediction = scope.startswith(PREDICT) and _MODEL.fullmatch(scope.removeprefix(PREDICT))
        if scope not in FIXED and not is_prediction:
            near = get_close_matches(scope, FIXED, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {_OF_USE}"
            raise UsageError(f"{_shown(scope)} is no scope", hint=hint)
    return tuple(sorted(set(scopes)))


def _shown(scope: str) -> str:
    return f"`{scope}`" if scope.isprintable() and 0 < len(scope) <= _SHOWN_CHARS else "one of these"
