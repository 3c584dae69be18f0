"""The circle itself: listens, knows its methods and its clients, and stops cleanly."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve

from ..auth.audience import audience
from ..auth.crypto_utils import format_public_key
from ..auth.profiles import PROFILES, find_profile
from ..errors import ConfigError, RpcError
from ..jsonrpc import envelope
from ..jsonrpc.codes import EXECUTION_FAILED
from ..jsonrpc.methods import Function, Method
from .connection import Connection
from .rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from websockets.typing import Origin

    from ..jsonrpc.envelope import Params

__all__ = ["CircleServer"]

# At level DEBUG `websockets` logs whole frames, and with them signatures.
_websockets_logger = logging.getLogger("circle_ws.server.websockets")
_websockets_logger.setLevel(logging.WARNING)

F = TypeVar("F", bound=Function)


class CircleServer:
    """Be a circle: a JSON-RPC 2.0 server over WebSocket whose clients sign in with secp256k1 keys.

    Before a client has signed in, everything but the sign-in and `rpc.ping` answers error -32001.

    Args:
        host: Where to listen.
        port: 0 takes a free one, which `port` tells after `start()`.
        dialect: Which published form is spoken.
        profiles: The signature profiles that are accepted.
        public_url: Where clients dial this circle. With it the bound profiles are offered, whose signatures name the
            circle and are worth nothing to another one.
        keys: The public keys that may sign in, as hex; None admits every key.
        play: Runs a script and gives its output, sync or async; what it raises becomes error -32000 with its text.
            None: there is no method `play`.
        origins: The values of the header `Origin` that are let in (None in it stands for no header, as programs send);
            None checks nothing. There is no CORS for WebSockets, so a public circle should say which pages it serves.
        max_message_bytes: The largest incoming message.
        nonce_lifetime: How long a nonce is good for, in seconds.
        close_timeout: How long a closing handshake may take, in seconds.

    Raises:
        ConfigError: An option is wrong.
        InvalidKey: One of `keys` is no public key.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        dialect: Literal["hero-0.2", "circles-1.0"] = "hero-0.2",
        profiles: Sequence[str] = tuple(PROFILES),
        public_url: str | None = None,
        keys: Iterable[str] | None = None,
        play: Callable[[str], Any] | None = None,
        origins: Sequence[str | None] | None = None,
        max_message_bytes: int = 64 * 1024,
        nonce_lifetime: float = 300.0,
        close_timeout: float = 2.0,
    ) -> None:
        if dialect not in ("hero-0.2", "circles-1.0"):
            raise ConfigError(f"dialect must be hero-0.2 or circles-1.0, not {dialect!r}", option="dialect")
        self._rules = Rules(
            dialect,
            tuple(find_profile(profile).name for profile in profiles),
            None if public_url is None else _audience(public_url),
            None if keys is None else frozenset(format_public_key(key, compressed=True) for key in keys),
            nonce_lifetime,
        )
        self._host, self._port = host, port
        self._origins = origins
        self._max_message_bytes = max_message_bytes
        self._close_timeout = close_timeout
        self._connections: dict[ServerConnection, Connection] = {}
        self._server: Server | None = None
        self.method("whoami")(_whoami)
        if play is not None:
            self.method("play")(_player(play))

    # Methods.

    def method(self, name: str | None = None) -> Callable[[F], F]:
        """Let the decorated function, sync or async, answer a method.

        Params by position or by name become its arguments. A parameter annotated with `Connection` gets the caller's
        connection. An `RpcError` it raises is the answer; any other exception is logged and answers -32603.

        Args:
            name: The method's name; by default the function's.
        """

        def register(function: F) -> F:
            self._rules.methods[name or function.__name__] = Method.of(function, Connection)
            return function

        return register

    def publish(self, method: str, params: Params = None) -> int:
        """Push a notification to everybody who has signed in, without waiting.

        Returns:
            How many it was sent to.

        Raises:
            InvalidRequest: The params are not finite plain JSON with string keys.
        """
        signed_in = [socket for socket, one in self._connections.items() if one.public_key is not None]
        broadcast(signed_in, envelope.notification(method, params))
        return len(signed_in)

    @property
    def connections(self) -> list[Connection]:
        """The connections that are open, signed in or not."""
        return list(self._connections.values())

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
        """Listen. A circle that was stopped can be started again, on the same port.

        Raises:
            OSError: The port is taken, or the host is not this machine's.
        """
        origins = None if self._origins is None else [_origin(one) for one in self._origins]
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            origins=origins,
            compression=None,
            max_size=self._max_message_bytes,
            close_timeout=self._close_timeout,
            logger=_websockets_logger,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Close every connection with code 1001 and listen no more; bounded. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def kill(self) -> None:
        """Cut every connection off, without a closing handshake, and listen no more: as when a process is killed."""
        for connection in self.connections:
            connection.abort()
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

    async def _serve(self, socket: ServerConnection) -> None:
        connection = self._connections[socket] = Connection(self._rules, socket)
        try:
            await connection.serve()
        finally:
            del self._connections[socket]


def _audience(public_url: str) -> str:
    try:
        return audience(public_url)
    except ConfigError as error:
        raise ConfigError(f"public_url: {error}", option="public_url") from None


def _whoami(connection: Connection) -> dict[str, str | None]:
    return {"pubkey": connection.public_key}


def _player(play: Callable[[str], Any]) -> Function:
    async def run(script: str) -> str:
        try:
            output = play(script)
            return str(await output if inspect.isawaitable(output) else output)
        except Exception as error:
            raise RpcError(EXECUTION_FAILED, f"execution failed: {error}") from error

    return run


def _origin(text: str | None) -> Origin | None:
    return text  # type: ignore[return-value]
