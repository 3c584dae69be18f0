"""The blocking client among threads: shared, dropped, interrupted, misused, ended with the interpreter."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

import circle_ws.sync
from circle_ws import (
    CircleWsClientBuilder,
    ClientClosed,
    ConnectionStatus,
    InvalidRequest,
    OutcomeUnknown,
    RpcError,
    StatusChange,
)
from circle_ws.sync import CircleWsClient, SyncSetupSession, loop_thread
from circle_ws.testing import loop
from tests.support.clients import KEY, QUICK
from tests.support.peers import Peers, RemotePeer

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has neither forks nor these signals")


@pytest.fixture
def circle(peers: Peers) -> RemotePeer:
    return loop.run(peers.start("circle"))


@pytest.fixture
def client(circle: RemotePeer) -> Iterator[CircleWsClient]:
    with circle_ws.sync.connect(circle.url, private_key=KEY, backoff=QUICK) as client:
        yield client


def ask(circle: RemotePeer, name: str, **arguments: Any) -> Any:
    return loop.run(circle.ask(name, **arguments))


def wait_for(condition: Callable[[], Any]) -> None:
    """Return when the condition holds; the test run's own limit ends a vain wait."""
    while not condition():
        time.sleep(0.005)


def in_thread(function: Callable[[], Any]) -> "tuple[threading.Thread, list[Any]]":
    """Run a function in a thread; its result, or its exception, is put into the list."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


# Shared.


def test_threads_share_a_client(client: CircleWsClient) -> None:
    """Each gets the answers to its own calls."""

    def work(number: int) -> list[Any]:
        return [client.call("echo", [[number, turn]]) for turn in range(20)]

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(20))) == [[[number, turn] for turn in range(20)] for number in range(20)]


def test_a_thread_that_waits_ends_when_the_client_closes(client: CircleWsClient) -> None:
    """In iteration, in `get`, in a batch of notifications, in a call that is in flight."""
    ticks = client.notifications("tick")
    waiting = [
        in_thread(lambda: list(ticks)),
        in_thread(ticks.get),
        in_thread(ticks.batch),
        in_thread(lambda: client.call("hold", [1])),
        in_thread(lambda: [change.status for change in client.status_changes()][-1]),
    ]
    wait_for(lambda: len(client._client._supervisor.send_queue.pending.entries) == 1)
    client.close(drain=0)
    for thread, _ in waiting:
        thread.join()
    ended, got, batch, called, last = (outcome[0] for _, outcome in waiting)
    assert (ended, batch, last) == ([], [], ConnectionStatus.CLOSED)
    assert isinstance(got, ClientClosed)
    assert isinstance(called, OutcomeUnknown)


def test_threads_share_a_listener(client: CircleWsClient) -> None:
    """Each item goes to one of them, and none is lost."""
    with client.notifications("tick", yields=lambda params: params["number"]) as ticks:
        readers = [in_thread(lambda: list(ticks)) for _ in range(3)]
        client.call("tick", [300])
        wait_for(lambda: not len(ticks))
    client.close()
    for thread, _ in readers:
        thread.join()
    assert sorted(number for _, outcome in readers for number in outcome[0]) == list(range(300))


def test_one_error_of_many_threads(circle: RemotePeer, client: CircleWsClient) -> None:
    """A connection that is lost fails all calls; each thread gets an exception of its own, with its own traceback."""

    def caller() -> Any:
        return client.call("hold", [1])

    calls = [in_thread(caller) for _ in range(5)]
    wait_for(lambda: len(client._client._supervisor.send_queue.pending.entries) == 5)
    ask(circle, "cut_all")
    for thread, _ in calls:
        thread.join()
    errors = [outcome[0] for _, outcome in calls]
    assert {type(error) for error in errors} == {OutcomeUnknown}
    assert len({id(error) for error in errors}) == 5
    for error in errors:
        assert traceback.format_exception(error)[-1].count("may have run") == 1
        assert [frame.name for frame in traceback.extract_tb(error.__traceback__)].count("caller") == 1


# Dropped.


def test_a_dropped_client_is_collected(circle: RemotePeer) -> None:
    """It warns, and its connection ends."""
    client = circle_ws.sync.connect(circle.url, private_key=KEY)
    client.on_status(lambda change: None)
    client.handle("f", lambda: None)
    known = weakref.ref(client), weakref.ref(client._client)
    with pytest.warns(ResourceWarning, match="dropped without close"):
        del client
        gc.collect()
    assert [one() for one in known] == [None, None]
    wait_for(lambda: not ask(circle, "public_keys"))


def test_errors_leave_no_cycle(client: CircleWsClient) -> None:
    """What a call refers to is gone with its exception, without a garbage collection."""

    class Value:
        pass

    def fail() -> "weakref.ref[Value]":
        value = Value()
        # Not `pytest.raises`, which has cycles of its own.
        for method, params in (("fail", None), ("echo", [value])):
            with suppress(RpcError, InvalidRequest):
                client.call(method, params)
        return weakref.ref(value)

    gc.collect()
    gc.disable()
    try:
        value = fail()
        # The loop's last step refers to its work until the next one.
        client.call("echo", [1])
        assert value() is None
    finally:
        gc.enable()


def test_nothing_is_left(circle: RemotePeer) -> None:
    """After clients have come and gone there are no more threads than the one loop, and no tasks."""
    before = threading.active_count()
    for _ in range(3):
        with circle_ws.sync.connect(circle.url, private_key=KEY) as client:
            client.call("echo", [1])
    runner = loop_thread.current()
    assert threading.active_count() <= before + 1
    assert runner.do(lambda: [task for task in asyncio.all_tasks(runner.loop) if not task.done()]) == []


def test_a_thread_that_was_interrupted_before_it_woke_the_loop(client: CircleWsClient) -> None:
    """Stops no other: a thread that waits looks whether the loop was asked."""
    loop_thread.current()._asked = True
    assert client.call("echo", [1]) == 1
    assert client.call("echo", [2]) == 2


def test_without_eventfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux the loop is woken as asyncio does it; a loop that has ended refuses."""
    monkeypatch.delattr("os.eventfd", raising=False)
    runner = loop_thread.Runner()
    try:
        assert runner.do(threading.get_ident) == runner._ident
    finally:
        runner.end()
    with pytest.raises(ClientClosed):
        runner.do(threading.get_ident)


