"""A case of a contract: what is sent, and what has to come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from lading.errors import CheckFailed
from lading.remote.wire import Headers, Reply, Request, ask

PROBLEM = "application/problem+json"

Judge = Callable[[Sequence[Reply]], str | None]
"""What came that should not, in words; None where the replies are as they have to be."""


@dataclass(frozen=True, slots=True, repr=False)
class Case:
    """One thing that a service must do; `str(case)` is its name.

    Attributes:
        name: unique in its contract.
        sends: in words.
        expects: in words.
        requests: sent in this order, each over a connection of its own.
        judge: tells of the replies what is wrong with them.
    """

    name: str
    sends: str
    expects: str
    requests: tuple[Request, ...] = field(compare=False)
    judge: Judge = field(compare=False)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Case {self.name}>"

    def check(self, url: str, *, headers: Headers | None = None) -> None:
        """Nothing, when the service at this address does what the case says.

        Args:
            url: of the service, with the path under which it is mounted.
            headers: sent with each request, such as a key.

        Raises:
            CheckFailed: it does not; the message says what was sent, expected and got.
            LadingError: nothing answers there.
        """
        __tracebackhide__ = True  # pytest shows the test that asks, not the code here
        if failure := self.failure(url, headers=headers):
            raise CheckFailed(f"{self.name}: {failure}")

    def failure(self, url: str, *, headers: Headers | None = None) -> str | None:
        """What was sent, expected and got, in one sentence; None when the case holds."""
        replies = [ask(url, request, headers) for request in self.requests]
        silent = next((reply for reply in replies if not reply.status), None)
        came = str(silent) if silent is not None else self.judge(replies)
        return f"sent {self.sends}; expected {self.expects}; got {came}" if came else None


class Spot(msgspec.Struct, frozen=True):
    """A problem that has to be among those that are listed."""

    column: str
    code: str
    row: int | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        row = f" in row {self.row}" if self.row is not None else ""
        meant = f", suggesting `{self.suggestion}`" if self.suggestion is not None else ""
        return f"{self.code} for `{self.column}`{row}{meant}"

    def is_listed(self, reply: Reply) -> bool:
        """Whether the reply lists the problem; columns of suggestions are misspelt, and need not be repeated."""
        wanted = {"code": self.code, "row": self.row, "suggestion": self.suggestion}
        if self.suggestion is None:
            wanted["column"] = self.column
        return any(all(problem.get(key) == value for key, value in wanted.items()) for problem in reply.problems)


def refusal(name: str, sends: str, request: Request, status: int, code: str) -> Case:
    """The case that a request as a whole is refused, as a problem with an id."""

    def judge(replies: Sequence[Reply]) -> str | None:
        (reply,) = replies
        return not_a_problem(reply, status) or (None if reply.object.get("code") == code else str(reply))

    return Case(name, sends, f"{status} {code}", (request,), judge)


def input_refusal(name: str, sends: str, request: Request, spots: Sequence[Spot], expects: str = "") -> Case:
    """The case that an input is refused, each of these problems being listed, and no other."""

    def judge(replies: Sequence[Reply]) -> str | None:
        (reply,) = replies
        if wrong := not_a_problem(reply, 422):
            return wrong
        is_told = all(spot.is_listed(reply) for spot in spots) and len(reply.problems) == len(spots)
        return None if is_told else str(reply)

    return Case(name, sends, expects or "422 " + " and ".join(map(str, spots)), (request,), judge)


def not_a_problem(reply: Reply, status: int) -> str | None:
    """What keeps the reply from being a problem (RFC 9457) of this status; None where nothing does."""
    if reply.status != status:
        return str(reply)
    if reply.media_type != PROBLEM or not reply.object:
        return f"{status} that is not {PROBLEM}"
    if reply.object.get("status") != status:
        return f"{status} whose problem has another `status`"
    request_id = reply.object.get("id")
    return None if isinstance(request_id, str) and request_id else f"{status} without an `id` in the problem"
