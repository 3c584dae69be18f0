"""How a call is made: the state check, its one deadline, the middleware around it, and what is counted.

A deadline is a number: a point in time on the event loop's clock, infinity for none. It is set once, here, and never
moves. Only middleware needs more: a request that was sent ends by itself, with an error that names its phase, but code
of the user's has to be stopped (`_Limit`).
"""

from __future__ import annotations

import asyncio
from asyncio import get_running_loop
from contextlib import asynccontextmanager, contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

from ..config import DEFAULT, Default
from ..errors import CallTimeout, InvalidRequest, InvalidResult, NotConnected
from ..jsonrpc import messages
from ..jsonrpc.messages import MAX_BATCH
from ..status import ConnectionStatus as Status
from .pending_call import CallKind, PendingBatch, PendingCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from typing import TypeAlias

    from ..hooks import CallNext, Middleware, Request
    from ..jsonrpc.messages import Params
    from .supervisor import Supervisor

    _Send: TypeAlias = Callable[[Request, float | None, float], Awaitable[Any]]
    """Sends a request with its timeout, in seconds, for the text of an error, and its deadline."""

__all__ = ["Pipeline", "checked_outcomes"]

_TURNS = 10
"""Turns of the event loop that middleware gets to pass on the outcome of its request, also through its own tasks."""


