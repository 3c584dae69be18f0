"""The one reply to a JSON-RPC 2.0 batch (section 6): what its members come to, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from ..errors import RpcError
from ..jsonrpc import envelope
from ..jsonrpc.codes import LIMIT_EXCEEDED

__all__ = ["Answer", "Batch"]

Answer: TypeAlias = Callable[[str | None], Awaitable[object]]
"""Where the text of a response goes; None where there is none to give."""


class Batch:
    """The responses of the members; the last one sends them all.

    Args:
        members: As they came in.
        max_bytes: So large the responses may be together; of what is beyond, an error is left that says so.
        answer: Takes the one reply, or None when there were only notifications.
    """

    __slots__ = ("_answer", "_max_bytes", "_open", "_size", "_texts")

    def __init__(self, members: list[Any], max_bytes: int, answer: Answer) -> None:
        self._open = len(members)
        self._max_bytes = max_bytes
        self._answer = answer
        self._size = 0
        self._texts: list[str] = []

    def place(self, member: Any) -> Answer:
        """Give what takes the response of one member."""
        return partial(self._take, member)

    async def _take(self, member: Any, text: str | None) -> None:
        if text is not None:
            size = len(text) if text.isascii() else len(text.encode())
            if self._size + size > self._max_bytes:
                text = self._left_out(member)
                size = len(text)
            self._size += size
            self._texts.append(text)
        self._open -= 1
        if not self._open:
            await self._answer(f"[{','.join(self._texts)}]" if self._texts else None)

    def _left_out(self, member: Any) -> str:
        words = f"the response is left out: those of this batch are over {self._max_bytes} bytes together; it has run"
        return envelope.error(member.get("id") if type(member) is dict else None, RpcError(LIMIT_EXCEEDED, words))
