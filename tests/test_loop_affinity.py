"""Where a client may be used: its own event loop, its own thread, and in whose context functions of the user's run."""

import asyncio
import contextvars
import gc
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from circle_ws import Backoff, Challenge, CircleWsClient, ConnectionStatus, SetupSession, StatusChange
from circle_ws.policy import Failure
from circle_ws.transport import host_events
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import client
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers
from tests.support.signers import Vault
from tests.support.virtual import VirtualLoop

S = ConnectionStatus
URL = "ws://localhost/"
IN_BROWSER = sys.platform == "emscripten"
_PATIENT = Backoff(first=30, base=30, maximum=30, floor=30)


async def _echo(peer: MemoryPeer) -> None:
    async for text in peer:
        id = text.partition('"id":')[2].partition(",")[0]
        if id:
            peer.send(f'{{"jsonrpc":"2.0","id":{id},"result":1}}')


def memory_client(**options: Any) -> CircleWsClient:
    """Make a client of a circle in this process, which answers everything with 1."""
    return client(URL, **{"key": None, "transport": MemoryServer(_echo), **options})


async def _batch(it: CircleWsClient) -> None:
    async with it.batch() as batch:
        batch.call("f")


async def _next(it: CircleWsClient) -> None:
    await anext(it.notifications("news"))


async def _do(action: Callable[[], object]) -> None:
    action()


USES: dict[str, Callable[[CircleWsClient], Awaitable[object]]] = {
    "call": lambda it: it.call("f"),
    "notify": lambda it: it.notify("f"),
    "play": lambda it: it.play("1"),
    "batch": _batch,
    "connect": lambda it: it.connect(),
    "start": lambda it: _do(it.start),
    "close": lambda it: it.close(),
    "reconnect": lambda it: _do(it.reconnect),
    "wait_until_connected": lambda it: it.wait_until_connected(1),
    "notifications": _next,
    "handle": lambda it: _do(lambda: it.handle("f", len)),
    "status_changes": lambda it: _do(it.status_changes),
    "on_status": lambda it: _do(lambda: it.on_status(print)),
    "on_protocol_error": lambda it: _do(lambda: it.on_protocol_error(print)),
}
IN_WORDS = "this client belongs to another event loop"


@pytest.mark.parametrize("middleware", [False, True], ids=["plain", "with middleware"])
@pytest.mark.parametrize("use", USES)
async def test_from_another_event_loop_it_is_refused_at_once(use: str, middleware: bool) -> None:
    """In words, before anything is touched: nothing is sent or counted, and on its own loop the client goes on."""
    seen: list[str] = []

    async def note(request: Any, call_next: Any) -> Any:
        seen.append(request.method)
        return await call_next(request)

    it = memory_client(middleware=[note] if middleware else [])
    await it.connect()
    before = it.stats
    other = VirtualLoop()
    try:
        with pytest.raises(RuntimeError, match=IN_WORDS):
            other.run(_awaited(USES[use](it)))
    finally:
        other.close()
    assert seen == []
    assert (it.stats.calls, it.stats.bytes_out, it.stats.failures) == (before.calls, before.bytes_out, before.failures)
    assert it.status is S.CONNECTED
    assert await asyncio.wait_for(it.call("f"), PATIENCE) == 1
    await asyncio.wait_for(it.close(), PATIENCE)


async def _awaited(awaitable: Awaitable[object]) -> object:
    return await awaitable


@pytest.mark.parametrize("what", ["notifications", "status changes"])
async def test_a_listener_is_not_waited_on_from_another_event_loop(what: str) -> None:
    """It would never wake up there; on its own loop it goes on."""
    server = MemoryServer(_echo)
    it = client(URL, key=None, transport=server)
    await it.connect()
    listener: Any = it.notifications("news") if what == "notifications" else it.status_changes()
    if what == "status changes":
        await anext(listener)
    for use in (lambda: anext(listener), listener.batch):
        other = VirtualLoop()
        try:
            with pytest.raises(RuntimeError, match=IN_WORDS):
                other.run(_awaited(use()))
        finally:
            other.close()
    next_one = later(anext(listener))
    await asyncio.sleep(0)
    if what == "notifications":
        server.peers[0].send('{"jsonrpc":"2.0","method":"news","params":[1]}')
    else:
        it.reconnect()
    outcome = await asyncio.wait_for(next_one, PATIENCE)
    assert outcome == [1] if what == "notifications" else outcome.status is S.WAITING
    await it.close()


