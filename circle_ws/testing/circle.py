"""A circle in memory whose behaviour a test scripts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..auth.crypto_utils import format_public_key
from ..auth.keypair import KeyPair
from ..auth.profiles import PROFILES
from ..builder import Connecting, connect
from ..errors import ConfigError, ConnectionFailed, RedirectRefused
from ..jsonrpc import messages
from ..policy import Backoff
from ..server.answering import ClientSession
from ..server.core import CircleCore, checked_admit, checked_audience, checked_keys
from ..server.rules import Rules
from ..server.sign_in import RESERVED
from ..transport.memory import MemoryServer
from .connection import ClientEnd, Done, MemoryConnect, MemorySocket, Pulse
from .gate import Bell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Unpack

    from ..config import ClientOptions
    from ..jsonrpc.messages import Params
    from ..server.base import Socket
    from ..server.rules import Admit, ServedDialect, ServedParams
    from ..sync import CircleWsClient as SyncClient
    from ..sync import Options as SyncOptions
    from ..transport import Connect, Receiver, Transport, TransportOptions
    from ..transport.memory import MemoryPeer

__all__ = ["QUICK", "Circle", "Request"]

QUICK = Backoff(first=0.005, base=0.005, maximum=0.02, floor=0.001, seed=0)
"""Short delays that are the same in every run."""
_URL = "wss://circle.test/"
_GOING_AWAY = 1001


@dataclass(frozen=True, slots=True)
class Request:
    """One request or notification, as a circle read it; equal ones compare equal.

    Attributes:
        method: The method's name.
        params: A list (by position), a dict (by name), or None.
        notification: Whether it had no id, and so no answer.
    """

    method: str
    params: Any = None
    notification: bool = False


class Circle(CircleCore):
    """A circle in memory: real sign-ins, strict params, batches, and misbehaviour on command. Any runtime.

    Its clients may live on any event loop, those of the blocking client in another thread too. What is ordered takes
    effect at once; orders that say so can be awaited, until the clients know of it, but need not be.

    Args:
        dialect: Which published form is spoken, as by `CircleServer`.
        params: In which form params are taken.
        public_url: The URL that clients dial. With it the bound profiles are offered.
        keys: The public keys that may sign in, as hex; None admits every key.
        admit: An async function of the public key (66 hex characters); returns whether it may sign in.
        play: Runs a script and returns its output; None: there is no method `play`.
        sign_in: Whether methods are only for clients that have signed in. False answers everyone.

    Raises:
        ConfigError: An option is wrong.
        InvalidKey: One of `keys` is no public key.

    Attributes:
        url: The URL under which `connect()` dials it; with a transport in memory any will do.
        key: The key pair with which `connect()` signs in, made for this circle.
    """

    def __init__(
        self,
        *,
        dialect: ServedDialect = "hero-0.2",
        params: ServedParams = "any",
        public_url: str | None = None,
        keys: Iterable[str] | None = None,
        admit: Admit | None = None,
        play: Callable[[str], Any] | None = None,
        sign_in: bool = True,
    ) -> None:
        rules = Rules(
            dialect,
            tuple(PROFILES),
            checked_audience(public_url),
            checked_keys(keys),
            nonce_lifetime=300.0,
            params=params,
            admit=self._admit,
            sign_in=sign_in,
        )
        super().__init__(rules, play)
        self.url: str = public_url or _URL
        self.key: KeyPair = KeyPair.generate()
        # The limit of a page would keep a quickly reconnecting test waiting, and this key protects nothing.
        self.key.limited = False
        self._asked_to_admit = checked_admit(admit)
        self._bell = Bell()
        self._pulse = Pulse(self._bell)
        self._server = MemoryServer(self._serve_peer)
        self._connect = MemoryConnect(self._dial)
        self._calls: list[Request] = []
        self._stopped = False
        self._refusals: float = 0
        self._status: int | None = None
        self._rejections: float = 0
        self._delays: dict[str, float] = {}
        self._cuts: set[str] = set()

    # Clients.

    @property
    def transport(self) -> Connect:
        """What a builder of the program's own is pointed at this circle with: `with_transport(circle.transport)`."""
        return self._connect

    def connect(self, **options: Unpack[ClientOptions]) -> Connecting:
        """Return a client of this circle, as `circle_ws.connect` does: awaited or entered, it connects.

        It signs in with `key`, and its reconnects are quick and the same in every run (`QUICK`).

        Args:
            **options: The fields of `ClientConfig`, which replace these.

        Raises:
            ConfigError: An option is wrong.
        """
        return connect(self.url, **self._options(cast("dict[str, Any]", options)))

    def connect_sync(self, **options: Unpack[SyncOptions]) -> SyncClient:
        """Return a connected blocking client of this circle, with the same options, as `circle_ws.sync.connect` does.

        Raises:
            CircleWsError: As by `circle_ws.sync.connect`.
        """
        # Imported on use: async tests do without.
        from ..sync import connect as connect_sync

        return connect_sync(self.url, **self._options(cast("dict[str, Any]", options)))

    def publish(self, method: str, params: Params = None, *, to: str | None = None) -> int:
        """Push a notification to all clients that have signed in, or to one key; return to how many connections.

        Raises:
            InvalidRequest: The params cannot be written as JSON.
            InvalidKey: `to` is no public key.
        """
        text = messages.notification(method, params).encode()
        key = None if to is None else format_public_key(to, compressed=True)
        sessions = {
            socket: session
            for socket, session in self._open()
            if session.connection.public_key is not None or not self._rules.sign_in
        }
        addressed = [it for it, session in sessions.items() if key is None or session.connection.public_key == key]
        Done(addressed, lambda socket: sessions[socket].connection.push(text))
        return len(addressed)

    # What it was asked.

    def calls(self, method: str | None = None) -> list[Request]:
        """Return the requests and notifications that it has read, oldest first.

        Args:
            method: The method; None: all but the circle's own `fetch_nonce`, `authenticate` and `rpc.ping`, which are
                recorded without their params.
        """
        if method is None:
            return [request for request in self._calls if request.method not in RESERVED]
        return [request for request in self._calls if request.method == method]

    async def received(self, method: str, times: int = 1) -> Request:
        """Wait until it has read so many requests for a method, counted from its beginning; return the last of them."""
        await self._bell.until(lambda: len(self.calls(method)) >= times)
        return self.calls(method)[times - 1]

    # Misbehaviour.

    def drop(self, code: int = _GOING_AWAY, reason: str = "") -> Done:
        """Close every connection with a code; 1006 cuts them off without a closing handshake. May be awaited."""
        return self._order(lambda socket: socket.drop(reason, code))

    def hang(self) -> None:
        """Hang, as a process that is stopped: read nothing, answer nothing, not even pings and dials."""
        self._pulse.change(hanging=True)

    def resume(self) -> Done:
        """Go on after `hang()`, with all that was sent meanwhile. May be awaited."""
        self._pulse.change(hanging=False)
        return self._order(MemorySocket.resume)

    def refuse(self, times: float, status: int | None = 503) -> None:
        """Refuse the next dials.

        Args:
            times: How many; `math.inf` for all, 0 for none.
            status: The HTTP status, which a page does not show its programs; None: as if nothing listened there.

        Raises:
            ConfigError: `times` is no number from 0.
        """
        self._refusals, self._status = _number("times", times), status

    def reject_sign_in(self, times: float) -> None:
        """Reject the next sign-ins, as those of a key that is not admitted; `math.inf` for all, 0 for none.

        Raises:
            ConfigError: `times` is no number from 0.
        """
        self._rejections = _number("times", times)

    def delay(self, method: str, seconds: float) -> None:
        """Answer requests for a method late from now on; it runs at once. 0 ends that.

        Raises:
            ConfigError: `seconds` is no number from 0.
        """
        self._delays[method] = _number("seconds", seconds)

    def cut_after(self, method: str) -> None:
        """Cut the connection off, once, when the next request for a method has been read; it does not run.

        Its caller cannot know that, and gets `OutcomeUnknown`.
        """
        self._cuts.add(method)

    def stop(self) -> Done:
        """Close every connection with code 1001 and take no new one, until `start()`. May be awaited."""
        self._stopped = True
        return self.drop()

    def start(self) -> None:
        """Take connections again after `stop()`."""
        self._stopped = False

    def restart(self) -> Done:
        """Stop, which cancels methods that run, and start again; one that hung is well after that. May be awaited."""
        self._pulse.change(hanging=False)
        stopped = self.stop()
        self.start()
        return stopped

    # Inside.

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        key = {"private_key": self.key} if self._rules.sign_in and given.get("signer") is None else {}
        return {"backoff": QUICK, "transport": self.transport, **key, **given}

    def _open(self) -> list[tuple[MemorySocket, ClientSession]]:
        return cast("list[tuple[MemorySocket, ClientSession]]", list(self._sessions.items()))

    def _order(self, action: Callable[[MemorySocket], object]) -> Done:
        return Done([socket for socket, _ in self._open()], action)

    async def _dial(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        await self._pulse.beats()
        if self._stopped:
            raise ConnectionFailed("the circle is stopped")
        if self._refusals > 0:
            self._refusals -= 1
            raise self._refusal()
        return ClientEnd(await self._server(url, receiver, options), self._pulse)

    def _refusal(self) -> ConnectionFailed:
        status = self._status if self._connect.capabilities.http_status else None
        if status is None:
            return ConnectionFailed("the circle refused the connection")
        kind = RedirectRefused if 300 <= status < 400 else ConnectionFailed
        return kind(f"the circle refused the WebSocket with HTTP {status}", http_status=status)

    async def _serve_peer(self, peer: MemoryPeer) -> None:
        await self._serve(MemorySocket(peer, self._pulse))

    def _session(self, socket: Socket) -> ClientSession:
        return _ScriptedSession(self._rules, socket, self._read)

    async def _admit(self, key: str) -> bool:
        if self._rejections > 0:
            self._rejections -= 1
            return False
        return True if self._asked_to_admit is None else await self._asked_to_admit(key)

    def _read(self, session: _ScriptedSession, method: str, request: dict[str, Any]) -> float | None:
        """Record a request; return the delay of its answer, or None when the connection was cut after it."""
        params = None if method in RESERVED else request.get("params")
        self._calls.append(Request(method, params, notification="id" not in request))
        self._bell.ring()
        if method in self._cuts:
            self._cuts.discard(method)
            session.socket.abort()
            return None
        return self._delays.get(method, 0.0)


def _number(name: str, value: float) -> float:
    if type(value) not in (int, float) or not value >= 0:
        raise ConfigError(f"{name} must be a number, 0 or more, not {value!r}", option=name)
    return value


class _ScriptedSession(ClientSession):
    """One client's session with a circle that is told of each request before it runs.

    Args:
        rules: The circle's.
        socket: The client's.
        read: Called with each request; returns the delay of its answer, None does not run it.
    """

    def __init__(
        self,
        rules: Rules,
        socket: Socket,
        read: Callable[[_ScriptedSession, str, dict[str, Any]], float | None],
    ) -> None:
        super().__init__(rules, socket)
        self.socket = socket
        self._read = read

    async def _run(self, request: dict[str, Any], reply: Any, *, alone: bool) -> None:
        delay = self._read(self, request["method"], request)
        if delay is not None:
            await super()._run(request, partial(self._answer_late, delay, reply) if delay else reply, alone=alone)

    async def _answer_late(self, delay: float, reply: Any, text: str | None) -> None:
        # In a task of its own: the client's next message does not wait for this answer.
        task = asyncio.create_task(self._after(delay, reply, text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _after(self, delay: float, reply: Any, text: str | None) -> None:
        await asyncio.sleep(delay)
        await reply(text)
