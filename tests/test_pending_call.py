"""One call on its way: how large it is, what it counts for, and how its caller learns of its end."""

import asyncio
from math import inf

import pytest

from circle_ws import ClientClosed, MessageTooLarge
from circle_ws.engine.pending_call import CallKind, PendingBatch, PendingCall


def request(id: int = 1, text: str = "{}", max_bytes: int | None = None) -> PendingCall:
    return PendingCall(CallKind.REQUEST, id, "f", text, max_bytes)


def notification() -> PendingCall:
    return PendingCall(CallKind.NOTIFICATION, 0, "g", "{}", None)


async def test_a_request() -> None:
    """It takes one slot, has no deadline yet, and is the user's own that may not run twice."""
    call = request(7)
    assert (call.kind, call.id, call.slots, call.requests) == (CallKind.REQUEST, 7, 1, (call,))
    assert (call.timeout, call.deadline) == (None, inf)
    assert not (call.idempotent or call.may_have_run or call.rejected or call.internal)
    call.limit(5, 100.0)
    assert (call.timeout, call.deadline) == (5, 100.0)
    call.retries += 1
    assert call.may_have_run


async def test_a_notification() -> None:
    """Nothing is owed to it: it takes no slot."""
    call = notification()
    assert (call.kind, call.slots, call.requests) == (CallKind.NOTIFICATION, 0, ())


async def test_a_batch() -> None:
    """It takes a slot for each request in it, and hands its time on to them; they are written in it."""
    members = [request(1, '{"a":1}'), notification(), request(2)]
    batch = PendingBatch(members, None)
    assert batch.text == '[{"a":1},{},{}]'
    assert (batch.kind, batch.slots, batch.requests) == (CallKind.BATCH, 2, (members[0], members[2]))
    assert [call.batch for call in members] == [batch, None, batch]
    assert [call.written_size for call in members] == [15, 2, 15]
    batch.limit(5, 100.0)
    assert [call.deadline for call in batch.requests] == [100.0, 100.0]


@pytest.mark.parametrize(("text", "size"), [("", 0), ("abc", 3), ("\u00e4\u20ac\U0001f600", 9)])
async def test_its_size(text: str, size: int) -> None:
    """Is in bytes of UTF-8; over the maximum it is refused, a batch as a whole."""
    assert request(text=text, max_bytes=size).size == size
    if size:
        with pytest.raises(MessageTooLarge, match=f"'f' has {size} bytes") as caught:
            request(text=text, max_bytes=size - 1)
        assert (caught.value.size, caught.value.limit) == (size, size - 1)
    with pytest.raises(MessageTooLarge, match="'a batch of 2'"):
        PendingBatch([request(text=text), request(text=text)], 2 * size)


async def test_its_end_comes_once() -> None:
    """A result, an error or a cancellation: what comes after it changes nothing."""
    call = request()
    call.settle("result")
    call.fail(ClientClosed("late"))
    call.settle("late")
    assert await call.future == "result"
    call = request()
    call.future.cancel()
    call.fail(ClientClosed("late"))
    call.settle("late")
    assert call.future.cancelled()


async def test_a_batch_that_fails() -> None:
    """Each of its requests fails; its own future tells no error beside them, but where there are none."""
    batch = PendingBatch([request(1), request(2)], None)
    batch.fail(ClientClosed("closed"))
    assert [type(call.future.exception()) for call in batch.requests] == [ClientClosed, ClientClosed]
    assert await batch.future is None
    batch = PendingBatch([notification()], None)
    batch.fail(ClientClosed("closed"))
    with pytest.raises(ClientClosed):
        await batch.future


@pytest.mark.native_only("a page has one thread")
async def test_another_thread_than_that_of_its_event_loop() -> None:
    """That is a fault of the program's, which asyncio reports in its debug mode."""
    loop = asyncio.get_running_loop()
    one, other = request(1), request(2)
    for call in (one, other):
        call.future.add_done_callback(lambda future: future.exception())
    loop.set_debug(True)
    try:
        with pytest.raises(RuntimeError, match="thread"):
            await asyncio.to_thread(one.settle)
        with pytest.raises(RuntimeError, match="thread"):
            await asyncio.to_thread(other.fail, ClientClosed("closed"))
    finally:
        loop.set_debug(False)


@pytest.mark.native_only("the page's loop never ends")
def test_its_event_loop_has_ended() -> None:
    """Who waited is gone with it: nothing is raised."""

    async def begin() -> tuple[PendingCall, PendingCall]:
        calls = request(1), request(2)
        for call in calls:
            call.future.add_done_callback(lambda _: None)
        return calls

    loop = asyncio.new_event_loop()
    try:
        one, other = loop.run_until_complete(begin())
    finally:
        loop.close()
    one.settle("result")
    other.fail(ClientClosed("closed"))
    assert isinstance(other.future.exception(), ClientClosed)
