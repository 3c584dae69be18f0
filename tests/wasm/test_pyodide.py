"""What only the browser's transport can tell."""

import asyncio
from types import SimpleNamespace

import js
import pytest
from pyodide.ffi import to_js

from circle_ws.errors import ConnectionFailed, ConnectionLost, MessageTooLarge, ProtocolError
from circle_ws.transport import Transport, TransportOptions, connect
from circle_ws.transport.pyodide import PyodideTransport
from tests.support.clients import client
from tests.support.peers import Peers
from tests.support.recorder import Recorder


@pytest.mark.parametrize("url", ["ws://127.0.0.1:99999/", "ws://[/", "ftp://127.0.0.1/"])
async def test_what_the_constructor_throws_is_told(url: str) -> None:
    """A URL that the browser refuses at once is `ConnectionFailed` with its words, and leaves no proxy behind."""
    with pytest.raises(ConnectionFailed, match="refused to open"):
        await connect(url, Recorder(), TransportOptions())


async def test_a_browser_compresses_by_itself(peers: Peers) -> None:
    """It offers permessage-deflate without being asked, and speaks with a circle that takes it."""
    peer = await peers.start("opening", deflate={})
    async with client(peer.url, key=None) as it:
        assert await it.call("echo", ["x" * 50_000]) == "x" * 50_000
    (request,) = await peer.ask("requests")
    (offer,) = (value for name, value in request if name.lower() == "sec-websocket-extensions")
    assert offer.startswith("permessage-deflate")


async def test_what_a_browser_inflates_is_bounded_afterwards(peers: Peers) -> None:
    """A bomb is inflated by the browser, out of our reach, and refused before anything reads it."""
    peer = await peers.start("opening", deflate={})
    recorder = Recorder()
    transport = await connect(peer.url, recorder, TransportOptions(max_message_bytes=100_000, close_timeout=2))
    await peer.ask("send_bomb", size=1_000_000)
    await recorder.until(lambda it: bool(it.losses))
    assert recorder.messages == []
    assert isinstance(recorder.invalids[0], MessageTooLarge)
    assert (recorder.losses[0].code, recorder.losses[0].local) == (4009, True)
    await transport.close()


async def test_large_messages_cross_as_bytes_unharmed(peers: Peers) -> None:
    """After a large message the next one crosses to Python as bytes; text, small and binary ones come as they are."""
    peer = await peers.start("scripted")
    recorder = Recorder()
    transport = await connect(peer.url, recorder, TransportOptions(max_message_bytes=40_000, close_timeout=2))
    texts = ["x" * 5000, "\u00e9\u20ac\U0001f40d" * 3000, "y" * 5000, "small", "z" * 5000]
    for text in texts:
        await peer.ask("send", text=text)
    await peer.ask("send_binary", text="blob")
    await recorder.until(lambda it: bool(it.invalids))
    assert recorder.messages == texts
    assert "binary" in str(recorder.invalids[0])
    await peer.ask("send", text="x" * 5000)
    await peer.ask("send", text="\u20ac" * 13_334)
    await recorder.until(lambda it: bool(it.losses))
    assert recorder.invalids[1].size == 40_002  # type: ignore[attr-defined]
    await transport.close()


async def test_an_event_of_a_socket_that_we_close_takes_no_more(peers: Peers) -> None:
    """Within a message event the socket is open, and is not asked; once it is closed there, it takes nothing more."""
    peer = await peers.start("scripted")
    last = '{"jsonrpc":"2.0","method":"last"}'
    outcomes: list[object] = []

    class Closing(Recorder):
        def message(self, text: str) -> None:
            super().message(text)
            transport.send(last)
            transport.abort()
            try:
                transport.send("too late")
            except ConnectionLost as loss:
                outcomes.append(loss)

    recorder = Closing()
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=2))
    await peer.ask("send", text="close")
    await recorder.until(lambda it: bool(it.messages))
    assert len(outcomes) == 1
    while not (received := await peer.ask("received")):
        pass
    assert received == [last]


def _come(transport: Transport, text: str) -> None:
    """Let a message come, as one event of the socket's."""
    assert isinstance(transport, PyodideTransport)
    js_options = to_js({"data": text}, dict_converter=js.Object.fromEntries)
    transport._js_socket.dispatchEvent(js.MessageEvent.new("message", js_options))


async def test_what_comes_while_it_is_closed_is_not_taken(peers: Peers) -> None:
    """The peer may have written it before it knew."""
    peer = await peers.start("scripted")
    recorder = Recorder()
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=2))
    closing = asyncio.ensure_future(transport.close())
    await asyncio.sleep(0)
    _come(transport, "late")
    await closing
    assert recorder.messages == []


async def test_a_receiver_that_aborts_over_a_large_message(peers: Peers) -> None:
    """It has ended the connection itself, and is told of no loss."""

    class Aborting(Recorder):
        def invalid(self, cause: ProtocolError) -> None:
            super().invalid(cause)
            transport.abort()

    peer = await peers.start("scripted")
    recorder = Aborting()
    transport = await connect(peer.url, recorder, TransportOptions(max_message_bytes=10, close_timeout=2))
    _come(transport, "x" * 11)
    assert [type(it) for it in recorder.invalids] == [MessageTooLarge]
    assert recorder.losses == []


async def test_a_close_after_the_message_that_ended_it(peers: Peers) -> None:
    """The first reason counts, and is told once: a large message may have been put aside until the close."""
    peer = await peers.start("scripted")
    recorder = Recorder()
    transport = await connect(peer.url, recorder, TransportOptions(max_message_bytes=10, close_timeout=2))
    assert isinstance(transport, PyodideTransport)
    transport._take_later("x" * 11)
    transport._on_close(SimpleNamespace(code=1001, reason="over"))
    assert [loss.code for loss in recorder.losses] == [4009]


async def test_a_message_of_a_flood_lets_writing_go_on(peers: Peers) -> None:
    """As every message does, once the browser has sent enough."""
    peer = await peers.start("scripted")
    recorder = Recorder()
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=2))
    assert isinstance(transport, PyodideTransport)
    relief = transport._relief = asyncio.get_running_loop().create_future()
    transport._take_later("text")
    assert relief.done()
    assert recorder.messages == ["text"]
    await transport.close()
