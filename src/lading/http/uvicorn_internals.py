"""What the lane stands on in uvicorn beyond its documented interface, in one place, and where that has been tried.

Of `HttpToolsProtocol`: `cycle` (`response_complete`, `keep_alive`), `pipeline`, `flow` (`write_paused`,
`pause_reading`, `resume_reading`), `parser`, `url`, `headers`, `client`, `server_state` (`connections`, `tasks`,
`default_headers`, `total_requests`), `timeout_keep_alive_task`, `_unset_keepalive_if_required`, `send_400_response`,
`on_response_complete`, `shutdown`, and that `data_received` ends in `send_400_response` when a callback of the parser
raises. Of `uvicorn.Server`: `servers`, `startup`, `on_tick`, `shutdown`, `capture_signals`. Of
`uvicorn.protocols.http.httptools_impl`: `STATUS_LINE`.
"""

from __future__ import annotations

import re

TESTED = ((0, 40), (0, 54))
"""The first and the last release of uvicorn with which the tests of both roads have passed."""


def is_tested(version: str) -> bool:
    """Whether the lane has been tried with this version of uvicorn."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return False
    first, last = TESTED
    return first <= (int(numbers[1]), int(numbers[2])) <= last
