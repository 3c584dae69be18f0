"""The contract of `Transport`, over the runtime's own transport and over memory."""

import asyncio
import logging
import sys

import pytest

from circle_ws.errors import ConnectionFailed, ConnectionLost, MessageTooLarge, UnsupportedRuntime
from circle_ws.transport import TransportOptions, connect
from tests.contract.sockets import MemorySockets, RealSockets, Sockets
from tests.support.outcomes import later, until
from tests.support.peers import Peers
from tests.support.recorder import Recorder

IN_BROWSER = sys.platform == "emscripten"
HTTP_404 = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HTTP_503 = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HTTP_302 = "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=["own", "memory"])
async def sockets(request: pytest.FixtureRequest, peers: Peers) -> Sockets:
    return MemorySockets() if request.param == "memory" else await RealSockets.make(peers)


async def test_texts_arrive_whole_and_in_order(sockets: Sockets) -> None:
    """What one end sends the other gets: empty, beyond ASCII, and a megabyte."""
    texts = ["first", "", "snowman ☃ and 𝄞", "x" * 1_000_000, "last"]
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    for text in texts:
        transport.send(text)
        await transport.drain()
        await sockets.send(text)
    assert await sockets.received(len(texts)) == texts
    await recorder.until(lambda it: len(it.messages) == len(texts))
    assert recorder.messages == texts
    await transport.close()


async def test_a_binary_message_is_told_and_survived(sockets: Sockets) -> None:
    """A binary message is `invalid`, not a message, and the connection goes on."""
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    await sockets.send_binary("blob")
    await sockets.send("text")
    await recorder.until(lambda it: it.messages == ["text"])
    assert len(recorder.invalids) == 1
    assert "binary" in str(recorder.invalids[0])
    assert not recorder.losses
    await transport.close()


async def test_a_message_over_the_size_is_told_and_ends_the_connection(sockets: Sockets) -> None:
    """The limit counts bytes of UTF-8; what is over it is never delivered, and the connection goes down once."""
    recorder = Recorder()
    transport = await sockets.dial(recorder, max_message_bytes=2000)
    await sockets.send("é" * 1000)
    await recorder.until(lambda it: len(it.messages) == 1)
    await sockets.send("é" * 1001)
    await recorder.until(lambda it: bool(it.losses))
    assert len(recorder.messages) == 1
    assert isinstance(recorder.invalids[0], MessageTooLarge)
    assert recorder.invalids[0].limit == 2000
    assert recorder.losses[0].local
    assert len(recorder.losses) == 1
    await transport.close()


async def test_the_peers_close_is_told_once_with_its_words(sockets: Sockets) -> None:
    """A closing peer is `lost` with its code and reason; sending then raises."""
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    await sockets.close(4123, "good bye")
    await recorder.until(lambda it: bool(it.losses))
    loss = recorder.losses[0]
    assert (loss.code, loss.reason, loss.local) == (4123, "good bye", False)
    with pytest.raises(ConnectionLost):
        transport.send("too late")
    with pytest.raises(ConnectionLost):
        await transport.drain()
    await transport.close()
    transport.abort()
    assert len(recorder.losses) == 1


async def test_our_own_close_is_not_told_and_idempotent(sockets: Sockets) -> None:
    """After `close()` nothing is delivered, the peer sees the code, and closing again does nothing."""
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    transport.send("last words")
    await transport.close(4000, "done")
    await transport.close()
    assert await sockets.ending() == 4000
    assert await sockets.received(1) == ["last words"]
    assert not recorder.losses
    with pytest.raises(ConnectionLost):
        transport.send("too late")


async def test_abort_is_at_once_and_silent(sockets: Sockets) -> None:
    """After `abort()` nothing is delivered and the peer learns of it."""
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    transport.abort()
    transport.abort()
    await sockets.ending()
    with pytest.raises(ConnectionLost):
        transport.send("too late")
    assert not recorder.messages
    assert not recorder.losses


