"""Breaks image files in thousands of ways, in a process that a crash would end; prints the memory that it took.

Prints how many were tried, how many of them were refused, and the most memory it had, beyond that of the imports and
of one image as large as may be, in MiB.
"""

import random
import resource
import sys
import warnings
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from PIL import Image as Picture
from tests.images import FORMATS, noise, said_to_be, saved

from lading.errors import LadingError
from lading.schema.decode import Decoder
from lading.schema.fields import Field, Image, Output, Schema

SIDES = (0, 1, 7, 28, 4096, 6000, 16383, 65500, 65535)


def schema():
    fields = tuple(Field(f"x{place}") for place in range(784))
    return Schema("classification", fields, (Output("prediction"),), image=Image(28, 28, gray=True))


def broken(count):
    """Files whose head lies, that are cut, or have other bytes in their first ones or anywhere."""
    rng = random.Random(1)
    whole = [saved(noise().convert("RGB"), format) for format in FORMATS]
    whole += [saved(noise(), "JPEG", progressive=True), saved(noise().convert("P"), "PNG"), saved(noise(), "GIF")]
    yield from (said_to_be(format, width, height) for format in FORMATS for width in SIDES for height in SIDES)
    for _ in range(count):
        file = bytearray(rng.choice(whole))
        if rng.random() < 0.2:
            yield bytes(file[: rng.randrange(len(file))])
            continue
        reach = rng.choice((32, 128, len(file)))
        for _ in range(rng.choice((1, 1, 2, 8))):
            file[rng.randrange(min(reach, len(file)))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        yield bytes(file)


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    warnings.simplefilter("error")
    decoder = Decoder(schema())
    before = peak_mib()
    decoder.images([saved(Picture.new("RGBA", (6324, 6324)))], is_single=True)
    largest = peak_mib()
    with suppress(LadingError):  # each of which takes 40 MB as soon as it is opened
        decoder.images([said_to_be("GIF", 6324, 6324)] * 200, is_single=False)
    tried = refused = 0
    for file in broken(int(sys.argv[1])):
        tried += 1
        try:
            decoder.images([file], is_single=True)
        except LadingError:
            refused += 1
    print(tried, refused, round(largest - before), round(peak_mib() - largest))


if __name__ == "__main__":
    main()
