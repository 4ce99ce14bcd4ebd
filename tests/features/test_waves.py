"""Keys that arrive while the store is busy go to it together; what it said is remembered."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

import lading
from lading.bundle.lookups import Lookup
from lading.errors import FeaturesUnavailable
from lading.features import completion
from lading.features.cache import Cache
from lading.features.store import StoreFailed


class Counted:
    """A store that notes what it was asked, and waits until it may answer."""

    def __init__(self) -> None:
        self.asked: list[Sequence[Any]] = []
        self.may_answer = threading.Event()
        self.fails: list[StoreFailed] = []
        self.made = 0

    def fetch(self, keys: Sequence[Any]) -> Any:
        self.asked.append(sorted(keys))
        self.may_answer.wait(20)
        if self.fails:
            raise self.fails.pop()
        return [(key, (1.0, 2.0)) for key in keys if key != "none"]

    def abort(self) -> None:
        self.may_answer.set()

    def close(self) -> None: ...


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Counted:
    store = Counted()

    def make() -> Counted:
        store.made += 1
        return store

    monkeypatch.setattr(completion.Addresses, "maker", lambda self, lookup, timeout_s: make)
    return store


@pytest.fixture
def quick(store: Counted) -> Counted:
    store.may_answer.set()
    return store


def test_requests_of_one_moment_are_one_query_and_each_key_stands_in_it_once(homes: Any, look: Any, quick: Counted):
    told = look(homes, "").complete_all([("a", 1.0), ("b", 1.0)], [("b", 2.0)], [("c", 3.0), ("b", 3.0)])
    assert quick.asked == [["a", "b", "c"]]
    assert told[1] == [(2.0, 1.0, 2.0)]


def test_requests_that_come_while_the_store_is_busy_are_the_next_query(homes: Any, look: Any, store: Counted):
    looking = look(homes, "", features_timeout_s=20.0)

    async def drive() -> None:
        first = asyncio.create_task(looking.completion.complete([("a", 1.0)], 20.0))
        while not store.asked:
            await asyncio.sleep(0)
        others = [asyncio.create_task(looking.completion.complete([(key, 1.0)], 20.0)) for key in "bcb"]
        while looking.count("misses") < 4:
            await asyncio.sleep(0)
        others[0].cancel()
        store.may_answer.set()
        await asyncio.gather(first, *others[1:])

    looking.run(drive())
    assert store.asked == [["a"], ["b", "c"]]


def test_what_is_remembered_is_answered_while_the_store_is_down(homes: Any, look: Any, quick: Counted):
    looking = look(homes, "")
    looking.complete(("a", 1.0))
    quick.fails = [StoreFailed("down")]
    good, bad = looking.complete_all([("a", 2.0)], [("b", 2.0)])
    assert good == [(2.0, 1.0, 2.0)]
    assert isinstance(bad, FeaturesUnavailable)
    assert (looking.count("hits"), looking.count("failures")) == (1, 1)


def test_a_connection_that_was_there_is_made_anew_once(homes: Any, look: Any, quick: Counted):
    quick.fails = [StoreFailed("gone", is_stale=True)]
    assert look(homes, "").complete(("a", 1.0)) == [(1.0, 1.0, 2.0)]
    assert quick.asked == [["a"], ["a"]]


def test_a_store_that_hangs_is_left_and_another_one_is_made(homes: Any, look: Any, store: Counted):
    looking = look(homes, "", features_timeout_s=0.05)
    with pytest.raises(FeaturesUnavailable):
        looking.complete(("a", 1.0))
    assert looking.complete(("b", 1.0)) == [(1.0, 1.0, 2.0)]
    assert store.made == 2


def test_a_store_that_hangs_for_good_takes_few_threads(homes: Any, look: Any, store: Counted, monkeypatch: Any):
    monkeypatch.setattr(store, "abort", lambda: None)
    looking = look(homes, "", features_timeout_s=0.01)
    before = threading.enumerate()
    for key in "abcdefgh":
        with pytest.raises(FeaturesUnavailable):
            looking.complete((key, 1.0))
    hanging = [thread for thread in threading.enumerate() if thread not in before]
    store.may_answer.set()
    assert len(hanging) == 4
    for thread in hanging:
        thread.join(20)
    assert looking.complete(("z", 1.0)) == [(1.0, 1.0, 2.0)]


def test_an_error_that_nobody_foresaw_reaches_who_waits_and_nobody_else(homes: Any, look: Any, quick: Counted):
    quick.fails = [ZeroDivisionError()]  # type: ignore[list-item]
    looking = look(homes, "")
    with pytest.raises(ZeroDivisionError):
        looking.complete(("a", 1.0))
    assert looking.complete(("a", 1.0)) == [(1.0, 1.0, 2.0)]


# --- what is remembered


def test_what_is_remembered_ends_with_its_time():
    now = [100.0]
    cache = Cache(10, 60.0, clock=lambda: now[0])
    cache.put({"a": (1.0,), "none": None})
    now[0] = 159.9
    assert cache.take(["a", "none", "b"]) == {"a": (1.0,), "none": None}
    now[0] = 160.0
    assert cache.take(["a", "none"]) == {}
    assert len(cache) == 0


def test_no_more_is_remembered_than_may_be_and_what_is_used_stays():
    cache = Cache(2, 60.0)
    cache.put({"a": (1.0,), "b": (2.0,)})
    cache.take(["a"])
    cache.put({"c": (3.0,)})
    assert cache.take("abc") == {"a": (1.0,), "c": (3.0,)}


def test_nothing_is_remembered_where_it_is_said_so(pack_homes: Any, look: Any, quick: Counted):
    looking = look(lading.load(pack_homes(cache_s=0)), "")
    for _ in range(2):
        looking.complete(("a", 1.0))
    assert quick.asked == [["a"], ["a"]]


def test_a_request_with_more_keys_than_are_remembered_is_answered(homes: Any, look: Any, quick: Counted):
    assert len(look(homes, "", features_cache_rows=2).complete(*((f"K{n}", 1.0) for n in range(50)))) == 50


def test_a_lookup_says_what_its_key_is_in_requests():
    assert Lookup("id", ("x",), kind="int").field.datatype == "INT64"
