"""The client: what a program holds in its hands."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any, get_args

from .batch import Batch
from .buffer import Overflow
from .caller import Caller
from .config import DEFAULT, ClientConfig, Default
from .errors import CallTimeout, InvalidRequest, ProtocolError
from .listener import Listener
from .request import Request
from .supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from .board import StatusChanges
    from .jsonrpc.envelope import Params
    from .stats import ClientStats
    from .status import ConnectionStatus as Status
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

    __slots__ = ("__weakref__", "_caller", "_starters", "_supervisor")

    def __init__(self, config: ClientConfig) -> None:
        self._supervisor = Supervisor(config)
        self._caller = Caller(self._supervisor)
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
        self._caller.check_open()
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
        self._caller.check_running()
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
        self._caller.check_running()
        limit = asyncio.timeout(self._caller.checked(timeout))
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
        return await self._caller.call(Request(method, params, idempotent), timeout)

    async def notify(self, method: str, params: Params = None, *, timeout: float | None | Default = DEFAULT) -> None:
        """Send a notification, which is not answered; return when it is written.

        The arguments and errors are those of `call`.
        """
        await self._caller.notify(method, params, timeout)

    def batch(self, *, timeout: float | None | Default = DEFAULT) -> Batch:
        """Make several calls in one message (JSON-RPC 2.0 section 6).

        ```python
        async with client.batch() as batch:
            one = batch.call("echo", [1])
            two = batch.call("echo", [2])
        print(await one, await two)
        ```

        It is sent when the block is left, which ends when all calls are settled; then each result is awaited for
        itself. An exception inside the block sends nothing. Leaving the block raises what keeps the whole batch from
        being sent: `NotConnected`, `ClientClosed`, `QueueFull`, `InvalidRequest`, `MessageTooLarge`.

        Args:
            timeout: For the whole batch, as that of `call`.
        """
        caller = self._caller
        return Batch(lambda request: caller.batch(request, timeout), caller.count_failure)

    def notifications(
        self,
        method: str | None = None,
        *,
        buffer: int = NOTIFICATION_BUFFER,
        overflow: Overflow = "drop_oldest",
        gaps: bool = False,
    ) -> Listener[Any]:
        """Listen to what the circle pushes, from now on and over reconnects, until the client closes.

        An async context manager and an async iterator over the notifications' params, as plain JSON values. Leaving
        the block, or dropping the listener, ends it. When the client gives up, the iteration raises what it gave up
        for. Any number of listeners may listen to one method; each has a buffer of its own.

        Args:
            method: The notifications' name; None listens to everything and gives `Notification(method, params)`.
            buffer: How many notifications are kept for a slow reader.
            overflow: Which one goes when the buffer is full: `drop_oldest`, `drop_newest`; `.dropped` counts them.
                With `close` the iteration ends with `QueueFull` once what is buffered has been read.
            gaps: Also give a `Gap(dropped, downtime)` in the place where something may be missing: after a reconnect,
                and where the buffer was full.

        Raises:
            InvalidRequest: An argument is wrong.
        """
        if method is not None and (type(method) is not str or not method):
            raise InvalidRequest(f"a method is named by a text that is not empty, or None for all, not by {method!r}")
        if type(buffer) is not int or buffer < 1:
            raise InvalidRequest(f"buffer must be a whole number from 1, not {buffer!r}")
        if overflow not in get_args(Overflow):
            raise InvalidRequest(f"overflow must be one of {', '.join(get_args(Overflow))}, not {overflow!r}")
        subscriptions = self._supervisor.subscriptions
        listener: Listener[Any] = Listener(
            buffer, lambda it: subscriptions.remove(method, it), overflow=overflow, gaps=gaps
        )
        subscriptions.add(method, listener)
        return listener

    def handle(self, method: str, function: Callable[..., Any]) -> Callable[[], None]:
        """Answer requests that the circle sends.

        Each runs in a task of its own, at most 256 at a time; it may use the client. An `RpcError` that `function`
        raises is the answer; any other exception is logged, and the circle is told of an internal error (-32603).
        Params that do not fit the function's parameters are answered with -32602.

        Args:
            method: The method's name.
            function: Sync or async; is given the request's params as its arguments, by position or by name, and
                returns plain JSON values. A sync one must not block.

        Returns:
            A function that ends it.

        Raises:
            InvalidRequest: An argument is wrong, or the method is answered already.
        """
        return self._supervisor.handlers.add(method, function)

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

    def __repr__(self) -> str:
        return f"<CircleWsClient {self._supervisor.config.shown_url} {self.status.value}>"