@pytest.mark.parametrize("use", ["call", "notify", "batch", "connect", "start", "close", "reconnect"])
async def test_while_it_waits_for_the_next_attempt(use: str) -> None:
    """Also where a call would only have to wait."""
    server = MemoryServer(_echo)
    it = client(URL, key=None, transport=server, backoff=_PATIENT)
    await it.connect()
    server.peers[0].close()
    await eventually(lambda: it.status is S.WAITING)
    other = VirtualLoop()
    try:
        with pytest.raises(RuntimeError, match=IN_WORDS):
            other.run(_awaited(USES[use](it)))
    finally:
        other.close()
    assert it.status is S.WAITING
    await it.close()


@pytest.mark.parametrize("use", [use for use in USES if use not in ("reconnect",)])
@pytest.mark.native_only("there are no threads")
async def test_from_another_thread_it_is_refused_at_once(use: str) -> None:
    """With a loop there or without one; what may be read from anywhere can be."""
    it = memory_client()
    await it.connect()
    outcomes: list[Any] = []

    def elsewhere() -> None:
        outcomes.append((it.status, it.is_connected(), it.stats.calls, it.failure, it.public_key, repr(it)))
        try:
            asyncio.run(_awaited(USES[use](it)))
        except RuntimeError as error:
            outcomes.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    assert outcomes[0][:5] == (S.CONNECTED, True, 0, None, None)
    assert IN_WORDS in str(outcomes[1])
    assert await it.call("f") == 1
    await it.close()


@pytest.mark.parametrize(
    "use", ["notifications", "handle", "status_changes", "on_status", "on_protocol_error", "start"]
)
@pytest.mark.native_only("there are no threads")
async def test_from_a_thread_without_an_event_loop(use: str) -> None:
    """What is no coroutine is refused there, too."""
    it = memory_client()
    await it.connect()
    plain: dict[str, Callable[[], object]] = {
        "notifications": lambda: it.notifications("news"),
        "handle": lambda: it.handle("f", len),
        "status_changes": it.status_changes,
        "on_status": lambda: it.on_status(print),
        "on_protocol_error": lambda: it.on_protocol_error(print),
        "start": it.start,
    }
    with pytest.raises(RuntimeError, match=IN_WORDS):
        await asyncio.to_thread(plain[use])
    await it.close()


@pytest.mark.native_only("the page's loop is the only one, and never stops")
def test_listeners_and_handlers_are_made_while_the_loop_stands_still() -> None:
    """Before the first use from anywhere, and later in the thread of its loop."""
    it = memory_client()
    it.handle("f", len)
    it.on_status(print)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(it.connect())
        news = it.notifications("news")
        it.handle("g", len)
        loop.run_until_complete(it.close())
        loop.run_until_complete(news.aclose())
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()


