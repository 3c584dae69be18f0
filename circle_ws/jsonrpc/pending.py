"""The table of unanswered requests of a client or a server; it also finds the request of a malformed reply."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .lenient import is_nameless_error, reply_ids
from .messages import INVALID_REQUEST, PARSE_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["UNREAD", "Pending"]

T = TypeVar("T")

UNREAD = (PARSE_ERROR, INVALID_REQUEST)
"""The codes with which a peer answers a message that it could not read; such an error has the id `null`."""


class Pending(Generic[T]):
    """Requests that were sent to one peer and have no reply, each with an entry: what waits for its reply.

    A request goes through it like this:

    1. `new_id()` returns its id, which no other request of this table ever has.
    2. `add(id, entry)`, or `add_batch({id: entry, ...})` for several in one message, *before* the text is written: a
       reply must not come too early.
    3. `take(id)` when its reply comes: returns the entry and forgets it. `None` means that the reply is to be ignored;
       then `take_almost(id)` finds the request whose id came back with another type, which is a `ProtocolError`
       (JSON-RPC 2.0 section 5), and `was_sent(id)` distinguishes a late reply from one to no request.
    4. `give_up(id)` when its caller waits no longer (it was cancelled, or ran out of time); a late reply is ignored.
    5. `take_all()` when the connection is lost.

    A reply may also fail to say which request it is about: an error with the id `null`, an empty batch, a binary
    message. It is about the one message that has no reply, where there is only one: `take_only_message()`, and
    `take_unread()` for an error with a code of `UNREAD`. For what is no JSON-RPC, or no JSON, `take_broken()` and
    `take_undecoded()` find out which one it is about.

    Attributes:
        entries: The unanswered requests in the order in which they were added; to be read, not changed.
        notified: Whether a message was sent since the last reply that gets none: a notification, or a reply to a
            request of the peer's. An error with the id `null` may be about that one. Set it when such a message is
            sent.
        new_id: Returns an id that was never used before.
    """

    __slots__ = ("_batches", "_gave_up", "_last_sent", "entries", "new_id", "notified")

    def __init__(self) -> None:
        self.entries: dict[int, T] = {}
        self.notified: bool = False
        # Without a function of ours in between: every call takes one.
        self.new_id: Callable[[], int] = count(1).__next__
        self._last_sent = 0
        self._gave_up = False
        """Whether a request was given up since the last reply: an error with the id `null` may be about that one."""
        self._batches: dict[int, frozenset[int]] = {}
        """For each unanswered request of a batch, the ids of the whole batch."""

    def was_sent(self, id: Any) -> bool:
        """Return whether a request ever had this id, whether or not it still waits for a reply."""
        return type(id) is int and 0 < id <= self._last_sent

    def add(self, id: int, entry: T) -> None:
        """Add a request that is about to be written in a message of its own."""
        self.entries[id] = entry
        if id > self._last_sent:
            self._last_sent = id

    def add_batch(self, entries: Mapping[int, T]) -> None:
        """Add requests, by id, that are about to be written in one message."""
        self.entries.update(entries)
        self._last_sent = max(self._last_sent, *entries, 0)
        if len(entries) > 1:
            self._batches.update(dict.fromkeys(entries, frozenset(entries)))

    def take(self, id: Any) -> T | None:
        """Remove and return the request that a reply with this id is about, or None."""
        # True and 1.0 are equal to 1, and would find its request.
        entry = self.entries.pop(id, None) if type(id) is int else None
        if entry is not None:
            self.notified = self._gave_up = False
            if self._batches:
                self._batches.pop(id, None)
        return entry

    def take_almost(self, id: Any) -> tuple[int, T] | None:
        """Remove and return the request whose id is equal to this one but for its type: `"1"`, `1.0`, `true`.

        Returns:
            The id as it was sent, and the entry; None where there is no such request.
        """
        if type(id) is str:
            # Neither a sign nor spaces nor leading zeros; and a long run of digits is not worth being read.
            is_number = id.isascii() and id.isdigit() and len(id) < 20 and id[0] != "0"
            meant = int(id) if is_number else 0
        else:
            meant = int(id) if type(id) is bool or (type(id) is float and id.is_integer()) else 0
        entry = self.take(meant)
        return None if entry is None else (meant, entry)

    def take_only_message(self, *, partly_answered: bool = True) -> list[T]:
        """Remove and return the requests of the one message that has no reply; empty where there are several, or none.

        Empty also where a request was given up since the last reply: the peer may mean that one.

        Args:
            partly_answered: Accept a batch of which several requests have no reply and others had one.
        """
        ids = list(self.entries)
        if not ids or self._gave_up:
            return []
        if len(ids) > 1:
            batch = self._batches.get(ids[0], frozenset())
            if not batch.issuperset(ids) or not (partly_answered or len(ids) == len(batch)):
                return []
        return self._remove_all()

    def take_unread(self, *, partly_answered: bool = True) -> list[T]:
        """Do as `take_only_message`, but return nothing if a message without a reply was sent since the last reply."""
        return [] if self.notified else self.take_only_message(partly_answered=partly_answered)

    def take_broken(self, reply: dict[str, Any], *, partly_answered: bool = True) -> list[T]:
        """Remove and return the requests that a reply of invalid JSON-RPC belongs to."""
        id, said = reply.get("id"), reply.get("error")
        entry = self.take(id)
        if entry is None and (almost := self.take_almost(id)) is not None:
            entry = almost[1]
        if entry is not None:
            return [entry]
        if id is not None or type(said) is not dict or said.get("code") not in UNREAD:
            return []
        return self.take_unread(partly_answered=partly_answered)

    def take_undecoded(self, text: str) -> list[T]:
        """Remove and return the requests that a reply of invalid JSON belongs to."""
        named = self.take_named_in(text)
        if named or not self.entries or not is_nameless_error(text):
            return named
        return self.take_unread(partly_answered=text.lstrip("\ufeff \t\r\n").startswith("["))

    def take_named_in(self, text: str) -> list[T]:
        """Remove and return the requests whose ids are in plain sight in a reply, or in the beginning of one."""
        # Mostly there are none, and then there is nothing to look for.
        ids = reply_ids(text) if self.entries else []
        return [entry for id in ids if (entry := self.take(id)) is not None]

    def give_up(self, id: int) -> bool:
        """Remove a request whose caller waits no longer; return whether it had no reply until now."""
        removed = self.remove(id)
        self._gave_up = self._gave_up or removed
        return removed

    def remove(self, id: int) -> bool:
        """Undo `add` for a request that was not written after all; return whether it was there."""
        self._batches.pop(id, None)
        return self.entries.pop(id, None) is not None

    def take_all(self) -> list[T]:
        """Remove and return all requests, because the connection was lost; the next one begins with an empty table."""
        self.notified = self._gave_up = False
        return self._remove_all()

    def _remove_all(self) -> list[T]:
        entries = list(self.entries.values())
        self.entries.clear()
        self._batches.clear()
        return entries
