"""Bytes as the body of a request: rows, or a refusal that a caller can read.

What the quick way takes, the strict one takes too, and as the same rows; what it does not, neither takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from lading.errors import BrokenInput, InputError, TooLarge
from lading.schema.decode import Decoded, Decoder, Limits
from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.strict import parse_json

_EVERY_KIND = (
    Field("f", nullable=True, seen=Interval(0, 9)),
    Field("i", "int", "int64", domain=Interval(0, 100)),
    Field("b", "bool", "bool"),
    Field("t", "text", "str", nullable=True),
    Field("c", "category", "str", categories=("k", "l")),
    Field("d", "date", "datetime64[ns]", nullable=True),
)
_OUTPUTS = (Output("prediction"),)
_LIMITS = Limits(max_rows=20, max_cells=100)
DECODERS = [
    Decoder(Schema("regression", fields, _OUTPUTS), _LIMITS)
    for fields in (_EVERY_KIND, (Field("x"),), (Field("x"), Field("y", nullable=True)))
]
REFUSALS = (BrokenInput, InputError, TooLarge)


def fuzz_one(data: bytes) -> None:
    """Read the bytes by the schema and in the format that the first of them says."""
    if not data:
        return
    decoder, body = DECODERS[data[0] % len(DECODERS)], bytes(data[1:])
    if data[0] & 0x80:
        _decoded(lambda: decoder.csv(body))
        return
    first, second = _decoded(lambda: decoder.json(body)), _decoded(lambda: decoder.value(parse_json(body)))
    assert first == second, "the quick way and the strict one differ"


def seeds() -> list[bytes]:
    """Each shape of a body, by each schema, in each format."""
    row = b'{"f":1.5,"i":7,"b":true,"t":"a\\u00e9","c":"k","d":"2024-02-29"}'
    lines = b'[[1.5,7,false,null,"l",null],[null,0,true,"","k","2024-02-29T12:00:00Z"]]'
    every = [
        row,
        b"[" + row + b"," + row + b"]",
        b'{"instances":' + lines + b"}",
        b'{"X":' + lines + b"}",
        b'{"columns":["f","i","b","t","c","d"],"data":' + lines + b',"index":[0,1]}',
    ]
    numbers = [
        b'{"x":1e3}',
        b'[{"x":-0.5}]',
        b'{"X":[1,2,3]}',
        b'{"X":[[1],[2]]}',
        b'{"instances":[1]}',
        b"[" * 40,
        b"NaN",
    ]
    pairs = [b'{"x":1,"y":null}', b'{"x":1,"x":2,"y":3}', b'{"X":[[1,2],[3,null]]}']
    csv = [
        b'\x81x\n1\n2.5\n"3"\n',
        b"\x83f,i,b,t,c,d\n1.5,7,true,a,k,2024-02-29\n,0,false,,l,\n",
        b"\x82x,y\r\n1,\r\n-2e5,3\r\n",
    ]
    return [bytes([at]) + body for at, bodies in enumerate((every, numbers, pairs)) for body in bodies] + csv


def _decoded(decode: Callable[[], Decoded]) -> tuple[list[tuple[object, ...]], bool] | None:
    with contextlib.suppress(*REFUSALS):
        decoded = decode()
        return [tuple(row) for row in decoded.rows], decoded.is_single
    return None
