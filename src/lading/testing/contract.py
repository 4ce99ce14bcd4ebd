"""A contract: all the cases for one service."""

from __future__ import annotations

from pathlib import Path

from lading.errors import LadingError
from lading.remote.wire import Headers
from lading.schema.cells import Complaint
from lading.schema.fields import Schema
from lading.testing.answers import answer_cases
from lading.testing.case import Case
from lading.testing.inputs import column_cases, problem_cases
from lading.testing.routes import route_cases, unreadable_cases
from lading.testing.shapes import shape_cases
from lading.testing.subject import Subject, subject_at, subject_of_bundle


def contract(source: str | Path | Schema, *, headers: Headers | None = None) -> tuple[Case, ...]:
    """The cases that a service must hold, for `pytest.mark.parametrize`; their names are unique.

    Of a model with more than 20 columns, at most 20 of them, evenly taken, get cases of their own.

    Args:
        source: a bundle's path, a schema, or the address of a running service: `http://127.0.0.1:8000`. Only of a
            bundle there are cases of its digest and of its golden rows.
        headers: sent to a running service, such as a key.

    Raises:
        BundleError: the bundle is damaged.
        LadingError: nothing answers at the address, or no service of Lading.
        UsageError: there is no such file.
    """
    return cases_of(_subject(source, headers))


def _subject(source: str | Path | Schema, headers: Headers | None) -> Subject:
    if isinstance(source, Schema):
        return Subject(source)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return subject_at(source, headers)
    return subject_of_bundle(Path(source))


def cases_of(subject: Subject) -> tuple[Case, ...]:
    """The cases for what is known of a service."""
    families = (route_cases, answer_cases, shape_cases, column_cases, problem_cases, unreadable_cases)
    try:
        return tuple(case for family in families for case in family(subject))
    except (ArithmeticError, Complaint) as error:  # a schema that no model has
        raise LadingError(f"the schema promises what cannot be: {type(error).__name__}") from None
