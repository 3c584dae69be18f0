"""Who listens to which notification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from ..buffer import Buffer

__all__ = ["Subscriptions"]


class Subscriptions:
    """Hand each notification to everybody who listens to its method.

    Buffers are held weakly: a listener that is simply dropped stops costing anything.
    """

    __slots__ = ("_by_method", "_ended", "_failure")

    def __init__(self) -> None:
        self._by_method: dict[str, WeakSet[Buffer[Any]]] = {}
        self._ended = False
        self._failure: Exception | None = None

    def add(self, method: str, buffer: Buffer[Any]) -> None:
        """Let `buffer` have what comes for `method` from now on."""
        if self._ended:
            buffer.end()
        else:
            buffer.fail(self._failure)
            self._by_method.setdefault(method, WeakSet()).add(buffer)

    def remove(self, method: str, buffer: Buffer[Any]) -> None:
        """Stop handing notifications to `buffer`; one that is not listening is ignored."""
        listeners = self._by_method.get(method)
        if listeners is not None:
            listeners.discard(buffer)
            if not listeners:
                del self._by_method[method]

    def publish(self, method: str, params: Any) -> int:
        """Hand one notification to its listeners; tells how many of them had to drop one for it."""
        return sum(buffer.put(params) for buffer in list(self._by_method.get(method, ())))

    def fail(self, failure: Exception) -> None:
        """Tell every listener that nothing comes any more until `revive`."""
        self._failure = failure
        for buffer in self._all():
            buffer.fail(failure)

    def revive(self) -> None:
        """Tell every listener that something may come again."""
        self._failure = None
        for buffer in self._all():
            buffer.fail(None)

    def end(self) -> None:
        """End every buffer, and each that is added later."""
        self._ended = True
        for buffer in self._all():
            buffer.end()
        self._by_method.clear()

    def _all(self) -> list[Buffer[Any]]:
        return [buffer for listeners in self._by_method.values() for buffer in listeners]
