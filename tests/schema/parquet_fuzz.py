"""Cuts a small Parquet file anywhere, changes each of its bytes and many at once, in a process that a crash would end.

Prints how many were tried, how many of them were refused, and by how many MB memory has grown; nothing but refusals may
be raised. Arguments: how many are changed at random, and the seed.
"""

import io
import random
import resource
import sys
import warnings
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
sys.path.insert(0, str(Path(__file__).parent))

import arrow_fuzz

from lading.errors import LadingError
from lading.schema.decode import Decoder
from lading.schema.fields import Output, Schema

WAYS = (
    {"compression": "snappy"},
    {"compression": "none", "data_page_version": "2.0", "row_group_size": 2, "store_schema": False},
    {"compression": "none", "use_dictionary": False, "store_schema": False},
)
FEW = 10_000
"""Changes at random, up to which not every other change is tried."""
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def parquet(**how):
    body = io.BytesIO()
    pq.write_table(arrow_fuzz.TABLE, body, **how)
    return body.getvalue()


def changed_at_random(wholes, count, seed):
    chance = random.Random(seed)
    for _ in range(count):
        body = bytearray(chance.choice(wholes))
        for _ in range(chance.choice((2, 3, 5, 20))):
            place = chance.randrange(len(body))
            change = chance.randrange(4)
            if change == 0:
                body[place] = chance.choice(INTERESTING)
            elif change == 1:
                body[place] = chance.randrange(256)
            elif change == 2:
                body[place] ^= 1 << chance.randrange(8)
            else:
                body[place : place + 4] = body[(start := chance.randrange(len(body) - 4)) : start + 4]
        yield bytes(body)


def bodies(count, seed):
    wholes = [parquet(**how) for how in WAYS]
    for whole in wholes:
        yield from islice(arrow_fuzz.changed(whole), 0, None, 1 if count > FEW else 11)
    yield from changed_at_random(wholes, count, seed)


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main(count, seed):
    warnings.simplefilter("error")
    decoder = Decoder(Schema("regression", arrow_fuzz.FIELDS, (Output("prediction"),)))
    for how in WAYS:
        assert len(list(decoder.parquet(parquet(**how)).rows)) == len(arrow_fuzz.TABLE)
    tried = refused = 0
    before = peak_mb()
    for body in bodies(count, seed):
        tried += 1
        try:
            list(decoder.parquet(body).rows)
        except LadingError:
            refused += 1
    print(tried, refused, peak_mb() - before)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
