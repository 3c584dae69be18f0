"""How a call is made: its checks, its one deadline, the middleware around it, and what is counted."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from ..config import DEFAULT, Default
from ..errors import ClientClosed, InvalidRequest, InvalidResult, NotConnected
from ..jsonrpc.messages import MAX_BATCH
from ..status import ConnectionStatus as Status
from .deadline import Deadline
from .pending_call import MOST_REWRITES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from ..hooks import CallNext, Middleware, Request
    from ..jsonrpc.messages import Params
    from .pending_call import PendingCall
    from .supervisor import Supervisor

    _Send: TypeAlias = Callable[[Request, float | None, float | None], Awaitable[Any]]
    """Sends a request, given the time that the user gave and what is left of it, in seconds."""

__all__ = ["Pipeline"]


class Pipeline:
    """Make the calls of one client.

    Args:
        supervisor: Has the send_queue, and knows whether calls make sense.
    """

    __slots__ = ("_publisher", "_counters", "_affinity", "_send_queue", "_supervisor", "_timeout", "middleware")

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        # These stay what they are, and every call needs them.
        self._publisher = supervisor.publisher
        self._counters = supervisor.counters
        self._affinity = supervisor.affinity
        self._send_queue = supervisor.send_queue
        self.middleware = supervisor.config.middleware
        """What is around every call, the outermost first; mostly nothing."""
        self._timeout = supervisor.config.call_timeout

    def begin(self, method: str, params: Params, timeout: float | None | Default, *, idempotent: bool) -> PendingCall:
        """Make one call without middleware and send it; who waits for its future tells of an exception with `end`."""
        if self._publisher.last.status is not Status.CONNECTED:
            self.check_running()
        limit = self._timeout if timeout is DEFAULT else self.checked(timeout)
        return self._send(method, params, limit, limit, idempotent=idempotent)

    def end(self, call: PendingCall, error: BaseException) -> None:
        """Learn that the wait for a call ended with an exception, that of a cancelling among them."""
        if isinstance(error, Exception):
            self._counters.failures += 1
        else:
            self._forget(call)

    async def call_wrapped(
        self, request: Request, timeout: float | None | Default, convert: Callable[[Any], Any] | None
    ) -> Any:
        """Make one call through the middleware and give its result, converted."""
        self.check_running()
        result = await self._through(request, self._limit(timeout), self._send_request)
        return result if convert is None else self.converted(result, convert)

    async def batch(self, request: Request, timeout: float | None | Default) -> list[Any]:
        """Send one batch and give, for each member, its result or its exception."""
        self.check_running()
        limit = self._limit(timeout)
        if not self.middleware:
            return await self._send_batch(request, limit, limit)
        outcomes = await self._through(request, limit, self._send_batch)
        if type(outcomes) is not list or len(outcomes) != len(request.batch):
            raise TypeError(f"a middleware must answer a batch of {len(request.batch)} with a list of as many outcomes")
        return outcomes

    async def notify(self, method: str, params: Params, timeout: float | None | Default) -> None:
        """Send one notification; return when it is written."""
        self.check_running()
        limit = self._limit(timeout)
        send_queue = self._send_queue
        call = send_queue.notification(method, params)
        send_queue.submit(call, limit, limit)
        try:
            await call.future
        except (asyncio.CancelledError, GeneratorExit):
            self._forget(call)
            raise

    def check_open(self) -> None:
        """Check that the client is not closed.

        Raises:
            ClientClosed: It is.
        """
        if self._publisher.status in (Status.CLOSING, Status.CLOSED):
            raise ClientClosed("the client is closed, which is final; make a new one")

    def check_running(self) -> None:
        """Check that calls make sense.

        Raises:
            ClientClosed: The client is closed.
            NotConnected: It was never started, or gave up.
            RuntimeError: It belongs to another event loop.
        """
        status = self._publisher.status
        if status is not Status.CONNECTED:
            self.check_open()
            failure = self._supervisor.failure
            if status is Status.IDLE:
                raise NotConnected(
                    "the client is not connected; use `async with client:` or await client.connect() first"
                )
            if status is Status.FAILED:
                raise NotConnected(f"the client gave up: {failure}; connect() starts it anew") from failure
        self._affinity.check()

    def count_failure(self) -> None:
        """Count a call that failed after its reply had come."""
        self._counters.failures += 1

    @staticmethod
    def checked(timeout: float | None, name: str = "timeout") -> float | None:
        """Check a time that a user gave.

        Raises:
            InvalidRequest: It is no number of seconds.
        """
        if timeout is not None and (type(timeout) not in (int, float) or not 0 <= timeout < math.inf):
            raise InvalidRequest(
                f"{name} must be a number of seconds, 0 or more, or None for no limit, not {timeout!r}"
            )
        return timeout

    def _limit(self, timeout: float | None | Default) -> float | None:
        return self._timeout if timeout is DEFAULT else self.checked(timeout)

    async def _through(self, request: Request, limit: float | None, send: _Send) -> Any:
        """Go through the middleware, all under one deadline."""
        deadline = Deadline(limit)

        async def last(request: Request) -> Any:
            self.check_running()
            with deadline.sending(request.method):
                return await send(request, limit, deadline.left)

        call_next: CallNext = last
        for middleware in reversed(self.middleware):
            call_next = _wrapped(middleware, call_next)
        async with deadline.limiting(request.method):
            return await call_next(request)

    async def _send_request(self, request: Request, limit: float | None, left: float | None) -> Any:
        call = self._send(request.method, request.params, limit, left, idempotent=request.idempotent)
        try:
            return await call.future
        except BaseException as error:
            self.end(call, error)
            raise

    def _send(
        self, method: str, params: Params, limit: float | None, left: float | None, *, idempotent: bool
    ) -> PendingCall:
        send_queue, counters = self._send_queue, self._counters
        call = send_queue.request(method, params)
        if idempotent:
            call.rewrites = MOST_REWRITES
        counters.calls += 1
        try:
            send_queue.submit(call, limit, left)
        except Exception:
            counters.failures += 1
            raise
        return call

    def converted(self, result: Any, convert: Callable[[Any], Any]) -> Any:
        """Convert a result.

        Raises:
            InvalidResult: It does not fit; the call is counted as failed.
        """
        try:
            return convert(result)
        except InvalidResult:
            self.count_failure()
            raise

    async def _send_batch(self, request: Request, limit: float | None, left: float | None) -> list[Any]:
        send_queue, counters = self._send_queue, self._counters
        if len(request.batch) > MAX_BATCH:
            raise InvalidRequest(
                f"a batch of {len(request.batch)} is over the maximum of {MAX_BATCH} members; make several of it"
            )
        members = [self._member(one) for one in request.batch]
        message = send_queue.batch(members)
        counters.calls += message.slots
        try:
            send_queue.submit(message, limit, left)
            await asyncio.wait([call.future for call in message.requests] or [message.future])
            if not message.requests:
                # Of notifications alone there are no outcomes that could tell that it was never written.
                message.future.result()
        except (asyncio.CancelledError, GeneratorExit):
            for call in (message, *message.requests):
                self._forget(call)
                if call.future.done() and not call.future.cancelled():
                    # A member may have failed already; nobody will look at it.
                    call.future.exception()
            raise
        except Exception:
            counters.failures += message.slots
            raise
        outcomes = [_outcome(call) for call in members]
        counters.failures += sum(isinstance(outcome, Exception) for outcome in outcomes)
        return outcomes

    def _forget(self, call: PendingCall) -> None:
        """Free what a call holds whose coroutine was cancelled, or closed."""
        # The garbage collector closes coroutines, too, in any thread; what they hold is garbage with them.
        if asyncio._get_running_loop() is self._affinity.loop:
            self._send_queue.forget(call)

    def _member(self, request: Request) -> PendingCall:
        send_queue = self._send_queue
        if request.notification:
            return send_queue.notification(request.method, request.params)
        call = send_queue.request(request.method, request.params)
        if request.idempotent:
            call.rewrites = MOST_REWRITES
        return call


def _wrapped(middleware: Middleware, call_next: CallNext) -> CallNext:
    return lambda request: middleware(request, call_next)


def _outcome(call: PendingCall) -> Any:
    if call.id is None:
        return None
    return call.future.exception() or call.future.result()
