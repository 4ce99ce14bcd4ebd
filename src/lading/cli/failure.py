"""Errors on the command line: what is printed, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from lading import errors
from lading.errors import InputError, LadingError, UsageError
from lading.schema.words import printable

# 0 done · 1 failed · 2 usage · 3 bundle invalid · 4 environment does not match · 5 check failed · 130 interrupted
_CODES: tuple[tuple[type[LadingError], int], ...] = (
    (errors.UsageError, 2),
    (errors.BundleError, 3),
    (errors.NotForProduction, 3),
    (errors.EnvironmentMismatch, 4),
    (errors.CheckFailed, 5),
    (errors.LadingError, 1),
)
INTERRUPTED = 130


def exit_code(run: Callable[[], Any]) -> int:
    """The exit code of a run; its error, if it has one, is printed on stderr."""
    try:
        result = run()
        return result if isinstance(result, int) else 0
    except LadingError as error:
        print_error(error)
        return next(code for kind, code in _CODES if isinstance(error, kind))
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        verb = context.command_path if context else "lading"
        print_error(UsageError(error.format_message(), hint=f"{verb} --help"))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone (`| head`): nothing is left to say, not even at exit.
        sys.stdout = None
        return 1


def print_error(error: LadingError) -> None:
    """Print an error, each problem of an input, and what to do, on stderr."""
    click.echo(f"error: {printable(error.message)}", err=True)
    if isinstance(error, InputError):
        _print_problems(error)
    if error_hint := getattr(error, "hint", None):
        click.echo(f"  {printable(error_hint)}", err=True)


def _print_problems(error: InputError) -> None:
    lines = [(_where(problem.row, problem.column or problem.pointer), problem.detail) for problem in error.problems]
    width = max((len(where) for where, _ in lines), default=0)
    for where, detail in lines:
        click.echo(printable(f"  {where:<{width}}   {detail}"), err=True)
    if error.total > len(lines):
        click.echo(f"  and {error.total - len(lines)} more", err=True)


def _where(row: int | None, spot: str) -> str:
    return spot if row is None else f"row {row}  {spot}"
