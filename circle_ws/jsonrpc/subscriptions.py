"""Who listens to which notification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..frozen import dataclass
from ..weakly import WeakGroup

if TYPE_CHECKING:
    from ..buffer import Buffer

__all__ = ["Notification", "Subscriptions"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notification(Generic[T]):
    """Be one notification, for who listens to all of them.

    Attributes:
        method: Its name.
        params: A list, a dict, or None where it has none; or what `yields` makes of that.
    """

    method: str
    params: T


class Subscriptions:
    """Hand each notification to everybody who listens to its method, or to all.

    Buffers are held weakly.
    """

    __slots__ = ("_by_method", "_ended", "_failure", "interrupted_at")

    def __init__(self) -> None:
        self._by_method: dict[str | None, WeakGroup[Buffer[Any]]] = {}
        self._ended = False
        self._failure: Exception | None = None
        self.interrupted_at: float | None = None
        """Since when there is no link, until `resume` is called."""

    def add(self, method: str | None, buffer: Buffer[Any]) -> None:
        """Let `buffer` have what comes for `method` from now on; for None everything, as `Notification`."""
        if self._ended:
            buffer.end()
        else:
            buffer.fail(self._failure)
            self._by_method.setdefault(method, WeakGroup()).add(buffer)

    def remove(self, method: str | None, buffer: Buffer[Any]) -> None:
        """Stop handing notifications to `buffer`; one that is not listening is ignored."""
        listeners = self._by_method.get(method)
        if listeners is not None:
            listeners.discard(buffer)
            if not listeners:
                del self._by_method[method]

    def publish(self, method: str, params: Any) -> int:
        """Hand one notification to its listeners; tells how many of them had to drop one for it."""
        dropped = 0
        groups = self._by_method
        group = groups.get(method)
        if group is not None:
            for buffer in group.alive():
                dropped += buffer.put(params)
        group = groups.get(None)
        if group is not None:
            for buffer in group.alive():
                dropped += buffer.put(Notification(method, params))
        return dropped

    def interrupt(self, at: float) -> None:
        """Learn that the link was lost at the time `at`, in seconds."""
        if self.interrupted_at is None:
            self.interrupted_at = at

    def resume(self, at: float) -> None:
        """Learn that something may come again from the time `at` on: who wants to know of gaps is told of one."""
        if self.interrupted_at is not None:
            downtime = max(at - self.interrupted_at, 0.0)
            self.interrupted_at = None
            for buffer in self._all():
                buffer.missed(downtime)

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
        return [buffer for listeners in self._by_method.values() for buffer in listeners.alive()]
