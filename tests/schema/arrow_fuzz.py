"""Changes each byte of a small Arrow stream, and cuts it at each, in a process that a crash would end.

Prints how many were tried, and how many of them were refused; nothing but refusals may be raised.
"""

import io
import sys
import warnings
from datetime import datetime
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from lading.errors import LadingError
from lading.schema.decode import Decoder
from lading.schema.fields import Field, Output, Schema

TABLE = pa.table(
    {
        "f": pa.array([1.5, None, 2.5]),
        "i": pa.array([1, 2, 3], pa.int32()),
        "b": pa.array([True, None, False]),
        "t": pa.array(["x", "yz", None]),
        "c": pa.array(["k", "l", "k"]).dictionary_encode(),
        "d": pa.array([datetime(2024, 2, 29), None, None]),
    }
)
FIELDS = (
    Field("f", nullable=True),
    Field("i", "int", "int64"),
    Field("b", "bool", "object", nullable=True),
    Field("t", "text", "str", nullable=True),
    Field("c", "category", "str", categories=("k", "l")),
    Field("d", "date", "datetime64[ns]", nullable=True),
)
MASKS = (0x01, 0x40, 0x80, 0xFF)


def stream():
    body = io.BytesIO()
    with pa.ipc.new_stream(body, TABLE.schema) as writer:
        writer.write_table(TABLE, 2)
    return body.getvalue()


def changed(body):
    for place in range(len(body)):
        yield body[:place]
        for mask in MASKS:
            yield body[:place] + bytes([body[place] ^ mask]) + body[place + 1 :]


def main():
    warnings.simplefilter("error")
    decoder = Decoder(Schema("regression", FIELDS, (Output("prediction"),)))
    whole = stream()
    assert len(list(decoder.arrow(whole).rows)) == len(TABLE)
    tried = refused = 0
    for body in changed(whole):
        tried += 1
        try:
            list(decoder.arrow(body).rows)
        except LadingError:
            refused += 1
    print(tried, refused)


if __name__ == "__main__":
    main()
