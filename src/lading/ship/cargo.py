"""What goes along wherever a bundle is shipped: its signature, the keys that are trusted, what pip installs."""

from __future__ import annotations

from lading.bundle.signing.entry import encode_entry
from lading.bundle.signing.trust import SUFFIX as ENTRY_SUFFIX
from lading.ship.files import File, text_file
from lading.ship.plan import Plan
from lading.ship.requirements import REQUIREMENTS, requirements_text
from lading.ship.wheel import own_wheel

TRUST_FOLDER = "trust"


def cargo_files(plan: Plan) -> list[File]:
    """These files.

    Raises:
        LadingError: the requirements cannot be found.
    """
    bundle = [File(plan.file_name, plan.bundle), File(plan.signature.name, plan.signature)]
    wheel = own_wheel()
    wheels = [File(wheel.path, wheel.data)] if wheel is not None else []
    return [*bundle, *trust_files(plan), *wheels, text_file(REQUIREMENTS, requirements_text(plan, wheel))]


def trust_files(plan: Plan) -> list[File]:
    """The public keys that are trusted for the bundle, as a trust store has them."""
    return [
        File(f"{TRUST_FOLDER}/{entry.key_id}{ENTRY_SUFFIX}", encode_entry(entry))
        for entry in sorted(plan.entries, key=lambda entry: entry.key_id)
    ]
