"""Several calls in one message, blocking: the block that `client.batch()` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .. import batch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from ..hooks import Request
    from ..jsonrpc.convert import TypeForm
    from ..jsonrpc.messages import Params

__all__ = ["Batch", "BatchResult"]

T = TypeVar("T")


class BatchResult(Generic[T]):
    """The result of one call of a batch: ask for it after the batch's block."""

    __slots__ = ("_result",)

    def __init__(self, result: batch.BatchResult[T]) -> None:
        self._result = result

    def result(self) -> T:
        """Return the result of the call, at once.

        Raises:
            CircleWsError: The errors of `CircleWsClient.call`.
            InvalidRequest: The batch's block has not ended yet.
        """
        return _driven(self._result._get())


class Batch:
    """A block that collects calls, and sends them as one message at its end (JSON-RPC 2.0 section 6).

    The block ends when every call is settled; each result is then asked for separately. If the block raises, nothing is
    sent. Results need not be read, not even failed ones.

    Args:
        send: Sends a batch and returns the outcome of each member.
        failed: Called for a result that does not fit `returns`.
    """

    __slots__ = ("_batch",)

    def __init__(self, send: Callable[[Request], list[Any]], failed: Callable[[], None]) -> None:
        async def send_now(request: Request) -> list[Any]:
            return send(request)

        self._batch = batch.Batch(send_now, failed)

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
            An object whose `result()` returns the result after the block, or raises the errors of
            `CircleWsClient.call`.

        Raises:
            InvalidRequest: The block has ended already, or JSON cannot be converted to `returns`.
        """
        return BatchResult(self._batch.call(method, params, returns=returns, idempotent=idempotent))

    def notify(self, method: str, params: Params = None) -> None:
        """Add a notification.

        Raises:
            InvalidRequest: The block has ended already.
        """
        self._batch.notify(method, params)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Run here, and not on the loop, so that `returns` is called in this thread.
        _driven(self._batch.__aexit__(kind, error, trace))


def _driven(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine of a batch waited; this is a fault of circle-ws")
