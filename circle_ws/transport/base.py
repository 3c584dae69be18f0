"""The seam between the engine and a runtime: its WebSocket, and the events of its host.

The unit is a whole text message. Sending is synchronous, as in asyncio: it hands the text over, and `drain` is where
one waits.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from ..frozen import dataclass
from ..urls import ENVIRONMENT

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from ..errors import ConnectionLost, ProtocolError

__all__ = ["BEGINNING", "Capabilities", "Connect", "HostEvents", "Receiver", "Transport", "TransportOptions"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a runtime's WebSocket can do.

    Attributes:
        ping: Whether it sends ping frames and sees the pongs.
        headers: Whether it sends HTTP headers with the handshake.
        proxy: Whether it can go through a proxy of the program's choice.
        tls: Whether it takes TLS options.
        http_status: Whether it sees the HTTP status of a refused handshake.
        subprotocols: Whether it offers subprotocols, and refuses a server that accepts none of them.
        compression: Whether it can compress.
        socks: Whether it can go through SOCKS proxies too.
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
    """Default of `TransportOptions.waiting_for`."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """What a transport has to know.

    Attributes:
        max_message_bytes: Maximum size of an incoming message, in bytes of UTF-8; None means no maximum.
        close_timeout: Maximum duration of the closing handshake, in seconds; None means no maximum.
        tls: How the server's certificate is checked; None is the system's way.
        headers: Checked headers for the opening handshake with the server, and for no proxy; None adds none.
        subprotocols: Names to offer; where the server accepts none of them, the attempt fails.
        proxy: The URL of a proxy; `environment` means the one that the environment names, None a direct connection.
            Connections to loopback are always direct.
        compression: Whether to offer permessage-deflate; `max_message_bytes` is then that of the inflated message.
        waiting_for: Called with what the dial waits for, in words, whenever that changes, so that the error of an
            attempt that takes too long can name it.
    """

    max_message_bytes: int | None = None
    close_timeout: float | None = None
    tls: ssl.SSLContext | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    subprotocols: tuple[str, ...] = ()
    proxy: str | None = field(default=ENVIRONMENT, repr=False)
    compression: bool = False
    waiting_for: Callable[[str], None] = _ignore


BEGINNING = 1024
"""Of a message over the maximum size, so many characters (or bytes) are kept: the id of a reply is among them."""


class Receiver(Protocol):
    """What a transport reports to; known before dialling. Called from the event loop, so it must not block."""

    def message(self, text: str) -> None:
        """Handle a whole text message. It may come before `connect` has returned."""
        ...

    def invalid(self, cause: ProtocolError) -> None:
        """Handle what is no text message: a binary one, or one over the maximum size, with how it begins."""
        ...

    def lost(self, cause: ConnectionLost) -> None:
        """Handle the end of the connection: once for each that was opened, and not after our own `close()`."""
        ...


class Transport(Protocol):
    """One open WebSocket.

    It assembles fragments, enforces the maximum size, lets no foreign exception through, delivers nothing after
    `close()` and survives a receiver that raises.
    """

    @property
    def buffered(self) -> int:
        """Bytes that are not yet on their way."""
        ...

    @property
    def bytes_received(self) -> int:
        """Bytes (in a browser: characters) received so far; any growth shows that the peer is alive."""
        ...

    def send(self, text: str) -> None:
        """Hand over one text message.

        Raises:
            ConnectionLost: The connection is known to be down.
        """
        ...

    async def drain(self) -> None:
        """Return when writing more makes sense.

        Raises:
            ConnectionLost: The connection went down meanwhile.
        """
        ...

    def ping(self) -> Awaitable[None]:
        """Send a ping frame, where `capabilities.ping`; the awaitable returns with its pong.

        An async method will do. One that sends at once and returns a future is cheaper, as no task has to wait for it.

        Raises:
            ConnectionLost: The connection went down meanwhile.
            UnsupportedRuntime: This runtime has no ping frames.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the handshake, within `close_timeout`. Idempotent; a cancelled one aborts."""
        ...

    def abort(self) -> None:
        """Close at once, without the handshake. Idempotent."""
        ...


class Connect(Protocol):
    """What opens WebSockets."""

    @property
    def capabilities(self) -> Capabilities:
        """What its transports can do."""
        ...

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        """Dial `url`, which is checked and normalised; return once the socket is open.

        Cancelled, it leaves nothing behind.

        Raises:
            ConnectionFailed: It could not be opened.
            ConfigError: The environment names a proxy that cannot be used.
        """
        ...


class HostEvents:
    """What the host reports of the network and of sleep. Natively nothing: the engine sees a sleep by its clocks."""

    __slots__ = ("_watchers",)

    def __init__(self) -> None:
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def offline(self) -> bool:
        """Whether no other machine can be reached, as far as the host knows."""
        return False

    def absolute(self, url: str) -> str:
        """Return the `ws://` or `wss://` URL that a relative one means in a page; natively, `url` as it is.

        Args:
            url: One without a scheme.
        """
        return url

    def watch(self, on_wake: Callable[[], None]) -> Callable[[], None]:
        """Call `on_wake` whenever the program may have slept or the network may have changed; it must not raise.

        Returns:
            A function that ends this.
        """
        token = object()
        self._watchers[token] = on_wake

        def remove() -> None:
            self._watchers.pop(token, None)

        return remove

    def wake(self) -> None:
        """Call all watchers."""
        for on_wake in list(self._watchers.values()):
            on_wake()
