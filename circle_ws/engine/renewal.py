"""The one renewal of the sign-in that a connection may have.

A circle that answers -32001 in mid-session has not run the call, so signing in again and sending it once more is safe.
Once, because each renewal is a signature that a hostile circle gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Renewal"]


class Renewal:
    """Decide which refused calls may be sent again, and whether the sign-in has to be renewed for them."""

    __slots__ = ("_earlier", "possible", "wanted")

    def __init__(self) -> None:
        self.possible = False
        """True from the sign-in until the renewal is wanted."""
        self.wanted = False
        """True until it is done."""
        self._earlier: Collection[int] = ()

    def refused(self, id: int) -> bool:
        """Learn that the circle refused to run the call with this id; tells whether it may be sent once more."""
        if self.possible:
            self.possible, self.wanted = False, True
        # A call that was written before the renewal was refused for the old sign-in.
        return self.wanted or id in self._earlier

    def done(self, unanswered: Iterable[int]) -> None:
        """Learn that the sign-in is renewed; `unanswered` are the ids of the calls that were written before."""
        self.wanted = False
        self._earlier = frozenset(unanswered)
