"""Tests of your own service: the cases that its schema promises, and a real server to run them against.

    from lading.testing import contract, serve

`contract` gives the cases, for `pytest.mark.parametrize`; `serve` starts `lading serve` for as long as a `with` lasts.
"""

from lading.errors import CheckFailed
from lading.testing.case import Case
from lading.testing.contract import contract
from lading.testing.server import serve

__all__ = ["Case", "CheckFailed", "contract", "serve"]
