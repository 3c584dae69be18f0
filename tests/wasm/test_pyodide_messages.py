"""Notifications that come faster than Python can be entered for each are taken together, and nothing is lost."""

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import js
import pytest
from pyodide.ffi import to_js

from circle_ws.errors import MessageTooLarge
from circle_ws.transport import TransportOptions, connect
from circle_ws.transport import pyodide_messages as flood
from circle_ws.transport.pyodide import PyodideTransport
from circle_ws.transport.pyodide_messages import LOOK_EVERY
from tests.support.clients import client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers
from tests.support.recorder import Recorder

MANY = 3000


def texts(count: int, first: int = 0, pad: str = "") -> list[str]:
    """Make notifications, each with its number."""
    numbers = range(first, first + count)
    return [f'{{"jsonrpc":"2.0","method":"n","params":[{number},"{pad}"]}}' for number in numbers]


def begun(transport: PyodideTransport) -> bool:
    """Tell whether messages are put aside."""
    return transport._flood._js_events is not None


class Link:
    """A transport with what it delivers, and when it put messages aside."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.transport: PyodideTransport

    @classmethod
    async def to(cls, url: str, **options: Any) -> "Link":
        link = cls()
        opened = await connect(url, link.recorder, TransportOptions(**{"close_timeout": 2, **options}))
        assert isinstance(opened, PyodideTransport)
        link.transport = opened
        return link

    async def has(self, expected: list[str]) -> None:
        """Return when so much has come; it must be that, in order."""
        await self.recorder.until(lambda it: len(it.messages) >= len(expected))
        assert self.recorder.messages == expected

    async def calm(self) -> None:
        """Return when Python is entered for each message again."""
        await eventually(lambda: not begun(self.transport))


async def test_each_comes_once_and_in_order(peers: Peers) -> None:
    """Python is entered for few of them; before, during and after the flood nothing is lost or changes its place."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    sent: list[str] = []
    for _ in range(2):
        sent += texts(MANY, first=len(sent))
        await peer.ask("send_many", texts=sent[-MANY:])
        await link.has(sent)
        assert link.transport.bytes_received == sum(map(len, sent))
        await link.calm()
        sent += texts(1, first=len(sent))
        await peer.ask("send", text=sent[-1])
        await link.has(sent)
        assert not begun(link.transport)
        assert link.transport.lag == 0
    assert link.transport._count < MANY
    await link.transport.close()


@pytest.mark.parametrize(
    "pad", ["", "x" * 300, "é€\U0001f40d" * 20, "x" * 5000], ids=["short", "long", "wide", "large"]
)
async def test_texts_come_unharmed(peers: Peers, pad: str) -> None:
    """Whatever they are made of and however long they are."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    sent = texts(400, pad=pad)
    await peer.ask("send_many", texts=sent)
    await link.has(sent)
    await link.transport.close()


async def test_what_is_no_json_is_told_one_by_one(peers: Peers) -> None:
    """A binary message, and one with the character that separates them, come as they would without a flood."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    odd = ["a\0b", "\0", "", "[object ArrayBuffer]"]
    sent = [*texts(500), *odd, *texts(500, first=500)]
    await peer.ask("send_many", texts=sent)
    await peer.ask("send_binary", text="blob")
    await peer.ask("send_many", texts=texts(500, first=1000))
    await link.recorder.until(lambda it: len(it.messages) + len(it.invalids) == len(sent) + 501)
    expected = [text for text in sent if text != odd[-1]] + texts(500, first=1000)
    got = [text for text in link.recorder.messages if text != odd[-1]]
    assert got == expected
    assert all("binary" in str(cause) for cause in link.recorder.invalids)
    await link.transport.close()


async def test_the_loss_comes_after_the_last_of_them(peers: Peers) -> None:
    """A close that follows a flood at once takes nothing away that came before it."""
    peer = await peers.start("scripted")
    for count in (100, MANY):
        link = await Link.to(peer.url)
        sent = texts(count)
        closing = later(peer.ask("send_many", texts=sent, then_close=4321))
        await link.recorder.until(lambda it: bool(it.losses))
        assert link.recorder.messages == sent
        assert [loss.code for loss in link.recorder.losses] == [4321]
        await closing


