"""The one reply to a JSON-RPC 2.0 batch (section 6): what its members come to, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

__all__ = ["Answer", "Batch"]

Answer: TypeAlias = Callable[[str | None], Awaitable[object]]
"""Where the text of a response goes; None where there is none to give."""


class Batch:
    """Collect the responses of the members; the last one sends them all.

    Args:
        size: How many members there are.
        answer: Takes the one reply, or None when there were only notifications.
    """

    __slots__ = ("_answer", "_open", "_texts")

    def __init__(self, size: int, answer: Answer) -> None:
        self._open = size
        self._answer = answer
        self._texts: list[str] = []

    async def answer(self, text: str | None) -> None:
        """Take what one member comes to, or None when it is not answered."""
        if text is not None:
            self._texts.append(text)
        self._open -= 1
        if not self._open:
            await self._answer(f"[{','.join(self._texts)}]" if self._texts else None)
