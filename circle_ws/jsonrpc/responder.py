"""Replies: the outcome of a function is written as the text of its reply, and the replies to a batch as one text.

Client and server use the same. Nothing here runs a function or knows a task: the caller hands in the outcome.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import CircleWsError, MessageTooLarge, RpcError
from . import messages
from .messages import INTERNAL_ERROR

if TYPE_CHECKING:
    import logging

__all__ = ["BatchReply", "ReplyRoom", "Responder"]

_INTERNAL = "internal error"


class Responder:
    """Writer of the replies to one peer's requests.

    Args:
        logger: Logs exceptions and results whose details are not sent to the peer.
        max_bytes: Maximum size of a reply, in bytes of UTF-8; `None` sets no limit.
        unwritable: The error message for a result that cannot be written; `{}` stands for the method.
    """

    __slots__ = ("_logger", "_max_bytes", "_unwritable")

    def __init__(self, logger: logging.Logger, *, max_bytes: int | None = None, unwritable: str = _INTERNAL) -> None:
        self._logger = logger
        self._unwritable = unwritable
        self._max_bytes = max_bytes

    def result(self, request: dict[str, Any], value: Any) -> str:
        """Return the reply with a result, or with an error if it cannot be written or is too large."""
        try:
            return self._bounded(messages.result(request["id"], value))
        except Exception as error:
            # The codec's own errors take one line: their stack does not help the author of the function. All other
            # exceptions come from the author's own classes.
            fault = None if isinstance(error, CircleWsError) else error
            self._logger.error(
                "method %r gave a result that cannot be sent: %s", request["method"], error, exc_info=fault
            )
            return self.error(request["id"], RpcError(INTERNAL_ERROR, self._unwritable.format(request["method"])))

    def failure(self, request: dict[str, Any], error: BaseException, *, is_cancelled: bool = False) -> str:
        """Return the reply to a request whose function raised: an `RpcError` as it is, all else as -32603, logged.

        Args:
            request: The request; of a notification, which has no id, the reply is not to be sent.
            error: What was raised, a cancellation too: one of something that the function awaited, or its own.
            is_cancelled: Whether the task that ran the function was itself cancelled, which is not logged.
        """
        if not isinstance(error, RpcError) or not _is_well_formed(error):
            if not is_cancelled:
                self._logger.error("method %r raised", request["method"], exc_info=error)
            # Details of an internal failure are not sent to the peer.
            error = RpcError(INTERNAL_ERROR, _INTERNAL)
        return self.error(request.get("id"), error)

    def error(self, id: Any, failure: RpcError) -> str:
        """Return an error reply. Data that cannot be written, or is too large, is left out and logged."""
        try:
            return self._bounded(messages.error(id, failure))
        except Exception as error:
            self._logger.error("an error response cannot be written: %s", error)
        for message in (failure.message, failure.message[:200]):
            with suppress(CircleWsError):
                return self._bounded(messages.error(id, RpcError(failure.code, message)))
        return messages.error(id, RpcError(INTERNAL_ERROR, _INTERNAL))

    def _bounded(self, text: str) -> str:
        if self._max_bytes is not None and (size := len(text.encode())) > self._max_bytes:
            raise MessageTooLarge(
                f"a reply has {size} bytes, over the maximum of {self._max_bytes}", size=size, limit=self._max_bytes
            )
        return text


class ReplyRoom:
    """How many bytes of replies may still wait for the rest of their batches; several batches may share it."""

    __slots__ = ("left",)

    def __init__(self, left: float) -> None:
        self.left: float = left


class BatchReply:
    """The one reply to a batch (JSON-RPC 2.0 section 6), made of the replies to its members.

    Args:
        count: How many members the batch has.
        room: Holds the bytes that the replies take until `release`.
        refusal: Stands in for a reply that has no room; its function has run.
        reserved: Room that was set aside for each member, so that one that is refused takes none of the others'.
    """

    __slots__ = ("_missing", "_refusal", "_reserved", "_room", "_taken", "_texts")

    def __init__(self, count: int, room: ReplyRoom, refusal: RpcError, *, reserved: int = 0) -> None:
        self._missing = count
        self._room = room
        self._refusal = refusal
        self._reserved = reserved
        self._taken = 0
        self._texts: list[str] = []

    def add(self, id: Any, text: str | None) -> str | None:
        """Add the reply to one member.

        Args:
            id: The member's, or None where it has none.
            text: The reply; None for a notification.

        Returns:
            With the last one the whole reply, else None; also where all members were notifications.
        """
        if text is not None:
            size = _size(text)
            if size > self._room.left + self._reserved:
                text = messages.error(id, self._refusal)
                size = _size(text)
            self._room.left += self._reserved - size
            self._taken += size - self._reserved
            self._texts.append(text)
        self._missing -= 1
        return f"[{','.join(self._texts)}]" if not self._missing and self._texts else None

    def release(self) -> None:
        """Free the room, once the whole reply was sent."""
        self._room.left += self._taken
        self._taken = 0


def _is_well_formed(error: RpcError) -> bool:
    code: object = error.code
    message: object = error.message
    return isinstance(code, int) and not isinstance(code, bool) and isinstance(message, str)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
