"""Tasks: whose cancellation it was, work with a deadline, and functions of the user's in tasks of their own."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from circle_ws.engine.tasks import (
    DeadlinePassed,
    Interrupted,
    UserTasks,
    cancel_once,
    deadline_after,
    is_cancelled,
    result_of,
    start_task,
    within,
)
from tests.support.virtual import VirtualLoop


@pytest.fixture
def loop() -> Generator[VirtualLoop]:
    """A loop whose time passes when nothing is to be done."""
    it = VirtualLoop()
    yield it
    it.close()


async def test_a_task_takes_its_first_step_later() -> None:
    """What starts it goes on first."""
    steps: list[str] = []

    async def step() -> None:
        steps.append("task")

    task = start_task(step(), name="a name")
    steps.append("starter")
    await task
    assert steps == ["starter", "task"]
    assert task.get_name() == "a name"


@pytest.mark.native_only("the page's loop has no task factory")
async def test_a_task_factory_of_the_programs_is_not_asked() -> None:
    """One that starts its tasks at once would start ours in the wrong moment."""
    steps: list[str] = []

    async def step() -> None:
        steps.append("task")

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        steps.append("factory")
        return asyncio.Task(coroutine, loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        task = start_task(step(), name="a name")
    finally:
        loop.set_task_factory(None)
    steps.append("starter")
    await task
    assert steps == ["starter", "task"]
    assert task.get_name() == "a name"


async def test_a_cancellation_of_something_awaited_is_not_the_tasks_own() -> None:
    """Only a task that was cancelled itself has to end."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await future
    assert not is_cancelled()

    async def wait() -> bool:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return is_cancelled()
        return False

    task = start_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    assert await task


async def test_a_task_is_cancelled_once() -> None:
    """The second time would interrupt what it does about the first."""
    cleaned: list[bool] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    task = start_task(wait())
    await asyncio.sleep(0)
    for _ in range(3):
        cancel_once(task)
        await asyncio.sleep(0)
    await asyncio.wait([task])
    assert cleaned == [True]
    cancel_once(task)


def test_a_task_of_a_closed_loop_is_left_alone() -> None:
    """Cancelling it would raise: there is no loop to run it."""
    loop = VirtualLoop()
    waiting = asyncio.sleep(1)
    task = loop.create_task(waiting)
    loop.turn()
    loop.close()
    cancel_once(task)
    assert not task.cancelling()
    # Nothing is to be said of it when it is dropped.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    waiting.close()


async def test_the_result_of_a_task() -> None:
    """Its result, what it raised, or `Interrupted` if it was cancelled by another."""

    async def fail() -> None:
        raise KeyError("missing")

    async def answer() -> int:
        return 7

    good, bad, cancelled = start_task(answer()), start_task(fail()), start_task(asyncio.sleep(1))
    cancelled.cancel()
    await asyncio.wait([good, bad, cancelled])
    assert result_of(good) == 7
    with pytest.raises(KeyError):
        result_of(bad)
    with pytest.raises(Interrupted):
        result_of(cancelled)


def test_a_deadline_is_a_point_in_time(loop: VirtualLoop) -> None:
    """No limit is a deadline that never comes."""

    async def deadlines() -> tuple[float, float]:
        await asyncio.sleep(5)
        return deadline_after(3), deadline_after(None)

    assert loop.run(deadlines()) == (8, float("inf"))


@pytest.mark.parametrize("deadline", [2.0, float("inf")])
def test_work_that_ends_before_its_deadline(loop: VirtualLoop, deadline: float) -> None:
    """Its result, or what it raises, a `TimeoutError` of its own included."""

    async def work() -> int:
        await asyncio.sleep(1)
        return 7

    async def late() -> None:
        raise TimeoutError("its own")

    assert loop.run(within(deadline, work())) == 7
    with pytest.raises(TimeoutError, match="its own"):
        loop.run(within(deadline + 1, late()))
    assert loop.time() == 1


def test_work_that_takes_too_long(loop: VirtualLoop) -> None:
    """It is cancelled at the deadline; the error has no context, whose frames might hold secrets."""
    ended: list[float] = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(loop.time())

    with pytest.raises(DeadlinePassed) as caught:
        loop.run(within(2, work()))
    assert ended == [2]
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


NAME = contextvars.ContextVar("NAME", default="nobody")


async def test_a_users_function_runs_in_the_context_that_made_the_client() -> None:
    """Each time in a fresh copy; its result, or what it raises, is that of `run`."""
    NAME.set("maker")
    tasks = UserTasks()
    NAME.set("caller")

    async def name() -> str:
        found = NAME.get()
        NAME.set("function")
        return found

    assert [await tasks.run("it", name) for _ in range(2)] == ["maker", "maker"]


async def _cancelled_future() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def test_a_users_function_in_which_something_was_cancelled() -> None:
    """That is a failure of the function, and no cancellation of the client."""
    with pytest.raises(Interrupted):
        await UserTasks().run("it", _cancelled_future)


def _slow(running: list[int], release: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        running.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()
            running.pop()

    return run


async def test_a_users_function_that_takes_its_time_is_not_waited_for() -> None:
    """Cancelled, `run` ends at once; the next function of that name begins when the earlier one has ended."""
    tasks, running, release = UserTasks(), list[int](), asyncio.Event()
    for _ in range(2):
        run = asyncio.ensure_future(tasks.run("it", _slow(running, release)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled()
    assert running == [1]
    left = tasks.cancel()
    release.set()
    await asyncio.wait(left)
    assert running == []
    await asyncio.sleep(0)
    assert tasks.cancel() == []
