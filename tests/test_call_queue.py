"""The queue of waiting calls: its order, what it counts, whose time is over, and that a long one costs no more."""

import random
from math import inf

import pytest

from circle_ws.engine.call_queue import CallQueue
from circle_ws.engine.pending_call import CallKind, PendingBatch, PendingCall
from tests.support.cpu import spent


def made(number: int, deadline: float = inf) -> PendingCall:
    call = PendingCall(CallKind.REQUEST, number, "f", "x" * number, None)
    call.deadline = deadline
    return call


def ids(queue: CallQueue) -> list[int]:
    return [call.id for call in queue]


async def test_order() -> None:
    """First in, first out; what was written before goes before what was not; what is put back is the first again."""
    queue = CallQueue()
    calls = [made(number) for number in range(6)]
    calls[2].rejected = True
    calls[4].retries = 1
    for call in calls:
        queue.put(call)
    assert ids(queue) == [2, 4, 0, 1, 3, 5]
    assert queue.pop() is calls[2]
    queue.put_back(calls[2])
    assert queue.discard(calls[1])
    assert not queue.discard(calls[1])
    assert [queue.peek() is call and queue.pop().id for call in (calls[i] for i in (2, 4, 0, 3, 5))] == [2, 4, 0, 3, 5]
    assert (len(queue), queue.count, queue.size) == (0, 0, 0)


async def test_what_it_counts() -> None:
    """Bytes, and calls: a batch counts for as many as it holds, a notification for one."""
    queue = CallQueue()
    batch = PendingBatch([made(number) for number in (10, 20, 30)], None)
    note = PendingCall(CallKind.NOTIFICATION, 0, "f", "12345", None)
    queue.put(batch)
    queue.put(note)
    assert (len(queue), queue.count, queue.size) == (2, 4, len("[,,]") + 60 + 5)
    assert batch in queue
    queue.discard(batch)
    assert batch not in queue
    assert (queue.count, queue.size) == (1, 5)


async def test_whose_time_is_over() -> None:
    """Each call that waits and is due is named once, in any order of deadlines; what waits no more is not."""
    queue = CallQueue()
    rng = random.Random(1)
    calls = [made(number, float(number)) for number in range(1, 301)]
    rng.shuffle(calls)
    for call in calls:
        queue.put(call)
    queue.put(made(0))
    gone = rng.sample(calls, 200)
    for call in gone:
        queue.discard(call)
    left = sorted(call.id for call in calls if call not in gone)
    again = next(call for call in calls if call.id == left[0])
    queue.discard(again)
    queue.put(again)
    assert queue.next_deadline <= left[0]
    due = [id for id in left if id <= 150]
    assert [call.id for call in queue.overdue(150.0)] == due
    assert queue.overdue(150.0) == []
    assert [call.id for call in queue.overdue(1000.0)] == [id for id in left if id > 150]
    assert queue.next_deadline == inf


async def test_it_keeps_nothing_of_what_is_gone() -> None:
    """However many calls have passed through, few deadlines are kept, and none once nothing waits."""
    queue = CallQueue()
    queue.put(made(1, 1e6))
    for number in range(1000):
        queue.put(call := made(number, 1e6))
        queue.discard(call)
        assert len(queue._deadlines) < 100
    queue.pop()
    assert queue.next_deadline == inf


@pytest.mark.parametrize("how", ["taken", "cancelled", "cancelled from behind", "overdue one by one"])
async def test_a_long_one_costs_no_more_a_call(how: str) -> None:
    """Sixteen times the calls take about sixteen times as long: not 256 times."""

    def work(count: int) -> None:
        queue = CallQueue()
        calls = [made(1, float(number)) for number in range(count)]
        for call in calls:
            queue.put(call)
        if how == "taken":
            for _ in calls:
                queue.peek()
                queue.pop()
        elif how == "overdue one by one":
            for call in calls:
                assert queue.overdue(call.deadline) == [call]
                queue.discard(call)
        else:
            for call in calls if how == "cancelled" else reversed(calls):
                queue.discard(call)
        assert not queue

    assert spent(lambda: work(16_000), 2) < 80 * spent(lambda: work(1_000), 5)
