"""Listeners that are held weakly: one that is simply dropped stops costing anything."""

from __future__ import annotations

from typing import Generic, TypeVar
from weakref import ref

__all__ = ["WeakGroup"]

T = TypeVar("T")


class WeakGroup(Generic[T]):
    """Hold listeners weakly, in the order in which they came.

    A `WeakSet` costs more for each time it is gone through than a listener takes to put an item into, and 700 bytes
    while it is empty.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: tuple[ref[T], ...] = ()

    def add(self, listener: T) -> None:
        """Hold one more, unless it is held already."""
        self.discard(listener)
        self._references += (ref(listener),)

    def discard(self, listener: T) -> None:
        """Let go of one, if it is here."""
        self._references = tuple(ref(it) for it in self.alive() if it is not listener)

    def alive(self) -> list[T]:
        """Give those that somebody still has; the list stays as it is, whatever is added or goes meanwhile."""
        return [listener for reference in self._references if (listener := reference()) is not None]

    def __len__(self) -> int:
        return len(self.alive())
