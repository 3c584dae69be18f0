"""The loop of the blocking clients by itself: how it starts and ends, and what a thread gets that waits for it."""

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Any, cast

import pytest

from circle_ws import CircleWsClientBuilder, ClientClosed, ConnectionLost, OutcomeUnknown
from circle_ws.sync import loop_thread
from circle_ws.sync.listener import Listener
from circle_ws.sync.loop_thread import Runner
from circle_ws.sync.works import Call, CoroutineWork
from circle_ws.transport import Receiver, TransportOptions
from circle_ws.transport.memory import CAPABILITIES, MemoryPeer, MemoryServer, MemoryTransport


@pytest.fixture
def runner() -> Iterator[Runner]:
    """A runner of the test's own, beside that of the process."""
    it = Runner()
    yield it
    it.end()


def fail() -> Any:
    raise ZeroDivisionError("a fault of the program's")


async def cancelled() -> None:
    raise asyncio.CancelledError


def test_it_ends_once(runner: Runner) -> None:
    """Afterwards nothing is run; a listener that is dropped then asks in vain, and without an error."""
    told: list[int] = []
    runner.soon(lambda: told.append(1))
    assert runner.do(told.copy) == [1]
    runner.end()
    runner.end()
    runner.soon(lambda: told.append(2))
    with pytest.raises(ClientClosed, match="the interpreter is ending"):
        runner.do(told.copy)
    assert told == [1]


def test_a_function_of_the_users_starts_in_no_thread_at_the_end(runner: Runner) -> None:
    """It waits, until it is cancelled with its client: the interpreter starts no more threads."""
    called: list[int] = []

    async def late() -> None:
        runner._refusal = loop_thread._ended
        try:
            await asyncio.wait_for(runner.apart(called.append, 1), 0.01)
        finally:
            runner._refusal = None

    with pytest.raises(TimeoutError):
        runner.run(late)
    assert called == []


def test_an_exception_reaches_the_thread(runner: Runner) -> None:
    """As it is; but that something on the loop was cancelled means that the loop ends."""
    for use in (runner.do, runner.run):
        with pytest.raises(ZeroDivisionError):
            use(fail)
    with pytest.raises(ClientClosed):
        runner.run(cancelled)


def test_a_loop_that_ended_by_itself(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for it notices."""
    monkeypatch.setattr(loop_thread, "_LOOK", 0.01)

    async def stop() -> None:
        runner.loop.stop()
        await asyncio.Event().wait()

    tasks: list[asyncio.Task[Any]] = []
    runner.do(lambda: tasks.extend(asyncio.all_tasks(runner.loop)))
    runner.do(lambda: runner.loop.set_task_factory(lambda *given, **more: _kept(tasks, *given, **more)))
    with pytest.raises(ClientClosed, match="has ended"):
        runner.run(stop)
    for task in tasks:
        # It is never run again, which asyncio would report.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    runner._refusal = loop_thread._ended


def _kept(tasks: list[asyncio.Task[Any]], loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> Any:
    task = asyncio.Task(coroutine, loop=loop, **more)
    tasks.append(task)
    return task


def test_two_threads_that_need_the_first_one(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second, which has waited for the first, gets the same."""

    class Won:
        def __enter__(self) -> None:
            monkeypatch.setattr(loop_thread, "_runner", runner)

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None: ...

    monkeypatch.setattr(loop_thread, "_runner", None)
    monkeypatch.setattr(loop_thread, "_lock", Won())
    assert loop_thread.current() is runner


def test_a_process_that_used_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its end nor a fork of it has anything to do."""
    lock = loop_thread._lock
    monkeypatch.setattr(loop_thread, "_lock", lock)
    monkeypatch.setattr(loop_thread, "_runner", None)
    loop_thread._end()
    loop_thread._forget()
    assert loop_thread._runner is None
    assert loop_thread._lock is not lock


# Works.


def test_what_never_began_is_given_up() -> None:
    """As when Ctrl-C comes while it begins, or when it could not."""
    work = CoroutineWork(fail)
    work.begin()
    assert isinstance(work.error, ZeroDivisionError)
    work.cancel()
    call = Call(cast("Any", _Refusing()), ("f", None, None), False)
    call.begin()
    assert isinstance(call.error, ZeroDivisionError)
    call.cancel()


class _Refusing:
    """Stands for a pipeline."""

    def begin(self, *_: object, **__: object) -> Any:
        return fail()


class Immediate:
    """Opens connections that answer, or are lost, while a call is written."""

    capabilities = CAPABILITIES

    def __init__(self) -> None:
        self._server = MemoryServer(_silent)

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        opened = await self._server(url, receiver, options)

        class Transport(MemoryTransport):
            def send(self, text: str) -> None:
                if "lose" in text:
                    self.end(ConnectionLost.closed(1006))
                else:
                    self.take('{"jsonrpc":"2.0","id":1,"result":"at once"}')

        return Transport(receiver, options, opened.peer)


async def _silent(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


def test_a_reply_that_comes_while_the_call_is_written() -> None:
    """The thread gets it, or the loss, all the same."""
    with CircleWsClientBuilder("ws://localhost/").with_transport(Immediate()).build_sync() as client:
        assert client.call("f") == "at once"
        with pytest.raises(OutcomeUnknown):
            client.call("lose")


def test_another_thread_may_have_read_what_a_batch_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it waits again."""
    with CircleWsClientBuilder("ws://localhost/").with_transport(MemoryServer(_telling)).build_sync() as client:
        ticks = client.notifications("tick")
        take_all, stolen = Listener._take_all, list[Any]()

        def steal(self: Listener[Any]) -> list[Any]:
            if stolen:
                return take_all(self)
            stolen.extend(take_all(self))
            client.notify("another")
            return []

        monkeypatch.setattr(Listener, "_take_all", steal)
        client.notify("one")
        assert ticks.batch() == [[2]]
        assert stolen == [[1]]


async def _telling(peer: MemoryPeer) -> None:
    number = 0
    async for _ in peer:
        number += 1
        peer.send(f'{{"jsonrpc":"2.0","method":"tick","params":[{number}]}}')
