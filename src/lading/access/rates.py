"""How often somebody asks, counted by all processes of a service together, in memory that they share.

Each process has a row of words that it alone writes, and reads those of the others. The algorithm is a sliding-window
counter: what was let in since the window began, and of the window before it the share that lies within one window's
time from now. What was refused does not count, so whoever hammers is let in again as soon as anybody else would be.

    row    a set of words of its own, the first of which is 1 when the row is in use │ sets of callers │ other sets
    set    eight cells
    cell   keyed hash of who asks and at which rate │ an even window │ an odd window │ seconds of a window

A window is one word, its number and its count, so that it is read whole however its writer is interrupted. Who asks has
a cell in one set only, which nobody can choose who does not know the secret. Callers, who have shown who they are, have
half of the sets; the rest is for addresses, of which anybody may have any number. A cell is taken by the first request
that counts, and free again when the windows in it are older than the last one; where all eight are taken, the process
counts by itself.

What a process counts by itself it keeps, of callers and of addresses so many each. Where they are more, a quarter is
forgotten: first those who have counted nothing in this window or the last, and those who have a cell, which keeps their
count. Only where all others are at it are those forgotten too who are furthest from their rate; they begin anew.

Between two looks at the others a process lets in no more than its part of a tenth of what is left. So all of them
together never let in more than a tenth above the rate, or one request for each process where that is more.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from math import ceil, inf
from weakref import WeakValueDictionary

from lading.errors import RateLimited
from lading.settings import Rate

_MAX_KNOWN = 4096
"""Buckets of callers that a process keeps at hand, and as many of addresses."""
_FORGOTTEN = _MAX_KNOWN // 4
"""So many at once, since all are looked at to choose them."""
_LOOK_S = 0.02
"""How old may be what a process knows of the others: a fiftieth of the shortest window."""
_SHARE = 10

_CELL_WORDS = 4
_SET_WORDS = 8 * _CELL_WORDS
_WORD = 8
_COUNT_BITS = 31
_COUNT = (1 << _COUNT_BITS) - 1
_Who = tuple[str, Rate]
_UNITS = {1: "a second", 60: "a minute", 3600: "an hour"}


class Rates:
    """Who asked how often, as one process knows it.

    Args:
        rows: words of each process, as many for each, at least 96; where there are none, this one counts by itself.
        own: which of them this process writes.
        secret: known to all processes, and to nobody else.
    """

    def __init__(self, rows: Sequence[memoryview], own: int, secret: bytes) -> None:
        self._row = rows[own] if rows else _words(3 * _SET_WORDS)
        self._row[0] = 1
        self._rest = [row for position, row in enumerate(rows) if position != own]
        self._secret = secret
        sets = len(self._row) // _SET_WORDS - 1
        self._addresses = _Half(1 + sets // 2, sets - sets // 2)
        self._callers = _Half(1, sets // 2)
        self._others: list[memoryview] = []
        self._looked = -inf
        self._now = 0.0
        self.is_alone = not self._rest

    def bucket(self, who: str, rate: Rate, *, is_caller: bool = False) -> Bucket:
        """What somebody may ask.

        Args:
            who: asks, and what for: the same text with the same rate is the same bucket in every process.
            rate: how often they may.
            is_caller: it is known who they are; false for an address, so that no flood of them takes a caller's count.
        """
        half = self._callers if is_caller else self._addresses
        found = half.known.get((who, rate))
        if found is not None:
            half.known.move_to_end((who, rate))
            return found
        # Somebody may hold on to a bucket that is not at hand; a second one beside it would count anew.
        bucket = half.held.get((who, rate))
        if bucket is None:
            key = self._hash(who, rate)
            bucket = Bucket(self, key, rate, half.start(key))
        half.keep((who, rate), bucket, self._now)
        return bucket

    def _hash(self, who: str, rate: Rate) -> int:
        name = f"{rate.requests}/{rate.seconds} {who}".encode("utf-8", "surrogatepass")
        digest = blake2b(name, digest_size=8, key=self._secret).digest()
        return int.from_bytes(digest, "little", signed=True) or 1

    def others(self, now: float) -> list[memoryview]:
        """The rows of other processes that are in use."""
        self._now = now
        if not 0 <= now - self._looked < _LOOK_S:
            self._looked = now
            self._others = [row for row in self._rest if row[0]]
        return self._others

    def cell(self, start: int, key: int) -> memoryview | None:
        """The cell in this process's row that counts for a hash, in the set that begins there; None where none does."""
        at = _place(self._row, start, key)
        return self._row[at : at + _CELL_WORDS] if at else None

    def new_cell(self, start: int, key: int, seconds: int, now: float) -> memoryview | None:
        """One that is free, for a hash that has none; None where all are taken."""
        for at in range(start, start + _SET_WORDS, _CELL_WORDS):
            cell = self._row[at : at + _CELL_WORDS]
            if _is_free(cell, now):
                # The hash comes last, so that nobody takes for its counts those of the one before.
                cell[0] = cell[1] = cell[2] = 0
                cell[3] = seconds
                cell[0] = key
                return cell
        return None