async def test_a_receiver_that_raises_is_logged_and_survived(
    sockets: Sockets, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of the receiver's neither ends the connection nor goes to the event loop."""
    recorder = Recorder()
    recorder.raising = RuntimeError("a fault of the receiver's")
    transport = await sockets.dial(recorder)
    with caplog.at_level(logging.ERROR, "circle_ws"):
        await sockets.send("one")
        await sockets.send_binary("two")
        await sockets.send("three")
        await recorder.until(lambda it: it.messages == ["one", "three"])
        await sockets.close(1001, "")
        await recorder.until(lambda it: bool(it.losses))
    assert sum("receiver raised" in record.message for record in caplog.records) == 4
    await transport.close()


async def test_every_inbound_message_is_a_sign_of_life(sockets: Sockets) -> None:
    """`bytes_received` grows with each message, and what was written is on its way in the end."""
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    before = transport.bytes_received
    await sockets.send("hello")
    await recorder.until(lambda it: bool(it.messages))
    assert transport.bytes_received >= before + 5
    transport.send("hello")
    await transport.drain()
    await sockets.received(1)
    assert transport.buffered == 0
    await transport.close()


async def test_ping_returns_with_the_pong_where_there_is_one(sockets: Sockets) -> None:
    """A ping is answered natively and in memory, and refused in words by a browser."""
    transport = await sockets.dial(Recorder())
    if sockets.connect.capabilities.ping:
        before = transport.bytes_received
        await transport.ping()
        assert transport.bytes_received > before
    else:
        with pytest.raises(UnsupportedRuntime, match="rpc"):
            await transport.ping()
    await transport.close()
    if sockets.connect.capabilities.ping:
        with pytest.raises(ConnectionLost):
            await transport.ping()


async def test_fragments_become_one_message(peers: Peers) -> None:
    """A message in 40 fragments arrives as one."""
    sockets = await RealSockets.make(peers)
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    fragments = [f"part {number}, " for number in range(40)]
    await sockets.peer.ask("send_fragments", fragments=fragments)
    await recorder.until(lambda it: bool(it.messages))
    assert recorder.messages == ["".join(fragments)]
    await transport.close()


async def test_a_cut_connection_is_1006(peers: Peers) -> None:
    """A connection that ends without a closing handshake is lost with code 1006."""
    sockets = await RealSockets.make(peers)
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    await sockets.peer.ask("cut")
    await recorder.until(lambda it: bool(it.losses))
    assert (recorder.losses[0].code, recorder.losses[0].local) == (1006, False)
    await transport.close()


async def test_bad_utf8_ends_the_connection(peers: Peers) -> None:
    """Text that is no UTF-8 is never delivered; the connection fails (natively with 1007)."""
    sockets = await RealSockets.make(peers)
    recorder = Recorder()
    transport = await sockets.dial(recorder)
    await sockets.peer.ask("send_bad_utf8")
    await recorder.until(lambda it: bool(it.losses))
    assert not recorder.messages
    if not IN_BROWSER:
        assert recorder.losses[0].code == 1007
    await transport.close()


async def test_what_comes_with_the_handshake_is_not_lost(peers: Peers) -> None:
    """Messages that are sent as soon as the server has accepted arrive, every time."""
    peer = await peers.start("scripted", greeting=["one", "two", "three"])
    for _ in range(20):
        recorder = Recorder()
        transport = await connect(peer.url, recorder, TransportOptions(close_timeout=2.0))
        await recorder.until(lambda it: it.messages == ["one", "two", "three"])
        await transport.close()


async def test_drain_waits_while_the_peer_does_not_read(peers: Peers) -> None:
    """With a peer that reads nothing, `buffered` grows and `drain` waits until the connection ends."""
    peer = await peers.start("scripted", deaf=True)
    recorder = Recorder()
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=0.2))
    for _ in range(64):
        transport.send("x" * 1_000_000)
    assert transport.buffered > 1_000_000
    draining = later(transport.drain())
    await peer.ask("count")
    assert not draining.done()
    await peer.ask("cut")
    assert isinstance(await draining, ConnectionLost)
    await transport.close()


@pytest.mark.parametrize(
    ("reply", "status", "retry_after"),
    [(HTTP_404, 404, None), (HTTP_503, 503, 7.0), (HTTP_302, 302, None), ("SSH-2.0-nonsense\r\n\r\n", None, None)],
    ids=["404", "503", "302", "garbage"],
)
async def test_what_is_no_websocket_is_refused_in_words(
    peers: Peers, reply: str, status: int | None, retry_after: float | None
) -> None:
    """A server that does not upgrade is `ConnectionFailed`; natively with its HTTP status."""
    peer = await peers.start("tcp", reply=reply)
    with pytest.raises(ConnectionFailed) as caught:
        await connect(peer.url, Recorder(), TransportOptions())
    assert caught.value.phase == "open"
    if not IN_BROWSER:
        assert (caught.value.http_status, caught.value.retry_after) == (status, retry_after)
        assert type(caught.value).__name__ == ("RedirectRefused" if status == 302 else "ConnectionFailed")
        assert await peer.ask("count") == 1


async def test_a_refused_port_is_refused_in_words(peers: Peers) -> None:
    """Where nothing listens, the error says what to look at."""
    peer = await peers.start("tcp")
    await peer.stop()
    with pytest.raises(ConnectionFailed, match="could not be opened" if IN_BROWSER else "is the circle running"):
        await connect(peer.url, Recorder(), TransportOptions())


async def test_an_unknown_host_is_refused_in_words() -> None:
    """A host that does not exist is told apart natively; a browser says that it cannot tell."""
    with pytest.raises(ConnectionFailed, match="host"):
        await connect("ws://no-such-host.invalid/", Recorder(), TransportOptions())


async def test_a_cancelled_dial_leaves_nothing(peers: Peers) -> None:
    """Cancelling while the server keeps silent ends at once; the leak check of every test looks for remains."""
    peer = await peers.start("tcp")
    dialling = asyncio.ensure_future(connect(peer.url, Recorder(), TransportOptions()))
    await until(peer, "count")
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
