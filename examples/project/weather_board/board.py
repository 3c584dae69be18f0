"""A board that shows the newest reading of every weather station."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import circle_ws

__all__ = ["Board", "Reading"]


@dataclass(frozen=True)
class Reading:
    """What a station has measured, in degrees Celsius."""

    station: str
    degrees: float


class Board:
    """The newest reading of every station. It keeps up with the circle for as long as `follow()` is entered.

    Args:
        client: A client of the circle that has the stations.
    """

    def __init__(self, client: circle_ws.CircleWsClient) -> None:
        self._client = client
        self._readings: dict[str, Reading] = {}
        self._changed = asyncio.Event()

    @property
    def readings(self) -> list[Reading]:
        """The newest readings, by station."""
        return sorted(self._readings.values(), key=lambda reading: reading.station)

    def average(self) -> float | None:
        """Return the average of all stations, or None while there is none."""
        if not self._readings:
            return None
        return sum(reading.degrees for reading in self._readings.values()) / len(self._readings)

    async def load(self) -> None:
        """Ask the circle for all readings."""
        self._take(*await self._client.call("readings", returns=list[Reading], idempotent=True))

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[None]:
        """Show what is known, and whatever changes."""
        async with self._client.notifications("reading", yields=Reading, gaps=True) as changes:
            await self.load()
            task = asyncio.create_task(self._listen(changes))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def wait_until(self, condition: Callable[["Board"], bool]) -> None:
        """Wait until something holds of this board."""
        while not condition(self):
            await self._changed.wait()

    async def _listen(self, changes: circle_ws.Listener[Any]) -> None:
        async for change in changes:
            if isinstance(change, circle_ws.Gap):
                # The connection was lost for a while, and readings with it.
                await self.load()
            else:
                self._take(change)

    def _take(self, *readings: Reading) -> None:
        for reading in readings:
            self._readings[reading.station] = reading
        # Wakes all that wait; the next to come waits for the next change.
        self._changed.set()
        self._changed.clear()
