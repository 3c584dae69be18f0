"""What a client is for: calls, batches, notifications, and the circle's own methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .config import DEFAULT, Default
from .engine.listener import MAX_BYTES
from .engine.notifications import MAX_BUFFERED, listen
from .errors import ProtocolError
from .hooks import Request
from .typed import find_converter

if TYPE_CHECKING:
    from collections.abc import Callable

    from .batch import Batch
    from .engine.listener import Listener, Overflow
    from .engine.pipeline import Pipeline
    from .engine.supervisor import Supervisor
    from .jsonrpc.messages import Params
    from .typed import TypeForm

__all__ = ["Calls"]

T = TypeVar("T")


class Calls:
    """Be the part of a client that talks to the circle; who makes one sets the two attributes."""

    __slots__ = ("_pipeline", "_supervisor")

    _pipeline: Pipeline
    _supervisor: Supervisor

    @overload
    async def call(
        self,
        method: str,
        params: Params = None,
        *,
        timeout: float | None | Default = DEFAULT,
        idempotent: bool = False,
    ) -> Any: ...
    @overload
    async def call(
        self,
        method: str,
        params: Params = None,
        *,
        returns: TypeForm[T],
        timeout: float | None | Default = DEFAULT,
        idempotent: bool = False,
    ) -> T: ...
    @overload
    async def call(
        self,
        method: str,
        params: Params = None,
        *,
        returns: Callable[[Any], T],
        timeout: float | None | Default = DEFAULT,
        idempotent: bool = False,
    ) -> T: ...
    async def call(
        self,
        method: str,
        params: Params = None,
        *,
        returns: Any = Any,
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
            returns: What the result must be: a type (see `circle_ws.typed`), or a function that makes something of the
                plain value. Nothing is coerced.
            timeout: For everything until the result is there, in seconds; None means no limit. By default the
                configured `call_timeout`.
            idempotent: Running it twice is the same as running it once: when the link goes down after it was written,
                it is written again on the next one, at most three times, instead of failing with `OutcomeUnknown`.

        Returns:
            The result: what `returns` says, or without it plain JSON values.

        Raises:
            RpcError: The circle answered with an error.
            CallTimeout: The time is over; `phase` says where it ended.
            OutcomeUnknown: The link went down after the request was written; it may have run. Its cause is a
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

    async def notify(self, method: str, params: Params = None, *, timeout: float | None | Default = DEFAULT) -> None:
        """Send a notification, which is not answered; return when it is written.

        The arguments and errors are those of `call`.
        """
        await self._pipeline.notify(method, params, timeout)

    def batch(self, *, timeout: float | None | Default = DEFAULT) -> Batch:
        """Make several calls in one message (JSON-RPC 2.0 section 6).

        ```python
        async with client.batch() as batch:
            one = batch.call("echo", [1])
            two = batch.call("echo", [2])
        print(await one, await two)
        ```

        It is sent when the block is left, which ends when all calls are settled; then each result is awaited for
        itself. It has at most 1,000 members, notifications included, and at most `max_in_flight` calls. An exception
        inside the block sends nothing. Leaving the block raises what keeps the whole batch from being sent:
        `NotConnected`, `ClientClosed`, `QueueFull`, `InvalidRequest`, `MessageTooLarge`; of notifications alone also
        what keeps them from being written, such as `CallTimeout`.

        Args:
            timeout: For the whole batch, as that of `call`.
        """
        self._supervisor.affinity.check_thread()
        pipeline = self._pipeline
        from .batch import Batch

        return Batch(lambda request: pipeline.batch(request, timeout), pipeline.count_failure)

    @overload
    def notifications(
        self,
        method: str | None = None,
        *,
        gaps: Literal[True],
        yields: Any = Any,
        buffer: int = ...,
        buffer_bytes: int = ...,
        overflow: Overflow = ...,
    ) -> Listener[Any]: ...
    @overload
    def notifications(
        self,
        method: str | None = None,
        *,
        gaps: Literal[False] = False,
        buffer: int = ...,
        buffer_bytes: int = ...,
        overflow: Overflow = ...,
    ) -> Listener[Any]: ...
    @overload
    def notifications(
        self,
        method: str,
        *,
        yields: TypeForm[T],
        gaps: Literal[False] = False,
        buffer: int = ...,
        buffer_bytes: int = ...,
        overflow: Overflow = ...,
    ) -> Listener[T]: ...
    @overload
    def notifications(
        self,
        method: str,
        *,
        yields: Callable[[Any], T],
        gaps: Literal[False] = False,
        buffer: int = ...,
        buffer_bytes: int = ...,
        overflow: Overflow = ...,
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

        An async context manager and an async iterator over the notifications' params, as plain JSON values;
        `await listener.batch()` takes all that is buffered. Leaving the block, or dropping the listener, ends it; while
        a task waits on it, it is kept. It keeps the client. When the client gives up, the iteration raises what it gave
        up for. Any number of listeners may listen to one method; each has a buffer of its own.

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
            gaps: Also give a `Gap(dropped, downtime)` in the place where something may be missing: after a reconnect,
                and where the buffer was full.

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
        which it was registered; it may use the client. An `RpcError` that `function`
        raises is the answer; any other exception is logged, and the circle is told of an internal error (-32603).
        Params are converted strictly to the annotations of `function`, as by `returns=`; those that do not fit are
        answered with -32602 and where.

        Args:
            method: The method's name.
            function: Sync or async; is given the request's params as its arguments, by position or by name, and
                returns plain JSON values. A sync one must not block.

        Returns:
            A function that ends it.

        Raises:
            InvalidRequest: An argument is wrong, nothing can be converted to an annotation, or the method is answered
                already.
        """
        self._supervisor.affinity.check_thread()
        return self._supervisor.handlers.add(method, function)

    async def play(self, script: str, *, timeout: float | None | Default = DEFAULT) -> str:
        """Run a script on the circle and return its output. The errors are those of `call`."""
        params: list[Any] | dict[str, Any] = (
            [script] if self._supervisor.session_loop.positional else {"script": script}
        )
        result = await self.call("play", params, timeout=timeout)
        output = result.get("output") if type(result) is dict else result
        if type(output) is not str:
            raise ProtocolError('play answered neither a string nor an object with a string member "output"')
        return output

    async def whoami(self, *, timeout: float | None | Default = DEFAULT) -> Any:
        """Ask the circle who it takes this client for; what it tells is the circle's own matter."""
        return await self.call("whoami", timeout=timeout)
