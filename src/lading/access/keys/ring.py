"""The keys of a file, as a server looks them up."""

from __future__ import annotations

import hmac
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path

from lading.access.keys import text as key_text
from lading.access.keys.file import Key, keys_path, read_keys
from lading.access.watched import Watched
from lading.errors import NotForProduction, SettingsError
from lading.settings import Settings

_NOBODYS = "0" * 64
"""What a key with an unknown id is compared with, so that it takes as long: nothing is known to have this digest."""


class Keyring:
    """The keys of a file, by their ids.

    Args:
        path: of the file.
        strict: whether a file that is open to others is refused.
        clock: seconds since 1970.

    Raises:
        NotForProduction: where `strict`, the file does not do, or no key is in it.
        SettingsError: elsewhere, the same.
    """

    def __init__(self, path: Path, *, strict: bool, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        refusal = NotForProduction if strict else SettingsError
        if not os.path.lexists(path):
            raise refusal(f"there are no API keys: no file {path}", hint=_way_out(path))
        self._keys = Watched(path, lambda path: {key.id: key for key in read_keys(path, strict=strict)})
        if not self._keys.content:
            raise refusal(f"no key is in {path}", hint=_way_out(path))

    def refresh(self) -> bool:
        """Read the file anew where it has changed; true where it was."""
        return self._keys.refresh()

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        """The keys that the settings name."""
        return cls(keys_path(settings.keys_file), strict=settings.production)

    def of_text(self, text: str) -> Key | None:
        """The key whose text this is, if it is taken now; whatever else is wrong takes as long to find out."""
        key_id = key_text.id_of(text)
        if key_id is None:
            return None
        key = self._keys.content.get(key_id)
        is_same = hmac.compare_digest(key_text.digest_of(text), _NOBODYS if key is None else key.sha256)
        return key if key is not None and is_same and self._is_good(key) else None

    def of_id(self, key_id: str) -> Key | None:
        """The key with this id, if it is taken now."""
        key = self._keys.content.get(key_id)
        return key if key is not None and self._is_good(key) else None

    def _is_good(self, key: Key) -> bool:
        return key.state(self.clock()) == "good"


def _way_out(path: Path) -> str:
    where = "" if path == keys_path("") else f" --keys-file {shlex.quote(str(path))}"
    return f"lading keys create NAME{where}"
