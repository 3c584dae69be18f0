"""The client: what a program holds in its hands."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING

from .calls import Calls
from .config import DEFAULT, ClientConfig, Default
from .engine.pipeline import Pipeline
from .engine.supervisor import Supervisor
from .errors import CallTimeout, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from .engine.observers import StatusChanges
    from .stats import ClientStats
    from .status import ConnectionStatus as Status
    from .status import StatusChange
    from .transport import Capabilities

__all__ = ["CircleWsClient"]


class CircleWsClient(Calls):
    """Talk to one circle; connect, sign in, keep the link alive and reconnect without help.

    It belongs to the event loop that `connect()` was called on. Use it as an async context manager, or call
    `connect()` and `close()`.

    Args:
        config: The options; `CircleWsClientBuilder` and `circle_ws.connect` fill one.
    """

    __slots__ = ("__weakref__", "_starters")

    def __init__(self, config: ClientConfig) -> None:
        self._supervisor = Supervisor(config)
        self._pipeline = Pipeline(self._supervisor)
        self._starters = 0

    # The life of the client.

    async def connect(self) -> None:
        """Dial and sign in; return when ready. Already connected: return at once. Concurrent calls share one attempt.

        Cancelling the last one that waits ends an attempt that `connect()` began, of a client that was not connected
        since, and leaves the client in IDLE. A client that `start()` began, or that is reconnecting, goes on.

        Raises:
            ConnectionFailed: The circle could not be reached, or did not answer in time.
            AuthError: Signing in did not work.
            ClientClosed: `close()` was called, which is final.
            RuntimeError: The client belongs to another event loop.
        """
        self._pipeline.check_open()
        supervisor = self._supervisor
        supervisor.settle_in()
        try:
            self._starters += 1
            try:
                await supervisor.decided()
                supervisor.start()
                await supervisor.ready()
            finally:
                # Before the attempt is abandoned: who connects meanwhile is not to be kept from abandoning theirs.
                self._starters -= 1
        except asyncio.CancelledError:
            if not self._starters and supervisor.may_be_abandoned:
                await supervisor.abandon()
            raise

    def start(self) -> None:
        """Begin to connect in the background, and return at once; idempotent.

        It keeps trying as with `first_connect="retry"`, whatever was configured, until something fatal. Calls wait for
        the connection, inside their own deadline; `wait_until_connected()` waits for it alone.

        Raises:
            ClientClosed: `close()` was called, which is final.
            RuntimeError: No event loop is running here, or the client belongs to another one.
        """
        self._pipeline.check_open()
        self._supervisor.settle_in()
        self._supervisor.start(persistently=True)

    async def close(self, *, drain: float | None | Default = DEFAULT) -> None:
        """Take no new calls, let those in flight end, and close the connection. Final, idempotent and bounded.

        What is still queued then fails with `ClientClosed`, what was written and is unanswered with `OutcomeUnknown`.

        Args:
            drain: How long to wait for calls in flight, in seconds; None means no limit. By default the configured
                `drain_timeout`. A later `close()` may shorten the wait of an earlier one.

        Raises:
            InvalidRequest: `drain` is no number of seconds.
            RuntimeError: The client belongs to another event loop, which has not ended.
        """
        if isinstance(drain, Default):
            drain = self._supervisor.config.drain_timeout
        await self._supervisor.stop(self._pipeline.checked(drain, "drain"))

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close(drain=0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(drain=DEFAULT if kind is None else 0)

    def __del__(self) -> None:
        supervisor: Supervisor | None = getattr(self, "_supervisor", None)
        loop = supervisor.loop if supervisor is not None else None
        if supervisor is None or loop is None:
            return
        if loop.is_closed():
            supervisor.unwatch()
            return
        words = f"{self!r} was dropped without close()"
        # First of all: where warnings are errors, the next line raises.
        loop.call_soon_threadsafe(supervisor.forsake, words)
        warnings.warn(words, ResourceWarning, stacklevel=2, source=self)

    def reconnect(self) -> None:
        """Dial now: skip the delay before the next attempt, or leave the present link for a fresh one.

        What is written and unanswered then fails with `OutcomeUnknown`, or is written again where it is idempotent. An
        attempt that is under way goes on.

        Raises:
            NotConnected: The client was never started, or gave up.
            ClientClosed: It is closed.
        """
        self._pipeline.check_running()
        self._supervisor.reconnect()

    # Its state.

    def is_connected(self) -> bool:
        """Tell whether the client is ready (signed in where there is a key) and the link is not known to be lost."""
        return self._supervisor.connected

    @property
    def status(self) -> Status:
        """What the client is doing."""
        return self._supervisor.publisher.status

    @property
    def failure(self) -> Exception | None:
        """What ended the client, in status FAILED; else None."""
        return self._supervisor.failure

    @property
    def public_key(self) -> str | None:
        """The public key it signs in with: hex, in the profile's form. None without a signer, or not known yet."""
        return self._supervisor.session_loop.public_key

    @property
    def capabilities(self) -> Capabilities:
        """What this runtime's WebSocket can do: ping frames, headers, proxy, TLS options, HTTP status."""
        return self._supervisor.config.transport.capabilities

    @property
    def stats(self) -> ClientStats:
        """What the client has done so far, in numbers."""
        return self._supervisor.stats()

    def status_changes(self) -> StatusChanges:
        """Iterate over the changes of status, the present one first; it ends after CLOSED.

        It keeps 256 changes for a slow reader; `.skipped` counts what such a reader has missed.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.publisher.changes(self, self._supervisor.affinity)

    def on_status(self, callback: Callable[[StatusChange], object]) -> Callable[[], None]:
        """Call `callback(change)` at each change of status, from the event loop.

        It may be async: then each call runs in a task of its own, so that calls may overlap. Each runs in a fresh copy
        of the context (`contextvars`) in which it was registered. One that raises is logged and breaks nothing.

        Returns:
            A function that removes the callback.

        Raises:
            InvalidRequest: It is no function.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.publisher.callbacks.add(callback)

    def on_protocol_error(self, callback: Callable[[ProtocolError], object]) -> Callable[[], None]:
        """Call `callback(error)`, from the event loop, whenever the circle breaks JSON-RPC and no call fails for it.

        A malformed or binary message, a reply to a request that was never sent, an error without an id: each is
        counted in `stats` and survived. The callback is called as one of `on_status`.

        Returns:
            A function that removes the callback.

        Raises:
            InvalidRequest: It is no function.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.protocol_errors.callbacks.add(callback)

    async def wait_until_connected(self, timeout: float | None = None) -> None:
        """Return when the client is ready.

        Args:
            timeout: In seconds; None waits for ever.

        Raises:
            NotConnected: The client was never started, or had given up already.
            CircleWsError: What the client failed with meanwhile.
            ClientClosed: It was closed.
            CallTimeout: The time is over.
        """
        self._pipeline.check_running()
        limit = asyncio.timeout(self._pipeline.checked(timeout))
        try:
            async with limit:
                await self._supervisor.ready()
        except TimeoutError:
            if not limit.expired():
                raise
            phase = self._supervisor.phase
            raise CallTimeout(f"not connected within {timeout:g} s ({phase})", phase=phase) from None

    def __repr__(self) -> str:
        return f"<CircleWsClient {self._supervisor.config.shown_url} {self.status.value}>"
