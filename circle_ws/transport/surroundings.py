"""What a runtime tells of the world around a program: that there is no network, that it slept and is awake again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Surroundings"]


class Surroundings:
    """Hand on that the world may have changed. Natively nobody tells: a sleep is seen by the clocks there."""

    __slots__ = ("_watchers",)

    def __init__(self) -> None:
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def offline(self) -> bool:
        """Whether it is known that no other machine can be reached."""
        return False

    def absolute(self, url: str) -> str:
        """Give the `ws://` or `wss://` URL that a relative one means, where something is there that it is relative to.

        Args:
            url: Relative: without a scheme. Natively it stays what it is.
        """
        return url

    def watch(self, awake: Callable[[], None]) -> Callable[[], None]:
        """Call `awake` whenever the program may have slept or the network may have changed; it must not raise.

        Returns:
            A function that ends it.
        """
        token = object()
        self._watchers[token] = awake

        def remove() -> None:
            self._watchers.pop(token, None)

        return remove

    def wake(self) -> None:
        """Tell everybody who watches."""
        for awake in list(self._watchers.values()):
            awake()
