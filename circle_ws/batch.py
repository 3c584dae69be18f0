"""Several calls in one message: the block that `client.batch()` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .errors import InvalidRequest, InvalidResult, OutcomeUnknown
from .hooks import Request
from .jsonrpc.convert import find_converter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import TracebackType
    from typing import Self

    from .jsonrpc.convert import TypeForm
    from .jsonrpc.messages import Params

__all__ = ["Batch", "BatchResult"]

T = TypeVar("T")


class BatchResult(Generic[T]):
    """The result of one call of a batch: await it after the batch's block."""

    __slots__ = ("_convert", "_error", "_value")

    def __init__(self, convert: Callable[[Any], T] | None) -> None:
        self._convert = convert
        self._value: Any = None
        self._error: Exception | None = InvalidRequest(
            "a batch is sent when its block is left: ask for its results after the block, not inside"
        )

    def settle(self, outcome: Any) -> bool:
        """Set a result or an exception; return whether it is a result."""
        self._error = outcome if isinstance(outcome, Exception) else None
        if self._error is None:
            try:
                self._value = outcome if self._convert is None else self._convert(outcome)
            except InvalidResult as error:
                self._error = error
        return self._error is None

    def __await__(self) -> Generator[Any, None, T]:
        return self._get().__await__()

    async def _get(self) -> T:
        if self._error is not None:
            # Raised at each await, without the frames of the awaits before.
            raise self._error.with_traceback(None)
        value: T = self._value
        return value


class Batch:
    """A block that collects calls, and sends them as one message at its end (JSON-RPC 2.0 section 6).

    The block ends when every call is settled; each result is then awaited separately. If the block raises, nothing is
    sent. Results need not be awaited, not even failed ones.

    Args:
        send: Sends a batch and returns the outcome of each member.
        failed: Called for a result that does not fit `returns`.
    """

    __slots__ = ("_failed", "_left", "_members", "_send")

    def __init__(self, send: Callable[[Request], Awaitable[list[Any]]], failed: Callable[[], None]) -> None:
        self._send = send
        self._failed = failed
        self._members: list[tuple[Request, BatchResult[Any] | None]] = []
        self._left = False

    @overload
    def call(self, method: str, params: Params = None, *, idempotent: bool = False) -> BatchResult[Any]: ...
    @overload
    def call(
        self, method: str, params: Params = None, *, returns: TypeForm[T], idempotent: bool = False
    ) -> BatchResult[T]: ...
    @overload
    def call(
        self, method: str, params: Params = None, *, returns: Callable[[Any], T], idempotent: bool = False
    ) -> BatchResult[T]: ...
    def call(
        self, method: str, params: Params = None, *, returns: Any = Any, idempotent: bool = False
    ) -> BatchResult[Any]:
        """Add a call.

        Args:
            method: The method's name.
            params: As for `CircleWsClient.call`.
            returns: As for `CircleWsClient.call`.
            idempotent: As for `CircleWsClient.call`; after a lost connection the call is written again alone.

        Returns:
            An awaitable for after the block. It raises the errors of `CircleWsClient.call`.

        Raises:
            InvalidRequest: The block has ended already, or JSON cannot be converted to `returns`.
        """
        result: BatchResult[Any] = BatchResult(find_converter(returns))
        self._add(Request(method, params, idempotent), result)
        return result

    def notify(self, method: str, params: Params = None) -> None:
        """Add a notification.

        Raises:
            InvalidRequest: The block has ended already.
        """
        self._add(Request(method, params, notification=True), None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        if kind is not None:
            self._settle_all(InvalidRequest("the batch was not sent: an exception left its block"))
        elif self._members:
            await self._run()

    def _add(self, request: Request, result: BatchResult[Any] | None) -> None:
        if self._left:
            raise InvalidRequest("the batch was sent already: make a new one with client.batch()")
        self._members.append((request, result))

    async def _run(self) -> None:
        try:
            outcomes = await self._send(Request("batch", batch=tuple(request for request, _ in self._members)))
        except Exception as error:
            self._settle_all(error)
            raise
        except BaseException:
            self._settle_all(OutcomeUnknown("the batch was cancelled; if it was written, it may have run"))
            raise
        for (_, result), outcome in zip(self._members, outcomes, strict=True):
            if result is not None and not result.settle(outcome) and not isinstance(outcome, Exception):
                self._failed()

    def _settle_all(self, error: Exception) -> None:
        for _, result in self._members:
            if result is not None:
                result.settle(error)
