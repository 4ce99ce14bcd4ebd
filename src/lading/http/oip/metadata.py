"""What a model is, in the words of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lading.bundle.manifest import Manifest
from lading.http.oip.outputs import Outputs
from lading.schema.fields import Schema

ALL_COLUMNS = "X"
"""What the one tensor of columns without names is called."""


def model_metadata(name: str, manifest: Manifest, schema: Schema) -> dict[str, Any]:
    """The metadata of a model: `-1` in a shape is the number of rows, and whatever else depends on the request.

    Args:
        name: that it is asked by.
        manifest: of the model.
        schema: of requests.
    """
    outputs = Outputs(schema).tensors.values()
    return {
        "name": name,
        "versions": [manifest.version],
        "platform": platform_of(manifest),
        "inputs": _inputs(schema),
        "outputs": [_tensor(each.name, each.datatype, each.shape) for each in outputs],
    }


def platform_of(manifest: Manifest) -> str:
    """What the model runs on: `onnx_onnxv1`, as the protocol calls ONNX, or `lading_` and the flavor."""
    is_onnx = manifest.is_compiled or manifest.flavor == "onnx"
    return "onnx_onnxv1" if is_onnx else f"lading_{manifest.flavor}"


def _inputs(schema: Schema) -> list[dict[str, Any]]:
    """A tensor for each column; one for all, where they have no names of their own, or are the pixels of an image."""
    fields = schema.inputs
    datatypes = {field.datatype for field in fields}
    has_names = schema.names != tuple(f"x{place}" for place in range(len(fields)))
    if len(datatypes) == 1 and (schema.image is not None or not has_names):
        return [_tensor(ALL_COLUMNS, fields[0].datatype, (-1, len(fields)))]
    return [_tensor(field.name, field.datatype, (-1,)) for field in fields]


def _tensor(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}