async def test_one_that_is_too_large_ends_it(peers: Peers) -> None:
    """The limit of size holds for each; nothing is delivered after the link is given up."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url, max_message_bytes=1000)
    sent = [*texts(1000), *texts(1, pad="x" * 1000), *texts(1000)]
    sending = later(peer.ask("send_many", texts=sent))
    await link.recorder.until(lambda it: bool(it.losses))
    await sending
    await asyncio.sleep(0.02)
    assert link.recorder.messages == sent[:1000]
    assert [type(cause) for cause in link.recorder.invalids] == [MessageTooLarge]
    assert (link.recorder.losses[0].code, link.recorder.losses[0].local) == (4009, True)


@pytest.mark.parametrize("end", ["abort", "close"])
async def test_nothing_comes_after_the_end(peers: Peers, end: str) -> None:
    """A receiver that ends the link in the middle of a portion hears nothing more."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    closing: list[Any] = []

    while not begun(link.transport):
        arrive(link.transport, texts(1)[0])
    last = len(link.recorder.messages) + 100

    def message(text: str) -> None:
        link.recorder.messages.append(text)
        if len(link.recorder.messages) == last:
            assert begun(link.transport)
            if end == "abort":
                link.transport.abort()
            else:
                # As far as it goes without a wait.
                closing.append(link.transport.close())
                closing[0].send(None)

    link.recorder.message = message  # type: ignore[method-assign]
    for text in texts(MANY):
        arrive(link.transport, text)
    await eventually(lambda: len(link.recorder.messages) >= last)
    await asyncio.sleep(0.02)
    assert len(link.recorder.messages) == last
    for coroutine in closing:
        coroutine.close()
    link.transport.abort()


async def test_a_receiver_that_raises_is_survived(peers: Peers) -> None:
    """Each message is delivered all the same, and the loss too."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    sent = texts(300)

    def message(text: str) -> None:
        link.recorder.messages.append(text)
        if text in (sent[0], sent[150], sent[299]):
            raise LookupError("the receiver's own")

    link.recorder.message = message  # type: ignore[method-assign]
    await peer.ask("send_many", texts=sent, then_close=1000)
    await link.recorder.until(lambda it: bool(it.losses))
    assert link.recorder.messages == sent


async def test_replies_are_no_flood(peers: Peers) -> None:
    """However many calls are answered, each reply is taken in its own event, as a task waits for it."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        transport = it._supervisor._session.transport  # type: ignore[union-attr]
        assert isinstance(transport, PyodideTransport)
        before = transport._count
        assert await asyncio.gather(*(it.call("echo", [number]) for number in range(500))) == list(range(500))
        assert transport._count - before == 500


@pytest.fixture
def hidden() -> Iterator[None]:
    """A tab that is hidden."""
    options = to_js({"value": "hidden", "configurable": True}, dict_converter=js.Object.fromEntries)
    js.Object.defineProperty(js.document, "visibilityState", options)
    yield
    js.Reflect.deleteProperty(js.document, "visibilityState")


