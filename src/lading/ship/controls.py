"""What may not be written into any generated file, however it is quoted there: control characters."""

from __future__ import annotations

from lading.errors import UsageError


def refuse_controls(*texts: str) -> None:
    """Nothing, where all of it can be read as it is written.

    Raises:
        UsageError: a text holds a control character, a line end among them.
    """
    if not all(text.isprintable() for text in texts):
        raise UsageError("what is written into a generated file has no control characters", hint="rename it")
