"""Functions of the user's that are told of something: never on the stack of what tells them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Callbacks"]

_logger = logging.getLogger("circle_ws")

T = TypeVar("T")


class Callbacks(Generic[T]):
    """Call functions back, each in a turn of the event loop of its own; one that raises is logged.

    Args:
        what: What they are called back for, for the log.
    """

    __slots__ = ("_functions", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._functions: dict[object, Callable[[T], object]] = {}

    def add(self, function: Callable[[T], object]) -> Callable[[], None]:
        """Call `function` back from now on; gives a function that ends it."""
        token = object()
        self._functions[token] = function

        def remove() -> None:
            self._functions.pop(token, None)

        return remove

    def tell(self, value: T) -> None:
        """Have every function called with `value`."""
        for token in list(self._functions):
            # Never on the stack of whoever tells: a callback may do anything to the client.
            asyncio.get_running_loop().call_soon(self._call, token, value)

    def _call(self, token: object, value: T) -> None:
        function = self._functions.get(token)
        try:
            if function is not None:
                function(value)
        except Exception:
            _logger.exception("a %s callback raised; the client goes on", self._what)
