"""The event loop that a client belongs to, and the checks that it is used from there."""

from __future__ import annotations

import asyncio
import threading

__all__ = ["LoopAffinity"]


class LoopAffinity:
    """The event loop, and with it the thread, that a client belongs to from its first use until that loop is closed.

    asyncio's objects are not thread-safe and belong to one loop; using them from elsewhere works only by luck.
    """

    __slots__ = ("_thread", "loop")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    @property
    def has_ended(self) -> bool:
        """Whether the loop was closed."""
        return self.loop is not None and self.loop.is_closed()

    def bind(self, *, anew: bool = True) -> None:
        """Belong to the running loop from now on, unless the client belongs to one already.

        Args:
            anew: Whether a closed loop may be replaced by the running one.

        Raises:
            RuntimeError: The client belongs to another loop, or none is running.
        """
        running = asyncio._get_running_loop()
        if anew and (self.loop is None or self.loop.is_closed()):
            if running is None:
                raise _no_loop()
            self.loop = running
            self._thread = threading.get_ident()
        elif running is not self.loop and self.loop is not None:
            raise self.refusal()

    def check(self) -> None:
        """Check that the client is used from its own loop, if it has one.

        Raises:
            RuntimeError: It is not.
        """
        if asyncio._get_running_loop() is not self.loop and self.loop is not None:
            raise self.refusal()

    def check_waiting(self) -> None:
        """Check as `check`, and that there is a loop to wait on, as the client may belong to none yet.

        Raises:
            RuntimeError: It is used from elsewhere, or no loop is running.
        """
        self.check()
        if asyncio._get_running_loop() is None:
            raise _no_loop()

    def check_thread(self) -> None:
        """Check as `check`, but also allow use in the loop's thread while the loop is not running, or after its end.

        For what waits for nothing: a program may make its listeners and handlers before it runs its loop.

        Raises:
            RuntimeError: It is used from elsewhere.
        """
        if self.has_ended or (asyncio._get_running_loop() is None and threading.get_ident() == self._thread):
            return
        self.check()

    def refusal(self) -> RuntimeError:
        """Return the error for a use from here, which says where to use the client instead."""
        if self.has_ended:
            return RuntimeError("the event loop that this client was used on has ended; close() it and make a new one")
        return RuntimeError(
            "this client belongs to another event loop, the one it was first used on; use it from there, from another "
            "thread by asyncio.run_coroutine_threadsafe(), or make a client for each loop"
        )


def _no_loop() -> RuntimeError:
    return RuntimeError(
        "circle-ws runs on asyncio, and no asyncio event loop is running here; use the client inside one, "
        "as in asyncio.run(main()), or with trio-asyncio where the program runs on trio"
    )
