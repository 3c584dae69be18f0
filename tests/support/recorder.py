"""A `Receiver` that keeps what it is told, and lets a test wait for it."""

import asyncio
from collections.abc import Callable

from circle_ws.errors import ConnectionLost, ProtocolError

__all__ = ["Recorder"]


class Recorder:
    """Record what a transport delivers."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.invalids: list[ProtocolError] = []
        self.losses: list[ConnectionLost] = []
        self.raising: Exception | None = None
        """Raised by every method once it has recorded."""
        self._news = asyncio.Event()

    def message(self, text: str) -> None:
        self.messages.append(text)
        self._told()

    def invalid(self, cause: ProtocolError) -> None:
        self.invalids.append(cause)
        self._told()

    def lost(self, cause: ConnectionLost) -> None:
        self.losses.append(cause)
        self._told()

    async def until(self, condition: Callable[["Recorder"], bool]) -> None:
        """Return when the condition holds."""
        while not condition(self):
            self._news.clear()
            await self._news.wait()

    def _told(self) -> None:
        self._news.set()
        if self.raising is not None:
            raise self.raising
