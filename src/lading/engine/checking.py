"""Whether a loaded model still answers as it did at packing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lading.bundle.manifest import Requirement
from lading.engine.compiled import CompiledModel
from lading.engine.golden import Answers, replay
from lading.engine.model import Model
from lading.schema.synthetic import draw_rows
from lading.schema.table import Row


def check_golden(model: Model) -> int:
    """Replay the golden rows; a bare file, which has none, is asked one row of its own schema.

    Returns:
        How many golden rows came back.

    Raises:
        CheckFailed: an answer differs.
        PredictionFailed: the model failed.
    """
    if model.golden is None:
        model.answer_rows(draw_rows(model.schema.inputs, model.reference, 1))
        return 0
    replay(model.golden, model.schema, answers_of(model, proba=model.golden.probabilities is not None))
    return len(model.golden.rows)


def engine_in_words(model: Model) -> str:
    """What answers: what the manifest says, unless that is not installed here."""
    if model.manifest.is_compiled and not isinstance(model.predictor, CompiledModel):
        return 'native, because onnxruntime is not installed: pip install "lading[onnx]"'
    return model.manifest.engine_in_words


def needed_by(model: Model) -> tuple[Requirement, ...]:
    """What the engine that answers was packed with."""
    manifest = model.manifest
    return manifest.needed if isinstance(model.predictor, CompiledModel) else manifest.requirements


def answers_of(model: Model, *, proba: bool) -> Answers:
    """The model as golden rows ask it: predictions and probabilities of checked rows."""

    def answers(rows: Sequence[Row]) -> tuple[Sequence[Any], Sequence[Any] | None]:
        answer = model.answer_rows(rows, proba=proba)
        return answer.predictions, answer.probabilities

    return answers
