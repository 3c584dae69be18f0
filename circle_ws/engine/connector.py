"""One attempt to connect: dial, sign in, run the user's setup. The first connect and every reconnect use it."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from ..config.headers import OpeningHeaders, check_given_subprotocols
from ..errors import CircleWsError, ConfigError, ConnectionFailed, ConnectionLost, RpcError
from ..text import without
from ..transport import TransportOptions
from ..urls import normalised, query_of
from .tasks import DeadlinePassed, Interrupted, deadline_after, is_cancelled, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import ClientConfig
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
"""What an attempt waits for in each phase, for a timeout; in `open` the transport reports it."""


_UNFIT = {
    "url": "a url that cannot be dialled",
    "headers": "headers that cannot be sent",
    "subprotocols": "subprotocols that cannot be offered",
}
"""What a function returned that must not be used, by option."""


class Connector:
    """One attempt to get a session that is ready for calls.

    Args:
        config: The options.
        session: A new session.
        receiver: The receiver of its messages.
        authenticator: The sign-in; None for a client without a signer.
        tasks: Runs the user's functions.
        signing_in: Called when the sign-in begins, with the reason why it has to wait, or None.
    """

    __slots__ = (
        "_authenticator",
        "_awaited",
        "_config",
        "_phase",
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
        signing_in: Callable[[CircleWsError | None], None],
    ) -> None:
        self._config = config
        self._session = session
        self._receiver = receiver
        self._authenticator = authenticator
        self._tasks = tasks
        self._signing_in = signing_in
        self._phase: str | None = "open"
        """None during the sign-in, whose phase the authenticator knows."""
        self._awaited = "the WebSocket to open"

    @property
    def phase(self) -> str:
        """The phase, for errors: `open`, `nonce`, `sign`, `authenticate` or `setup`."""
        if self._phase is None and self._authenticator is not None:
            return self._authenticator.phase
        return self._phase or "open"

    async def run(self) -> None:
        """Dial, sign in and set up, within `open_timeout`; a signer has its own `sign_timeout`.

        Raises:
            ConnectionFailed: The attempt failed; another may work.
            AuthError: The sign-in failed.
            Exception: Any other exception of the setup or of a transport.
        """
        session, deadline = self._session, deadline_after(self._config.open_timeout)
        try:
            await within(deadline, self._dial())
            if session.loss is not None:
                raise self._lost_at_once(session.loss)
            if self._authenticator is not None:
                self._phase = None
                self._signing_in(self._authenticator.expected_delay())
                deadline = await self._authenticator.sign_in(session, deadline)
            # Only after the sign-in: before it, the user's handlers must not run.
            session.take_requests()
            if self._config.setup is not None:
                self._phase = "setup"
                await within(deadline, self._set_up(self._config.setup))
            if session.loss is not None:
                raise self._lost_at_once(session.loss)
            if is_cancelled():
                # A transport or a setup swallowed the cancellation.
                raise asyncio.CancelledError
        except BaseException as error:
            if not session.leaving:
                session.abort(ConnectionLost.closed(1006, local=True))
            if isinstance(error, DeadlinePassed):
                raise self._too_slow() from None
            if isinstance(error, asyncio.CancelledError) and not is_cancelled():
                # A task of the transport was cancelled, not the client's: only this attempt has failed.
                raise ConnectionFailed("the attempt was cancelled from outside", phase=self.phase) from error
            raise

    async def _dial(self) -> None:
        config = self._config
        url = await self._present("url", config.url, config.checked_url)
        self._session.url = url
        options = TransportOptions(
            max_message_bytes=config.max_message_bytes,
            close_timeout=config.close_timeout,
            tls=config.tls,
            headers=await self._present("headers", config.headers, OpeningHeaders),
            subprotocols=await self._present("subprotocols", config.subprotocols, check_given_subprotocols),
            proxy=config.proxy,
            compression=config.compression,
            waiting_for=self._wait_for,
        )
        try:
            self._session.open(await config.transport(normalised(url), self._receiver, options))
            return
        except ConnectionFailed as error:
            # What tells about the opening may quote what was offered, and a browser the URL.
            secrets = [query_of(url), *(options.subprotocols if callable(config.subprotocols) else ())]
            failure = without(error, secrets)
            if failure is error:
                raise
        # Outside of the handler: the cause and the context would tell it.
        raise failure

    async def _present(self, option: str, value: Any, check: Callable[[Any], Any]) -> Any:
        """Return the value of an option for this attempt; a function returns another one every time."""
        if not callable(value):
            return value
        self._wait_for(f"the {option} function")
        given = await _value_of(option, value, self._tasks)
        self._wait_for("the WebSocket to open")
        try:
            return check(given)
        except ConfigError as error:
            raise ConnectionFailed(f"the {option} function returned {_UNFIT[option]}: {error}") from error

    def _wait_for(self, awaited: str) -> None:
        self._awaited = awaited

    async def _set_up(self, setup: Setup) -> None:
        session = self._session
        try:
            await self._tasks.run("the setup function", lambda: setup(_SetupCalls(session)))
        except (CircleWsError, Interrupted) as error:
            # Interrupted: something that the setup awaited was cancelled. Another attempt may work.
            raise ConnectionFailed(f"the setup failed: {error}", phase="setup") from error
        if session.loss is not None:
            raise ConnectionFailed("the server closed the connection during the setup", phase="setup") from session.loss

    def _lost_at_once(self, loss: ConnectionLost) -> ConnectionFailed:
        # A server may close in the packet that opens the connection. It never became ready, so the attempt failed.
        soon = "closed the connection as soon as it was open"
        failure = ConnectionFailed(
            f"this client {soon}: {loss}" if loss.local else f"the server {soon}", phase=self.phase
        )
        failure.__cause__ = loss
        return failure

    def _too_slow(self) -> ConnectionFailed:
        phase = self.phase
        return ConnectionFailed(
            f"no connection within open_timeout ({self._config.open_timeout:g} s); "
            f"it ended while waiting for {self._awaited if phase == 'open' else _AWAITED[phase]}",
            phase=phase,
        )


async def _value_of(option: str, function: Callable[[], Any], tasks: UserTasks) -> Any:
    """Return what a user's function gives for one attempt.

    Raises:
        ConnectionFailed: It failed; another attempt may work.
    """

    async def ask() -> tuple[bool, Any]:
        given = function()
        return (True, await given) if inspect.isawaitable(given) else (False, given)

    try:
        is_async, value = await tasks.run(f"the {option} function", ask)
    except Interrupted as error:
        raise ConnectionFailed(f"the {option} function failed: {error}") from error
    except Exception as error:
        # The text of the error stays in the cause: it may contain credentials.
        raise ConnectionFailed(f"the {option} function raised {type(error).__name__}") from error
    if not is_async and option == "headers":
        kind = type(value).__name__
        raise ConnectionFailed(f"headers must come from an async function, but it returned {kind} at once")
    return value


class _SetupCalls:
    """The `SetupSession` of one connection. Its requests bypass the queue, in which the user's calls still wait."""

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
