"""Small files that would become large ones.

As a script, gives files to the decoder, and prints for each what came of it, and by how many MB memory has grown.
"""

import io
import resource
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from lading.errors import LadingError
from lading.schema.decode import Decoder
from lading.schema.fields import Field, Output, Schema
from lading.schema.parquet.file import _file
from lading.schema.parquet.thrift import BINARY, I32, I64, LIST, STRUCT, struct_bytes

ROWS = 10_000
LONG = 1 << 20
TEXT = {(1, I32): 6, (3, I32): 0, (4, BINARY): b"t", (6, I32): 0}
PLAIN, PLAIN_DICTIONARY, RLE, DELTA_BYTES, RLE_DICTIONARY = 0, 2, 3, 7, 8


def written(table, **how):
    body = io.BytesIO()
    pq.write_table(table, body, **how)
    return body.getvalue()


def texts(count=20, **how):
    return written(pa.table({"t": [f"{'x' * LONG}{place}" for place in range(count)]}), **how)


def page(kind, data, values, encoding, size=None):
    """A page of texts, of a column that is never missing."""
    head = {(1, I32): values, (2, I32): encoding, (3, I32): RLE, (4, I32): RLE}
    sizes = {(1, I32): kind, (2, I32): len(data) if size is None else size, (3, I32): len(data)}
    return struct_bytes({**sizes, ({0: 5, 2: 7}[kind], STRUCT): head}) + data


def parquet(*pages, rows=ROWS, codec=0, elements=(TEXT,), chunks=1, claimed=None, groups=1):
    """A file whose columns all have these pages."""
    data = b"".join(pages)
    meta = {(1, I32): 6, (2, LIST): [], (3, LIST): [b"t"], (4, I32): codec, (5, I64): rows, (6, I64): len(data)}
    meta |= {(7, I64): len(data), (9, I64): 4}
    group = {(1, LIST): [{(2, I64): 0, (3, STRUCT): meta}] * chunks, (2, I64): 0, (3, I64): rows}
    return _file(elements, data, rows * groups if claimed is None else claimed, [group] * groups)


def dictionary_of_one_long_text():
    """Every row is the same text of a MB: 10 GB, were each a text of its own."""
    entry = LONG.to_bytes(4, "little") + b"x" * LONG
    indices = bytes([1, *_varint(ROWS << 1), 0])
    return parquet(page(2, entry, 1, PLAIN), page(0, indices, ROWS, RLE_DICTIONARY))


def _varint(number):
    return [number & 0x7F | 0x80, *_varint(number >> 7)] if number > 0x7F else [number]


def pages_that_claim():
    """A page of no bytes says that it becomes 2 GB."""
    return parquet(page(0, b"", ROWS, PLAIN, size=2**31 - 1))


def dictionary_that_claims():
    return parquet(page(2, b"", 2**31 - 1, PLAIN), page(0, b"\0", ROWS, RLE_DICTIONARY))


def shared_pages():
    """A thousand groups of rows have the same page: 64 MB, were each read."""
    return parquet(page(0, (1 << 16).to_bytes(4, "little") + bytes(1 << 16), 1, PLAIN), rows=1, groups=1000)


def deep_schema():
    element = {(3, I32): 0, (4, BINARY): b"a", (5, I32): 1}
    return _file([element] * 5000 + [TEXT], b"", 1, [])


def small_structs():
    """As many structs in the metadata as bytes."""
    metadata = struct_bytes({(1, I32): 1, (2, LIST): [{(4, BINARY): b"s", (5, I32): 1}, TEXT], (3, I64): 1})[:-1]
    metadata += b"\x09\x0a\xfc\xe0\xd4\x03" + bytes(60_000) + b"\0"
    return b"PAR1" + metadata + len(metadata).to_bytes(4, "little") + b"PAR1"


def headers_of_structs():
    """Headers that hold as many structs as bytes, before pages of nothing."""
    head = struct_bytes({(1, I32): 0, (2, I32): 0, (3, I32): 0, (5, STRUCT): {(1, I32): 0, (2, I32): 0}})[:-1]
    head += b"\x09\x12\xfc" + bytes([0xA0, 0x9C, 0x01]) + bytes(20_000) + b"\0"
    return parquet(*[head] * 120)


BOMBS = {
    "zstd": ("input.parquet_feature", lambda: texts(compression="zstd")),
    "gzip": ("input.parquet_feature", lambda: texts(compression="gzip")),
    "snappy": ("input.too_large", lambda: texts(100, compression="snappy", use_dictionary=False)),
    "prefixes": ("input.parquet_feature", lambda: texts(use_dictionary=False, column_encoding="DELTA_BYTE_ARRAY")),
    "dictionary": (f"{ROWS} rows", dictionary_of_one_long_text),
    "claim": ("input.too_large", pages_that_claim),
    "claim of a dictionary": ("input.too_large", dictionary_that_claims),
    "shared pages": ("input.not_parquet", shared_pages),
    "more rows": ("input.too_large", lambda: parquet(page(0, b"", 2**31 - 1, PLAIN), rows=2**40)),
    "other rows": ("input.not_parquet", lambda: parquet(page(0, b"\0" * 4, 1, PLAIN), rows=1, claimed=ROWS)),
    "less rows": ("input.not_parquet", lambda: parquet(page(0, b"\0" * 4, 1, PLAIN), rows=-1)),
    "values": ("input.not_parquet", lambda: parquet(page(0, b"\0" * 4, 2**31 - 1, PLAIN), rows=1)),
    "many groups": ("input.parquet_feature", lambda: parquet(rows=1, groups=10_000)),
    "empty groups": ("schema.invalid", lambda: parquet(rows=0, groups=1000)),
    "deep schema": ("input.parquet_feature", deep_schema),
    "structs": ("input.not_parquet", small_structs),
    "headers": ("input.parquet_feature", headers_of_structs),
    "many pages": ("input.parquet_feature", lambda: parquet(*[page(0, b"", 0, PLAIN)] * 20_001)),
}
"""By name: what comes of it, and what makes it."""


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def outcome(decoder, body):
    try:
        return f"{len(decoder.parquet(body).rows)} rows"
    except LadingError as error:
        return error.code


def main(paths):
    decoder = Decoder(Schema("regression", (Field("t", "text", "str"),), (Output("prediction"),)))
    assert outcome(decoder, written(pa.table({"t": ["x"]}))) == "1 rows"
    before = peak_mb()
    for path in paths:
        print(Path(path).name, outcome(decoder, Path(path).read_bytes()), peak_mb() - before, sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
