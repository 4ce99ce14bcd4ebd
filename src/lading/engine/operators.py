"""How parts of a model become ONNX operators where skl2onnx, left to itself, gives other answers or none.

scikit-learn's trees compare float32 with their thresholds, those of histogram boosting float64; skl2onnx gives either
the precision of the whole graph, and writes every threshold as float32. Its imputer knows float32 alone, and no gaps
among texts. A converter has the signature that skl2onnx asks for: (scope, operator, container).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from lading.engine.compiled import MISSING
from lading.schema import fitted

Converter = Callable[[Any, Any, Any], None]

_VOTERS = tuple(f"Sklearn{kind}Classifier" for kind in ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees"))
_SINGLES = (
    *(name.replace("Classifier", "Regressor") for name in _VOTERS),
    *("SklearnGradientBoostingClassifier", "SklearnGradientBoostingRegressor"),
)
_DOUBLES = ("SklearnHistGradientBoostingClassifier", "SklearnHistGradientBoostingRegressor")
_WEIGHTS = ("nodes_values", "class_weights", "target_weights", "base_values")
_WITH_DOUBLES = 3
"""The first version of the operators of trees that takes float64 (`*_as_tensor`)."""


@cache
def register_converters() -> None:
    """Put these converters in the place of those of skl2onnx, in this process."""
    from skl2onnx.common._registration import get_converter, register_converter

    makers = {_VOTERS: _convert_voter, _SINGLES: _convert_single, _DOUBLES: _convert_double}
    for aliases, convert in makers.items():
        for alias in aliases:
            stock = get_converter(alias)
            converter = _in_doubles(stock._fct, convert)
            register_converter(alias, converter, overwrite=True, options=stock.get_allowed_options())
    register_converter("SklearnSimpleImputer", _convert_imputer, overwrite=True)


def _in_doubles(stock: Any, convert: Any) -> Converter:
    """The converter of a tree in a graph of float64; in one of float32, that of skl2onnx is right."""

    def converter(scope: Any, operator: Any, container: Any) -> None:
        if _is_double(operator.inputs[0]):
            convert(stock, scope, operator, container)
        else:
            stock(scope, operator, container)

    return converter


def _convert_single(stock: Any, scope: Any, operator: Any, container: Any) -> None:
    """A tree of float32 whose input goes through float32."""
    given = _single(scope, operator.inputs[0])
    _cast(container, operator.inputs[0].full_name, given.full_name, np.float32)
    _convert_between(stock, scope, operator, container, given)


def _convert_double(stock: Any, scope: Any, operator: Any, container: Any) -> None:
    """A tree of float64, whose thresholds and weights stay what they are."""
    convert = partial(stock, op_version=_WITH_DOUBLES)
    _convert_between(convert, scope, operator, _Doubles(container), operator.inputs[0])


def _convert_voter(stock: Any, scope: Any, operator: Any, container: Any) -> None:
    """Trees of float32 whose votes are counted in float64, so that a tie is a tie: then the first label is the answer.

    The input goes through float32 and back: operators with weights of float64 take nothing else.
    """
    narrow, given = (_single(scope, operator.inputs[0]) for _ in range(2))
    _cast(container, operator.inputs[0].full_name, narrow.full_name, np.float32)
    _cast(container, narrow.full_name, given.full_name, np.float64)
    convert = partial(stock, op_version=_WITH_DOUBLES)
    _convert_between(convert, scope, operator, _Doubles(container, scope), given)


def _convert_between(convert: Any, scope: Any, operator: Any, container: Any, given: Any) -> None:
    """Convert an operator that is given this, and whose numbers come as float32 where float64 is expected."""
    made = [_single(scope, output) if _is_double(output) else output for output in operator.outputs]
    view = SimpleNamespace(
        raw_operator=operator.raw_operator,
        full_name=operator.full_name,
        target_opset=operator.target_opset,
        inputs=[given],
        input_full_names=[given.full_name],
        outputs=made,
        output_full_names=[output.full_name for output in made],
    )
    convert(scope, view, container)
    for output, single in zip(operator.outputs, made, strict=True):
        if single is not output:
            _cast(container, single.full_name, output.full_name, np.float64)


class _Doubles:
    """A container that writes the thresholds and weights of trees as tensors of float64; all else as it is told.

    With a scope, the label is that of the first of the largest probabilities.
    """

    def __init__(self, container: Any, scope: Any = None) -> None:
        self._container = container
        self._scope = scope

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, kind: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        """Add a node."""
        if kind.startswith("TreeEnsemble"):
            attributes = _with_doubles(attributes)
            if self._scope is not None:
                outputs = self._add_label(outputs, attributes)
        self._container.add_node(kind, inputs, outputs, **attributes)

    def _add_label(self, outputs: list[str], attributes: dict[str, Any]) -> list[str]:
        """Make the label of the probabilities; the outputs that are left to the trees."""
        from onnx import TensorProto

        label, probabilities = outputs
        unused, place, known = (self._scope.get_unique_variable_name(name) for name in ("unused", "place", "labels"))
        texts = attributes.get("classlabels_strings")
        kind = TensorProto.INT64 if texts is None else TensorProto.STRING
        labels = attributes["classlabels_int64s"] if texts is None else [text.encode() for text in texts]
        self._container.add_initializer(known, kind, [len(labels)], labels)
        self._container.add_node("ArgMax", [probabilities], [place], op_version=13, axis=1, keepdims=0)
        self._container.add_node("Gather", [known, place], [label], op_version=13)
        return [unused, probabilities]


def _with_doubles(attributes: dict[str, Any]) -> dict[str, Any]:
    from onnx.numpy_helper import from_array

    kept = {name: value for name, value in attributes.items() if name not in (*_WEIGHTS, "nodes_hitrates")}
    for name in _WEIGHTS:
        if name in attributes:
            kept[f"{name}_as_tensor"] = from_array(np.asarray(attributes[name], dtype=np.float64), name)
    return kept


def _is_double(variable: Any) -> bool:
    from skl2onnx.common.data_types import DoubleTensorType

    return isinstance(variable.type, DoubleTensorType)


def _single(scope: Any, variable: Any) -> Any:
    """A variable of float32, of the same shape."""
    from skl2onnx.common._topology import Variable
    from skl2onnx.common.data_types import FloatTensorType

    name = scope.get_unique_variable_name("single")
    return Variable(name, name, scope.name, FloatTensorType(variable.type.shape))


def _cast(container: Any, given: str, made: str, dtype: type[np.generic]) -> None:
    from onnx.helper import np_dtype_to_tensor_dtype

    container.add_node("Cast", [given], [made], op_version=13, to=np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """`SimpleImputer`: where a value is missing, another; of numbers in either precision, and of texts."""
    from skl2onnx.common.data_types import StringTensorType
    from skl2onnx.operator_converters.common import concatenate_variables

    imputer = operator.raw_operator
    if imputer.add_indicator or any(_is_nan(fill) for fill in imputer.statistics_):
        raise NotImplementedError("the SimpleImputer adds or drops columns")
    given = concatenate_variables(scope, operator.inputs, container)
    given = given if isinstance(given, str) else given[0]
    is_text = isinstance(operator.inputs[0].type, StringTensorType)
    mask = scope.get_unique_variable_name("is_missing")
    is_gap = is_text and fitted.is_gap(imputer.missing_values)
    _add_mask(scope, container, given, mask, MISSING if is_gap else imputer.missing_values)
    fills = scope.get_unique_variable_name("fills")
    _add_row(container, fills, imputer.statistics_, operator.inputs[0])
    container.add_node("Where", [mask, fills, given], [operator.outputs[0].full_name], op_version=16)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _add_mask(scope: Any, container: Any, given: str, mask: str, missing: Any) -> None:
    if _is_nan(missing):
        container.add_node("IsNaN", [given], [mask], op_version=13)
        return
    if not isinstance(missing, str):
        raise NotImplementedError("the SimpleImputer replaces a value of its own")
    wanted = scope.get_unique_variable_name("missing")
    _add_texts(container, wanted, [missing])
    container.add_node("Equal", [given, wanted], [mask], op_version=19)


def _add_row(container: Any, name: str, values: Any, like: Any) -> None:
    """A row of constants of the type of a variable."""
    from onnx import TensorProto

    if like.type.__class__.__name__ == "StringTensorType":
        _add_texts(container, name, [str(value) for value in values])
        return
    kind = TensorProto.DOUBLE if _is_double(like) else TensorProto.FLOAT
    container.add_initializer(name, kind, [1, len(values)], [float(value) for value in values])


def _add_texts(container: Any, name: str, texts: list[str]) -> None:
    from onnx import TensorProto

    container.add_initializer(name, TensorProto.STRING, [1, len(texts)], [text.encode() for text in texts])