class Pipeline:
    """The path of every call of one client, up to the send queue.

    Args:
        supervisor: Provides the send queue and the status.

    Attributes:
        middleware: The middleware around every call, the outermost first.
    """

    __slots__ = (
        "_affinity",
        "_counters",
        "_max_in_flight",
        "_max_request_bytes",
        "_pending",
        "_publisher",
        "_send_queue",
        "_supervisor",
        "_timeout",
        "middleware",
    )

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        # Kept as attributes, because every call needs them and they never change.
        self._publisher = supervisor.publisher
        self._counters = supervisor.counters
        self._affinity = supervisor.affinity
        self._send_queue = supervisor.send_queue
        self._pending = supervisor.send_queue.pending
        self._timeout = supervisor.config.call_timeout
        self._max_in_flight = supervisor.config.max_in_flight
        self._max_request_bytes = supervisor.config.max_request_bytes
        self.middleware: Sequence[Middleware] = supervisor.config.middleware

    # Checks.

    def check_running(self) -> None:
        """Check that the client is connected, or is connecting.

        Raises:
            ClientClosed: The client is closed.
            NotConnected: It was never started, or gave up.
            RuntimeError: It belongs to another event loop.
        """
        status = self._publisher.status
        if status is not Status.CONNECTED:
            self._supervisor.check_open()
            failure = self._supervisor.failure
            if status is Status.IDLE:
                raise NotConnected("the client is not connected; use it in a `with` block, or connect() it first")
            if status is Status.FAILED:
                raise NotConnected(f"the client gave up: {failure}; connect() starts it again") from failure
        self._affinity.check()

    @staticmethod
    def checked(timeout: float | None, name: str = "timeout") -> float | None:
        """Check a time given by the user, and return it.

        Raises:
            InvalidRequest: It is not a number of seconds.
        """
        if timeout is not None and (type(timeout) not in (int, float) or not 0 <= timeout < inf):
            raise InvalidRequest(
                f"{name} must be a number of seconds, 0 or more, or None for no limit, not {timeout!r}"
            )
        return timeout

    def time(self, timeout: float | None | Default, now: float | None = None) -> tuple[float | None, float]:
        """Return the timeout of a call that begins now, in seconds, and its deadline; a thread knows `now` itself."""
        seconds = self._timeout if timeout is DEFAULT else self.checked(timeout)
        if seconds is None:
            return None, inf
        return seconds, (get_running_loop().time() if now is None else now) + seconds

    # Calls.

    def begin(
        self,
        method: str,
        params: Params,
        timeout: float | None | Default,
        *,
        idempotent: bool,
        deadline: float | None = None,
    ) -> PendingCall:
        """Send one request, past the middleware; what awaits its future hands an exception to `end`.

        Args:
            method: The method's name.
            params: Its params.
            timeout: In seconds.
            idempotent: Whether it may run twice.
            deadline: When the time is over, if it began to run earlier.
        """
        if self._publisher.last.status is not Status.CONNECTED:
            self.check_running()
        seconds = self._timeout if timeout is DEFAULT else self.checked(timeout)
        loop = get_running_loop()
        if loop is not self._affinity.loop:
            raise self._affinity.refusal()
        id = self._pending.new_id()
        text = messages.request(id, method, params)
        call = PendingCall(CallKind.REQUEST, id, method, text, self._max_request_bytes)
        call.idempotent = idempotent
        if seconds is not None:
            call.timeout = seconds
            call.deadline = loop.time() + seconds if deadline is None else deadline
        self._counters.calls += 1
        try:
            self._send_queue.submit(call)
        except Exception:
            self._counters.failures += 1
            raise
        return call

    def end(self, call: PendingCall, error: BaseException) -> None:
        """Handle the exception, or the cancellation, that ended the wait for a call."""
        if isinstance(error, Exception):
            self._counters.failures += 1
        else:
            self._forget(call)

    async def call_wrapped(
        self, request: Request, timeout: float | None | Default, convert: Callable[[Any], Any] | None
    ) -> Any:
        """Make one call through the middleware and return its result, converted."""
        self.check_running()
        result = await self._through(request, timeout, self.send_request)
        return result if convert is None else self.converted(result, convert)

    async def notify(self, method: str, params: Params, timeout: float | None | Default) -> None:
        """Send one notification; return when it is written."""
        self.check_running()
        seconds, deadline = self.time(timeout)
        text = messages.notification(method, params)
        call = PendingCall(CallKind.NOTIFICATION, 0, method, text, self._max_request_bytes)
        call.limit(seconds, deadline)
        self._send_queue.submit(call)
        try:
            await call.future
        except (asyncio.CancelledError, GeneratorExit):
            self._forget(call)
            raise

    async def batch(self, request: Request, timeout: float | None | Default) -> list[Any]:
        """Send one batch and return, for each member, its result or its exception."""
        self.check_running()
        if not self.middleware:
            return await self.send_batch(request, *self.time(timeout))
        return checked_outcomes(request, await self._through(request, timeout, self.send_batch))

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

    def count_failure(self) -> None:
        """Count a call that failed after its reply had come."""
        self._counters.failures += 1

    async def _through(self, request: Request, timeout: float | None | Default, send: _Send) -> Any:
        """Send a request through the middleware, all under one deadline."""
        seconds, deadline = self.time(timeout)
        limit = _Limit(request.method, seconds, deadline)

        async def last(request: Request) -> Any:
            self.check_running()
            with limit.sending(request.method):
                return await send(request, seconds, deadline)

        call_next: CallNext = last
        for middleware in reversed(self.middleware):
            call_next = _wrapped(middleware, call_next)
        async with limit.applied():
            return await call_next(request)

    async def send_request(self, request: Request, timeout: float | None, deadline: float | None) -> Any:
        """Send one request, past the middleware, and return its result as plain JSON values."""
        call = self.begin(request.method, request.params, timeout, idempotent=request.idempotent, deadline=deadline)
        try:
            return await call.future
        except BaseException as error:
            self.end(call, error)
            raise

    async def send_batch(self, request: Request, timeout: float | None, deadline: float) -> list[Any]:
        """Send one batch, past the middleware, and return the outcomes of its members."""
        counters = self._counters
        if len(request.batch) > MAX_BATCH:
            raise InvalidRequest(
                f"a batch of {len(request.batch)} is over the maximum of {MAX_BATCH} members; make several of it"
            )
        members = [self._member(one) for one in request.batch]
        message = PendingBatch(members, self._max_request_bytes)
        if message.slots > self._max_in_flight:
            raise InvalidRequest(
                f"a batch of {message.slots} calls can never be written, as max_in_flight is {self._max_in_flight}; "
                "make it smaller, or raise that with with_limits()"
            )
        message.limit(timeout, deadline)
        counters.calls += message.slots
        try:
            self._send_queue.submit(message)
            await asyncio.wait([call.future for call in message.requests] or [message.future])
            if not message.requests:
                # A batch of notifications has no outcomes, so that it was not written must be raised.
                message.future.result()
        except (asyncio.CancelledError, GeneratorExit):
            for call in (message, *message.requests):
                self._forget(call)
                if call.future.done() and not call.future.cancelled():
                    # A member may have failed already; its exception is never looked at.
                    call.future.exception()
            raise
        except Exception:
            counters.failures += message.slots
            raise
        outcomes = [_outcome(call) for call in members]
        counters.failures += sum(isinstance(outcome, Exception) for outcome in outcomes)
        return outcomes

    def _member(self, request: Request) -> PendingCall:
        if request.notification:
            kind, id, text = CallKind.NOTIFICATION, 0, messages.notification(request.method, request.params)
        else:
            kind, id = CallKind.REQUEST, self._pending.new_id()
            text = messages.request(id, request.method, request.params)
        call = PendingCall(kind, id, request.method, text, self._max_request_bytes)
        call.idempotent = request.idempotent
        return call

    def _forget(self, call: PendingCall) -> None:
        """Release a call whose coroutine was cancelled or closed."""
        # The garbage collector also closes coroutines, in any thread; then the call is garbage too.
        if asyncio._get_running_loop() is self._affinity.loop:
            self._send_queue.forget(call)


