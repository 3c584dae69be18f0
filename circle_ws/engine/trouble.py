"""A peer that breaks JSON-RPC: counted, logged, told to whoever wants to know, and survived."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import MessageTooLarge
from .callbacks import Callbacks

if TYPE_CHECKING:
    from ..errors import ProtocolError
    from ..stats import Counters

__all__ = ["Trouble"]

_logger = logging.getLogger("circle_ws")

_LOGGED_LOUDLY = 5
"""So many are warnings in the log of one client; a peer that goes on must not fill it."""


class Trouble:
    """Tell of what a peer got wrong.

    Args:
        counters: Where it is counted.
    """

    __slots__ = ("callbacks", "counters")

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.callbacks: Callbacks[ProtocolError] = Callbacks("protocol error")

    def tell(self, error: ProtocolError) -> None:
        """Count, log and hand on; without the frames in which it was raised, which hold the whole message."""
        error.with_traceback(None)
        self.counters.protocol_errors += 1
        loud = self.counters.protocol_errors <= _LOGGED_LOUDLY
        # A message over our own limit is no fault of the peer's.
        what = "a message is refused" if isinstance(error, MessageTooLarge) else "the peer broke the protocol"
        _logger.log(logging.WARNING if loud else logging.DEBUG, "%s: %s", what, error)
        self.callbacks.tell(error)
