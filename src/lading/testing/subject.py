"""What a contract is made for: the schema, the route and the golden rows, of a bundle, a service or a schema."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from lading.bundle.bundle import GOLDEN
from lading.bundle.manifest import ROUTE, Manifest, check_names
from lading.engine.golden import Golden, decode_golden
from lading.engine.loading import open_bundle
from lading.errors import LadingError, UsageError
from lading.schema.fields import PREDICTION, Field, Output, Schema, Value
from lading.schema.synthetic import draw_rows, example_row
from lading.schema.values import plain_row
from lading.testing.wire import Headers, Reply, Request, ask

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
    """

    schema: Schema
    route: str = ROUTE
    digest: str = ""
    golden: Golden | None = None

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
        return [plain_row(row) for row in draw_rows(self.schema.inputs, None, count)]

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


def answer_key(schema: Schema, *, is_single: bool) -> str:
    """The member of an answer that has the prediction: an author's name for it is the same for one row and for many."""
    name = schema.outputs[0].name
    return "predictions" if name == PREDICTION and not is_single else name


def subject_of_bundle(path: Path) -> Subject:
    """What a bundle says of itself; the model in it is not loaded.

    Raises:
        BundleError: it is damaged or was changed.
        UsageError: there is no such file.
    """
    with open_bundle(path) as bundle:
        bundle.verify()
        golden = bundle.read_optional(GOLDEN)
        return Subject(
            bundle.manifest.model_schema,
            route=bundle.manifest.route,
            digest=bundle.digest(),
            golden=decode_golden(golden) if golden is not None else None,
        )


def subject_at(url: str, headers: Headers | None = None) -> Subject:
    """What the service at an address says of itself.

    Raises:
        LadingError: nothing answers there, or what answers is no service of Lading.
    """
    schema = _get(url, "/schema", headers).json
    route = _get(url, "/metadata", headers).object.get("route", ROUTE)
    about = {"name": "live", "version": "0", "flavor": "", "model": "", "class_name": ""}
    try:
        manifest = msgspec.convert(about | {"schema": schema, "route": route}, Manifest)
        # What a bundle may not have is not taken from a service either.
        check_names(manifest)
    except (msgspec.ValidationError, UsageError):
        message = "what /schema and /metadata say cannot be read"
        raise LadingError(message, hint="is it a service of Lading, and of this version?") from None
    return Subject(manifest.model_schema, route=manifest.route)


def _get(url: str, path: str, headers: Headers | None) -> Reply:
    reply = ask(url, Request("GET", path), headers)
    if reply.status != 200:
        raise LadingError(f"expected 200 from {path}, got {reply}", hint="is it a service of Lading, and is it ready?")
    return reply
