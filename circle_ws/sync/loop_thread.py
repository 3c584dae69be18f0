"""The event loop that all blocking clients of a process share, in a thread of its own, and how threads wait for it.

The thread starts with the first client that is used. It is a daemon that `atexit` ends and joins: by then Python has
joined all other threads, so those may use their clients to their last line. (A thread that is no daemon would have to
end before them, and only private functions of `threading` could tell it to.)

A fork copies no threads. The child forgets the loop, and has another one as soon as it uses a client of its own. The
parent's loop is left untouched there: its selector and its sockets are shared with the parent.
"""

from __future__ import annotations

import asyncio
import atexit
import builtins
import functools
import logging
import os
import sys
import threading
import warnings
import weakref
from _thread import allocate_lock, get_ident
from asyncio import _get_running_loop
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CircleWsError, ClientClosed
from .works import Call, CoroutineWork, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from ..client import CircleWsClient, Timeout
    from ..engine.pipeline import Pipeline
    from ..jsonrpc.messages import Params
    from .works import Work

__all__ = ["Runner", "check_supported", "current"]

T = TypeVar("T")

_LOOK = 0.5
"""Time between two looks of a waiting thread, in seconds: does the loop still run? Windows sees a Ctrl-C only then."""
_MAX_THREADS = 1024
"""Maximum number of threads for plain functions of the user's: a guard.

A client runs at most 256 handlers and as many callbacks at the same time. One may wait for another (a handler calls the
circle, which asks back), so a maximum that is reached in normal use could dead-lock.
"""
_CLOSE_WITHIN = 2.0
"""Maximum time that open clients get to close at the end of the interpreter, in seconds."""

_logger = logging.getLogger("circle_ws.callbacks")


class Runner:
    """Runs the work of blocking clients on an event loop in a thread."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._executor = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="circle-ws")
        self._works: deque[Work] = deque()
        """What threads have handed over: of many at the same time only the first wakes the loop, by a system call."""
        self._asked = False
        self._process = os.getpid()
        self._ring = self._bell()
        self._clients: weakref.WeakSet[CircleWsClient] = weakref.WeakSet()
        self._refusal: Callable[[], Exception] | None = None
        self._warned = False
        self._thread = threading.Thread(target=self._serve, name="circle-ws", daemon=True)
        self._thread.start()
        self._ident = self._thread.ident

    @property
    def is_usable(self) -> bool:
        """Whether clients can be used: not after a fork, in the child, nor after the end of the interpreter."""
        return self._refusal is None

    def bind(self, client: CircleWsClient) -> None:
        """Close a client at the end of the interpreter, unless that has happened by then."""
        self._clients.add(client)

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Return the result of the coroutine function, which runs on the loop.

        Raises:
            RuntimeError: This is the loop's own thread, or a child of the process that the client belongs to.
            ClientClosed: The loop has ended with the interpreter.
        """
        result: T = self._wait(CoroutineWork(functools.partial(function, *args)))
        return result

    def do(self, function: Callable[..., T], *args: Any) -> T:
        """Return the result of a function that does not wait, which runs on the loop; the errors are those of `run`."""
        if get_ident() == self._ident:
            return function(*args)
        result: T = self._wait(Step(functools.partial(function, *args)))
        return result

    def call(self, pipeline: Pipeline, method: str, params: Params, timeout: Timeout, *, idempotent: bool) -> Any:
        """Make one call and return its result, as plain JSON values."""
        return self._wait(Call(pipeline, (method, params, timeout), idempotent))

    def soon(self, function: Callable[[], object]) -> None:
        """Run a function that does not wait on the loop, and return without its result."""
        if self._refusal is None:
            self.loop.call_soon_threadsafe(function)

    def time(self) -> float:
        """Return the time of the event loop, in seconds."""
        return self.loop.time()

    async def apart(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Call a user's plain function in a thread, in a copy of the current context."""
        if self._refusal is not None:
            # The interpreter starts no more threads at its end; what would run in one is cancelled with its client.
            await self.loop.create_future()
        work = self._executor.submit(copy_context().run, _guarded, function, args, options)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(_log_failure)
            raise

    # Waiting.

    def _wait(self, work: Work) -> Any:
        if self._refusal is not None:
            raise self._refusal()
        if get_ident() == self._ident:
            raise RuntimeError(
                "a blocking client was used on the thread of its own event loop, as in an async function that it was "
                "given, and would wait for itself; make that a plain function, which runs in a thread"
            )
        if not self._warned and _get_running_loop() is not None:
            self._warn()
        lock = work.lock
        try:
            self._works.append(work)
            if not self._asked:
                self._asked = True
                self._ring()
            while not lock.acquire(True, _LOOK):
                self._look()
        except BaseException:
            # A Ctrl-C ends what this thread waits for, and not the client.
            self._give_up(work)
            raise
        if work.error is None:
            return work.result
        error = _own(work.error)
        # The error refers, by its traceback, to the frames of this function and of `begin`, and so to the work.
        work.error = None
        try:
            raise error
        finally:
            del error

    def _bell(self) -> Callable[[], object]:
        """Return the function by which a thread makes the loop begin the works."""
        # Linux only. `call_soon_threadsafe` takes longer: it writes to a socket, which is then read until it is empty.
        linux: Any = os
        if not hasattr(linux, "eventfd"):
            return lambda: self.loop.call_soon_threadsafe(self._begin_works)
        # Never closed: a thread that is late would write to whatever had its number by then.
        bell = linux.eventfd(0, linux.EFD_NONBLOCK | linux.EFD_CLOEXEC)

        def heard() -> None:
            linux.eventfd_read(bell)
            self._begin_works()

        self.loop.add_reader(bell, heard)
        return functools.partial(linux.eventfd_write, bell, 1)

    def _begin_works(self) -> None:
        # Before the works are taken: a thread that adds one from here on asks again.
        self._asked = False
        for _ in range(len(self._works)):
            self._works.popleft().begin()

    def _look(self) -> None:
        """Check that the loop runs, and that it was asked, which a Ctrl-C in another thread may have prevented."""
        if not self._thread.is_alive():
            raise _ended()
        if self._works:
            self.loop.call_soon_threadsafe(self._begin_works)

    def _give_up(self, work: Work) -> None:
        try:
            self.loop.call_soon_threadsafe(self._begin_works)
            self.loop.call_soon_threadsafe(work.cancel)
        except RuntimeError:
            # The loop is closed, and everything on it has ended.
            return

    def _warn(self) -> None:
        # IPython, whose cells run inside of a loop, adds this function to the builtins.
        if hasattr(builtins, "get_ipython"):
            return
        self._warned = True
        level, frame = 2, sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(os.path.dirname(__file__)):
            level, frame = level + 1, frame.f_back
        warnings.warn(
            "a blocking client of circle_ws.sync is used inside of a running event loop, which stands still meanwhile; "
            "async code uses circle_ws.connect()",
            RuntimeWarning,
            stacklevel=level,
        )

    # The thread.

    def _serve(self) -> None:
        while True:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                _logger.exception("an async function of the program's tried to end the event loop; it goes on")
            else:
                break
        self.loop.close()

    def end(self) -> None:
        """End the thread, with the interpreter."""
        if self._refusal is None:
            self._refusal = _ended
            ending = asyncio.run_coroutine_threadsafe(self._close(), self.loop)
            ending.add_done_callback(lambda _: self.loop.call_soon_threadsafe(self.loop.stop))
            self._thread.join(2 * _CLOSE_WITHIN)

    async def _close(self) -> None:
        """Close what the program left open, and end every task."""
        closing = [asyncio.ensure_future(client.close(drain=0)) for client in self._clients]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_WITHIN)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_WITHIN / 2)
        await self.loop.shutdown_asyncgens()

    def forget(self) -> None:
        """Refuse everything from now on: this is a child, and the thread is the parent's."""
        self._refusal = lambda: RuntimeError(
            f"this blocking client belongs to process {self._process}, from which this process ({os.getpid()}) was "
            "forked; make a client of its own in each process, after the fork"
        )
        for client in self._clients:
            # Else a client that is dropped here would wake the parent's loop, by a socket that both share.
            client._supervisor._run = None


