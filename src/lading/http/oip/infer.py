"""The Open Inference Protocol's way to ask for predictions: tensors in, tensors out."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from lading.engine.answers import Answer
from lading.errors import LadingError
from lading.http.dialect import Asked
from lading.http.oip.columns import TensorRows
from lading.http.oip.outputs import Outputs
from lading.http.oip.paths import name_of
from lading.http.oip.quick import QuickInfer
from lading.http.oip.refusals import refusal
from lading.http.oip.request import read_request
from lading.schema.strict import parse_json
from lading.service import Service

_encode = msgspec.json.Encoder().encode


class Infer:
    """The dialect of `…/infer`; see `lading.http.dialect.Dialect`.

    Args:
        service: what answers; it has its model.
    """

    def __init__(self, service: Service) -> None:
        schema = service.schema
        self._decoder = service.decoder
        self._outputs = Outputs(schema)
        self._rows = TensorRows(schema, self._decoder)
        self._quick = QuickInfer(schema, self._outputs) if QuickInfer.suits(schema) else None
        name, version = _encode(name_of(service)), _encode(service.manifest.version)
        self._begin = b'{"model_name":%b,"model_version":%b,"id":' % (name, version)

    def read(self, body: bytes) -> Asked:
        """What a request asks for."""
        asked = self._quick.read(body) if self._quick is not None else None
        if asked is None:
            return read_request(parse_json(body), self._rows, self._outputs)
        self._decoder.bound(len(asked.rows))
        return asked

    def write(self, answer: Answer, asked: Asked, request_id: str) -> bytes:
        """The outputs that are asked for."""
        told = _encode(request_id if asked.id is None else asked.id)
        warned = b',"parameters":{"warnings":%d}' % len(answer.warnings) if answer.warnings else b""
        outputs = self._outputs.json(answer, asked.outputs)
        return b"".join((self._begin, told, warned, b',"outputs":', outputs, b"}\n"))

    def refuse(self, error: LadingError, request_id: str) -> Response:
        """The error, in the words of the protocol."""
        return refusal(error, request_id)
