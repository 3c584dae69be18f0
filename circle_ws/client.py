"""The client: what a program holds in its hands."""

from __future__ import annotations

import asyncio
import math
import warnings
from typing import TYPE_CHECKING, Any

from .call import MOST_REWRITES
from .config import DEFAULT, ClientConfig, Default
from .errors import CallTimeout, ClientClosed, InvalidRequest, NotConnected, ProtocolError
from .listener import Listener
from .status import ConnectionStatus as Status
from .supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from .board import StatusChanges
    from .call import Call
    from .jsonrpc.envelope import Params
    from .stats import ClientStats
    from .status import StatusChange
    from .transport import Capabilities

__all__ = ["CircleWsClient"]

NOTIFICATION_BUFFER = 1024


class CircleWsClient:
    """Talk to one circle; connect, sign in, keep the link alive and reconnect without help.

    It belongs to the event loop that `connect()` was called on. Use it as an async context manager, or call
    `connect()` and `close()`.

    Args:
        config: The options; `CircleWsClientBuilder` and `circle_ws.connect` fill one.
    """

    __slots__ = ("__weakref__", "_starters", "_supervisor")

    def __init__(self, config: ClientConfig) -> None:
        self._supervisor = Supervisor(config)
        self._starters = 0

    # The life of the client.

    async def connect(self) -> None:
        """Dial and sign in; return when ready. Already connected: return at once. Concurrent calls share one attempt.

        Cancelling the only one that waits ends the attempt and leaves the client in IDLE.

        Raises:
            ConnectionFailed: The circle could not be reached, or did not answer in time.
            AuthError: Signing in did not work.
            ClientClosed: `close()` was called, which is final.
        """
        self._check_open()
        supervisor = self._supervisor
        supervisor.start()
        self._starters += 1
        try:
            await supervisor.ready()
        except asyncio.CancelledError:
            if self._starters == 1 and not supervisor.connected:
                await supervisor.abandon()
            raise
        finally:
            self._starters -= 1

    async def close(self, *, drain: float | None | Default = DEFAULT) -> None:
        """Take no new calls, let those in flight end, and close the connection. Final, idempotent and bounded.

        What is still queued then fails with `ClientClosed`, what was written and is unanswered with `OutcomeUnknown`.

        Args:
            drain: How long to wait for calls in flight, in seconds; None means no limit. By default the configured
                `drain_timeout`.
        """
        if isinstance(drain, Default):
            drain = self._supervisor.config.drain_timeout
        await self._supervisor.stop(drain)

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
        if supervisor is None or loop is None or loop.is_closed():
            return
        warnings.warn(f"{self!r} was dropped without close()", ResourceWarning, stacklevel=2, source=self)
        loop.call_soon_threadsafe(supervisor.abandon_soon)

    def reconnect(self) -> None:
        """Dial now: skip the delay before the next attempt, or leave the present link for a fresh one.

        What is written and unanswered then fails with `OutcomeUnknown`, or is written again where it is idempotent. An
        attempt that is under way goes on.

        Raises:
            NotConnected: The client was never started, or gave up.
            ClientClosed: It is closed.
        """
        self._check_running()
        self._supervisor.reconnect()

    # Its state.

    def is_connected(self) -> bool:
        """Tell whether the client is ready (signed in where there is a key) and the link is not known to be lost."""
        return self._supervisor.connected

    @property
    def status(self) -> Status:
        """What the client is doing."""
        return self._supervisor.board.status

    @property
    def failure(self) -> Exception | None:
        """What ended the client, in status FAILED; else None."""
        return self._supervisor.failure

    @property
    def public_key(self) -> str | None:
        """The public key it signs in with: hex, in the profile's form. None without a signer, or not known yet."""
        return self._supervisor.public_key

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
        return self._supervisor.board.changes()

    def on_status(self, callback: Callable[[StatusChange], object]) -> Callable[[], None]:
        """Call `callback(change)` at each change of status, from the event loop.

        A callback that raises is logged and breaks nothing.

        Returns:
            A function that removes the callback.
        """
        return self._supervisor.board.on_change(callback)

    def on_protocol_error(self, callback: Callable[[ProtocolError], object]) -> Callable[[], None]:
        """Call `callback(error)`, from the event loop, whenever the circle breaks JSON-RPC and no call fails for it.

        A malformed or binary message, a reply to a request that was never sent, an error without an id: each is
        counted in `stats` and survived. A callback that raises is logged and breaks nothing.

        Returns:
            A function that removes the callback.
        """
        return self._supervisor.trouble.callbacks.add(callback)

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
        self._check_running()
        limit = asyncio.timeout(_checked_timeout(timeout))
        try:
            async with limit:
                await self._supervisor.ready()
        except TimeoutError:
            if not limit.expired():
                raise
            phase = self._supervisor.phase
            raise CallTimeout(f"not connected within {timeout:g} s ({phase})", phase=phase) from None

    # What it is for.

    async def call(
        self,
        method: str,
        params: Params = None,
        *,
        timeout: float | None | Default = DEFAULT,
        idempotent: bool = False,
    ) -> Any:
        """Call a method of the circle and return its result.

        A call that cannot be written yet waits, within its timeout, for the link or for a slot. It is never sent
        twice, unless you declare it idempotent. Cancelling it frees everything at once; the reply, should it come, is
        ignored.

        Args:
            method: The method's name.
            params: A list or tuple (by position) or a dict (by name) of finite plain JSON values; None leaves them out.
            timeout: For everything until the result is there, in seconds; None means no limit. By default the
                configured `call_timeout`.
            idempotent: Running it twice is the same as running it once: when the link goes down after it was written,
                it is written again on the next one, at most three times, instead of failing with `OutcomeUnknown`.

        Returns:
            The result as plain JSON values.

        Raises:
            RpcError: The circle answered with an error.
            CallTimeout: The time is over; `phase` says where it ended.
            OutcomeUnknown: The link went down after the request was written; it may have run.
            NotConnected: The client was never started, or gave up.
            ClientClosed: It is closed.
            InvalidRequest: The params are not finite plain JSON with string keys.
            MessageTooLarge: The request is over `max_request_bytes`, or the reply over `max_message_bytes`.
            ProtocolError: The reply is no JSON-RPC 2.0.
            QueueFull: Too many calls wait already.
        """
        self._check_running()
        call = self._supervisor.outbox.request(method, params)
        if idempotent:
            call.rewrites = MOST_REWRITES
        return await self._complete(call, timeout)

    async def notify(self, method: str, params: Params = None, *, timeout: float | None | Default = DEFAULT) -> None:
        """Send a notification, which is not answered; return when it is written.

        The arguments and errors are those of `call`.
        """
        self._check_running()
        await self._complete(self._supervisor.outbox.notification(method, params), timeout)

    def notifications(self, method: str) -> Listener[Any]:
        """Listen to what the circle pushes for `method`, from now on and over reconnects, until the client closes.

        An async context manager and an async iterator over the notifications' params, as plain JSON values. 1,024 are
        kept for a slow reader; then the oldest goes, and `.dropped` counts it. Leaving the block, or dropping the
        listener, ends it. When the client gives up, the iteration raises what it gave up for.
        """
        if type(method) is not str or not method:
            raise InvalidRequest(f"a method is named by a text that is not empty, not by {method!r}")
        subscriptions = self._supervisor.subscriptions
        listener: Listener[Any] = Listener(NOTIFICATION_BUFFER, lambda it: subscriptions.remove(method, it))
        subscriptions.add(method, listener)
        return listener

    async def play(self, script: str, *, timeout: float | None | Default = DEFAULT) -> str:
        """Run a script on the circle and return its output. The errors are those of `call`."""
        result = await self.call("play", {"script": script}, timeout=timeout)
        output = result.get("output") if type(result) is dict else result
        if type(output) is not str:
            raise ProtocolError('play answered neither a string nor an object with a string member "output"')
        return output

    async def whoami(self, *, timeout: float | None | Default = DEFAULT) -> Any:
        """Ask the circle who it takes this client for; what it tells is the circle's own matter."""
        return await self.call("whoami", timeout=timeout)

    async def _complete(self, call: Call, timeout: float | None | Default) -> Any:
        supervisor = self._supervisor
        if isinstance(timeout, Default):
            timeout = supervisor.config.call_timeout
        timeout = _checked_timeout(timeout)
        supervisor.counters.calls += call.id is not None
        try:
            supervisor.outbox.submit(call, timeout)
            return await call.future
        except asyncio.CancelledError:
            supervisor.outbox.forget(call)
            raise
        except Exception:
            supervisor.counters.failures += call.id is not None
            raise

    def _check_open(self) -> None:
        if self.status in (Status.CLOSING, Status.CLOSED):
            raise ClientClosed("the client is closed, which is final; make a new one")

    def _check_running(self) -> None:
        self._check_open()
        if self.status is Status.IDLE:
            raise NotConnected("the client is not connected; use `async with client:` or await client.connect() first")
        if self.status is Status.FAILED:
            raise NotConnected(f"the client gave up: {self.failure}; connect() starts it anew") from self.failure

    def __repr__(self) -> str:
        return f"<CircleWsClient {self._supervisor.config.shown_url} {self.status.value}>"


def _checked_timeout(timeout: float | None) -> float | None:
    if timeout is not None and (type(timeout) not in (int, float) or not 0 <= timeout < math.inf):
        raise InvalidRequest(f"timeout must be a number of seconds, 0 or more, or None for no limit, not {timeout!r}")
    return timeout
