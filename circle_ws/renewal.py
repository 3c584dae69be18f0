"""The one renewal of the sign-in that a connection may have.

A circle that answers -32001 in mid-session has not run the call, so signing in again and sending it once more is safe.
Once, because each renewal is a signature that a hostile circle gets.
"""

from __future__ import annotations

__all__ = ["Renewal"]


class Renewal:
    """Decide which refused calls may be sent again, and whether the sign-in has to be renewed for them."""

    __slots__ = ("_done_at", "possible", "wanted")

    def __init__(self) -> None:
        self.possible = False
        """True from the sign-in until the renewal is wanted."""
        self.wanted = False
        """True until it is done."""
        self._done_at = 0

    def refused(self, id: int) -> bool:
        """Learn that the circle refused to run the call with this id; tells whether it may be sent once more."""
        if self.possible:
            self.possible, self.wanted = False, True
        # A call that was written before the renewal was refused for the old sign-in.
        return self.wanted or id <= self._done_at

    def done(self, latest_id: int) -> None:
        """Learn that the sign-in is renewed; `latest_id` is that of the latest call so far."""
        self.wanted = False
        self._done_at = latest_id
