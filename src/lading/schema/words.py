"""A schema in a few words, for people: `3 numbers, 1 category`, `class: setosa, versicolor, virginica`."""

from __future__ import annotations

from collections import Counter

from lading.schema.fields import Output, Schema

_SHOWN = 6
_KINDS = {
    "bool": ("boolean", "booleans"),
    "int": ("integer", "integers"),
    "float": ("number", "numbers"),
    "category": ("category", "categories"),
    "text": ("text", "texts"),
    "date": ("date", "dates"),
}
_ANSWERS = {
    "classification": "class",
    "regression": "number",
    "outlier": "1 or, for an outlier, -1",
    "clustering": "cluster",
    "transform": "numbers",
    "unknown": "prediction",
}


def inputs_in_words(schema: Schema) -> str:
    """How many inputs there are of each kind; or the image that they are the pixels of."""
    if schema.image is not None:
        low, high = schema.image.scale
        return f"an image of {schema.image}, {'inverted, ' * schema.image.invert}{low:g} to {high:g}"
    counts = Counter(field.kind for field in schema.inputs)
    return ", ".join(f"{count} {_KINDS[kind][count != 1]}" for kind, count in counts.items())


def answer_in_words(schema: Schema) -> str:
    """What the prediction for one row is."""
    output = schema.outputs[0]
    if schema.task == "outlier" and output.labels:
        return shortened(output.labels)
    what = _ANSWERS[schema.task]
    if len(output.shape) > 1 and schema.task != "transform":
        what = f"{output.shape[1]} {_plural(what)}"
    names = names_of(output) if schema.task != "outlier" else ()
    return f"{what}: {shortened(names)}" if names else what


def names_of(output: Output) -> tuple[str, ...]:
    """The names that an output has: of its classes, as they are answered, or of its columns."""
    return tuple(str(name) for name in (output.labels or output.classes or output.columns))


def shortened(names: tuple[str, ...]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _plural(what: str) -> str:
    return {"class": "classes"}.get(what, f"{what}s")


def printable(text: str) -> str:
    """The text with whatever a terminal would act upon written as an escape: a file may say what it likes of itself."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