# Misused.


def test_on_its_own_loop_it_says_so(
    circle: RemotePeer, client: CircleWsClient, caplog: pytest.LogCaptureFixture
) -> None:
    """An async handler that waits by the blocking client would wait for itself."""

    async def wrong() -> Any:
        return client.call("echo", [1])

    async def well() -> str:
        # What does not wait is allowed.
        client.on_status(print)()
        return client.status.value

    client.handle("wrong", wrong)
    client.handle("well", well)
    assert ask(circle, "ask_client", method="wrong")["error"][0] == -32603
    assert "was used on the thread of its own event loop" in caplog.text
    assert ask(circle, "ask_client", method="well") == {"result": "connected"}


def test_inside_of_a_running_loop_it_works(client: CircleWsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one warning, but in IPython, whose cells run in a loop."""

    async def use() -> Any:
        return [client.call("echo", [number]) for number in range(2)]

    monkeypatch.setattr(loop_thread.current(), "_warned", False)
    with pytest.warns(RuntimeWarning, match=r"circle_ws\.connect") as caught:
        assert loop.run(use()) == [0, 1]
    assert len(caught) == 1
    assert caught[0].filename == __file__

    async def connect() -> None:
        client.connect()

    monkeypatch.setattr(loop_thread.current(), "_warned", False)
    with pytest.warns(RuntimeWarning) as caught:
        loop.run(connect())
    assert caught[0].filename == __file__
    monkeypatch.setattr(loop_thread.current(), "_warned", False)
    monkeypatch.setattr("builtins.get_ipython", lambda: None, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loop.run(use()) == [0, 1]


def test_no_function_of_the_users_ends_the_loop(
    circle: RemotePeer, client: CircleWsClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a plain one nor an async one that exits; what raises StopIteration is told of."""

    def leave() -> None:
        sys.exit(1)

    async def leave_too() -> None:
        sys.exit(1)

    client.handle("leave", leave)
    client.handle("leave_too", leave_too)
    client.handle("stop", lambda: next(iter(())))
    assert ask(circle, "ask_client", method="leave")["error"][0] == -32603
    assert ask(circle, "ask_client", method="stop")["error"][0] == -32603
    asked = in_thread(lambda: asyncio.run(circle.ask("ask_client", method="leave_too")))[0]
    wait_for(lambda: "tried to end the event loop" in caplog.text)
    assert client.call("echo", [1]) == 1
    client.close(drain=0)
    asked.join()


def test_a_setup_that_blocks_runs_once_at_a_time(circle: RemotePeer) -> None:
    """An attempt that it is too slow for fails; the next one waits for its end, so threads do not pile up."""
    released, running, at_once = threading.Event(), list[int](), list[int]()

    def setup(session: SyncSetupSession) -> None:
        running.append(1)
        at_once.append(len(running))
        released.wait()
        running.pop()

    builder = CircleWsClientBuilder(circle.url).with_keypair(KEY).with_setup(setup)
    client = builder.with_timeouts(open=0.2).with_reconnect(backoff=QUICK).build_sync()
    with closing(client), client.status_changes() as changes:
        client.start()
        while not at_once:
            # On a busy machine an attempt may end before the setup's turn.
            changes.get()
        first = changes.get().attempt
        while changes.get().attempt < first + 3:
            assert len(at_once) == 1
        released.set()
        client.wait_until_connected()
    assert set(at_once) == {1}


def test_a_handler_that_fails_after_the_client_was_closed(
    circle: RemotePeer, client: CircleWsClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Is told of in the log, as nobody waits for it any more."""
    begun, released = threading.Event(), threading.Event()

    def handler() -> None:
        begun.set()
        released.wait()
        raise ValueError("too late")

    client.handle("handler", handler)
    asking = in_thread(lambda: asyncio.run(circle.ask("ask_client", method="handler")))[0]
    begun.wait()
    client.close()
    released.set()
    wait_for(lambda: "failed after it was cancelled" in caplog.text)
    assert "ValueError: too late" in caplog.text
    asking.join()


def test_functions_that_wait_for_each_other(circle: RemotePeer, client: CircleWsClient) -> None:
    """A handler calls the circle, which calls a handler, which ...: each has a thread."""

    def deeper(depth: int) -> Any:
        return client.call("ask_back", ["deeper", [depth - 1]]) if depth else "the end"

    client.handle("deeper", deeper)
    assert ask(circle, "ask_client", method="deeper", params=[40]) == {"result": "the end"}


def test_a_callback_may_close_the_client(circle: RemotePeer) -> None:
    """So may a handler: neither waits for itself."""
    for registered in ("on_status", "handle"):
        client = CircleWsClientBuilder(circle.url).with_keypair(KEY).build_sync()
        closed = threading.Event()

        def close(*_: Any, client: CircleWsClient = client, closed: threading.Event = closed) -> None:
            client.close()
            closed.set()

        if registered == "handle":
            client.handle("close", lambda close=close: close())
            client.connect()
            asking = in_thread(lambda: asyncio.run(circle.ask("ask_client", method="close")))[0]
            closed.wait()
            asking.join()
        else:

            def note(change: StatusChange, close: Callable[[], None] = close) -> None:
                if change.status is ConnectionStatus.CONNECTED:
                    close()

            client.on_status(note)
            client.start()
            closed.wait()
        assert client.status is ConnectionStatus.CLOSED


# A program of its own.


def program(source: str, *options: str, url: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a program with all warnings, to its end."""
    command = [sys.executable, "-W", "default", *options, "-c", source, url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check(source: str, said: str, *, url: str) -> None:
    """Run a program, which must print this and nothing to its standard error."""
    done = program(source, url=url)
    assert (done.stdout, done.stderr, done.returncode) == (said, "", 0)


_BEGIN = f"""
import os, sys, threading, time, signal
import circle_ws, circle_ws.sync
from circle_ws import CircleWsClientBuilder
url, key = sys.argv[1], {KEY!r}
"""


@needs_fork
def test_a_ctrl_c_ends_the_call(circle: RemotePeer) -> None:
    """Not the client: it goes on, the call's place is free, and a listener that was interrupted lost nothing."""
    check(
        _BEGIN
        + """
client = circle_ws.sync.connect(url, private_key=key)
ticks = client.notifications("tick")
pending = client._client._supervisor.send_queue.pending.entries
def interrupt(ready):
    def run():
        while not ready():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=run).start()
interrupt(lambda: pending)
try:
    client.call("hold", [1])
except KeyboardInterrupt:
    print("interrupted")
print(client.call("echo", [1]), len(pending), client.status.value)
interrupt(lambda: ticks._source._buffer.readers)
try:
    ticks.get()
except KeyboardInterrupt:
    print("interrupted")
client.call("tick", [1])
print(ticks.get())
client.close()
""",
        "interrupted\n1 0 connected\ninterrupted\n{'number': 0}\n",
        url=circle.url,
    )


@needs_fork
def test_a_ctrl_c_while_it_connects(peers: Peers) -> None:
    """Ends the attempt; the client may connect again."""
    hole = loop.run(peers.start("tcp"))
    check(
        _BEGIN
        + """
client = CircleWsClientBuilder(url).with_keypair(key).build_sync()
def interrupt():
    while client.status.value != "connecting":
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    client.connect()
except KeyboardInterrupt:
    client.close()
    print(client.status.value)
""",
        "closed\n",
        url=hole.url,
    )


def test_the_interpreter_ends_with_a_client_open(circle: RemotePeer) -> None:
    """At once, after threads that are no daemons have made their last calls; what runs later is refused in words."""
    check(
        """
import atexit, sys
@atexit.register
def late():
    try:
        client.call("echo", [1])
    except circle_ws.ClientClosed as error:
        print(error)
    client.close()
    print(client.is_connected())
"""
        + _BEGIN
        + """
client = circle_ws.sync.connect(url, private_key=key)
def last():
    threading.main_thread().join()
    print(client.call("echo", ["last words"]))
threading.Thread(target=last).start()
@atexit.register
def at_exit():
    print(client.call("echo", ["at exit"]))
threading.Thread(target=lambda: list(client.notifications()), daemon=True).start()
""",
        "last words\nat exit\n"
        "the interpreter is ending, and the event loop of the blocking clients has ended with it\nFalse\n",
        url=circle.url,
    )
    wait_for(lambda: not ask(circle, "public_keys"))


# Forks.

_FORK = """
import warnings
warnings.filterwarnings("ignore", "This process .*is multi-threaded", DeprecationWarning)
def in_child(function):
    sys.stdout.flush()
    child = os.fork()
    if not child:
        function()
        sys.exit()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


@needs_fork
def test_a_fork(circle: RemotePeer) -> None:
    """The child refuses the parent's client in words, and has a loop of its own; the parent's goes on."""
    check(
        _BEGIN
        + _FORK
        + """
client = circle_ws.sync.connect(url, private_key=key)
unused = CircleWsClientBuilder(url).with_keypair(key).build_sync()
ticks = client.notifications("tick")
def child():
    calls = lambda: client.call("echo", [1]), lambda: client.handle("f", print)
    for use in (*calls, client.connect, client.reconnect, ticks.get):
        try:
            use()
        except RuntimeError as error:
            print(str(error).partition(",")[0].replace(str(os.getppid()), "PARENT"))
    print(client.is_connected())
    client.close()
    ticks.close()
    with unused:
        print(unused.call("echo", ["made before the fork, used after it"]))
    with circle_ws.sync.connect(url, private_key=key) as mine:
        print(mine.call("echo", ["the child's own"]))
        print(in_child(lambda: print("a child's child")))
        print(mine.call("echo", [2]))
print(in_child(child))
client.call("tick", [1])
print(ticks.get(), client.is_connected(), client.stats.connects)
client.close()
""",
        "this blocking client belongs to process PARENT\n" * 5
        + "False\nmade before the fork, used after it\nthe child's own\na child's child\n0\n2\n0\n"
        + "{'number': 0} True 1\n",
        url=circle.url,
    )


@needs_fork
def test_pre_fork(circle: RemotePeer) -> None:
    """As gunicorn and uwsgi do it: the application is loaded, and its client made, before the workers are forked."""
    check(
        _BEGIN
        + _FORK
        + """
client = CircleWsClientBuilder(url).with_keypair(key).build_sync()
log = []
client.on_status(lambda change: log.append(change.status.value))
client.handle("f", lambda: 1)
def worker():
    client.start()
    print(client.call("echo", [os.getppid() == parent]), threading.active_count() > 1)
    client.close()
parent = os.getpid()
print(threading.active_count())
print([in_child(worker) for _ in range(2)])
""",
        "1\nTrue True\nTrue True\n[0, 0]\n",
        url=circle.url,
    )


@needs_fork
def test_multiprocessing(circle: RemotePeer, tmp_path: Any) -> None:
    """Forked workers have clients of their own, while the parent's stays connected."""
    source = tmp_path / "program.py"
    source.write_text(
        f"""
import multiprocessing, sys, warnings
import circle_ws.sync
warnings.filterwarnings("ignore", "This process .*is multi-threaded", DeprecationWarning)
url, key = sys.argv[1], {KEY!r}
def work(number):
    with circle_ws.sync.connect(url, private_key=key) as client:
        return client.call("echo", [number])
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with circle_ws.sync.connect(url, private_key=key) as client, context.Pool(2) as pool:
        print(pool.map(work, range(4)), client.call("echo", ["parent"]))
        pool.close()
        pool.join()
"""
    )
    # A program in a file does not find the package in the current folder.
    environment = {**os.environ, "PYTHONPATH": str(Path(circle_ws.__file__).parents[1])}
    command = [sys.executable, "-W", "default", str(source), circle.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout, done.stderr, done.returncode) == ("[0, 1, 2, 3] parent\n", "", 0)


@needs_fork
def test_a_signal_that_is_no_interrupt(client: CircleWsClient) -> None:
    """A call goes on after the handler of another signal has run."""
    handled: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: handled.append(number))
    try:
        threading.Timer(0.02, lambda: signal.raise_signal(signal.SIGUSR1)).start()
        with pytest.raises(circle_ws.CallTimeout):
            client.call("hold", [1], timeout=0.1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1]
