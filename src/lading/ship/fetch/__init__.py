"""A bundle and its signature, brought from where they are kept, and verified before they have their names."""

from lading.ship.fetch.fetching import Fetched, fetch
from lading.ship.fetch.transfer import Limits, Transfer

__all__ = ["Fetched", "Limits", "Transfer", "fetch"]
