"""A waiter resumes its task within the event that answers it where that is legal, and as asyncio does where not."""

import asyncio
import contextvars
import functools
import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

from circle_ws.testing import loop as support
from circle_ws.transport.waiter import Waiter, deliver

_VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("_VARIABLE", default="nobody's")


def _waiter() -> Waiter:
    return Waiter(loop=asyncio.get_running_loop())


async def _outside(act: Callable[[], object]) -> None:
    """Do something where no task is being stepped, as in an event of the browser."""
    done = asyncio.get_running_loop().create_future()

    def run() -> None:
        try:
            act()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    asyncio.get_running_loop().call_soon(run)
    await done


async def _waiting(*waiters: Waiter) -> tuple[list[Any], list["asyncio.Task[None]"]]:
    """Start a task for each waiter that writes down what it was given."""
    seen: list[Any] = []

    async def read(waiter: Waiter) -> None:
        try:
            seen.append(await waiter)
        except BaseException as error:
            seen.append(type(error).__name__)
            if isinstance(error, asyncio.CancelledError):
                raise

    tasks = [asyncio.create_task(read(waiter)) for waiter in waiters]
    await asyncio.sleep(0)
    return seen, tasks


async def test_a_message_event_resumes_at_once() -> None:
    """The task has gone on, and ended, before `deliver` returns."""
    waiter = _waiter()
    seen, tasks = await _waiting(waiter)
    within: list[Any] = []

    def act() -> None:
        deliver(waiter.set_result, "answer")
        within.extend(seen)

    await _outside(act)
    assert within == ["answer"]
    await asyncio.gather(*tasks)


async def test_without_an_event_it_hops() -> None:
    """A result that does not come with a message event lets the task go on in a later turn."""
    waiter = _waiter()
    seen, tasks = await _waiting(waiter)
    within: list[Any] = []

    def act() -> None:
        waiter.set_result("answer")
        within.extend(seen)

    await _outside(act)
    assert within == []
    await asyncio.gather(*tasks)
    assert seen == ["answer"]


async def test_while_a_task_is_being_stepped_it_hops() -> None:
    """Within another task no waiter is resumed, and nothing breaks."""
    waiter = _waiter()
    seen, tasks = await _waiting(waiter)
    deliver(waiter.set_result, "answer")
    assert seen == []
    await asyncio.gather(*tasks)
    assert seen == ["answer"]


async def test_one_goes_on_for_each_event() -> None:
    """Of many that one message answers the first goes on at once, so that an event takes no longer than one task."""
    waiters = [_waiter() for _ in range(300)]
    seen, tasks = await _waiting(*waiters)
    within: list[Any] = []

    def answer_all(text: str) -> None:
        for waiter in waiters:
            waiter.set_result(text)

    def act() -> None:
        deliver(answer_all, "answer")
        within.extend(seen)

    await _outside(act)
    assert within == ["answer"]
    await asyncio.gather(*tasks)
    assert seen == ["answer"] * 300


async def test_the_event_ends_with_an_error_too() -> None:
    """What a message breaks does not leave the door open."""
    waiter = _waiter()
    seen, tasks = await _waiting(waiter)
    within: list[Any] = []

    def act() -> None:
        with pytest.raises(ZeroDivisionError):
            deliver(lambda _: 1 // 0, "broken")
        waiter.set_result("later")
        within.extend(seen)

    await _outside(act)
    assert within == []
    await asyncio.gather(*tasks)


async def test_a_context_that_is_entered_hops() -> None:
    """Python refuses to enter a context twice; the task goes on all the same, later."""
    waiter = _waiter()
    shared = contextvars.copy_context()
    within: list[bool] = []

    async def wait() -> Any:
        return await waiter

    task = asyncio.create_task(wait(), context=shared)
    await asyncio.sleep(0)

    def act() -> None:
        shared.run(deliver, waiter.set_result, "answer")
        within.append(task.done())

    await _outside(act)
    assert within == [False]
    assert await task == "answer"


async def test_each_task_keeps_its_context() -> None:
    """A task that goes on at once sees its own variables, and what it sets does not leak to who delivers."""
    waiter = _waiter()
    seen: list[str] = []

    async def wait() -> None:
        _VARIABLE.set("the task's")
        await waiter
        seen.append(_VARIABLE.get())
        _VARIABLE.set("changed")

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)

    def act() -> None:
        _VARIABLE.set("the event's")
        deliver(waiter.set_result, "answer")
        seen.append(_VARIABLE.get())

    await _outside(act)
    assert seen == ["the task's", "the event's"]
    await task


async def test_a_resumed_task_that_answers_the_next_does_not_recurse() -> None:
    """Twice as many tasks as the recursion limit, each of which answers the next one on the stack it was resumed on."""
    waiters = [_waiter() for _ in range(2 * sys.getrecursionlimit())]
    depths: set[int] = set()

    async def pass_on(number: int) -> None:
        text = await waiters[number]
        depths.add(_depth())
        if number + 1 < len(waiters):
            deliver(waiters[number + 1].set_result, text)

    tasks = [asyncio.create_task(pass_on(number)) for number in range(len(waiters))]
    await asyncio.sleep(0)
    await _outside(lambda: deliver(waiters[0].set_result, "answer"))
    await asyncio.gather(*tasks)
    assert len(depths) <= 2


