"""Python's garbage collector, and what was loaded for as long as the process lives."""

from __future__ import annotations

import gc


def leave_alone() -> None:
    """Collect once more, and never again look through what is there now.

    To look through a framework takes a tenth of a second, in the middle of requests; and it writes into each object,
    which copies it in every worker.
    """
    gc.collect()
    gc.freeze()
