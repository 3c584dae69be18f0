"""One attempt: dial, and sign in where there is a signer. The first connect and every reconnect come through here."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..config.headers import OpeningHeaders
from ..errors import CircleWsError, ConfigError, ConnectionFailed, ConnectionLost, RpcError
from ..transport import TransportOptions
from ..urls import normalised
from .tasks import Interrupted, is_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import ClientConfig
    from ..config.headers import HeadersFunction
    from ..hooks import Setup
    from ..jsonrpc.messages import Params
    from ..transport import Receiver
    from .authenticator import Authenticator
    from .session import Session
    from .tasks import UserTasks

__all__ = ["Connector"]

_AWAITED = {
    "nonce": "fetch_nonce",
    "sign": "the signer",
    "authenticate": "authenticate",
    "setup": "the setup function",
}


class Connector:
    """Make one attempt to get a session that is ready for use.

    Args:
        config: The options.
        session: A new one.
        receiver: The session's, for the transport.
        authenticator: Who signs in; None does not.
        tasks: Run the functions of the user's.
        signing_in: Called when the socket is open and the sign-in begins.
    """

    __slots__ = (
        "_authenticator",
        "_awaited",
        "_config",
        "_in_setup",
        "_opened",
        "_receiver",
        "_session",
        "_signing_in",
        "_tasks",
    )

    def __init__(
        self,
        config: ClientConfig,
        session: Session,
        receiver: Receiver,
        authenticator: Authenticator | None,
        tasks: UserTasks,
        signing_in: Callable[[], None],
    ) -> None:
        self._config = config
        self._session = session
        self._receiver = receiver
        self._authenticator = authenticator
        self._tasks = tasks
        self._signing_in = signing_in
        self._awaited = "the WebSocket to open"
        self._opened = False
        self._in_setup = False

    @property
    def phase(self) -> str:
        """Where it is: `open`, `nonce`, `sign`, `authenticate` or `setup`."""
        if self._in_setup:
            return "setup"
        return self._authenticator.phase if self._opened and self._authenticator is not None else "open"

    async def run(self) -> None:
        """Dial, sign in and set up, within `open_timeout`; the signer has its own `sign_timeout`.

        Raises:
            ConnectionFailed: The attempt failed; another may work.
            AuthError: Signing in did not work.
        """
        limit = asyncio.timeout(self._config.open_timeout)
        try:
            async with limit:
                await self._connect()
                self._check_link()
                if self._authenticator is not None:
                    self._signing_in()
                    await self._authenticator.sign_in(self._session, limit)
                # Before the sign-in nothing of the user's leaves: what functions of theirs answer neither.
                self._session.take_requests()
                if self._config.setup is not None:
                    self._in_setup = True
                    await _set_up(self._config.setup, self._session, self._tasks)
            self._check_link()
        except BaseException as error:
            if not self._session.leaving:
                self._session.abort(ConnectionLost.closed(1006, local=True))
            if isinstance(error, TimeoutError) and limit.expired():
                raise self._too_slow() from None
            if isinstance(error, asyncio.CancelledError) and not is_cancelled():
                # A transport's, whose own tasks were cancelled; this attempt failed, and the client goes on.
                raise ConnectionFailed("the attempt was cancelled from outside", phase=self.phase) from error
            raise

    async def _connect(self) -> None:
        config = self._config
        options = TransportOptions(
            max_message_bytes=config.max_message_bytes,
            close_timeout=config.close_timeout,
            tls=config.tls,
            headers=await self._headers(),
            subprotocols=tuple(config.subprotocols),
            proxy=config.proxy,
            compression=config.compression,
            waiting_for=self._wait_for,
        )
        self._session.open(await config.transport(normalised(config.url), self._receiver, options))
        self._opened = True

    async def _headers(self) -> Mapping[str, str] | None:
        source = self._config.headers
        if source is None or isinstance(source, Mapping):
            return source
        self._wait_for("the headers function")
        headers = await _ask(source, self._tasks)
        self._wait_for("the WebSocket to open")
        return headers

    def _wait_for(self, awaited: str) -> None:
        self._awaited = awaited

    def _check_link(self) -> None:
        # A server may close in the very packet that opens; nobody was connected then, so the attempt failed.
        loss = self._session.loss
        if loss is not None:
            soon = "closed the connection as soon as it was open"
            words = f"this client {soon}: {loss}" if loss.local else f"the server {soon}"
            raise ConnectionFailed(words, phase=self.phase) from loss

    def _too_slow(self) -> ConnectionFailed:
        phase = self.phase
        return ConnectionFailed(
            f"no connection within open_timeout ({self._config.open_timeout:g} s); "
            f"it ended while waiting for {self._awaited if phase == 'open' else _AWAITED[phase]}",
            phase=phase,
        )


async def _ask(function: HeadersFunction, tasks: UserTasks) -> OpeningHeaders:
    """Ask a user's function for the headers of one attempt.

    Raises:
        ConnectionFailed: It failed, or gave what cannot be sent; another attempt may work.
    """

    async def ask() -> tuple[bool, Any]:
        given: Any = function()
        return (True, await given) if inspect.isawaitable(given) else (False, type(given).__name__)

    try:
        is_async, values = await tasks.run("the headers function", ask)
    except Interrupted as error:
        raise ConnectionFailed(f"the headers function failed: {error}") from error
    except Exception as error:
        # Its words are left to the cause: they may hold what it asked with.
        raise ConnectionFailed(f"the headers function raised {type(error).__name__}") from error
    if not is_async:
        raise ConnectionFailed(f"headers must come from an async function, but it gave {values} at once")
    try:
        return OpeningHeaders(values)
    except ConfigError as error:
        raise ConnectionFailed(f"the headers function gave what cannot be sent: {error}") from error


class _SetupCalls:
    """The `SetupSession` of one connection: requests past the queue and the slots."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    async def call(self, method: str, params: Params = None) -> Any:
        try:
            result = await self._session.request(method, params)
        except RpcError:
            self._session.set_up = True
            raise
        self._session.set_up = True
        return result

    async def notify(self, method: str, params: Params = None) -> None:
        self._session.notify(method, params)


async def _set_up(setup: Setup, session: Session, tasks: UserTasks) -> None:
    """Run a user's setup.

    Raises:
        ConnectionFailed: The circle refused something, the connection was lost, or something that the setup awaited was
            cancelled; another attempt may work.
        Exception: What else the setup raises.
    """
    try:
        await tasks.run("the setup function", lambda: setup(_SetupCalls(session)))
    except (CircleWsError, Interrupted) as error:
        raise ConnectionFailed(f"the setup failed: {error}", phase="setup") from error
    if session.loss is not None:
        raise ConnectionFailed("the server closed the connection during the setup", phase="setup") from session.loss
