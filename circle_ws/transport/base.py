"""The interface between the engine and a runtime's WebSocket. The unit is a whole text message.

Sending is synchronous, as in asyncio: `send` buffers the text, and `drain` waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..errors import MessageTooLarge, ProtocolError
from ..urls import ENVIRONMENT

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from ..errors import ConnectionLost

__all__ = ["BEGINNING", "Capabilities", "Connect", "HostEvents", "Receiver", "Send", "Transport", "TransportOptions"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The features of a runtime's WebSocket.

    Attributes:
        ping: Sends ping frames and receives the pongs.
        headers: Sends HTTP headers with the handshake.
        proxy: Uses a proxy of the program's choice.
        tls: Accepts TLS options.
        http_status: Reports the HTTP status of a refused handshake.
        subprotocols: Offers subprotocols, and refuses a server that accepts none of them.
        compression: Compresses if the program asks for it.
        socks: Uses SOCKS proxies too.
    """

    ping: bool
    headers: bool
    proxy: bool
    tls: bool
    http_status: bool
    subprotocols: bool = False
    compression: bool = False
    socks: bool = False


def _ignore(awaited: str) -> None:
    """Ignore what an attempt waits for."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """The options of a transport.

    Attributes:
        max_message_bytes: Maximum size of an incoming message, in bytes of UTF-8; None means no limit.
        close_timeout: Time limit of the closing handshake, in seconds; None means no limit.
        tls: The context that checks the server's certificate; None uses the system's certificates.
        headers: Checked headers for the opening handshake with the server, never for a proxy; None adds none.
        subprotocols: Names to offer; the attempt fails if the server accepts none of them.
        proxy: The URL of a proxy; `environment` uses the environment's, None uses none. Loopback is always dialled
            directly.
        compression: Offer permessage-deflate; inflated data counts against `max_message_bytes`.
        waiting_for: Called with a description of what the attempt waits for, whenever that changes, so that a timeout
            can report it.
    """

    max_message_bytes: int | None = None
    close_timeout: float | None = None
    tls: ssl.SSLContext | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    proxy: str | None = field(default=ENVIRONMENT, repr=False)
    compression: bool = False
    waiting_for: Callable[[str], None] = _ignore


BEGINNING = 1024
"""Length of the reported beginning of a message that is too large, in characters or bytes; the id is usually there."""


class Receiver(Protocol):
    """The consumer of incoming messages, bound before dialling. It is called by the event loop and must not block."""

    def message(self, text: str) -> None:
        """Handle a whole text message. It may arrive before `connect` has returned."""
        ...

    def invalid(self, cause: ProtocolError) -> None:
        """Handle an invalid message: a binary one, or one over the maximum size, with the beginning of its text."""
        ...

    def lost(self, cause: ConnectionLost) -> None:
        """Handle the loss of the connection: called once for each connection, but not after our own `close()`."""
        ...


def binary_message() -> ProtocolError:
    """Return the error for a binary message."""
    return ProtocolError("a binary message came in; a circle speaks JSON text")


def message_too_large(limit: int | None, beginning: str, *, size: int | None = None) -> MessageTooLarge:
    """Return the error for a message over the maximum size; `size` is None if it is unknown."""
    which = "an incoming message" if size is None else f"an incoming message of {size} bytes"
    words = f"{which} is over max_message_bytes ({limit}); raise it with with_limits()"
    return MessageTooLarge(words, size=size, limit=limit, beginning=beginning)


class Transport(Protocol):
    """One open WebSocket.

    It assembles fragments, enforces sizes, maps foreign exceptions, delivers nothing after `close()` and survives a
    receiver that raises.
    """

    @property
    def buffered(self) -> int:
        """Number of bytes that are not sent yet."""
        ...

    @property
    def bytes_received(self) -> int:
        """Number of bytes (in a browser: characters) received so far; any growth proves that the peer is alive."""
        ...

    def send(self, text: str) -> None:
        """Send one text message; it may be buffered.

        Raises:
            ConnectionLost: The connection is known to be lost.
        """
        ...

    async def drain(self) -> None:
        """Wait until there is room to write more.

        Raises:
            ConnectionLost: The connection was lost meanwhile.
        """
        ...

    def ping(self) -> Awaitable[None]:
        """Send a ping frame, if `capabilities.ping`; awaiting the result waits for its pong.

        It may be an async method. One that sends at once and returns a future costs less: no task has to await it.

        Raises:
            ConnectionLost: The connection was lost meanwhile.
            UnsupportedRuntime: This runtime has no ping frames.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the closing handshake, within `close_timeout`. Idempotent; cancelling it aborts."""
        ...

    def abort(self) -> None:
        """Close at once, without a closing handshake. Idempotent."""
        ...


class Send(Protocol):
    """`Transport.send` as a value."""

    def __call__(self, text: str) -> None:
        """Send one text message."""
        ...


class Connect(Protocol):
    """A function that opens WebSockets."""

    @property
    def capabilities(self) -> Capabilities:
        """The features of its transports; known before dialling."""
        ...

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        """Connect to `url`, which is checked and normalised; return once the socket is open.

        Cancelling it leaves nothing behind.

        Raises:
            ConnectionFailed: It could not be opened.
            ConfigError: The environment names a proxy that cannot be used.
        """
        ...


class HostEvents:
    """Events of the host: it woke up, or its network changed. Natively there are none; clocks reveal a suspension."""

    __slots__ = ("_watchers",)

    def __init__(self) -> None:
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def offline(self) -> bool:
        """Whether the host is known to be offline."""
        return False

    def absolute(self, url: str) -> str:
        """Return the absolute `ws://` or `wss://` URL of a relative one, in a page; natively return it unchanged.

        Args:
            url: A URL without a scheme.
        """
        return url

    def watch(self, on_wake: Callable[[], None]) -> Callable[[], None]:
        """Call `on_wake` whenever the host may have woken up or its network may have changed; it must not raise.

        Returns:
            A function that stops the calls.
        """
        token = object()
        self._watchers[token] = on_wake

        def remove() -> None:
            self._watchers.pop(token, None)

        return remove

    def wake(self) -> None:
        """Call every watcher."""
        for on_wake in list(self._watchers.values()):
            on_wake()
