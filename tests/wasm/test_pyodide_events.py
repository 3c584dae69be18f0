"""What a page tells a client: real events of the real page, and that no listener stays."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import js
import pytest
from pyodide.ffi import to_js

from circle_ws import Backoff, ConnectionFailed, ConnectionStatus, KeepAlive
from circle_ws.transport import host_events, pyodide_events
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import QUICK, client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus
SLOW = Backoff(first=600, base=600, maximum=600, floor=600)

needs_page = pytest.mark.skipif(not hasattr(js, "document"), reason="Node has no page and no such events")


def _js_define(js_object: Any, name: str, value: Any) -> None:
    options = to_js({"value": value, "configurable": True}, dict_converter=js.Object.fromEntries)
    js.Object.defineProperty(js_object, name, options)


def _dispatch(js_target: Any, name: str, **members: Any) -> None:
    js_event = js.Event.new(name)
    for member, value in members.items():
        _js_define(js_event, member, value)
    js_target.dispatchEvent(js_event)


@pytest.fixture
def offline() -> Iterator[None]:
    """A browser that says that it is offline."""
    _js_define(js.navigator, "onLine", False)
    yield
    js.Reflect.deleteProperty(js.navigator, "onLine")
    assert js.navigator.onLine is True


def _back_online() -> None:
    js.Reflect.deleteProperty(js.navigator, "onLine")
    _dispatch(js.globalThis, "online")


EVENTS = {
    "online": lambda: _dispatch(js.globalThis, "online"),
    "back from the cache": lambda: _dispatch(js.globalThis, "pageshow", persisted=True),
    "visible": lambda: _dispatch(js.document, "visibilitychange"),
}


@needs_page
@pytest.mark.parametrize("name", EVENTS)
async def test_the_delay_is_skipped(peers: Peers, name: str) -> None:
    """`online`, `visibilitychange` to visible and a `pageshow` from the cache make the next attempt at once."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=SLOW) as it:
        await circle.ask("cut_all")
        await eventually(lambda: it.status is S.WAITING)
        EVENTS[name]()
        await it.wait_until_connected()


@needs_page
@pytest.mark.parametrize("name", EVENTS)
async def test_the_connection_is_probed(peers: Peers, name: str) -> None:
    """The same events probe an open connection."""
    peer = await peers.start("scripted", answers={"rpc.ping": {"result": "pong"}})
    async with client(peer.url, key=None, keepalive=KeepAlive(interval=600)) as it:
        EVENTS[name]()
        await until(peer, "received")
        await eventually(lambda: it.stats.latency_last is not None)


@needs_page
async def test_events_that_tell_nothing(peers: Peers) -> None:
    """A page that is shown for the first time, or hidden, is not asked."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}})
    async with client(peer.url, key=None, keepalive=KeepAlive(interval=600)) as it:
        _dispatch(js.globalThis, "pageshow", persisted=False)
        _js_define(js.document, "visibilityState", "hidden")
        _dispatch(js.document, "visibilitychange")
        js.Reflect.deleteProperty(js.document, "visibilityState")
        await it.call("f")
    assert len(await peer.ask("received")) == 1


async def _serve(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


@needs_page
async def test_offline_no_other_machine_is_dialled(offline: None) -> None:
    """The first connect says why; a client that was connected waits, however long, until the browser is online."""
    server = MemoryServer(_serve)
    with pytest.raises(ConnectionFailed, match="offline"):
        async with client("wss://circle.example/", key=None, transport=server):
            pass
    assert server.peers == []
    _back_online()
    async with client("wss://circle.example/", key=None, transport=server, backoff=QUICK) as it:
        _js_define(js.navigator, "onLine", False)
        server.peers[0].close(1001)
        await eventually(lambda: it.status is S.WAITING)
        with pytest.raises(TimeoutError):
            await it.wait_until_connected(0.3)
        assert len(server.peers) == 1
        _back_online()
        await it.wait_until_connected()
        assert len(server.peers) == 2


@needs_page
async def test_offline_a_client_that_retries_waits(offline: None) -> None:
    """With `first_connect="retry"` connect() waits for the network."""
    server = MemoryServer(_serve)
    it = client("wss://circle.example/", key=None, transport=server, first_connect="retry")
    connecting = later(it.connect())
    await eventually(lambda: it.status is S.WAITING)
    _back_online()
    await connecting
    assert it.is_connected()
    await it.close()


@needs_page
async def test_offline_loopback_is_dialled(peers: Peers, offline: None) -> None:
    """A circle on this machine needs no network."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        assert await it.call("echo", [1]) == 1


@needs_page
async def test_offline_reconnect_dials_all_the_same(offline: None) -> None:
    """`reconnect()` is the program's own word: browsers can be wrong about being offline."""
    server = MemoryServer(_serve)
    it = client("wss://circle.example/", key=None, transport=server, first_connect="retry")
    connecting = later(it.connect())
    await eventually(lambda: it.status is S.WAITING)
    assert host_events.offline
    it.reconnect()
    await connecting
    assert it.is_connected()
    await it.close()


async def test_without_a_page_nothing_is_known() -> None:
    """In every runtime a client runs, with or without such events; in Node there are none."""
    assert host_events.offline is False
    async with client("wss://circle.example/", key=None, transport=MemoryServer(_serve)):
        host_events.wake()


@needs_page
def test_in_a_worker_there_is_no_tab(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The network's events are there; a watcher that raises harms neither the page nor the others."""

    def fail() -> None:
        woken.append("failed")
        raise ZeroDivisionError("a fault of the watcher's")

    woken: list[str] = []
    worker = SimpleNamespace(globalThis=js.globalThis, addEventListener=js.addEventListener)
    monkeypatch.setattr(pyodide_events, "js", worker)
    end = pyodide_events.PageEvents().watch(fail)
    _dispatch(js.globalThis, "online")
    end()
    _dispatch(js.globalThis, "online")
    assert woken == ["failed"]
    assert "handling an event of the page failed" in caplog.text


async def test_an_event_that_is_none_forbids_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; where there are no such events, as in Node, a policy is watched in vain."""
    monkeypatch.setattr(pyodide_events, "js", SimpleNamespace())
    with pyodide_events.PolicyWatch("ws://localhost/") as watch:
        watch._on_violation(SimpleNamespace())
        assert not watch.violation.done()
    assert "handling a violation of the content security policy failed" in caplog.text
