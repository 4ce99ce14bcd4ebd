"""What a pickle file is, told from its bytes, and the raw pickle in it, decompressed within a bound.

`joblib.dump(model, path, compress=3)`, `pickle.dump` into `gzip.open(path, "wb")` and plain files all end as
one raw stream here. Nothing in this module unpickles.
"""

from __future__ import annotations

import bz2
import io
import itertools
import lzma
import pickletools
import re
import zlib
from collections.abc import Callable
from typing import Literal, Protocol

from lading.errors import FormatError

__all__ = ["Container", "sniff", "unwrap"]

Container = Literal["pickle", "gzip", "zlib", "bz2", "xz", "lzma", "lz4"]

_CHUNK_BYTES = 1 << 18
_LZMA_MEMORY_BYTES = 1 << 28
"""What a decompressor may allocate for its dictionary; `xz -9` asks for 65 MiB."""

_MAGIC: tuple[tuple[re.Pattern[bytes], Container], ...] = (
    (re.compile(rb"\x80[\x02-\x05]"), "pickle"),
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    # a block or the end mark must follow: "BZh9" alone could be a text
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bz2"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
    (re.compile(rb"\x5d\x00\x00"), "lzma"),
    (re.compile(rb"\x04\x22\x4d\x18"), "lz4"),
)
_ZLIB_HEAD = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_OLD_PICKLE_HEAD = re.compile(rb"\(?c[\w.]+\n\w+\n[pq()]|\(i[\w.]+\n\w+\n|\([dl]p\d+\n|[\]}]q[\x00\x01]")
"""Protocols 0 and 1 have no magic: an object by its class, or a dictionary or list."""
_OLD_PICKLE_OPERATIONS = 8


class _Decompressor(Protocol):
    """What the decompressors of the standard library have in common."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


_DECOMPRESSORS: dict[Container, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "zlib": lambda: zlib.decompressobj(),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY_BYTES),
}


def sniff(data: bytes) -> Container | None:
    """What the first bytes say that the file is, or `None` where it is no pickle and no compressed file.

    A compressed file may hold anything; only `unwrap` says whether a pickle is in it.
    """
    for pattern, container in _MAGIC:
        if pattern.match(data):
            return container
    if _ZLIB_HEAD.match(data) and _inflates(data[:512]):
        return "zlib"
    if _OLD_PICKLE_HEAD.match(data) and _has_operations(data[: 1 << 16]):
        return "pickle"
    return None


def unwrap(data: bytes, *, max_bytes: int) -> bytes:
    """The raw pickle stream in a model file, decompressed where it is compressed.

    Args:
        data: the whole file.
        max_bytes: what the raw stream may have at most; not more than that is decompressed.

    Raises:
        FormatError: the file is empty, no pickle, broken, cut off, followed by other bytes, or too large.
    """
    if not data:
        raise FormatError("the model file is empty", hint="save the model again; perhaps the disk was full")
    container = sniff(data)
    if container == "lz4":
        raise FormatError(
            "the model file is compressed with `lz4`, which cannot be read",
            hint='save it with another compression: `joblib.dump(model, path, compress=("zlib", 3))`',
        )
    if container is None:
        raise _not_a_pickle("the model file does not begin as one")
    raw = data if container == "pickle" else _decompress(data, container, max_bytes)
    if len(raw) > max_bytes:
        raise _too_large(max_bytes)
    if sniff(raw) != "pickle":
        raise _not_a_pickle(f"what is inside of the `{container}` file does not begin as one")
    return raw


def _inflates(head: bytes) -> bool:
    # the two bytes of a zlib header are also text ("x^"): the block that follows tells
    try:
        zlib.decompressobj().decompress(head, 512)
    except zlib.error:
        return False
    return True


def _has_operations(head: bytes) -> bool:
    """True where the first operations are valid, up to the end or to a number that no text has by chance."""
    operations = (operation.name for operation, _, _ in pickletools.genops(head))
    try:
        names = list(itertools.islice(operations, _OLD_PICKLE_OPERATIONS))
    except ValueError:
        return False
    return len(names) == _OLD_PICKLE_OPERATIONS or names[-1] == "STOP"


def _decompress(data: bytes, container: Container, max_bytes: int) -> bytes:
    raw = io.BytesIO()
    try:
        left = _decompress_stream(data, container, raw, max_bytes)
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        raise _broken(container, "is broken") from None
    if left:
        raise _broken(container, "is followed by other bytes")
    return raw.getvalue()


def _decompress_stream(data: bytes, container: Container, raw: io.BytesIO, max_bytes: int) -> bytes:
    """The bytes after the end of the stream; what was in it is written to `raw`."""
    decompressor = _DECOMPRESSORS[container]()
    for start in range(0, len(data), _CHUNK_BYTES):
        # one byte beyond the bound is enough to know, so a bomb costs no more than the bound
        raw.write(decompressor.decompress(data[start : start + _CHUNK_BYTES], max_bytes - raw.tell() + 1))
        if raw.tell() > max_bytes:
            raise _too_large(max_bytes)
        if decompressor.eof:
            return decompressor.unused_data or data[start + _CHUNK_BYTES :]
    raise _broken(container, "is cut off")


def _not_a_pickle(reason: str) -> FormatError:
    return FormatError(
        f"expected a pickle, but {reason}",
        hint="save the model with `joblib.dump(model, path)` or `pickle.dump`",
    )


def _broken(container: Container, reason: str) -> FormatError:
    return FormatError(
        f"the `{container}` stream of the model file {reason}",
        hint="copy the file again, or save the model again",
    )


def _too_large(max_bytes: int) -> FormatError:
    return FormatError(
        f"the model has more than {max_bytes} bytes once decompressed, which is the limit",
        hint="check that the file is the model; if it is, raise the limit",
    )