@pytest.mark.skipif(not hasattr(js, "document"), reason="Node has no tab")
@pytest.mark.usefixtures("hidden")
async def test_in_a_hidden_tab_there_is_none(peers: Peers) -> None:
    """Its timers come a second late, and there is nothing to paint."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    await peer.ask("send_many", texts=texts(500))
    await link.has(texts(500))
    assert link.transport._count == 500
    await link.transport.close()


async def test_a_reader_follows_though_its_buffer_is_small(peers: Peers) -> None:
    """Row 31: readers run between the portions, so that a buffer overflows only where its reader is slow."""
    circle = await peers.start("circle", max_backlog_bytes=64 * 1024 * 1024)
    async with client(circle.url) as it, it.notifications("tick", buffer=300) as ticks:
        pushing = later(it.call("tick", [20_000], timeout=60))
        got = [(await anext(ticks))["number"] for _ in range(20_000)]
        await pushing
        assert got == list(range(20_000))
        assert ticks.dropped == it.stats.dropped == 0
        assert it.stats.lag is not None


@pytest.mark.parametrize("turns", [False, True], ids=["too slow", "keeps up"])
async def test_a_slow_page_has_a_flood_too(peers: Peers, monkeypatch: pytest.MonkeyPatch, turns: bool) -> None:
    """Few messages a second are too many where the loop has no turn between them."""
    monkeypatch.setattr(flood, "_RATE", float("inf"))
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    sent = texts(4 * LOOK_EVERY)
    for number, text in enumerate(sent):
        arrive(link.transport, text)
        if turns and number % LOOK_EVERY == 0:
            await asyncio.sleep(0)
    assert begun(link.transport) == (not turns)
    await link.has(sent)
    await link.transport.close()


class OvertakingLoop:
    """The running loop of a busy browser, where a timer is due before what waits for its turn."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self.call_soon = self._loop.call_soon

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        callback()


