"""What a session asks of whoever owns the calls that it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..jsonrpc.messages import Params
    from ..transport import Transport
    from .pending_call import PendingCall
    from .session import Session

__all__ = ["Owner"]


class Owner(Protocol):
    """Own the calls that a session carries."""

    def request(self, method: str, params: Params) -> PendingCall:
        """Make a request with an id of its own."""
        ...

    def notification(self, method: str, params: Params) -> PendingCall:
        """Make a notification."""
        ...

    def knows(self, id: object) -> bool:
        """Tell whether a request ever had this id."""
        ...

    def slot_freed(self) -> None:
        """Learn that fewer calls are in flight."""
        ...

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        ...

    def detach(self, session: Session) -> None:
        """Learn that this session's link is down."""
        ...

    def pause(self) -> None:
        """Let calls wait while the sign-in is renewed."""
        ...

    def send_again(self, call: PendingCall) -> None:
        """Let a call that was not run go out once more."""
        ...

    def say_goodbye(self, transport: Transport, code: int, reason: str) -> None:
        """Close a transport with the handshake, without waiting for it."""
        ...

    def write_again(self, call: PendingCall) -> bool:
        """Let a call whose outcome is unknown go out on the next link, where it may; tells whether it does."""
        ...
