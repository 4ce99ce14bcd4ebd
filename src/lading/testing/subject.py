"""What a contract is made for: the schema, the route and the golden rows, of a bundle, a service or a schema."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from lading.bundle.bundle import GOLDEN
from lading.bundle.manifest import ROUTE
from lading.engine.golden import Golden, decode_golden
from lading.engine.loading import open_bundle
from lading.remote.about import about_service, answer_key
from lading.remote.wire import Headers, Reply
from lading.schema.fields import Field, Output, Schema, Value
from lading.schema.synthetic import draw_rows, example_row
from lading.schema.values import plain_row

_SOME_ROWS = 5
_MAX_OWN = 20
_MAX_CELLS = 100_000


class Subject(msgspec.Struct, frozen=True, dict=True):
    """What is known of the service that a contract is for.

    Attributes:
        schema: what it takes and gives.
        route: where it predicts.
        digest: sha256 of its bundle; empty when none was given.
        golden: rows with the answers that they had at packing.
        keys: columns by which others are looked up: of these, only the example is known to have an answer.
    """

    schema: Schema
    route: str = ROUTE
    digest: str = ""
    golden: Golden | None = None
    keys: tuple[str, ...] = ()

    @property
    def output(self) -> Output:
        """The prediction."""
        return self.schema.outputs[0]

    @cached_property
    def example(self) -> dict[str, Value | None]:
        """A row that it takes."""
        return example_row(self.schema.inputs)

    @cached_property
    def rows(self) -> list[list[Any]]:
        """Several such rows, in the schema's order; two of a wide schema."""
        count = min(_SOME_ROWS, max(2, _MAX_CELLS // (4 * len(self.schema.inputs))))
        rows = [plain_row(row) for row in draw_rows(self.schema.inputs, None, count)]
        keys = {place: self.example[name] for place, name in enumerate(self.schema.names) if name in self.keys}
        return [[keys.get(place, cell) for place, cell in enumerate(row)] for row in rows]

    @property
    def own_columns(self) -> list[Field]:
        """The columns that get cases of their own: all, or at most 20 of them, evenly taken."""
        fields = self.schema.inputs
        count = min(len(fields), _MAX_OWN, max(2, _MAX_CELLS // len(fields)))
        return [fields[position * (len(fields) - 1) // max(count - 1, 1)] for position in range(count)]

    def predictions(self, reply: Reply, *, is_single: bool = False) -> list[Any] | None:
        """The predictions in a reply, one for each row; None where it has none."""
        value = reply.object.get(answer_key(self.schema, is_single=is_single)) if reply.status == 200 else None
        if is_single:
            return None if value is None else [value]
        return value if isinstance(value, list) else None


def subject_of_bundle(path: Path) -> Subject:
    """What a bundle says of itself; the model in it is not loaded.

    Raises:
        BundleError: it is damaged or was changed.
        UsageError: there is no such file.
    """
    with open_bundle(path) as bundle:
        bundle.verify()
        manifest = bundle.manifest
        # Golden rows are the model's: where columns are looked up, no request can bring them.
        golden = bundle.read_optional(GOLDEN) if not manifest.features else None
        return Subject(
            manifest.request_schema,
            route=manifest.route,
            digest=bundle.digest(),
            golden=decode_golden(golden) if golden is not None else None,
            keys=manifest.keys,
        )


def subject_at(url: str, headers: Headers | None = None) -> Subject:
    """What the service at an address says of itself.

    Raises:
        LadingError: nothing answers there, or what answers is no service of Lading.
    """
    about = about_service(url, headers)
    return Subject(about.schema, route=about.route, keys=about.keys)