async def test_readers_run_before_the_next_portion_though_its_timer_is_due(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 31: a timer that overtakes what waits for its turn does not bring two portions in one turn."""
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    sent: list[str] = []
    order: list[str] = []

    def come(count: int) -> None:
        new = texts(count, first=len(sent))
        sent.extend(new)
        for text in new:
            arrive(link.transport, text)

    while not begun(link.transport):
        come(1)
    come(200)
    last = len(sent)
    record = link.recorder.message

    def message(text: str) -> None:
        record(text)
        if len(link.recorder.messages) == last:
            come(200)
            asyncio.get_running_loop().call_soon(order.append, "reader")
        elif len(link.recorder.messages) == last + 1:
            order.append("next portion")

    link.recorder.message = message  # type: ignore[method-assign]
    loop = OvertakingLoop()
    monkeypatch.setattr(flood, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    await link.has(sent)
    await eventually(lambda: len(link.recorder.messages) == last + 200)
    assert order == ["reader", "next portion"]
    assert link.recorder.messages == sent
    await link.transport.close()


async def test_calls_are_answered_in_a_flood(peers: Peers) -> None:
    """Row 31: a reply that comes in the middle of a flood that does not end is taken there."""
    peer = await peers.start("scripted", answers={"echo": {"result": 7}})
    async with client(peer.url, key=None) as it:
        transport = it._supervisor._session.transport  # type: ignore[union-attr]
        assert isinstance(transport, PyodideTransport)
        latest = it.notifications("n", overflow="latest")
        await peer.ask("ask_on_and_on", text=texts(1)[0])
        for _ in range(10):
            await eventually(lambda: begun(transport))
            assert await it.call("echo") == 7
            before = it.stats.notifications
            await eventually(lambda: it.stats.notifications > before)  # noqa: B023
            assert await anext(latest) == [0, ""]


async def test_what_follows_the_end_of_a_link_in_a_portion_is_not_taken(peers: Peers) -> None:
    """A client that leaves the link in the middle of a portion answers no request that stands behind."""
    peer = await peers.start("scripted", answers={"f": {"result": "fine"}})
    ran: list[int] = []
    it = client(peer.url, key=None)
    it.handle("pay", ran.append)
    requests = [f'{{"jsonrpc":"2.0","id":{number},"method":"pay","params":[{number}]}}' for number in range(100)]
    async with it:
        await later(peer.ask("send_many", texts=[*texts(MANY), *["{"] * 5, *requests]))
        await eventually(lambda: it.stats.reconnects == 1)
        assert await it.call("f") == "fine"
        assert ran == []


class Tab:
    """A tab that becomes hidden when it is told to."""

    hidden = False


def arrive(transport: PyodideTransport, text: str) -> None:
    """Let a message come, as one event of the socket's."""
    js_options = to_js({"data": text}, dict_converter=js.Object.fromEntries)
    transport._js_socket.dispatchEvent(js.MessageEvent.new("message", js_options))


@pytest.mark.parametrize("end", ["hidden", "calm"])
async def test_what_comes_between_the_last_portions_is_taken(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """What was fetched is taken over several turns; the flood does not end over what came in one of them."""
    tab = Tab()
    monkeypatch.setattr(flood, "host_events", tab)
    monkeypatch.setattr(flood, "_CALM", 1)
    peer = await peers.start("scripted")
    link = await Link.to(peer.url)
    sent: list[str] = []

    def come(texts: list[str]) -> None:
        sent.extend(texts)
        for text in texts:
            arrive(link.transport, text)

    while not begun(link.transport):
        come(texts(1, first=len(sent)))
    record = link.recorder.message
    first = len(sent)

    def between() -> None:
        tab.hidden = end == "hidden"
        come(texts(2, first=len(sent)))

    def message(text: str) -> None:
        if len(link.recorder.messages) == first:
            asyncio.get_running_loop().call_soon(between)
        record(text)

    link.recorder.message = message  # type: ignore[method-assign]
    if end == "hidden":
        come(texts(600, first=first))
    else:
        come([f'{{"jsonrpc":"2.0","id":{number},"result":null}}' for number in range(600)])
    await eventually(lambda: not begun(link.transport))
    assert len(sent) == first + 602
    assert link.recorder.messages == sent
    come(texts(1, first=len(sent)))
    assert link.recorder.messages == sent
    await link.transport.close()


def end(transport: PyodideTransport, state: int) -> None:
    """Let the socket be in this state of its end; CLOSED comes with the event."""
    js_value = to_js({"value": state, "configurable": True}, dict_converter=js.Object.fromEntries)
    js.Object.defineProperty(transport._js_socket, "readyState", js_value)
    if state == js.WebSocket.CLOSED:
        js_event = js.Event.new("close")
        js_event.code, js_event.reason = 1012, "restart"
        transport._js_socket.dispatchEvent(js_event)


@pytest.mark.parametrize("state", ["closing", "closed"])
@pytest.mark.parametrize("waits", [False, True], ids=["written", "waits"])
async def test_replies_before_a_close_count(peers: Peers, state: str, waits: bool) -> None:
    """What was put aside when the link went down is taken, though a call is made on it that cannot be written any more.

    That call goes out on the next link, and the close keeps its code. One that waits for a slot is given it by the
    first of the replies.
    """
    peer = await peers.start("scripted", answers={"slow": None})
    causes: list[Any] = []
    async with client(peer.url, key=None, max_in_flight=2 if waits else 3) as it:
        it.on_status(lambda change: causes.append(change.cause))
        session = it._supervisor._session
        assert session is not None
        transport: Any = session.transport
        calls = [later(it.call("slow")) for _ in range(2)]
        await eventually(lambda: len(session.pending.entries) == 2)
        first, second = [f'{{"jsonrpc":"2.0","id":{id},"result":{id}}}' for id in session.pending.entries]
        ids = list(session.pending.entries)
        if waits:
            late = later(it.call("slow"))
            await asyncio.sleep(0)
        while not begun(transport):
            arrive(transport, texts(1)[0])
        for text in [*texts(600), first, *texts(600), second]:
            arrive(transport, text)
        end(transport, getattr(js.WebSocket, state.upper()))
        if not waits:
            late = later(it.call("slow"))
        assert await asyncio.gather(*calls) == ids
        await eventually(lambda: any(causes))
        if state == "closed":
            assert [cause.code for cause in causes if cause is not None] == [1012]
        await eventually(lambda: it._supervisor._session not in (None, session))
        await eventually(lambda: len(it._supervisor.send_queue.pending.entries) == 1)
        assert not late.done()
        late.cancel()
        js.Reflect.deleteProperty(transport._js_socket, "readyState")
        transport._js_socket.close()


def test_events_whose_data_are_their_own() -> None:
    """As Node has them: they are read one by one."""
    js_events: Any = to_js([{"data": "first"}, {"data": "second"}], dict_converter=js.Object.fromEntries)
    assert flood.read_together(js_events, 2) == ["first", "second"]
    assert flood.reader_of_large(js_events[0])(js_events[1]) == "second"