_lock = allocate_lock()
_runner: Runner | None = None
_registered = False


def check_supported() -> None:
    """Do nothing: threads are there wherever CPython is."""


def current() -> Runner:
    """Return the runner of this process; start it if there is none."""
    global _runner, _registered
    runner = _runner
    if runner is not None:
        return runner
    with _lock:
        if _runner is None:
            _runner = Runner()
            if not _registered:
                atexit.register(_end)
                if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no forks
                    os.register_at_fork(after_in_child=_forget)
                _registered = True
        return _runner


def _end() -> None:
    if _runner is not None:
        _runner.end()


def _forget() -> None:
    """Forget the parent's runner, in a child that was just forked."""
    global _lock, _runner
    _lock = allocate_lock()
    if _runner is not None:
        _runner.forget()
        _runner = None


def _ended() -> ClientClosed:
    return ClientClosed("the interpreter is ending, and the event loop of the blocking clients has ended with it")


def _own(error: BaseException) -> BaseException:
    """Return the exception for this thread: a lost connection fails the calls of many with one and the same."""
    if isinstance(error, asyncio.CancelledError):
        return _ended()
    if not isinstance(error, CircleWsError):
        return error
    mine = copy(error).with_traceback(error.__traceback__)
    mine.__cause__, mine.__context__ = error.__cause__, error.__context__
    mine.__suppress_context__ = error.__suppress_context__
    return mine


def _log_failure(work: Future[Any]) -> None:
    if not work.cancelled() and (error := work.exception()) is not None:
        _logger.error("a function of the program's failed after it was cancelled", exc_info=error)


def _guarded(function: Callable[..., T], args: tuple[Any, ...], options: dict[str, Any]) -> T:
    try:
        return function(*args, **options)
    except (StopIteration, SystemExit, KeyboardInterrupt) as error:
        # None of these may pass through a task: they would end the event loop, or be taken for its own.
        raise RuntimeError(f"a function of the program's raised {type(error).__name__}") from error