def _depth() -> int:
    depth, frame = 0, sys._getframe()
    while (above := frame.f_back) is not None:
        depth, frame = depth + 1, above
    return depth


async def test_a_cancelled_task_is_not_answered() -> None:
    """Cancelling wins over a reply that comes before the task has learnt of it: the waiter is done."""
    waiter = _waiter()
    seen, (task,) = await _waiting(waiter)

    def act() -> None:
        task.cancel()
        assert waiter.cancelled()
        with pytest.raises(asyncio.InvalidStateError):
            deliver(waiter.set_result, "too late")

    await _outside(act)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["CancelledError"]


async def test_a_task_that_is_cancelled_between_the_reply_and_its_hop_is_cancelled() -> None:
    """As with asyncio's own futures: a cancelling is never lost."""
    waiter = _waiter()
    _, (task,) = await _waiting(waiter)

    def act() -> None:
        waiter.set_result("answer")
        task.cancel()

    await _outside(act)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_storm_of_cancelling_and_replies_ends_each_task_once() -> None:
    """Each task that is resumed cancels the next one, whose reply comes in the same moment."""
    waiters = [_waiter() for _ in range(400)]
    ends: list[tuple[int, str]] = []
    tasks: list[asyncio.Task[None]] = []

    async def wait(number: int) -> None:
        try:
            await waiters[number]
            ends.append((number, "answered"))
            if number + 1 < len(tasks):
                tasks[number + 1].cancel()
        except asyncio.CancelledError:
            ends.append((number, "cancelled"))
            raise

    tasks.extend(asyncio.create_task(wait(number)) for number in range(len(waiters)))
    await asyncio.sleep(0)

    def act() -> None:
        for waiter in waiters:
            if not waiter.done():
                deliver(waiter.set_result, "answer")

    await _outside(act)
    await asyncio.gather(*tasks, return_exceptions=True)
    expected = [(number, "cancelled" if number % 2 else "answered") for number in range(len(waiters))]
    assert sorted(ends) == expected


async def test_an_error_hops() -> None:
    """Errors end many calls at once, from within the engine's own loops, so no waiter is resumed there."""
    waiter = _waiter()
    seen, (task,) = await _waiting(waiter)
    within: list[Any] = []

    def act() -> None:
        deliver(lambda _: waiter.set_exception(LookupError()), "error")
        within.extend(seen)

    await _outside(act)
    assert within == []
    await task
    assert seen == ["LookupError"]


async def test_a_second_task_and_a_callback_are_served_too() -> None:
    """Other waiters are woken by the event loop."""
    waiter = _waiter()
    told: list[Any] = []
    seen, tasks = await _waiting(waiter, waiter)
    waiter.add_done_callback(told.append)
    await _outside(lambda: deliver(waiter.set_result, "answer"))
    await asyncio.gather(*tasks)
    assert (seen, told) == (["answer", "answer"], [waiter])


async def test_asyncio_takes_it_for_a_future() -> None:
    """`wait`, `gather`, `shield` and `timeout` work on it; one that is done is not waited for."""
    waiters = [_waiter() for _ in range(3)]
    assert all(asyncio.isfuture(waiter) for waiter in waiters)
    gathered = asyncio.gather(*waiters)
    waited = asyncio.create_task(asyncio.wait(waiters))
    shielded = asyncio.create_task(_awaited(asyncio.shield(waiters[0])))
    await asyncio.sleep(0)
    for number, waiter in enumerate(waiters):
        await _outside(functools.partial(deliver, waiter.set_result, str(number)))
    assert await gathered == ["0", "1", "2"]
    assert await waited == (set(waiters), set())
    assert await shielded == "0"
    assert await waiters[1] == "1"
    never = _waiter()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await never
    assert never.cancelled()


async def _awaited(future: "asyncio.Future[Any]") -> Any:
    return await future


async def test_an_error_that_is_never_retrieved_is_reported() -> None:
    """As with asyncio's own futures, to the loop's exception handler."""
    loop = support.get_loop()
    reports: list[dict[str, Any]] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, report: reports.append(report))
    try:
        _waiter().set_exception(LookupError("lost"))
        gc.collect()
    finally:
        loop.set_exception_handler(handler)
    (report,) = reports
    assert "never retrieved" in report["message"]
    assert isinstance(report["exception"], LookupError)


class _Loop:
    """Stand in for a loop that keeps what it is asked to call."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def get_debug(self) -> bool:
        return False

    def call_soon(self, *asked: Any, context: object = None) -> None:
        self.asked.append(asked)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
async def test_what_ends_the_program_goes_through_the_loop(error: BaseException) -> None:
    """A task lets these through; they reach the loop, not the browser's event."""
    loop = _Loop()
    waiter = Waiter(loop=loop)  # type: ignore[arg-type]

    def wake_up(_: object) -> None:
        raise error

    waiter.add_done_callback(wake_up, context=contextvars.copy_context())
    await _outside(lambda: deliver(waiter.set_result, "answer"))
    ((let_through, let),) = loop.asked
    assert let is error
    with pytest.raises(type(error)):
        let_through(let)
