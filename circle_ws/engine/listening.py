"""Listening to notifications: the check of what was asked for, and the listener that gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from ..errors import InvalidRequest
from ..typed import find_converter
from .buffer import BUFFER_BYTES, Overflow
from .connection_log import DropLog
from .listener import Channel, Listener

if TYPE_CHECKING:
    from .loop_affinity import LoopAffinity
    from .notifications import Subscriptions

__all__ = ["BUFFER_BYTES", "NOTIFICATION_BUFFER", "listen"]

NOTIFICATION_BUFFER = 1024


def listen(
    subscriptions: Subscriptions,
    method: str | None,
    yields: Any,
    *,
    buffer: int,
    buffer_bytes: int,
    overflow: Overflow,
    gaps: bool,
    owner: object = None,
    affinity: LoopAffinity | None = None,
) -> Listener[Any]:
    """Listen; the arguments are those of `CircleWsClient.notifications` and `Listener`.

    Raises:
        InvalidRequest: One is wrong.
    """
    if method is not None and (type(method) is not str or not method):
        raise InvalidRequest(f"a method is named by a text that is not empty, or None for all, not by {method!r}")
    if type(buffer) is not int or buffer < 1:
        raise InvalidRequest(f"buffer must be a whole number from 1, not {buffer!r}")
    if type(buffer_bytes) is not int or buffer_bytes < 1:
        raise InvalidRequest(f"buffer_bytes must be a whole number from 1, not {buffer_bytes!r}")
    if overflow not in get_args(Overflow):
        raise InvalidRequest(f"overflow must be one of {', '.join(get_args(Overflow))}, not {overflow!r}")
    if type(gaps) is not bool:
        raise InvalidRequest(f"gaps must be True or False, not {gaps!r}")
    if method is None and yields is not Any:
        raise InvalidRequest("yields is for one method: name it, or convert Notification.params yourself")
    convert = find_converter(yields)
    channel: Channel[Any] = Channel(buffer, overflow=overflow, gaps=gaps, most_bytes=buffer_bytes)
    if overflow != "latest":
        # There it is what was asked for.
        channel.on_dropped = DropLog(method).note
    return Listener(channel, subscriptions.add(method, channel), convert=convert, owner=owner, affinity=affinity)