@pytest.mark.native_only("the page's loop never ends")
@pytest.mark.parametrize("tasks", ["cancelled", "left behind"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_client_whose_event_loop_has_ended(tasks: str) -> None:
    """It can be closed from another one, at once; listeners end, and nothing else works."""
    it = memory_client()
    changes: list[StatusChange] = []

    async def begin() -> Any:
        await it.connect()
        hanging.append(asyncio.ensure_future(it.call("f")))
        hanging.append(asyncio.ensure_future(anext(news)))
        await asyncio.sleep(0)

    hanging: list[asyncio.Future[Any]] = []
    news = it.notifications("news")
    if tasks == "cancelled":
        asyncio.run(begin())
    else:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(begin())
        left = asyncio.all_tasks(loop)
        loop.close()

    async def end() -> None:
        if tasks == "left behind":
            with pytest.raises(RuntimeError, match="the event loop that this client was used on has ended"):
                await it.call("f")
            with pytest.raises(RuntimeError, match="has ended"):
                await it.connect()
        it.on_status(changes.append)
        await asyncio.wait_for(it.close(), PATIENCE)
        await it.close()
        assert it.status is S.CLOSED
        assert [one async for one in news] == []
        await asyncio.sleep(0)

    asyncio.run(end())
    assert changes[-1].status is S.CLOSED
    assert not host_events._watchers
    if tasks == "left behind":
        for task in left:
            # They cannot be ended any more; do not let the interpreter complain.
            task._log_destroy_pending = False  # type: ignore[attr-defined]


@pytest.mark.native_only("the page's loop never ends")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_that_is_dropped_after_its_event_loop_ended_is_held_by_nothing() -> None:
    """Neither closed nor ended with its loop, it does not stay among those who are told that the host awoke."""

    async def silent(peer: MemoryPeer) -> None:
        await asyncio.get_running_loop().create_future()

    it = memory_client(transport=MemoryServer(silent))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(it.connect())
    left = asyncio.all_tasks(loop)
    loop.close()
    assert len(host_events._watchers) == 1
    del it
    assert not host_events._watchers
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    # Here, where what the tasks say of their loop is expected.
    del left, task
    gc.collect()


@pytest.mark.native_only("the page's loop never ends")
def test_a_client_that_lost_its_event_loop_can_begin_on_another_one() -> None:
    """The end of the loop made it FAILED; `connect()` starts it again, on the new loop."""
    it = memory_client()

    async def use() -> Any:
        await it.connect()
        return await it.call("f")

    assert asyncio.run(use()) == 1
    assert it.status is S.FAILED

    async def use_again() -> Any:
        result = await use()
        await it.close()
        return result

    assert asyncio.run(use_again()) == 1


# In whose context functions of the user's run.

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def as_if_by(who: str, action: Callable[[], Any]) -> Any:
    """Run it in a context of its own, as one request of a service is."""

    async def act() -> Any:
        WHO.set(who)
        outcome = action()
        return await outcome if asyncio.iscoroutine(outcome) else outcome

    return await asyncio.ensure_future(act())


async def test_callbacks_and_handlers_run_in_the_context_that_registered_them(peers: Peers) -> None:
    """Not in that of who connected; and what one sets there the next call does not see."""
    circle = await peers.start("circle")
    seen: dict[str, list[str]] = {"sync": [], "async": [], "handler": []}

    def note(change: StatusChange) -> None:
        seen["sync"].append(WHO.get())
        WHO.set("changed")

    async def note_later(change: StatusChange) -> None:
        await asyncio.sleep(0)
        seen["async"].append(WHO.get())
        WHO.set("changed")

    async def handler() -> str:
        await asyncio.sleep(0)
        who = WHO.get()
        WHO.set("changed")
        return who

    def plain_handler() -> str:
        return WHO.get()

    it = client(circle.url)
    await as_if_by("sync", lambda: it.on_status(note))
    await as_if_by("async", lambda: it.on_status(note_later))
    await as_if_by("handler", lambda: it.handle("who", handler))
    await as_if_by("plain", lambda: it.handle("who else", plain_handler))
    await as_if_by("connect", it.connect)
    for _ in range(2):
        assert await circle.ask("ask_client", method="who") == {"result": "handler"}
    assert await circle.ask("ask_client", method="who else") == {"result": "plain"}
    await as_if_by("close", it.close)
    await eventually(lambda: len(seen["async"]) == 5)
    assert set(seen["sync"]) == {"sync"}
    assert set(seen["async"]) == {"async"}


class Asked(Vault):
    """A signer that notes in whose context it is asked."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self._seen = seen

    async def public_key(self) -> str:
        self._seen.append(WHO.get())
        WHO.set("changed")
        return await super().public_key()

    async def sign(self, challenge: Challenge) -> str:
        self._seen.append(WHO.get())
        return await super().sign(challenge)


async def test_what_a_client_is_made_with_runs_in_the_context_that_made_it(peers: Peers) -> None:
    """Signer, setup, headers function, classifier, at every attempt: not in the context of the first `connect()`."""
    circle = await peers.start("circle")
    seen: list[str] = []

    async def setup(session: SetupSession) -> None:
        seen.append(WHO.get())
        WHO.set("changed")

    async def headers() -> dict[str, str]:
        seen.append(WHO.get())
        WHO.set("changed")
        return {}

    def classify(failure: Failure) -> None:
        seen.append(WHO.get())
        WHO.set("changed")

    options: dict[str, Any] = {"classifier": classify} | ({} if IN_BROWSER else {"headers": headers})
    it = await as_if_by("maker", lambda: client(circle.url, key=None, signer=Asked(seen), setup=setup, **options))
    await as_if_by("connect", it.connect)
    await circle.ask("cut_all")
    await eventually(lambda: it.stats.connects == 2)
    await circle.ask("cut_all")
    await eventually(lambda: it.stats.connects == 3)
    await it.close()
    assert seen == ["maker"] * ((9 if IN_BROWSER else 12) + 2)


async def test_a_call_runs_its_middleware_in_the_callers_context() -> None:
    """That is a function around the call, and sees what the caller set."""

    async def note(request: Any, call_next: Any) -> Any:
        return [WHO.get(), await call_next(request)]

    async with memory_client(middleware=[note]) as it:
        assert await as_if_by("caller", lambda: it.call("f")) == ["caller", 1]


async def test_calls_from_many_tasks_of_its_loop_are_fine() -> None:
    """The check is for loops and threads, not for tasks."""
    async with memory_client() as it:
        assert await asyncio.gather(*(later(it.call("f")) for _ in range(20))) == [1] * 20
