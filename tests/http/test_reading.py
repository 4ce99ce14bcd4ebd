"""Bodies become rows: large ones in a thread, one at a time, and not for ever."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lading.errors import BrokenInput, DeadlineExceeded
from lading.http.reading import INLINE_BYTES, BodyReader
from lading.schema.decode import Decoded

pytestmark = pytest.mark.anyio

SMALL, LARGE = b" " * INLINE_BYTES, b" " * (INLINE_BYTES + 1)


class Reading:
    """A decoder that notes its threads, and waits in them until it is released."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.release = threading.Event()
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self, body: bytes) -> Decoded:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.threads.append(threading.current_thread().name)
        assert self.release.wait(20)
        self.at_once -= 1
        return Decoded([(float(len(body)),)], is_single=True)


@pytest.fixture
def reading() -> Iterator[Reading]:
    reading = Reading()
    yield reading
    reading.release.set()


async def test_a_small_body_is_read_at_once(reading: Reading):
    reading.release.set()
    decoded = await BodyReader().read(reading, SMALL, 20.0)
    assert decoded.rows == [(float(INLINE_BYTES),)]
    assert reading.threads == [threading.current_thread().name]


async def test_large_bodies_are_read_in_a_thread_one_after_the_other(reading: Reading):
    reader = BodyReader()
    reads = [asyncio.create_task(reader.read(reading, LARGE, 20.0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(read.done() for read in reads)
    reading.release.set()
    assert [decoded.rows for decoded in await asyncio.gather(*reads)] == [[(float(len(LARGE)),)]] * 3
    assert {name.rpartition("_")[0] for name in reading.threads} == {"lading-decode"}
    assert reading.most_at_once == 1


async def test_what_is_wrong_with_a_large_body_is_raised():
    def decode(body: bytes) -> Decoded:
        raise BrokenInput("no")

    with pytest.raises(BrokenInput, match="no"):
        await BodyReader().read(decode, LARGE, 20.0)


async def test_a_large_body_that_takes_too_long_is_too_late(reading: Reading):
    with pytest.raises(DeadlineExceeded, match="while the body was read"):
        await BodyReader().read(reading, LARGE, 0.01)


async def test_probes_are_answered_while_a_large_body_is_read(
    app: Any, raw: Any, reading: Reading, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(app.service, "_decoder", type("Decoder", (), {"json": reading, "takes_images": False}))
    large = asyncio.create_task(raw(LARGE).run(app.asgi))
    while not reading.threads:
        await asyncio.sleep(0)
    health = await raw(method="GET", path="/health").run(app.asgi)
    assert (health.status, large.done()) == (200, False)
    reading.release.set()
    assert b'"prediction":' in (await large).body
