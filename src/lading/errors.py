"""What can go wrong, drawn once: one class for each thing that a caller can do something about.

    LadingError
    ├── UsageError             the command or the options are wrong: say it differently
    │   └── SettingsError      a setting, an option or a key of `lading.toml` is wrong
    ├── ModelError             the model file cannot be served: mend or save the model again
    │   ├── FormatError        the file is not what its name says, is empty, or is broken
    │   └── UnsupportedModel   it loads, but nothing that can be served is in it
    ├── BundleError            the bundle is damaged or was changed: fetch or pack it again
    │   └── Untrusted          its signature is missing or wrong, or nobody's who is trusted here
    ├── NotForProduction       what production needs is not said, or not there
    ├── EnvironmentMismatch    a library is missing or has another version: install it
    ├── CheckFailed            golden rows came back with other answers, or a service breaks its contract
    ├── InputError             the input does not fit the schema: `problems` has them all
    ├── BrokenInput            the input could not be read at all: no JSON, no CSV, too deep
    ├── TooLarge               the input is beyond a limit: bytes, rows, cells
    ├── FeaturesInvalid        what a store gave for a key is not what the columns take
    ├── PredictionFailed       the model raised, or gave an answer that may not leave
    ├── Denied                 who asks may not have that
    │   ├── Unauthenticated    it is not known who asks
    │   └── Forbidden          it is known, and this is not theirs to ask
    └── Refused                nothing is wrong with the request, but not now
        ├── RateLimited        the caller has asked more often than it may
        ├── NotReady           the model is still loading, or failed to
        ├── QueueFull          more is waiting than may wait
        ├── DeadlineExceeded   the answer would come too late
        ├── FeaturesUnavailable the store of the features does not answer
        └── JournalUnavailable the decision could not be recorded, so it is not given

Codes are stable. Transport numbers are not here: HTTP status, exit code and, later, gRPC code are small tables
where they are used. No message holds a data value out of a request: type, position and column only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "BrokenInput",
    "BundleError",
    "CheckFailed",
    "DeadlineExceeded",
    "Denied",
    "EnvironmentMismatch",
    "FeaturesInvalid",
    "FeaturesUnavailable",
    "Forbidden",
    "FormatError",
    "InputError",
    "JournalUnavailable",
    "LadingError",
    "ModelError",
    "NotForProduction",
    "NotReady",
    "PredictionFailed",
    "QueueFull",
    "RateLimited",
    "Refused",
    "SettingsError",
    "TooLarge",
    "Unauthenticated",
    "UnsupportedModel",
    "Untrusted",
    "UsageError",
    "name_of",
]


_SHOWN = 10


class LadingError(Exception):
    """The root: a message for people, a stable `code` for programs, and a `hint` that says what to do."""

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint is not None:
            self.add_note(hint)  # what a notebook shows of an error that nobody caught
        if code is not None:
            self.code = code


class UsageError(LadingError):
    """The command or its options are wrong."""

    code = "usage"


class SettingsError(UsageError):
    """A setting, an option or a key of `lading.toml` is unknown or has a wrong value."""

    code = "settings"


class ModelError(LadingError):
    """The model cannot be served as it is."""

    code = "model"


class FormatError(ModelError):
    """The file is not what its name says, is empty, or is broken."""

    code = "model.format"


class UnsupportedModel(ModelError):
    """The file loads, but what is in it cannot answer requests."""

    code = "model.unsupported"


class BundleError(LadingError):
    """The bundle is not one, is damaged, or was changed after it was packed."""

    code = "bundle.invalid"


class Untrusted(BundleError):
    """The bundle's signature is missing, wrong, expired, or not of a key that is trusted for it."""

    code = "bundle.untrusted"


class NotForProduction(LadingError):
    """Production needs something that is not said, or not as it has to be; the hint is the way out."""

    code = "production"


class EnvironmentMismatch(LadingError):
    """A library that the model needs is missing or has another version than the recorded one."""

    code = "environment"


class CheckFailed(LadingError):
    """The golden rows did not come back as they were packed, or a service does not do what its schema says."""

    code = "check.failed"


class InputError(LadingError):
    """The input does not fit the schema.

    Attributes:
        problems: each a `lading.schema.problems.Problem`: every problem, not only the first.
        total: how many there are, where not all are listed.
    """

    code = "schema.invalid"

    def __init__(self, problems: Sequence[Any], *, total: int | None = None) -> None:
        self.problems = tuple(problems)
        self.total = len(self.problems) if total is None else total
        noun = "problem" if self.total == 1 else "problems"
        super().__init__(f"{self.total} {noun} with the input")

    def __str__(self) -> str:
        """The first problems, a line each: what a notebook or a log shows of an error that nobody caught."""
        lines = [f"  {problem.column or problem.pointer}   {problem.detail}" for problem in self.problems[:_SHOWN]]
        more = [f"  and {self.total - _SHOWN} more"] if self.total > _SHOWN else []
        return "\n".join([self.message, *lines, *more])


class BrokenInput(LadingError):
    """The input could not be read at all, so no column can be named."""

    code = "input.broken"


class TooLarge(LadingError):
    """The input is beyond a limit; the message names the limit and its value."""

    code = "input.too_large"


class FeaturesInvalid(LadingError):
    """What a store gave for a key is not what the columns take, or leaves one out: no fault of the caller's."""

    code = "features.invalid"


class PredictionFailed(LadingError):
    """The model raised an exception, or gave an answer that may not leave (not finite, out of range)."""

    code = "prediction.failed"


class Denied(LadingError):
    """The request is well, but not for whoever sent it."""

    code = "access.denied"


class Unauthenticated(Denied):
    """It is not known who asks: no credentials, or none that are good. Never says what is wrong with them.

    Attributes:
        challenge: which credentials are taken, as `WWW-Authenticate` says it (RFC 9110, 11.6.1).
    """

    code = "access.unauthenticated"

    def __init__(self, message: str, *, challenge: str = "Bearer", **rest: Any) -> None:
        super().__init__(message, **rest)
        self.challenge = challenge


class Forbidden(Denied):
    """It is known who asks, and they may not have that."""

    code = "access.forbidden"


class Refused(LadingError):
    """The request was fine; the service cannot take it now. `retry_after_s` says when to try again."""

    code = "refused"

    def __init__(self, message: str, *, retry_after_s: float = 1.0, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.retry_after_s = retry_after_s


class RateLimited(Refused):
    """The caller has asked more often than it may; `retry_after_s` says when it may again.

    Attributes:
        fields: what else the answer says of the rate, by name.
    """

    code = "access.rate_limited"

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.fields = fields or {}


class NotReady(Refused):
    """The model has not reproduced its golden rows yet, or could not be loaded."""

    code = "not_ready"


class QueueFull(Refused):
    """More rows wait than may wait."""

    code = "queue_full"


class DeadlineExceeded(Refused):
    """The deadline passed before the answer was there; the message says in which phase."""

    code = "deadline_exceeded"


class FeaturesUnavailable(Refused):
    """The store of the features does not answer, or not in time."""

    code = "features.unavailable"


class JournalUnavailable(Refused):
    """The decision could not be recorded, so it is not given."""

    code = "journal_unavailable"


def name_of(error: BaseException) -> str:
    """The kind of an exception, where its name is one: a class of anybody's may be called anything."""
    name = type(error).__name__
    return name if name.isidentifier() else "an exception"
