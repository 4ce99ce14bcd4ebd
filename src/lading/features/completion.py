"""From the rows of requests to the rows of a model, with all of its lookups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any

from lading.bundle.lookups import Key, Lookup
from lading.bundle.manifest import Manifest
from lading.errors import DeadlineExceeded, FeaturesInvalid, FeaturesUnavailable
from lading.features.address import Addresses
from lading.features.asking import Asker
from lading.features.cache import Cache
from lading.features.lookup import Known, LookedUp
from lading.features.values import RowReader
from lading.schema.problems import Problem, Problems
from lading.schema.table import Row
from lading.service import Counters
from lading.settings import Settings


class Completion:
    """Completes the rows of requests for one model; keeps the protocol `lading.service.Features`.

    No connection is made before the first request, so that none is inherited by a fork.

    Raises:
        SettingsError: the settings do not say where a store is, or what speaks to it is not installed.
    """

    def __init__(self, manifest: Manifest, settings: Settings, counters: Counters) -> None:
        self._timeout_s = settings.features_timeout_s
        addresses = Addresses(settings.features_url)
        fields = {field.name: field for field in manifest.model_schema.inputs}

        def looked_up(name: str, lookup: Lookup) -> LookedUp:
            return LookedUp(
                name,
                lookup,
                reader=RowReader(lookup, [fields[column] for column in lookup.columns]),
                asker=Asker(addresses.maker(lookup, self._timeout_s), self._timeout_s),
                cache=Cache(settings.features_cache_rows, lookup.cache_s),
                counters=counters,
                max_waiting=settings.max_queue_rows,
            )

        self._lookups = [looked_up(name, lookup) for name, lookup in manifest.features.items()]
        names = list(manifest.request_schema.names)
        self._places = [names.index(each.lookup.key) for each in self._lookups]
        names += [column for each in self._lookups for column in each.lookup.columns]
        self._pick = _picker([names.index(name) for name in manifest.model_schema.names])

    async def complete(self, rows: Sequence[Row], timeout_s: float) -> Sequence[Row]:
        """The rows as the model takes them.

        Raises:
            InputError: a store does not know all of the keys; names each row.
            Refused: a store does not answer, or not in time.
            FeaturesInvalid: what it gave is not what the columns take.
        """
        rows = list(rows)
        keys: list[Any] = [{row[place] for row in rows} for place in self._places]
        found = [each.remembered(wanted) for each, wanted in zip(self._lookups, keys, strict=True)]
        gaps = [wanted - known.keys() for wanted, known in zip(keys, found, strict=True)]
        if any(gaps):
            await self._ask(found, gaps, timeout_s)
        self._refuse_unknown(rows, found)
        for each, place, known in zip(self._lookups, self._places, found, strict=True):
            told = _rows(each.lookup, known)
            rows = [row + told[row[place]] for row in rows]
        return list(map(self._pick, rows))

    async def _ask(self, found: Sequence[Known], gaps: Sequence[Collection[Key]], timeout_s: float) -> None:
        """Ask all stores together for what is not known yet."""
        asking = (each.ask(gap) for each, gap in zip(self._lookups, gaps, strict=True))
        try:
            async with asyncio.timeout(min(timeout_s, self._timeout_s)):
                told = await asyncio.gather(*asking)
        except TimeoutError:
            if timeout_s < self._timeout_s:
                raise DeadlineExceeded("the deadline passed while features were looked up") from None
            raise FeaturesUnavailable("features are not looked up in time now") from None
        for known, more in zip(found, told, strict=True):
            known.update(more)

    def close(self) -> None:
        """Leave the stores."""
        for each in self._lookups:
            each.close()

    def _refuse_unknown(self, rows: Sequence[Row], found: Sequence[Known]) -> None:
        unknown: dict[tuple[str, int], set[Key]] = {}
        for each, place, known in zip(self._lookups, self._places, found, strict=True):
            missing = {key for key, row in known.items() if row is None}
            each.count("unknown", len(missing))
            if missing and each.lookup.missing == "refuse":
                unknown.setdefault((each.lookup.key, place), set()).update(missing)
        problems = Problems()
        for (column, place), keys in unknown.items():
            for position, row in enumerate(rows):
                if row[place] in keys:
                    problems.add(_unknown_key, column, position)
        problems.raise_any()


def _unknown_key(column: str, row: int) -> Problem:
    return Problem("", "features.unknown_key", "not a key that the store knows", column=column, row=row)


def _rows(lookup: Lookup, known: Known) -> dict[Any, Row]:
    """The columns for each key, which are null where the store has none."""
    nulls = (None,) * len(lookup.columns)
    rows: dict[Any, Row] = {}
    for key, row in known.items():
        if isinstance(row, str):
            raise FeaturesInvalid(row)
        rows[key] = nulls if row is None else row
    return rows


def _picker(places: Sequence[int]) -> Callable[[Row], Row]:
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    pick: Callable[[Row], Row] = itemgetter(*places)
    return pick
