"""The client: what a program holds in its hands."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from .batch import Batch
from .config import DEFAULT, ClientConfig, Default
from .engine.listener import MAX_BYTES
from .engine.notifications import MAX_BUFFERED, listen
from .engine.pipeline import Pipeline
from .engine.supervisor import Supervisor
from .engine.tasks import DeadlinePassed, deadline_after, within
from .errors import CallTimeout, ProtocolError
from .hooks import Request
from .typed import find_converter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self, TypedDict, Unpack

    from .engine.listener import Listener, Overflow
    from .engine.observers import StatusChanges
    from .jsonrpc.messages import Params
    from .stats import ClientStats
    from .status import ConnectionStatus as Status
    from .status import StatusChange
    from .transport import Capabilities
    from .typed import TypeForm

    class BufferOptions(TypedDict, total=False):
        """The options of `notifications` that do not change its type."""

        buffer: int
        buffer_bytes: int
        overflow: Overflow


__all__ = ["CircleWsClient"]

T = TypeVar("T")
Function: TypeAlias = "Callable[[Any], T]"
Timeout: TypeAlias = "float | None | Default"


class CircleWsClient:
    """A client of one circle: connects, signs in, keeps the connection alive and reconnects by itself.

    Use it as an async context manager, or call `connect()` and `close()`. It belongs to the event loop on which it is
    first used: from another one, or from another thread, its methods raise `RuntimeError`.

    Args:
        config: The options; `CircleWsClientBuilder` and `circle_ws.connect` fill one.
    """

    __slots__ = ("__weakref__", "_pipeline", "_supervisor")

    def __init__(self, config: ClientConfig) -> None:
        self._supervisor = Supervisor(config)
        self._pipeline = Pipeline(self._supervisor)

    # The life of the client.

    async def connect(self) -> None:
        """Dial and sign in; return when ready. Already connected: return at once. Concurrent calls share one attempt.

        Cancelling the last one that waits ends an attempt that `connect()` began, of a client that was not connected
        since, and leaves the client in IDLE. A client that `start()` began, or that is reconnecting, goes on.

        Raises:
            ConnectionFailed: The circle could not be reached, or did not answer in time.
            AuthError: Signing in did not work.
            ClientClosed: `close()` was called, which is final.
        """
        await self._supervisor.connect()

    def start(self) -> None:
        """Begin to connect in the background, and return at once; idempotent.

        It keeps trying as with `first_connect="retry"`, whatever was configured, until something fatal. Calls wait for
        the connection, inside their own deadline; `wait_until_connected()` waits for it alone.

        Raises:
            ClientClosed: `close()` was called, which is final.
            RuntimeError: No event loop is running here.
        """
        self._supervisor.start()

    async def close(self, *, drain: Timeout = DEFAULT) -> None:
        """Take no new calls, let those in flight end, and close the connection. Final, idempotent and bounded.

        What is still queued then fails with `ClientClosed`, what was written and is unanswered with `OutcomeUnknown`.

        Args:
            drain: How long to wait for calls in flight, in seconds; None means no limit. By default the configured
                `drain_timeout`. A later `close()` may shorten the wait of an earlier one.

        Raises:
            InvalidRequest: `drain` is no number of seconds.
            RuntimeError: The client belongs to another event loop that has not ended.
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
        """Dial now: skip the delay before the next attempt, or leave the present connection for a new one.

        What is written and unanswered then fails with `OutcomeUnknown`, or is written again where it is idempotent. An
        attempt that is under way goes on.

        Raises:
            NotConnected: The client was never started, or gave up.
            ClientClosed: It is closed.
        """
        self._pipeline.check_running()
        self._supervisor.reconnect()

    # Calls and notifications.

    @overload
    async def call(
        self, method: str, params: Params = ..., *, timeout: Timeout = ..., idempotent: bool = ...
    ) -> Any: ...
    @overload
    async def call(
        self, method: str, params: Params = ..., *, returns: TypeForm[T], timeout: Timeout = ..., idempotent: bool = ...
    ) -> T: ...
    @overload
    async def call(
        self, method: str, params: Params = ..., *, returns: Function[T], timeout: Timeout = ..., idempotent: bool = ...
    ) -> T: ...
    async def call(
        self,
        method: str,
        params: Params = None,
        *,
        returns: Any = Any,
        timeout: Timeout = DEFAULT,
        idempotent: bool = False,
    ) -> Any:
        """Call a method of the circle and return its result.

        A call that cannot be written yet waits, within its timeout, for the connection or for a slot. It is never
        written twice, unless you declare it idempotent. Cancelling it frees everything at once; a late reply is
        ignored.

        Args:
            method: The method's name.
            params: A list or tuple (by position) or a dict (by name) of finite plain JSON values; None leaves them out.
            returns: What the result must be: a type (see `circle_ws.typed`), or a function that makes something of the
                plain value. Nothing is coerced.
            timeout: For everything until the result is there, in seconds; None means no limit. By default the
                configured `call_timeout`.
            idempotent: Running it twice is the same as running it once: if the connection is lost after it was written,
                it is written again on the next one, at most three times, instead of failing with `OutcomeUnknown`.

        Returns:
            The result: what `returns` says, or without it plain JSON values.

        Raises:
            RpcError: The circle answered with an error.
            CallTimeout: The time is over; `phase` says where it ended.
            OutcomeUnknown: The connection was lost after the request was written; it may have run. Its cause is a
                `MessageTooLarge` where some other message was over `max_message_bytes`.
            NotConnected: The client was never started, or gave up.
            ClientClosed: It is closed.
            InvalidRequest: The params are not finite plain JSON with string keys, or `returns` can be no result.
            InvalidResult: The result is not what `returns` asks for; `path` says where.
            MessageTooLarge: The request is over `max_request_bytes`, or the reply over `max_message_bytes`.
            ProtocolError: The reply is no JSON-RPC 2.0.
            QueueFull: Over `max_queued` calls, or `max_queued_bytes`, wait already for a slot or for the connection.
        """
        convert = find_converter(returns)
        pipeline = self._pipeline
        if pipeline.middleware:
            return await pipeline.call_wrapped(Request(method, params, idempotent), timeout, convert)
        # Waited for right here: each coroutine in between is one more to make and to go through.
        call = pipeline.begin(method, params, timeout, idempotent=idempotent)
        try:
            result = await call.future
        except BaseException as error:
            pipeline.end(call, error)
            raise
        return result if convert is None else pipeline.converted(result, convert)

    async def notify(self, method: str, params: Params = None, *, timeout: Timeout = DEFAULT) -> None:
        """Send a notification, which is not answered; return when it is written.

        The arguments and errors are those of `call`.
        """
        await self._pipeline.notify(method, params, timeout)

    def batch(self, *, timeout: Timeout = DEFAULT) -> Batch:
        """Return a block that collects calls and sends them as one message (JSON-RPC 2.0 section 6) when it is left.

        ```python
        async with client.batch() as batch:
            one = batch.call("echo", [1])
            two = batch.call("echo", [2])
        print(await one, await two)
        ```

        It has at most 1,000 members, notifications included, and at most `max_in_flight` calls. Leaving the block
        raises what keeps the whole batch from being sent: `NotConnected`, `ClientClosed`, `QueueFull`,
        `InvalidRequest`, `MessageTooLarge`; of notifications alone also what keeps them from being written, such as
        `CallTimeout`.

        Args:
            timeout: For the whole batch, as that of `call`.
        """
        self._supervisor.affinity.check_thread()
        pipeline = self._pipeline
        return Batch(lambda request: pipeline.batch(request, timeout), pipeline.count_failure)

    @overload
    def notifications(
        self, method: str | None = ..., *, yields: Any = ..., gaps: Literal[True], **options: Unpack[BufferOptions]
    ) -> Listener[Any]: ...
    @overload
    def notifications(
        self, method: str | None = ..., *, gaps: Literal[False] = ..., **options: Unpack[BufferOptions]
    ) -> Listener[Any]: ...
    @overload
    def notifications(
        self, method: str, *, yields: TypeForm[T], gaps: Literal[False] = ..., **options: Unpack[BufferOptions]
    ) -> Listener[T]: ...
    @overload
    def notifications(
        self, method: str, *, yields: Function[T], gaps: Literal[False] = ..., **options: Unpack[BufferOptions]
    ) -> Listener[T]: ...
    def notifications(
        self,
        method: str | None = None,
        *,
        yields: Any = Any,
        buffer: int = MAX_BUFFERED,
        buffer_bytes: int = MAX_BYTES,
        overflow: Overflow = "drop_oldest",
        gaps: bool = False,
    ) -> Listener[Any]:
        """Listen to what the circle pushes, from now on and over reconnects, until the client closes.

        Returns:
            An async context manager and async iterator over the notifications' params, as plain JSON values; its
            `await batch()` takes all that is buffered. Leaving the block, or dropping the listener, ends it; it is kept
            while a task waits on it, and keeps the client. If the client gives up, the iteration raises what for. Any
            number of listeners may listen to one method, each with a buffer of its own.

        Args:
            method: The notifications' name; None listens to everything and gives `Notification(method, params)`.
            yields: What the params must be, as `returns` of `call`; only for one method. Params that are something else
                raise `InvalidResult` from the iteration, which can go on.
            buffer: How many notifications are kept for a slow reader.
            buffer_bytes: How large the kept ones may be together, as the size of their messages; those over 1 KiB count
                for about what they take in memory. One alone is always kept.
            overflow: Which go when the buffer is full: `drop_oldest`, `drop_newest`, or with `latest` all but the
                newest one, whatever `buffer` is; `.dropped` counts them. With `close` the iteration ends with
                `QueueFull` once what is buffered has been read.
            gaps: Also give a `Gap(dropped, downtime)` where something may be missing: after a reconnect, and where the
                buffer was full.

        Raises:
            InvalidRequest: An argument is wrong.
        """
        self._supervisor.affinity.check_thread()
        return listen(
            self._supervisor.subscriptions,
            method,
            yields,
            buffer=buffer,
            buffer_bytes=buffer_bytes,
            overflow=overflow,
            gaps=gaps,
            owner=self,
            affinity=self._supervisor.affinity,
        )

    def handle(self, method: str, function: Callable[..., Any]) -> Callable[[], None]:
        """Answer requests that the circle sends.

        Each runs in a task of its own, at most 256 at a time, and in a fresh copy of the context (`contextvars`) in
        which it was registered; it may use the client. An `RpcError` that `function` raises is the answer; any other
        exception is logged and answered as an internal error (-32603). Params are converted strictly to the annotations
        of `function`, as by `returns=`; those that do not fit are answered with -32602 and where.

        Args:
            method: The method's name.
            function: Sync or async; gets the request's params as its arguments, by position or by name, and returns
                plain JSON values. A sync one must not block.

        Returns:
            A function that ends it.

        Raises:
            InvalidRequest: An argument is wrong, nothing can be converted to an annotation, or the method is answered
                already.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.handlers.add(method, function)

    async def play(self, script: str, *, timeout: Timeout = DEFAULT) -> str:
        """Run a script on the circle and return its output. The errors are those of `call`."""
        positional = self._supervisor.session_loop.positional
        result = await self.call("play", [script] if positional else {"script": script}, timeout=timeout)
        output = result.get("output") if type(result) is dict else result
        if type(output) is not str:
            raise ProtocolError('play answered neither a string nor an object with a string member "output"')
        return output

    async def whoami(self, *, timeout: Timeout = DEFAULT) -> Any:
        """Ask the circle who it takes this client for; what it tells is the circle's own matter."""
        return await self.call("whoami", timeout=timeout)

    # Its state.

    def is_connected(self) -> bool:
        """Return whether it is ready (signed in where there is a key) and the connection is not known to be lost."""
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
        counted in `stats` and survived. The callback, what is returned and the error are as those of `on_status`.
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
        deadline = deadline_after(self._pipeline.checked(timeout))
        try:
            await within(deadline, self._supervisor.ready())
        except DeadlinePassed:
            phase = self._supervisor.activity
            raise CallTimeout(f"not connected within {timeout:g} s ({phase})", phase=phase) from None

    def __repr__(self) -> str:
        return f"<CircleWsClient {self._supervisor.config.shown_url} {self.status.value}>"
