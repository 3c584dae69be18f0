"""The seam between the engine and a runtime's WebSocket. The unit is a whole text message.

Sending is synchronous, as in asyncio: it hands the text over; `drain` is where one waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..urls import ENVIRONMENT

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from ..errors import ConnectionLost, ProtocolError

__all__ = ["BEGINNING", "Capabilities", "Connect", "HostEvents", "Receiver", "Transport", "TransportOptions"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Say what a runtime's WebSocket can do.

    Attributes:
        ping: Send ping frames and see the pongs.
        headers: Send HTTP headers with the handshake.
        proxy: Go through a proxy of the program's choice.
        tls: Take TLS options.
        http_status: See the HTTP status of a refused handshake.
        subprotocols: Offer subprotocols, and refuse a server that takes none of them.
        compression: Compress where the program says so.
        socks: Go through SOCKS proxies too.
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
    """Take what a dial waits for, where nobody wants to know."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """Hold what a transport has to know.

    Attributes:
        max_message_bytes: The largest incoming message, in bytes of UTF-8; None means no limit.
        close_timeout: How long the closing handshake may take, in seconds; None means no limit.
        tls: How the server's certificate is checked; None is the system's way.
        headers: Checked headers for the opening handshake with the server, and for nobody else; None adds none.
        subprotocols: Names to offer; a server that takes none of them is a failed attempt.
        proxy: The URL of a proxy; `environment` is what the environment names, None goes straight to the server, and so
            does whatever is loopback.
        compression: Offer permessage-deflate; what is inflated counts for `max_message_bytes`.
        waiting_for: Told what a dial waits for, in words, whenever that changes, so that an attempt that takes too long
            can say it.
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
"""Of a message over the size so many characters, or bytes, are told; where the reply names its call, it is there."""


class Receiver(Protocol):
    """Take what comes in; bound before dialling. It is called from the event loop and must not block."""

    def message(self, text: str) -> None:
        """Take a whole text message. It may come before `connect` has returned."""
        ...

    def invalid(self, cause: ProtocolError) -> None:
        """Learn of what is no text message: a binary one, or one over the size, with the beginning of its text."""
        ...

    def lost(self, cause: ConnectionLost) -> None:
        """Learn that the link is down: once for each opened link, and not after our own `close()`."""
        ...


class Transport(Protocol):
    """Be one open WebSocket.

    It assembles fragments, enforces sizes, lets no foreign exception through, delivers nothing after `close()` and
    survives a receiver that raises.
    """

    @property
    def buffered(self) -> int:
        """Bytes that are not yet on their way."""
        ...

    @property
    def bytes_received(self) -> int:
        """Bytes (in a browser: characters) received so far; any growth is a sign of life."""
        ...

    def send(self, text: str) -> None:
        """Hand over one text message.

        Raises:
            ConnectionLost: The link is known to be down.
        """
        ...

    async def drain(self) -> None:
        """Return when writing more makes sense.

        Raises:
            ConnectionLost: The link went down meanwhile.
        """
        ...

    def ping(self) -> Awaitable[None]:
        """Send a ping frame, where `capabilities.ping`; awaited, return with its pong.

        May be an async method. One that sends at once and gives a future costs less: nobody has to wait for it.

        Raises:
            ConnectionLost: The link went down meanwhile.
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
    """Open WebSockets."""

    @property
    def capabilities(self) -> Capabilities:
        """What its transports can do; known before dialling."""
        ...

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        """Dial `url`, which is checked and normalised; return once the socket is open.

        A cancelled one leaves nothing behind.

        Raises:
            ConnectionFailed: It could not be opened.
            ConfigError: The environment names a proxy that cannot be used.
        """
        ...


class HostEvents:
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
