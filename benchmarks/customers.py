"""Programs that use a circle all the time: call, notify, cancel, reconnect, close and begin anew; all is counted."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from circle_ws import (
    Backoff,
    CallTimeout,
    CircleWsClient,
    CircleWsError,
    ClientClosed,
    ClientConfig,
    ConnectionStatus,
    KeepAlive,
    NotConnected,
    QueueFull,
)
from circle_ws.auth import KeyPair
from circle_ws.status import StatusChange

__all__ = ["Customer", "Fate", "Tally"]

TIMEOUT = 3.0
"""Of every call, in seconds."""
_BACKOFF = Backoff(first=0.05, base=0.05, maximum=0.5, floor=0.01)
_REQUESTS_AT_ONCE = 8
_SLOTS = 5
"""Fewer than requests at once, so that some have to wait for a slot."""
_LIFE = 20.0
"""How long a client is used on average, in seconds; then it is closed, and the next one made."""
_RECONNECTS = 0.02
"""How often a client leaves its connection for a fresh one, in times a second."""
_NOTIFICATIONS, _IDEMPOTENT, _CANCELLED, _SLOW = 0.05, 0.3, 0.01, 0.1
"""So many of the calls."""
_LONGEST = 0.05
"""So long the circle takes for a slow call at most, in seconds."""


class Fate(IntEnum):
    """Return how a call ended, as far as it shows whether the call ran."""

    NONE = 0
    RESULT = 1
    UNSURE = 2
    UNRUN = 3
    """Its error says that it has not run."""
    AGAIN = 16
    """Added to the others: it was allowed to run again."""


@dataclass
class Tally:
    """Count, over all customers.

    Attributes:
        endings: Calls by what they ended with.
        calls: How many have ended.
        reconnects: Connections that were signed in, but for the first of each client.
        lives: Clients that were made.
        wrong: Results that belonged to another call.
        slowest: How much longer than its timeout any call took, in seconds.
        pending: The calls that have not ended: when they began.
        fates: By customer, one byte for each call.
    """

    endings: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    reconnects: int = 0
    lives: int = 0
    wrong: int = 0
    slowest: float = -TIMEOUT
    pending: dict[tuple[int, int], float] = field(default_factory=dict)
    fates: dict[int, bytearray] = field(default_factory=dict)

    def hanging(self, grace: float) -> list[tuple[int, int]]:
        """Name the calls that should have ended more than `grace` seconds ago."""
        limit = time.monotonic() - TIMEOUT - grace
        return [token for token, began in self.pending.items() if began < limit]


class Customer:
    """One program with one client at a time.

    Args:
        number: Its own.
        url: The circle.
        tally: Where it counts.
        rate: How many calls it makes, in calls a second, where nothing holds them up.
        rng: Where the randomness comes from.
    """

    def __init__(self, number: int, url: str, tally: Tally, rate: float, rng: random.Random) -> None:
        self._number = number
        self._rate = rate
        self._tally = tally
        self._rng = rng
        self._stopping = False
        self._fates = tally.fates[number] = bytearray()
        self._config = ClientConfig(
            url,
            private_key=KeyPair.generate(),
            backoff=_BACKOFF,
            first_connect="retry",
            open_timeout=3.0,
            close_timeout=1.0,
            keepalive=KeepAlive(interval=0.5, timeout=1.0, mode="auto" if number % 2 else "ping"),
            max_in_flight=_SLOTS,
        )

    def stop(self) -> None:
        """Begin nothing from now on."""
        self._stopping = True

    async def live(self) -> None:
        """Use one client after the other until `stop`."""
        while not self._stopping:
            client = CircleWsClient(self._config)
            self._tally.lives += 1
            client.on_status(_Links(self._tally))
            try:
                await client.connect()
                await self._use(client, time.monotonic() + self._rng.expovariate(1 / _LIFE))
            finally:
                await client.close(drain=self._rng.choice([0.0, 1.0]))

    async def _use(self, client: CircleWsClient, until: float) -> None:
        """Work side by side; the last calls are in flight when the client is closed."""
        workers = [asyncio.create_task(self._work(client)) for _ in range(_REQUESTS_AT_ONCE)]
        while not self._stopping and time.monotonic() < until:
            await asyncio.sleep(0.1)
            if self._rng.random() < _RECONNECTS * 0.1:
                client.reconnect()
        await client.close(drain=self._rng.choice([0.0, 1.0]))
        await asyncio.gather(*workers)

    async def _work(self, client: CircleWsClient) -> None:
        while client.status is not ConnectionStatus.CLOSED:
            await asyncio.sleep(self._rng.expovariate(self._rate / _REQUESTS_AT_ONCE))
            chance = self._rng.random()
            number = len(self._fates)
            self._fates.append(Fate.NONE)
            if chance < _NOTIFICATIONS:
                await self._end(number, client.notify("count", [self._number, number], timeout=TIMEOUT), None)
                continue
            again = chance < _NOTIFICATIONS + _IDEMPOTENT
            pause = self._rng.uniform(0, _LONGEST) if self._rng.random() < _SLOW else 0.0
            method, params = ("count_slowly", [pause]) if pause else ("count", [])
            params = [self._number, number, *params]
            call = client.call(method, params, timeout=TIMEOUT, idempotent=again)
            await self._end(number, call, [self._number, number], again=again)

    async def _end(self, number: int, call: Coroutine[Any, Any, Any], expected: Any, *, again: bool = False) -> None:
        """Wait for the end of a call, or cancel it, and note how it ended."""
        tally, began, token = self._tally, time.monotonic(), (self._number, number)
        tally.pending[token] = began
        try:
            ending, fate = await self._outcome(call, expected)
        finally:
            del tally.pending[token]
        tally.calls += 1
        tally.endings[ending] += 1
        tally.slowest = max(tally.slowest, time.monotonic() - began - TIMEOUT)
        self._fates[number] = fate | (Fate.AGAIN if again else 0)

    async def _outcome(self, call: Coroutine[Any, Any, Any], expected: Any) -> tuple[str, Fate]:
        task: asyncio.Future[Any] = asyncio.ensure_future(call)
        if self._rng.random() < _CANCELLED:
            asyncio.get_running_loop().call_later(self._rng.uniform(0, 0.02), task.cancel)
        try:
            result = await task
        except asyncio.CancelledError:
            return "cancelled", Fate.UNSURE
        except CircleWsError as error:
            unrun = isinstance(error, ClientClosed | NotConnected | QueueFull)
            unrun = unrun or (isinstance(error, CallTimeout) and "has not run" in str(error))
            return type(error).__name__, Fate.UNRUN if unrun else Fate.UNSURE
        if result != expected:
            self._tally.wrong += 1
        return "result" if expected is not None else "notified", Fate.RESULT if expected is not None else Fate.UNSURE


class _Links:
    """Count the connections of one client."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._first = True

    def __call__(self, change: StatusChange) -> None:
        """Record a change of status."""
        if change.status is ConnectionStatus.CONNECTED:
            self._tally.reconnects += not self._first
            self._first = False
