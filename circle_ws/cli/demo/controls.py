"""What the page of the demo may do to its circle: drop every client, freeze, thaw, restart, flood."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from ...server import CircleServer
from .circle import GOING_AWAY

__all__ = ["Controls"]

FROZEN_AT_MOST = 60.0
"""Seconds after which a frozen circle thaws by itself."""
DOWN = 3.0
"""Seconds between the end of a circle and its next start."""
FLOOD = 5000
"""Notifications in each second of a flood."""
FLOOD_SECONDS = 10.0
_PORTION = 0.01
"""Seconds between two portions of a flood."""


class Controls:
    """The actions by which a person makes trouble for the demo's circle. Make it on the circle's event loop.

    Args:
        circle: The circle.
    """

    def __init__(self, circle: CircleServer) -> None:
        self._circle = circle
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._frozen = threading.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._actions: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "drop": self._drop,
            "restart": self._restart,
            "flood": self._flood,
        }

    def perform(self, name: str) -> bool:
        """Begin an action and return whether there is one of this name. May be called from any thread.

        One that still runs is not begun a second time.
        """
        if name == "thaw":
            self._frozen.clear()
        elif name == "freeze":
            if not self._frozen.is_set():
                self._frozen.set()
                self._soon(self._freeze)
        elif name in self._actions:
            self._soon(self._begin, name)
        else:
            return False
        return True

    def _soon(self, function: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # The demo is ending, and its loop with it.
            self._loop.call_soon_threadsafe(function, *arguments)

    def _begin(self, name: str) -> None:
        if name not in self._running or self._running[name].done():
            self._running[name] = self._loop.create_task(self._actions[name]())

    def _freeze(self) -> None:
        """Block the circle's event loop: to its clients that is a process that hangs, with its sockets open."""
        end = time.monotonic() + FROZEN_AT_MOST
        # Ctrl-C only marks the main task as cancelled, which cannot run meanwhile.
        while self._frozen.is_set() and time.monotonic() < end and not (self._main and self._main.cancelling()):
            time.sleep(0.02)
        self._frozen.clear()

    async def _drop(self) -> None:
        clients = self._circle.connections
        await asyncio.gather(*(client.close(GOING_AWAY, "dropped on request") for client in clients))

    async def _restart(self) -> None:
        await self._circle.kill()
        await asyncio.sleep(DOWN)
        await self._circle.start()

    async def _flood(self) -> None:
        began = time.monotonic()
        sent = 0
        while (elapsed := time.monotonic() - began) < FLOOD_SECONDS:
            for sent in range(sent + 1, int(elapsed * FLOOD) + 1):  # noqa: B020 each portion goes on after the last one
                self._circle.publish("flood", {"n": sent})
            await asyncio.sleep(_PORTION)
