"""The one deadline of a call that goes through middleware."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from ..errors import CallTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Deadline"]

_TURNS = 10
"""So many turns of the event loop middleware has to hand on what its request ended with, by tasks of its own, too."""


class Deadline:
    """A point in time at which a call is over, whatever its middleware does: it is a number, and never moves.

    A request that was sent has the same deadline, and ends by itself with an error that names its phase. So the caller
    is only stopped when the time is over and no request is under way, and is told of that error if there was one.

    Args:
        seconds: From now on; None means no limit.
    """

    __slots__ = ("_due", "_expire", "_failure", "_limit", "_loop", "_requests", "_until")

    def __init__(self, seconds: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = seconds
        self._until = None if seconds is None else self._loop.time() + seconds
        self._due = False
        self._failure: CallTimeout | None = None
        self._requests = 0
        self._expire: asyncio.Timeout | None = None

    @property
    def left(self) -> float | None:
        """The seconds until then, 0 when it is over; None means no limit."""
        return None if self._until is None else max(self._until - self._loop.time(), 0.0)

    @contextmanager
    def sending(self, method: str) -> Iterator[None]:
        """Mark that a request is under way, as often as there are some, from whatever task.

        Raises:
            CallTimeout: The time is over.
        """
        if self._due or self.left == 0:
            raise self._over(method)
        self._requests += 1
        try:
            yield
        except CallTimeout as error:
            self._failure = error
            raise
        finally:
            self._requests -= 1
            if self._due:
                self._check()

    @asynccontextmanager
    async def limiting(self, method: str) -> AsyncIterator[None]:
        """Limit the block.

        Raises:
            CallTimeout: The time was over while no request was under way.
        """
        timer = None if self._until is None else self._loop.call_at(self._until, self._check)
        self._expire = scope = asyncio.timeout(None)
        try:
            async with scope:
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._over(method) from None
        finally:
            self._expire = None
            if timer is not None:
                timer.cancel()

    def _check(self, turns: int = _TURNS) -> None:
        """Stop the caller, now that the time is over, unless a request is under way."""
        self._due = True
        if self._expire is None or self._requests or self._expire.when() is not None:
            return
        if turns:
            self._loop.call_soon(self._check, turns - 1)
        else:
            self._expire.reschedule(self._loop.time())

    def _over(self, method: str) -> CallTimeout:
        words = f"{method!r} took longer than {self._limit:g} s (middleware)"
        return self._failure or CallTimeout(words, phase="middleware")