class _Half:
    """The sets of callers, or those of addresses, and which of their buckets a process has.

    Attributes:
        known: those that it keeps at hand; who asked last comes last.
        held: these, and others that somebody else has.
    """

    def __init__(self, first: int, sets: int) -> None:
        self._first = first
        self._sets = sets
        self.known: OrderedDict[_Who, Bucket] = OrderedDict()
        self.held: WeakValueDictionary[_Who, Bucket] = WeakValueDictionary()

    def start(self, key: int) -> int:
        """The first word of the set in which a hash has its cell, in every row."""
        return (self._first + key % self._sets) * _SET_WORDS

    def keep(self, who: _Who, bucket: Bucket, now: float) -> None:
        """Have a bucket at hand; where there are too many, without those by which the least is lost."""
        if len(self.known) >= _MAX_KNOWN:
            losses = {each: known.loss(now) for each, known in self.known.items()}
            for each in sorted(losses, key=losses.__getitem__)[:_FORGOTTEN]:
                del self.known[each]
        self.known[who] = self.held[who] = bucket


class Bucket:
    """What one caller may ask at one rate, as one process knows it.

    Times are in seconds since 1970, which are the same for all processes.

    Attributes:
        rate: how often.
    """

    __slots__ = (
        *("__weakref__", "_cell", "_count", "_free_at", "_from", "_is_private", "_key", "_left", "_places"),
        *("_rates", "_start", "_until", "_word", "rate"),
    )

    def __init__(self, rates: Rates, key: int, rate: Rate, start: int) -> None:
        self.rate = rate
        self._rates = rates
        self._key = key
        self._start = start
        self._places: dict[int, int] = {}
        self._is_private = True
        self._cell = _words(_CELL_WORDS)
        self._word = 1
        self._count = self._left = 0
        self._from = self._until = self._free_at = 0.0

    def admit(self, now: float) -> bool:
        """True for a request that may be answered, which is counted; False for one too many, which is not."""
        left = self._left
        if not left or not self._from <= now < self._until:
            left = self._look(now)
        if left < 0:
            return False
        self._left = left - 1
        self._cell[self._word] = self._count = self._count + 1
        return True

    def is_spent(self, now: float) -> bool:
        """Whether the next request would be one too many. It takes no cell for who has none."""
        left = self._left
        if not left or not self._from <= now < self._until:
            left = self._look(now, is_counting=False)
            if left > 0 and self._is_private:
                self._left = 0  # so that the first request that counts looks for a cell
        return left < 0

    def loss(self, now: float) -> float:
        """Of its rate, the part that nobody would know to be used if this were forgotten; 0 for what is idle."""
        if not self._is_private:
            return 0.0
        return sum(_counts_of(self._cell, 0, _window(now, self.rate.seconds))) / self.rate.requests

    def refusal(self, now: float) -> RateLimited:
        """What somebody is told who has asked too often, with the time after which they may again."""
        unit = _UNITS.get(self.rate.seconds, f"in {self.rate.seconds} s")
        return RateLimited(
            f"no more than {self.rate.requests} request{'s' * (self.rate.requests != 1)} {unit}",
            retry_after_s=self._wait_s(now),
            fields=self.fields(now),
            hint="ask less often, or with several rows in one request",
        )

    def fields(self, now: float) -> dict[str, str]:
        """What the headers of a refusal say of the rate, as draft-ietf-httpapi-ratelimit-headers-09 has it."""
        return {
            "RateLimit-Policy": f'"default";q={self.rate.requests};w={self.rate.seconds}',
            "RateLimit": f'"default";r=0;t={ceil(self._wait_s(now))}',
        }

    def _wait_s(self, now: float) -> float:
        return max(1.0, self._free_at - now)

    def _look(self, now: float, *, is_counting: bool = True) -> int:
        """How many this process may let in, -1 for none, by what all have counted; and how long that holds."""
        seconds, requests, rates = self.rate.seconds, self.rate.requests, self._rates
        window, end = _window(now, seconds), (now // seconds + 1) * seconds
        others = rates.others(now)
        if self._is_private or self._cell[0] != self._key:
            self._move(now, is_counting)
        used, last = self._counts(others, window)
        slack = requests - used - last * (end - now) / seconds
        self._from = now
        if slack > 0:
            self._left = max(1, int(slack if rates.is_alone else slack / (_SHARE * max(1, len(others)))))
            self._until = end if rates.is_alone else min(end, now + _LOOK_S)
            return self._left
        # When enough of the window before is past; or else, in the next window, enough of this one.
        self._free_at = (
            end - (requests - used) * seconds / last if used < requests else end + (1 - requests / used) * seconds
        )
        self._left, self._until = -1, min(end, self._free_at)
        return -1

    def _counts(self, others: list[memoryview], window: int) -> tuple[int, int]:
        """What all have let in, in this window and in the one before."""
        used, last = self._own_counts(window)
        for position, row in enumerate(others):
            # Where it was at the last look it is still, as a rule; the first word of a row is never a cell.
            at = self._places.get(position, 0)
            if row[at] != self._key:
                at = self._places[position] = _place(row, self._start, self._key)
            if at:
                more, before = _counts_of(row, at, window)
                used, last = used + more, last + before
        return used, last

    def _own_counts(self, window: int) -> tuple[int, int]:
        """What this process has let in. The cell is its own for at least the window after this one."""
        counts = _counts_of(self._cell, 0, window)
        self._word = 1 + (window & 1)
        self._cell[self._word] = self._count = window << _COUNT_BITS | counts[0]
        return counts

    def _move(self, now: float, is_counting: bool) -> None:
        """Count in shared memory where there is room, else in memory of this process's own."""
        cell = self._rates.cell(self._start, self._key)
        if cell is None and is_counting:
            cell = self._rates.new_cell(self._start, self._key, self.rate.seconds, now)
        if cell is None:
            if not self._is_private:
                self._cell, self._is_private = _words(_CELL_WORDS), True
            return
        if self._is_private:
            for word in (1, 2):  # the later window, or of the same one the greater count
                cell[word] = max(cell[word], self._cell[word])
        self._cell, self._is_private = cell, False


def _place(row: memoryview, start: int, key: int) -> int:
    """Where the cell of a hash is in a row, in the set that begins there; 0 where it has none."""
    keys = row[start : start + _SET_WORDS : _CELL_WORDS].tolist()
    return start + keys.index(key) * _CELL_WORDS if key in keys else 0


def _counts_of(words: memoryview, at: int, window: int) -> tuple[int, int]:
    """What was let in by the cell that begins there, in a window and in the one before."""
    now, before = words[at + 1 + (window & 1)], words[at + 2 - (window & 1)]
    return (
        now & _COUNT if now >> _COUNT_BITS == window else 0,
        before & _COUNT if before >> _COUNT_BITS == window - 1 else 0,
    )


def _window(now: float, seconds: int) -> int:
    """The number of a window, of as many bits as a word has beside the count, whatever the clock says."""
    return int(now // seconds) & 0xFFFF_FFFF


def _is_free(cell: memoryview, now: float) -> bool:
    key, even, odd, seconds = cell.tolist()
    if not key or seconds < 1:
        return True
    window = _window(now, seconds)
    # One of the future was written before the clock was set back.
    return not window - 1 <= max(even, odd) >> _COUNT_BITS <= window + 1


def _words(count: int) -> memoryview:
    return memoryview(array("q", bytes(_WORD * count)))
