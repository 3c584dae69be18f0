"""The one reply to a JSON-RPC 2.0 batch (section 6): what its members come to, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from ..errors import RpcError
from ..jsonrpc import messages as envelope
from ..jsonrpc.codes import LIMIT_EXCEEDED

__all__ = ["Answer", "Batch", "Waiting"]

Answer: TypeAlias = Callable[[str | None], Awaitable[object]]
"""Where the text of a response goes; None where there is none to give."""


class Waiting:
    """The responses of one client that wait for the rest of their batches.

    Args:
        max_bytes: So large they may be together; of what is beyond, an error is left that says so.
    """

    __slots__ = ("max_bytes", "size")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size = 0


class Batch:
    """The responses of the members; the last one sends them all.

    Args:
        members: As they came in.
        waiting: Counts the responses of this batch and of all others of the client.
        answer: Takes the one reply, or None when there were only notifications.
    """

    __slots__ = ("_answer", "_open", "_size", "_texts", "_waiting")

    def __init__(self, members: list[Any], waiting: Waiting, answer: Answer) -> None:
        self._open = len(members)
        self._waiting = waiting
        self._answer = answer
        self._size = 0
        self._texts: list[str] = []

    def place(self, member: Any) -> Answer:
        """Give what takes the response of one member."""
        return partial(self._take, member)

    async def _take(self, member: Any, text: str | None) -> None:
        if text is not None:
            size = len(text) if text.isascii() else len(text.encode())
            if self._waiting.size + size > self._waiting.max_bytes:
                text = self._left_out(member)
                size = len(text)
            self._size += size
            self._waiting.size += size
            self._texts.append(text)
        self._open -= 1
        if not self._open:
            try:
                await self._answer(f"[{','.join(self._texts)}]" if self._texts else None)
            finally:
                self._waiting.size -= self._size

    def _left_out(self, member: Any) -> str:
        most = self._waiting.max_bytes
        words = f"the response is left out: those of your open batches are over {most} bytes together; it has run"
        return envelope.error(member.get("id") if type(member) is dict else None, RpcError(LIMIT_EXCEEDED, words))
