"""What becomes of a container's specification before its process starts: as the kubelet, and KServe, do it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_GO = re.compile(r"\{\{(?:\.Name|`([^`]*)`)\}\}")
"""Of Go's templates, what is used here: https://pkg.go.dev/text/template."""


def expanded(text: str, known: Mapping[str, str]) -> str:
    """A text of `command`, `args` or `env`, with `$(NAME)` as what is known, and `$$` as a dollar.

    https://github.com/kubernetes/kubernetes/blob/master/third_party/forked/golang/expansion/expand.go
    """
    made, place = "", 0
    while place < len(text):
        end = text.find(")", place)
        if text.startswith("$$", place):
            made, place = made + "$", place + 2
        elif text.startswith("$(", place) and end >= 0:
            name = text[place + 2 : end]
            made, place = made + known.get(name, f"$({name})"), end + 1
        else:
            made, place = made + text[place], place + 1
    return made


def environment_of(container: Any, image: Mapping[str, str], *added: Mapping[str, str]) -> dict[str, str]:
    """The environment of a container's process: the image's, and over it those of its specification, in their order.

    Args:
        container: of a pod.
        image: what the image says.
        added: by controllers, behind what the specification has.
    """
    said: dict[str, str] = {}
    for variable in container["env"]:
        said[variable["name"]] = expanded(variable["value"], said)
    for variables in added:
        said |= variables
    return dict(image) | said


def command_of(container: Any, entry: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command of a container's process: its own, or that of the image."""
    words = [*container.get("command", entry), *container.get("args", [])]
    return [expanded(word, environment) for word in words]


def filled_in(tree: Any, name: str) -> Any:
    """The container of a runtime as KServe fills it in for a service of this name."""
    if isinstance(tree, dict):
        return {key: filled_in(value, name) for key, value in tree.items()}
    if isinstance(tree, list):
        return [filled_in(value, name) for value in tree]
    if not isinstance(tree, str):
        return tree
    made = _GO.sub(lambda found: name if found[1] is None else found[1], tree)
    # What is left of braces was made by what was filled in, or Go could not read it.
    assert "{{" not in _GO.sub("", tree), tree
    return made
