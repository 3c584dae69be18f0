"""Which call a reply is about that breaks the protocol: that one fails at once, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from .pending_call import PendingCall

__all__ = ["only_message", "take_almost_named", "take_named"]


def take_named(in_flight: dict[int, PendingCall], id: Any) -> PendingCall | None:
    """Take the call with this id out of those in flight; None where the id is no open one, in value and in type."""
    # 1.0 and True are equal to 1 and would find its call.
    return in_flight.pop(id, None) if type(id) is int else None


def take_almost_named(in_flight: dict[int, PendingCall], id: Any) -> PendingCall | None:
    """Take the call out whose id is this one but for its type: `"1"`, `1.0`; None where there is none."""
    if type(id) is str:
        # Neither a sign nor spaces nor leading zeros; and a long run of digits is not worth being read.
        is_number = id.isascii() and id.isdigit() and len(id) < 20 and id[0] != "0"
        return in_flight.pop(int(id), None) if is_number else None
    return in_flight.pop(id, None) if type(id) in (float, bool) else None


def only_message(in_flight: dict[int, PendingCall], *, answered: bool = False) -> Collection[PendingCall]:
    """Return the calls of the one message that is unanswered; nothing where there are several, or none.

    Args:
        in_flight: All calls that are unanswered.
        answered: Count a batch, too, some of whose calls were answered before and several were not.
    """
    calls = in_flight.values()
    if len(calls) > 1:
        batch = next(iter(calls)).batch
        if batch is None or not (answered or len(calls) == batch.slots) or any(it.batch is not batch for it in calls):
            return ()
    return list(calls)
