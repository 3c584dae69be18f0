"""One client of the circle: reads its messages, runs the methods, writes the replies."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed

from ..errors import CircleWsError, InvalidKey, InvalidRequest, ProtocolError, RpcError
from ..jsonrpc import envelope, json
from ..jsonrpc.codes import (
    AUTHENTICATION_REQUIRED,
    INTERNAL_ERROR,
    INVALID_CREDENTIALS,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
)
from ..jsonrpc.envelope import Kind, Params
from ..jsonrpc.methods import Function, Method
from .sign_in import Nonces, Proof

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

    from .rules import Rules

__all__ = ["Connection"]

_logger = logging.getLogger("circle_ws.server")

MAX_RUNNING = 256
"""How many async methods of one client run at the same time; beyond it its messages wait unread."""


class Connection:
    """Be one client's connection, as a method sees it.

    Attributes:
        public_key: The key that signed in, 66 hex characters (compressed); None before.
    """

    def __init__(self, rules: Rules, socket: ServerConnection) -> None:
        self._rules = rules
        self._socket = socket
        self._nonces = Nonces(rules)
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MAX_RUNNING)
        self.public_key: str | None = None

    def notify(self, method: str, params: Params = None) -> None:
        """Push a notification to this client; it is dropped when the client is gone.

        Raises:
            InvalidRequest: The params are not finite plain JSON with string keys.
        """
        self.push(envelope.notification(method, params))

    def push(self, text: str) -> None:
        """Send a text message without waiting."""
        broadcast([self._socket], text)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close this connection with a closing handshake."""
        await self._socket.close(code, reason)

    def abort(self) -> None:
        """Cut this connection off, without a closing handshake."""
        self._socket.transport.abort()

    async def serve(self) -> None:
        """Read and answer until the client is gone."""
        try:
            async for message in self._socket:
                await self._take(message)
        except ConnectionClosed:
            pass
        finally:
            for task in self._running:
                task.cancel()
            if self._running:
                await asyncio.wait(self._running)

    async def _take(self, message: str | bytes) -> None:
        frame: Any = None
        try:
            frame = json.decode(message if isinstance(message, str) else message.decode())
        except (ProtocolError, UnicodeDecodeError):
            self._reply_error(None, RpcError(PARSE_ERROR, "parse error: the message is not strict JSON"))
            return
        try:
            kind = envelope.kind_of(frame)
        except ProtocolError as error:
            self._reply_error(None, RpcError(INVALID_REQUEST, f"invalid request: {error}"))
            return
        if kind in (Kind.REQUEST, Kind.NOTIFICATION):
            await self._run(frame)

    async def _run(self, frame: dict[str, Any]) -> None:
        outcome: Any
        try:
            outcome = self._start(frame["method"], frame.get("params"))
        except Exception as error:
            self._fail(frame, error)
            return
        if not inspect.isawaitable(outcome):
            self._reply(frame, outcome)
            return
        await self._room.acquire()
        task = asyncio.ensure_future(self._finish(frame, outcome))
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.release()

    async def _finish(self, frame: dict[str, Any], outcome: Any) -> None:
        try:
            result = await outcome
        except Exception as error:
            self._fail(frame, error)
        else:
            self._reply(frame, result)

    def _start(self, name: str, params: Any) -> Any:
        if name == "authenticate":
            return self._authenticate(params)
        own: dict[str, Function] = {"fetch_nonce": self._fetch_nonce, "rpc.ping": _pong}
        if name in own:
            return Method.of(own[name], Connection).call(params, self)
        if self.public_key is None:
            raise RpcError(AUTHENTICATION_REQUIRED, "authentication required: sign in first")
        method = self._rules.methods.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"method not found: {name[:100]}")
        return method.call(params, self)

    # Signing in.

    def _fetch_nonce(self, pubkey: str) -> Any:
        try:
            nonce = self._nonces.issue(pubkey, time.time())
        except InvalidKey as error:
            raise RpcError(INVALID_PARAMS, f"invalid params: pubkey: {error}") from None
        if self._rules.offered:
            return {"nonce": nonce.value, "expires_at": nonce.expires_at, "auth_profiles": self._rules.offered}
        if self._rules.dialect == "circles-1.0":
            return {"nonce": nonce.value, "expires_at": nonce.expires_at}
        return nonce.value

    def _authenticate(self, params: Any) -> Any:
        if self._rules.dialect == "hero-0.2" or _is_bound(params):
            return Method.of(self._sign_in, Connection).call(params, self)
        if not Method.of(self._sign_in_nested, Connection).call(params, self):
            raise RpcError(INVALID_CREDENTIALS, "invalid credentials")
        return {"authenticated": True}

    def _sign_in_nested(self, credentials: Any) -> bool:
        if type(credentials) is not dict or set(credentials) != {"pubkey", "signature"}:
            raise RpcError(INVALID_PARAMS, "invalid params: credentials: an object with pubkey and signature")
        return self._sign_in(**credentials)

    def _sign_in(
        self, pubkey: Any, signature: Any, profile: Any = None, client_nonce: Any = None, expires_at: Any = None
    ) -> bool:
        if type(pubkey) is not str or type(signature) is not str or type(profile) not in (str, type(None)):
            raise RpcError(INVALID_PARAMS, "invalid params: pubkey, signature and profile are strings")
        key = self._nonces.redeem(Proof(pubkey, signature, profile, client_nonce, expires_at), time.time())
        if key is None:
            return False
        self.public_key = key
        return True

    # Replying.

    def _reply(self, frame: dict[str, Any], result: Any) -> None:
        if "id" not in frame:
            return
        try:
            self.push(envelope.result(frame["id"], result))
        except InvalidRequest as error:
            self._fail(frame, error)

    def _fail(self, frame: dict[str, Any], error: Exception) -> None:
        if not isinstance(error, RpcError):
            _logger.error("method %r raised", frame["method"], exc_info=error)
            error = RpcError(INTERNAL_ERROR, "internal error")
        if "id" in frame:
            self._reply_error(frame["id"], error)

    def _reply_error(self, id: Any, error: RpcError) -> None:
        try:
            self.push(envelope.error(id, error))
        except CircleWsError:
            self.push(envelope.error(id, RpcError(error.code, error.message)))


def _pong() -> str:
    return "pong"


def _is_bound(params: Any) -> bool:
    """Tell whether a sign-in names a profile, which only bound ones do; they are flat in every dialect."""
    return type(params) is dict and "profile" in params
