"""YAML of plain dictionaries and lists: what a value holds stays in its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.errors import EnvironmentMismatch


def yaml_text(made: Mapping[str, Any]) -> str:
    """The text of what is in a file.

    Raises:
        EnvironmentMismatch: PyYAML is not installed.
    """
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise EnvironmentMismatch(
            "PyYAML, which writes YAML, is not installed", hint='pip install "lading[ship]"'
        ) from None
    text: str = yaml.dump(made, Dumper=_dumper(yaml), sort_keys=False, allow_unicode=True, width=120)
    return text


def _dumper(yaml: Any) -> Any:
    """What writes plain values only: each in full where it stands again, and a text so that nobody reads a number."""

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    # Versions of YAML do not agree on what a number or a boolean is: 1e3, 0o17, 80:8080, y.
    def represented(dumper: Any, text: str) -> Any:
        is_other = text[:1] in set("0123456789+-.") or text.lower() in ("y", "n")
        style = "'" if is_other and text.isprintable() else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represented)
    return Dumper
