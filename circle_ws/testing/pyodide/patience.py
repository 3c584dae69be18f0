"""A limit on the time without activity, not on the whole time: a busy machine may need longer."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

__all__ = ["Patience"]


class Patience:
    """Waiting that ends after a time without activity.

    Args:
        seconds: How long it may be silent.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()

    def hear(self) -> None:
        """Record activity."""
        self._heard = self._loop.time()

    async def wait(self, *futures: asyncio.Future[Any]) -> bool:
        """Wait for one of them to be done; false when it was silent for too long before."""
        while (left := self._heard + self.seconds - self._loop.time()) > 0:
            done, _ = await asyncio.wait(futures, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return True
        return False

    def middleware(self) -> Middleware:
        """Return what makes an HTTP server hear its requests, and what ends them."""

        @web.middleware
        async def listen(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.hear()
            try:
                return await handler(request)
            finally:
                self.hear()

        return listen