class _Limit:
    """The deadline of a call that goes through middleware, whatever the middleware does.

    A request that was sent has the same deadline, and fails by itself with an error that names its phase. So the caller
    is only interrupted once the deadline has passed and no request is in progress, and gets that error if there was
    one.

    Args:
        method: The method's name.
        timeout: The timeout that the user gave, in seconds.
        deadline: The deadline, on the event loop's clock.
    """

    __slots__ = ("_due", "_failure", "_loop", "_method", "_requests", "_scope", "_timeout", "deadline")

    def __init__(self, method: str, timeout: float | None, deadline: float) -> None:
        self.deadline = deadline
        self._loop = get_running_loop()
        self._method = method
        self._timeout = timeout
        self._due = False
        self._failure: CallTimeout | None = None
        self._requests = 0
        self._scope: asyncio.Timeout | None = None

    @contextmanager
    def sending(self, method: str) -> Iterator[None]:
        """Count a request as in progress: any number of them, from any task.

        Raises:
            CallTimeout: The deadline has passed.
        """
        if self._due or self._loop.time() >= self.deadline:
            raise self._over(method)
        self._requests += 1
        try:
            yield
        except CallTimeout as error:
            self._failure = error
            raise
        finally:
            self._requests -= 1
            if self._due:
                self._check()

    @asynccontextmanager
    async def applied(self) -> AsyncIterator[None]:
        """Limit the block.

        Raises:
            CallTimeout: The deadline passed while no request was in progress.
        """
        # Not `call_at`, which in a page raises for a time in the past.
        left = max(self.deadline - self._loop.time(), 0)
        timer = None if left == inf else self._loop.call_later(left, self._check)
        self._scope = scope = asyncio.timeout(None)
        try:
            async with scope:
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._over(self._method) from None
        finally:
            self._scope = None
            if timer is not None:
                timer.cancel()

    def _check(self, turns: int = _TURNS) -> None:
        """Interrupt the caller after the deadline, unless a request is in progress."""
        self._due = True
        if self._scope is None or self._requests or self._scope.when() is not None:
            return
        if turns:
            self._loop.call_soon(self._check, turns - 1)
        else:
            self._scope.reschedule(self._loop.time())

    def _over(self, method: str) -> CallTimeout:
        words = f"{method!r} took longer than {self._timeout:g} s (middleware)"
        return self._failure or CallTimeout(words, phase="middleware")


def checked_outcomes(request: Request, outcomes: Any) -> list[Any]:
    """Return the outcomes of a batch that middleware returned.

    Raises:
        TypeError: They are not a list with one outcome for each member.
    """
    if type(outcomes) is not list or len(outcomes) != len(request.batch):
        raise TypeError(f"a middleware must answer a batch of {len(request.batch)} with a list of as many outcomes")
    return outcomes


def _wrapped(middleware: Middleware, call_next: CallNext) -> CallNext:
    return lambda request: middleware(request, call_next)


def _outcome(call: PendingCall) -> Any:
    if call.slots == 0:
        return None
    return call.future.exception() or call.future.result()
