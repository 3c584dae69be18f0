"""The calls that wait for a slot or for a connection: first in, first out, each step in constant time or O(log n).

Tens of thousands may wait, and all of them may be cancelled, or run out of time one by one.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pending_call import PendingCall

__all__ = ["CallQueue"]

_STALE = 64
"""Maximum number of kept deadlines of calls that no longer wait, above the number of waiting calls."""


class CallQueue:
    """A queue of calls in two ranks: those that were written before go first.

    Attributes:
        count: How many calls wait; a batch counts for as many as it holds.
        size: How large they are together, in bytes of UTF-8.
    """

    __slots__ = ("_deadlines", "_first", "_others", "count", "size")

    def __init__(self) -> None:
        # A plain dictionary passes over every deleted entry again to find the first that is left.
        self._first: OrderedDict[PendingCall, None] = OrderedDict()
        self._others: OrderedDict[PendingCall, None] = OrderedDict()
        self._deadlines: list[tuple[float, int, PendingCall]] = []
        self.count: int = 0
        self.size: int = 0

    def __len__(self) -> int:
        return len(self._first) + len(self._others)

    def __iter__(self) -> Iterator[PendingCall]:
        yield from self._first
        yield from self._others

    def __contains__(self, call: PendingCall) -> bool:
        return call in self._others or call in self._first

    def put(self, call: PendingCall) -> None:
        """Add a call behind all others of its rank."""
        (self._first if call.rejected or call.may_have_run else self._others)[call] = None
        self._count(call, 1)
        self._watch(call)

    def put_back(self, call: PendingCall) -> None:
        """Add the call that was taken last, at the very front."""
        self._first[call] = None
        self._first.move_to_end(call, last=False)
        self._count(call, 1)
        self._watch(call)

    def peek(self) -> PendingCall:
        """Return the first call; the queue must not be empty."""
        return next(iter(self._first or self._others))

    def pop(self) -> PendingCall:
        """Remove and return the first call; the queue must not be empty."""
        call, _ = (self._first or self._others).popitem(last=False)
        self._count(call, -1)
        return call

    def discard(self, call: PendingCall) -> bool:
        """Remove a call, wherever it stands; return whether it was there."""
        for rank in (self._others, self._first):
            if call in rank:
                del rank[call]
                self._count(call, -1)
                return True
        return False

    @property
    def next_deadline(self) -> float:
        """The earliest deadline, which may be that of a call that no longer waits; infinity where there is none."""
        return self._deadlines[0][0] if self._deadlines else inf

    def overdue(self, now: float) -> list[PendingCall]:
        """Return the calls whose deadline is over; they stay in the queue."""
        calls: dict[PendingCall, None] = {}
        while self._deadlines and self._deadlines[0][0] <= now:
            _, _, call = heappop(self._deadlines)
            if call in self:
                calls[call] = None
        return list(calls)

    def _watch(self, call: PendingCall) -> None:
        if call.deadline == inf:
            return
        # The second item keeps calls from being compared.
        heappush(self._deadlines, (call.deadline, id(call), call))
        if len(self._deadlines) > 2 * len(self) + _STALE:
            self._deadlines = [(one.deadline, id(one), one) for one in self if one.deadline != inf]
            heapify(self._deadlines)

    def _count(self, call: PendingCall, sign: int) -> None:
        self.count += sign * max(call.slots, 1)
        self.size += sign * call.size
        if not self.count:
            # Deadlines of calls that no longer wait would keep their results alive.
            self._deadlines.clear()
