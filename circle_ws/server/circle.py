"""The circle itself: its options, its methods, its listening socket and its clients."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from threading import get_ident
from typing import TYPE_CHECKING, Any, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.protocol import State

from ..auth.crypto_utils import format_public_key
from ..auth.profiles import PROFILES, find_profile
from ..jsonrpc import messages
from .connection import POLL_INTERVAL
from .core import CircleCore, checked_admit, checked_audience, checked_keys
from .rules import Admit, Origins, Rules, ServedDialect, ServedParams, check_count, check_seconds
from .socket import ClientSocket, opening_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableSet, Sequence
    from types import TracebackType
    from typing import Self

    from ..jsonrpc.messages import Params

__all__ = ["CircleServer"]

# At level DEBUG `websockets` logs whole frames, and with them signatures.
_websockets_logger = logging.getLogger("circle_ws.server.websockets")
_websockets_logger.setLevel(logging.WARNING)


class CircleServer(CircleCore):
    """A circle: a JSON-RPC 2.0 server over WebSocket whose clients sign in with secp256k1 keys.

    Before a client has signed in, everything but the sign-in and `rpc.ping` answers error -32001.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one, which the property `port` returns after `start()`.
        dialect: Which published form is spoken.
        params: In which form params are taken: by name, by position, or either. A circle that takes one form only
            answers the other with -32602, as many published ones do; a bound sign-in is by name in any case.
        profiles: The signature profiles that are accepted.
        public_url: The URL that clients dial. With it the bound profiles are offered, whose signatures name the
            circle and are worth nothing to another one.
        keys: The public keys that may sign in, as hex; None admits every key.
        admit: An async function of the public key (66 hex characters), called at each sign-in after the signature
            was verified; returns whether the key may sign in. With `keys` both must agree. What it raises is logged
            and answered with -32603, which clients retry.
        play: A function, sync or async, that runs a script and returns its output; what it raises becomes error
            -32000 with its text. None: there is no method `play`. A sync one blocks the whole circle while it runs.
        origins: The values of the header `Origin` that are admitted: None in it stands for no header, as programs
            send, `"*"` for any page. By default a circle that listens on loopback admits programs, pages of this
            machine and pages of the host of `public_url`; one that listens elsewhere checks nothing. There is no CORS
            for WebSockets, so a public circle should list the pages that it serves.
        max_message_bytes: Maximum size of an incoming message.
        max_batch: Maximum number of requests in one message; over it the whole batch is refused with error -32600.
        max_batch_reply_bytes: Maximum size of the replies to the open batches of one client together; a reply over it
            is replaced by error -32005.
        max_backlog_bytes: Maximum size of what waits for a client that does not read what is pushed to it; over it the
            client is dropped with close code 1013, try again later. The first message that it does not read, and
            replies, which wait until they can be written, do not count.
        nonce_lifetime: How long a nonce is valid, in seconds.
        sign_in_timeout: How long a client may stay without signing in, in seconds, before it is closed with 1008; a
            person may have to confirm a signature, for which clients wait two minutes. None sets no limit.
        signed_bound: The keys (66 hex characters) that ever signed in with a signature that names this circle; no
            bare signature of theirs is accepted. Pass a set of your own to persist it: `in` and `add` are used, on the
            event loop. None keeps them in memory, for the life of this object.
        stall_timeout: How long a client that does not keep up may read nothing at all before it is dropped with 1013,
            in seconds.
        close_timeout: How long a closing handshake may take, in seconds; then the client is cut off.

    Raises:
        ConfigError: An option is wrong.
        InvalidKey: One of `keys` is no public key.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        dialect: ServedDialect = "hero-0.2",
        params: ServedParams = "any",
        profiles: Sequence[str] = tuple(PROFILES),
        public_url: str | None = None,
        keys: Iterable[str] | None = None,
        admit: Admit | None = None,
        play: Callable[[str], Any] | None = None,
        origins: Sequence[str | None] | None = None,
        max_message_bytes: int = 64 * 1024,
        max_batch: int = 1000,
        max_batch_reply_bytes: int = 10 * 1024 * 1024,
        max_backlog_bytes: int = 4 * 1024 * 1024,
        nonce_lifetime: float = 300.0,
        sign_in_timeout: float | None = 180.0,
        signed_bound: MutableSet[str] | None = None,
        stall_timeout: float = 20.0,
        close_timeout: float = 2.0,
    ) -> None:
        check_seconds("stall_timeout", stall_timeout)
        check_count("max_backlog_bytes", max_backlog_bytes)
        rules = Rules(
            dialect,
            tuple(find_profile(profile).name for profile in profiles),
            checked_audience(public_url),
            checked_keys(keys),
            nonce_lifetime,
            max_batch,
            set() if signed_bound is None else signed_bound,
            params=params,
            admit=checked_admit(admit),
            sign_in_timeout=sign_in_timeout,
            max_batch_reply_bytes=max_batch_reply_bytes,
        )
        super().__init__(rules, play)
        self._host, self._port = host, port
        self._origins = Origins(origins, public_url)
        self._max_message_bytes = max_message_bytes
        self._close_timeout = close_timeout
        self._sockets: set[ClientSocket] = set()
        self._new_socket = partial(
            ClientSocket,
            sockets=self._sockets,
            max_backlog=max_backlog_bytes,
            stall_timeout=stall_timeout,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._server: Server | None = None

    # Notifications.

    def publish(self, method: str, params: Params = None, *, to: str | None = None) -> int:
        """Push a notification to all clients that have signed in, or to one key, without waiting.

        A client that does not read is dropped when over `max_backlog_bytes` wait for it. May be called from any
        thread, which then waits until the circle's event loop has done it.

        Args:
            method: Its name.
            params: By position or by name.
            to: The public key (66 or 130 hex characters) whose connections alone get it; None is all clients.

        Returns:
            The number of connections that it was sent to. One key may have several.

        Raises:
            InvalidRequest: The params cannot be written as JSON.
            InvalidKey: `to` is no public key.
        """
        text = messages.notification(method, params).encode()
        key = None if to is None else format_public_key(to, compressed=True)
        if self._loop is None or get_ident() == self._thread:
            return self._push(text, key)
        return self._push_from_thread(self._loop, text, key)

    def _push_from_thread(self, loop: asyncio.AbstractEventLoop, text: bytes, key: str | None) -> int:
        pushed: Future[int] = Future()

        def push() -> None:
            try:
                pushed.set_result(self._push(text, key))
            except Exception as error:
                pushed.set_exception(error)

        with suppress(RuntimeError):
            loop.call_soon_threadsafe(push)
        # A loop that ends, and every connection with it, never runs the callbacks that are scheduled.
        while not (pushed.done() or loop.is_closed()):
            wait([pushed], timeout=POLL_INTERVAL)
        return pushed.result() if pushed.done() else 0

    def _push(self, text: bytes, key: str | None) -> int:
        signed_in = [one for one in self.connections if one.public_key is not None]
        return sum(one.push(text) for one in signed_in if key is None or one.public_key == key)

    # Life.

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Its URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}/"

    async def start(self) -> None:
        """Start to listen. A circle that was stopped can be started again, on the same port.

        Raises:
            OSError: The port is taken, or the host is not this machine's.
        """
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        self._server = await serve(
            self._serve_socket,
            self._host,
            self._port,
            process_request=partial(opening_response, self._origins),
            compression=None,
            max_size=self._max_message_bytes,
            close_timeout=self._close_timeout,
            create_connection=cast("type[ClientSocket]", self._new_socket),
            logger=_websockets_logger,
        )
        addresses = [one.getsockname() for one in self._server.sockets]
        self._port = addresses[0][1]
        self._origins.is_local = all(ip_address(address[0].partition("%")[0]).is_loopback for address in addresses)

    async def stop(self) -> None:
        """Close every connection with code 1001 and stop listening. Idempotent.

        Takes at most `close_timeout`, and as long as cancelled methods take to end.
        """
        server, self._server = self._server, None
        if server is not None:
            await _stop_accepting(server)
            server.close()
            for socket in self._sockets:
                # It cannot be closed with a code yet, and could take its time to shake hands.
                if socket.state is State.CONNECTING:
                    socket.transport.abort()
            await server.wait_closed()

    async def kill(self) -> None:
        """Cut every connection off, without a closing handshake, and stop listening: as when a process is killed."""
        for socket in self._sockets:
            socket.transport.abort()
        await self.stop()

    async def serve_forever(self) -> None:
        """Serve until this is cancelled."""
        if self._server is None:
            raise RuntimeError("start() the circle first")
        await self._server.serve_forever()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _serve_socket(self, socket: ServerConnection) -> None:
        await self._serve(cast("ClientSocket", socket))


async def _stop_accepting(server: Server) -> None:
    """Take no more connections, and let those be set up that were taken.

    asyncio leaves a connection open that was taken and not yet set up when its server is closed (CPython issue 109564).
    """
    loop = asyncio.get_running_loop()
    # Windows sets a connection up at once, and has no readers.
    with suppress(NotImplementedError):
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
    # One turn of the loop for the transport, one for `connection_made()`.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
