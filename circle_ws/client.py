"""The client."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from .batch import Batch
from .config import DEFAULT, ClientConfig, Default
from .engine.notifications import listen
from .engine.pipeline import Pipeline
from .engine.supervisor import Supervisor
from .engine.tasks import DeadlinePassed, deadline_after, within
from .errors import CallTimeout, ProtocolError
from .hooks import Request
from .jsonrpc.convert import find_converter
from .urls import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, Unpack

    from .engine.listener import BufferOptions, Listener
    from .engine.observers import StatusChanges
    from .jsonrpc.convert import TypeForm
    from .jsonrpc.messages import Params
    from .stats import ClientStats
    from .status import ConnectionStatus as Status
    from .status import StatusChange
    from .transport import Capabilities


__all__ = ["CircleWsClient", "Function", "Timeout", "play_output"]

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

    # Connecting and closing.

    async def connect(self) -> None:
        """Connect and sign in; return when ready. Returns at once if connected. Concurrent calls share one attempt.

        Cancelling the last call that waits ends an attempt that `connect()` began, if the client has not been connected
        since, and leaves it in IDLE. An attempt that `start()` began, and a client that is reconnecting, continue.

        Raises:
            ConnectionFailed: The circle could not be reached, or did not answer in time.
            AuthError: The sign-in failed.
            ClientClosed: `close()` was called, which is final.
        """
        await self._supervisor.connect()

    def start(self) -> None:
        """Connect in the background, and return at once; idempotent.

        The client keeps trying as with `first_connect="retry"`, whatever was configured, until a fatal failure. Calls
        wait for the connection, within their own deadlines; so does `wait_until_connected()`.

        Raises:
            ClientClosed: `close()` was called, which is final.
            RuntimeError: No event loop is running.
        """
        self._supervisor.start()

    async def close(self, *, drain: Timeout = DEFAULT) -> None:
        """Refuse new calls, wait for those in flight, and close the connection. Final, idempotent and bounded.

        Calls that are still queued after that fail with `ClientClosed`, calls in flight with `OutcomeUnknown`.

        Args:
            drain: How long to wait for calls in flight, in seconds; None means no limit. By default the configured
                `drain_timeout`. A later `close()` may shorten the wait of an earlier one.

        Raises:
            InvalidRequest: `drain` is not a number of seconds.
            RuntimeError: The client belongs to another event loop that is not closed.
        """
        seconds = self._supervisor.config.drain_timeout if isinstance(drain, Default) else drain
        await self._supervisor.stop(self._pipeline.checked(seconds, "drain"))

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close(drain=0)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
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
        # Before the warning, which raises if warnings are errors.
        loop.call_soon_threadsafe(supervisor.forsake, words)
        warnings.warn(words, ResourceWarning, stacklevel=2, source=self)

    def reconnect(self) -> None:
        """Connect now: skip the delay before the next attempt, or replace the current connection by a new one.

        Calls in flight then fail with `OutcomeUnknown`, or are written again if they are idempotent. An attempt that is
        in progress continues.

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

        A call that cannot be written yet waits, within its timeout, for the connection or for a slot. A call is never
        written again after it may have run, unless it is idempotent. Cancelling a call frees everything at once; a late
        reply is ignored.

        Args:
            method: The method's name.
            params: A list or tuple (by position), or a dict, dataclass or Struct (by name); None omits them.
            returns: The type of the result, as msgspec converts to it, strictly; or a function of the plain value.
            timeout: Time until the result must be there, in seconds; None means no limit. By default the configured
                `call_timeout`.
            idempotent: Whether running it twice has the same effect as once: if the connection is lost after it was
                written, it is written again on the next one, at most three times, instead of failing.

        Returns:
            The result, converted to `returns`; by default plain JSON values.

        Raises:
            RpcError: The circle answered with an error.
            CallTimeout: The deadline passed; `phase` says in which phase.
            OutcomeUnknown: The connection was lost after the request was written; it may have run. The cause is a
                `MessageTooLarge` if another message was over `max_message_bytes`.
            NotConnected: The client was never started, or gave up.
            ClientClosed: It is closed.
            InvalidRequest: The params cannot be written as JSON, or JSON cannot be converted to `returns`.
            InvalidResult: The result does not fit `returns`; `path` says where.
            MessageTooLarge: The request is over `max_request_bytes`, or the reply over `max_message_bytes`.
            ProtocolError: The reply is not valid JSON-RPC 2.0.
            QueueFull: More than `max_queued` calls, or `max_queued_bytes`, already wait for a slot or the connection.
        """
        convert = None if returns is Any else find_converter(returns)
        pipeline = self._pipeline
        if pipeline.middleware:
            return await pipeline.call_wrapped(Request(method, params, idempotent), timeout, convert)
        # Awaited right here: each coroutine in between would cost time for every call.
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
        """Return a context manager that collects calls and sends them as one message (JSON-RPC 2.0 section 6).

        Inside of `async with client.batch() as batch`, `one = batch.call("echo", [1])` adds a call; after the end of
        the block, `await one` returns its result. A batch has at most 1,000 members, notifications included, and at
        most `max_in_flight` calls. The end of the block raises if the whole batch cannot be sent: `NotConnected`,
        `ClientClosed`, `QueueFull`, `InvalidRequest`, `MessageTooLarge`; for a batch without calls also if it was not
        written, for example `CallTimeout`.

        Args:
            timeout: For the whole batch, as for `call`.
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
        self, method: str | None = None, *, yields: Any = Any, gaps: bool = False, **options: Unpack[BufferOptions]
    ) -> Listener[Any]:
        """Listen to notifications of the circle, from now on and across reconnects, until the client closes.

        Returns:
            An async context manager and async iterator over the params of the notifications, as plain JSON values; its
            `await batch()` returns all that are buffered. The end of the block, or dropping the listener, ends it. It
            is kept alive while a task waits on it, and keeps the client alive. If the client gives up, the iteration
            raises the reason. Any number of listeners may listen to one method, each with a buffer of its own.

        Args:
            method: The name of the notifications; None means all of them, and yields `Notification(method, params)`.
            yields: The type of the params, as `returns` of `call`; only for one method. Params that do not fit raise
                `InvalidResult` from the iteration, which can continue.
            gaps: Also yield a `Gap(dropped, downtime)` where notifications may be missing: after a reconnect, and where
                the buffer was full.
            options: `buffer`: maximum number of notifications that are buffered for a slow reader, 1,024 by default.
                `buffer_bytes`: maximum size of the buffered messages together, 16 MiB by default; those over 1 KiB
                count as about the memory that they take; one message alone is always kept.
                `overflow`: which notifications are dropped when the buffer is full: `drop_oldest` (the default),
                `drop_newest`, or with `latest` all but the newest one, whatever `buffer` is; `.dropped` counts them.
                With `close` the iteration ends with `QueueFull` once the buffered ones have been read.

        Raises:
            InvalidRequest: An argument is wrong.
        """
        self._supervisor.affinity.check_thread()
        subscriptions, affinity = self._supervisor.subscriptions, self._supervisor.affinity
        return listen(subscriptions, method, yields, gaps=gaps, owner=self, affinity=affinity, **options)

    def handle(self, method: str, function: Callable[..., Any]) -> Callable[[], None]:
        """Answer requests that the circle sends.

        Each request runs in its own task, at most 256 at a time, and in a fresh copy of the context (`contextvars`)
        in which the function was registered; it may use the client. An `RpcError` that `function` raises is sent as the
        answer; any other exception is logged and answered with an internal error (-32603). Params are converted
        strictly to the annotations of `function`, as by `returns=`; if they do not fit, the answer is -32602 with the
        path.

        Args:
            method: The method's name.
            function: Sync or async; receives the request's params as arguments, by position or by name, and returns a
                value that msgspec writes. A sync one must not block.

        Returns:
            A function that unregisters it.

        Raises:
            InvalidRequest: An argument or an annotation is wrong, or the method has a handler already.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.handlers.add(method, function)

    async def play(self, script: str, *, timeout: Timeout = DEFAULT) -> str:
        """Run a script on the circle and return its output. The errors are those of `call`."""
        params: Params = [script] if self._supervisor.session_loop.positional else {"script": script}
        result = await self.call("play", params, timeout=timeout)
        return play_output(result)

    async def whoami(self, *, timeout: Timeout = DEFAULT) -> Any:
        """Ask the circle who this client is signed in as; the form of the answer depends on the circle."""
        return await self.call("whoami", timeout=timeout)

    # State.

    def is_connected(self) -> bool:
        """Return whether the client is ready (signed in if it has a key) and the connection is not known to be lost."""
        return self._supervisor.connected

    @property
    def status(self) -> Status:
        """The status of the client."""
        return self._supervisor.publisher.status

    @property
    def failure(self) -> Exception | None:
        """The error that ended the client, in status FAILED; else None."""
        return self._supervisor.failure

    @property
    def public_key(self) -> str | None:
        """The public key of the client: hex, in the profile's form. None without a signer, or if not known yet."""
        return self._supervisor.session_loop.public_key

    @property
    def capabilities(self) -> Capabilities:
        """The features of this runtime's WebSocket: ping frames, headers, proxy, TLS options, HTTP status ..."""
        return self._supervisor.config.transport.capabilities

    @property
    def stats(self) -> ClientStats:
        """The statistics of the client, over all its connections."""
        return self._supervisor.stats()

    def status_changes(self) -> StatusChanges:
        """Iterate over the changes of status, the current one first; ends after CLOSED.

        It buffers 256 changes for a slow reader; `.skipped` counts the dropped ones.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.publisher.changes(self, self._supervisor.affinity)

    def on_status(self, callback: Callable[[StatusChange], object]) -> Callable[[], None]:
        """Call `callback(change)` at each change of status, from the event loop.

        It may be async: each invocation then runs in a task of its own, so invocations may overlap. Each runs in a
        fresh copy of the context (`contextvars`) in which the callback was registered. An exception in it is logged.

        Returns:
            A function that removes the callback.

        Raises:
            InvalidRequest: It is not a function.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.publisher.callbacks.add(callback)

    def on_protocol_error(self, callback: Callable[[ProtocolError], object]) -> Callable[[], None]:
        """Call `callback(error)`, from the event loop, whenever the circle breaks JSON-RPC and no call fails for it.

        Such errors are a malformed or binary message, a reply to no request, an error without an id; each is counted in
        `stats`. The callback, the returned function and the exception are as for `on_status`.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.protocol_errors.callbacks.add(callback)

    async def wait_until_connected(self, timeout: float | None = None) -> None:
        """Return when the client is ready.

        Args:
            timeout: In seconds; None waits for ever.

        Raises:
            NotConnected: The client was never started, or had given up already.
            CircleWsError: The error that the client failed with meanwhile.
            ClientClosed: It was closed.
            CallTimeout: The timeout passed.
        """
        self._pipeline.check_running()
        deadline = deadline_after(self._pipeline.checked(timeout))
        try:
            await within(deadline, self._supervisor.ready())
        except DeadlinePassed:
            phase = self._supervisor.activity
            raise CallTimeout(f"not connected within {timeout:g} s ({phase})", phase=phase) from None

    def __repr__(self) -> str:
        return f"<CircleWsClient {shown(self._supervisor.publisher.log.url)} {self.status.value}>"


def play_output(result: Any) -> str:
    """Return the output in a result of `play`, of which circles have two forms."""
    output = result.get("output") if type(result) is dict else result
    if type(output) is str:
        return output
    raise ProtocolError('play answered neither a string nor an object with a string member "output"')
