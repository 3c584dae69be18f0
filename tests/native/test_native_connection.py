"""The short way past `websockets`: what it writes, what it takes, and where it is not legal."""

import asyncio
import base64
import hashlib
import socket
import struct
from collections.abc import AsyncGenerator, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from circle_ws import ConnectionFailed, ConnectionLost, MessageTooLarge
from circle_ws.jsonrpc.lenient import reply_ids
from circle_ws.transport import Transport, TransportOptions
from circle_ws.transport.native import connect
from circle_ws.transport.native_connection import Connection
from tests.native.test_frames import frame
from tests.peers.stream_peer import StreamPeer
from tests.support.clients import client
from tests.support.outcomes import eventually
from tests.support.peers import Peers
from tests.support.recorder import Recorder

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LENGTHS = [0, 1, 125, 126, 65_535, 65_536, 200_000]
"""Around each of the three forms of a header (RFC 6455 section 5.2)."""


class RawPeer(StreamPeer):
    """Answer the handshake, with bytes right behind it, and write pieces of bytes, each by itself."""

    def __init__(self, pieces: Callable[[bytes], list[bytes]]) -> None:
        super().__init__()
        self._pieces = pieces
        self.received = bytearray()
        """What came in after the handshake."""

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key.strip() + GUID).digest())
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        for piece in self._pieces(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"):
            writer.write(piece)
            await writer.drain()
            # So that each is a read of its own at the other end.
            await asyncio.sleep(0.002)
        await self.begin(reader, writer)
        while data := await reader.read(65536):
            self.received += data

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what comes before reading."""


async def taken(pieces: Callable[[bytes], list[bytes]], until: Callable[[Recorder], bool]) -> Recorder:
    """Dial a raw peer and give what its client was told."""
    peer, recorder = RawPeer(pieces), Recorder()
    await peer.open(0)
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=0.5, max_message_bytes=1000))
    try:
        await recorder.until(until)
    finally:
        transport.abort()
        await peer.close()
    return recorder


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("HTTP/1.1 503", "HTTP 503; the circle, or a server in front of it, cannot answer now"),
        ("HTTP/1.1 407 No\r\n\r\n", "HTTP 407; a proxy on the way asks for a user name and password"),
    ],
)
async def test_a_refusal_has_its_advice(peers: Peers, reply: str, words: str) -> None:
    """Of an answer that breaks off, too, if it has come as far as the status."""
    peer = await peers.start("tcp", reply=reply)
    with pytest.raises(ConnectionFailed, match=words):
        await connect(peer.url, Recorder(), TransportOptions())


async def test_a_reset_in_the_middle_of_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came before it counts, as before an end in order."""
    came, take = asyncio.Event(), Connection.data_received

    def note(self: Connection, data: bytes | memoryview) -> None:
        take(self, data)
        came.set()

    class Resetting(StreamPeer):
        async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503")
            await came.wait()
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    monkeypatch.setattr(Connection, "data_received", note)
    peer = Resetting()
    await peer.open(0)
    try:
        with pytest.raises(ConnectionFailed) as caught:
            await connect(peer.url, Recorder(), TransportOptions())
        assert caught.value.http_status == 503
    finally:
        await peer.close()


@pytest.mark.parametrize("place", range(-6, 8))
async def test_a_cut_anywhere_around_the_end_of_the_handshake(place: int) -> None:
    """The answer to the handshake and the first message share their bytes in every way; none is lost."""
    message = frame(0x81, b"first") + frame(0x81, b"second")

    def pieces(answer: bytes) -> list[bytes]:
        stream = answer + message
        return [stream[: len(answer) + place], stream[len(answer) + place :]]

    assert (await taken(pieces, lambda it: len(it.messages) == 2)).messages == ["first", "second"]


@pytest.mark.parametrize("apart", [False, True])
async def test_an_interim_answer_before_the_handshakes(apart: bool) -> None:
    """RFC 9110 section 15.2: 103 and its like only announce the answer."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    def pieces(answer: bytes) -> list[bytes]:
        return [hints, answer + frame(0x81, b"text")] if apart else [hints + answer + frame(0x81, b"text")]

    assert (await taken(pieces, lambda it: bool(it.messages))).messages == ["text"]


async def test_a_text_in_the_middle_of_a_fragmented_message_is_refused() -> None:
    """RFC 6455 section 5.4: the link fails with 1002, and the text is not delivered."""
    stream = frame(0x01, b"be") + frame(0x89, b"") + frame(0x81, b"text") + frame(0x80, b"gin")
    recorder = await taken(lambda answer: [answer + stream], lambda it: bool(it.losses))
    assert recorder.losses[0].code == 1002
    assert not recorder.messages


async def test_fragments_and_whole_texts_keep_their_order() -> None:
    """What takes the long way is not overtaken by what takes the short one."""
    stream = frame(0x81, b"1") + frame(0x01, b"2") + frame(0x80, b"2") + frame(0x81, b"3")
    assert (await taken(lambda answer: [answer, stream], lambda it: len(it.messages) == 3)).messages == ["1", "22", "3"]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(0x81, b"abcdtext", mask=0x80), 1002),
        (b"\x87\x00", 1002),
        (b"\xc1\x02{}", 1002),
        (b"\x81\x7e\xff\xff", 1009),
        (b"\x81\x7f" + bytes(3) + b"\xff" * 5, 1009),
        (frame(0x81, b"\xff"), 1007),
    ],
    ids=["masked", "unknown opcode", "reserved bit", "too long", "far too long", "no UTF-8"],
)
async def test_a_fault_in_a_frame_ends_the_link_with_its_code(stream: bytes, code: int) -> None:
    """As soon as it shows, whatever comes behind."""
    recorder = await taken(lambda answer: [answer, stream + frame(0x81, b"behind")], lambda it: bool(it.losses))
    assert recorder.losses[0].code == code
    assert not recorder.messages


async def test_nothing_is_taken_after_the_peers_close() -> None:
    """A text behind a close frame is dropped (RFC 6455 section 1.4)."""
    stream = frame(0x88, b"\x03\xe8") + frame(0x81, b"behind")
    recorder = await taken(lambda answer: [answer, stream], lambda it: bool(it.losses))
    assert recorder.losses[0].code == 1000
    assert not recorder.messages


class Server:
    """Keep what comes in, and count the reads that it took."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reads = 0
        self.closed = asyncio.Event()
        self.url = ""

    async def serve(self, connection: ServerConnection) -> None:
        received = connection.data_received

        def counted(data: bytes) -> None:
            self.reads += 1
            received(data)

        connection.data_received = counted  # type: ignore[method-assign]
        async for text in connection:
            assert type(text) is str
            self.texts.append(text)
        self.closed.set()


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    kept = Server()
    async with serve(kept.serve, "127.0.0.1", 0, compression="deflate") as serving:
        kept.url = f"ws://127.0.0.1:{next(iter(serving.sockets)).getsockname()[1]}/"
        yield kept


async def dial(server: Server, *, compression: bool = False) -> Transport:
    return await connect(server.url, Recorder(), TransportOptions(close_timeout=2.0, compression=compression))


@pytest.mark.parametrize("compression", [False, True])
async def test_texts_of_any_length_arrive(server: Server, compression: bool) -> None:
    """Each form of a header is read by a server that is not ours, with and without compression."""
    transport = await dial(server, compression=compression)
    for length in LENGTHS:
        transport.send("x" * length)
    await transport.close()
    await server.closed.wait()
    assert [len(text) for text in server.texts] == LENGTHS


async def test_what_is_written_in_one_turn_leaves_together(server: Server) -> None:
    """A hundred texts take two writes: the first leaves at once, the others behind it; their order stays."""
    transport = await dial(server)
    for number in range(100):
        transport.send(str(number))
    assert transport.buffered > 0
    await transport.close()
    await server.closed.wait()
    assert server.texts == [str(number) for number in range(100)]
    # And the close frame, which may come alone.
    assert server.reads <= 3


async def test_large_texts_do_not_wait_for_the_end_of_the_turn(server: Server) -> None:
    """What is on its way to the network must not count as waiting, or it would hold up others."""
    transport = await dial(server)
    for _ in range(8):
        transport.send("x" * 20_000)
    assert transport.buffered < 70_000
    await transport.close()
    await server.closed.wait()
    assert len(server.texts) == 8


async def test_each_message_is_masked_with_a_key_of_its_own() -> None:
    """RFC 6455 section 5.3: fresh and unpredictable for every frame; the same text never looks the same twice."""
    peer = RawPeer(lambda answer: [answer])
    await peer.open(0)
    transport = await connect(peer.url, Recorder(), TransportOptions(close_timeout=0.5))
    for _ in range(50):
        transport.send("text")
    await eventually(lambda: len(peer.received) == 50 * 10)
    transport.abort()
    await peer.close()
    sent = [bytes(peer.received[place : place + 10]) for place in range(0, 500, 10)]
    assert len({one[2:6] for one in sent}) == 50
    assert {bytes(a ^ b for a, b in zip(one[6:], one[2:6], strict=True)) for one in sent} == {b"text"}


class PingingPeer(RawPeer):
    """Send pings with numbers as long as `pinging`, and read nothing before it is over."""

    def __init__(self) -> None:
        super().__init__(lambda answer: [answer])
        self.pinging = True
        self.sent = 0

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        while self.pinging:
            writer.write(b"".join(frame(0x89, f"{self.sent + number:0100}".encode()) for number in range(100)))
            self.sent += 100
            await writer.drain()
            await asyncio.sleep(0)
        writer.transport.resume_reading()  # type: ignore[attr-defined]


async def test_a_peer_that_pings_and_does_not_read() -> None:
    """While it reads nothing only the latest ping has a pong kept for it (RFC 6455 section 5.5.3)."""
    peer, recorder = PingingPeer(), Recorder()
    await peer.open(0)
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=0.5))
    link = transport._connection
    await eventually(lambda: link.paused)
    begun = link.transport.get_write_buffer_size()
    received = link.bytes_received
    await eventually(lambda: link.bytes_received > received + 10_000_000)
    assert link.transport.get_write_buffer_size() <= begun
    peer.pinging = False
    await eventually(lambda: not link.paused)
    last = f"{peer.sent - 1:0100}".encode()
    await eventually(lambda: last in unmasked(peer.received))
    transport.abort()
    await peer.close()


async def test_what_a_peer_does_not_read_is_joined() -> None:
    """Small messages of many turns are one piece: asyncio's buffer takes time for each of its pieces."""
    peer, recorder = PingingPeer(), Recorder()
    await peer.open(0)
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=0.5))
    link = transport._connection
    await eventually(lambda: link.paused)
    begun = link.transport.get_write_buffer_size()
    for number in range(1000):
        link.send_text(f"{number:04}")
        await asyncio.sleep(0)
    assert link.transport.get_write_buffer_size() <= begun + 100
    assert link.joined_size > 9000
    peer.pinging = False
    await eventually(lambda: b"".join(b"%04d" % number for number in range(1000)) in unmasked(peer.received))
    transport.abort()
    await peer.close()


def unmasked(stream: bytes | bytearray) -> bytes:
    """Give the payloads of short masked frames, one behind the other."""
    payloads, start = bytearray(), 0
    while start + 6 <= len(stream):
        length, key = stream[start + 1] & 0x7F, stream[start + 2 : start + 6]
        payloads += bytes(byte ^ key[place % 4] for place, byte in enumerate(stream[start + 6 : start + 6 + length]))
        start += 6 + length
    return bytes(payloads)


async def test_pings_that_are_never_answered_are_forgotten() -> None:
    """A peer that is alive may never answer a ping; what waits for the pong of an old one is cancelled."""
    peer, recorder = RawPeer(lambda answer: [answer]), Recorder()
    await peer.open(0)
    transport = await connect(peer.url, recorder, TransportOptions(close_timeout=0.5))
    pongs = [transport.ping() for _ in range(100)]
    assert len(transport._connection.pending_pings) == 8
    assert [pong.cancelled() for pong in pongs] == [True] * 92 + [False] * 8
    transport.abort()
    await peer.close()


async def test_what_a_circle_asks_in_the_packet_of_the_101_is_answered() -> None:
    """A client without a key answers as soon as the connection is open, what came before that, too."""
    text = b'{"jsonrpc":"2.0","id":1,"method":"double","params":[21]}'
    peer = RawPeer(lambda answer: [answer + frame(0x81, text)])
    await peer.open(0)
    it = client(peer.url, key=None, close_timeout=0.1)
    it.handle("double", lambda number: 2 * number)
    try:
        async with it:
            await eventually(lambda: peer.received)
            masked = bytes(peer.received)
            assert _unmasked(masked) == b'{"jsonrpc":"2.0","id":1,"result":42}'
    finally:
        await peer.close()


async def test_five_malformed_messages_in_the_packet_of_the_101() -> None:
    """The attempt fails, and the connection is closed with 4002."""
    peer = RawPeer(lambda answer: [answer + 6 * frame(0x81, b"{")])
    await peer.open(0)
    it = client(peer.url, key=None, close_timeout=0.2)
    try:
        with pytest.raises(ConnectionFailed) as caught:
            await it.connect()
        assert isinstance(caught.value.__cause__, ConnectionLost)
        assert caught.value.__cause__.code == 4002
        await eventually(lambda: peer.received)
        assert _unmasked(bytes(peer.received))[:2] == (4002).to_bytes(2)
        assert it.stats.protocol_errors == 5
        await it.close()
    finally:
        await peer.close()


@pytest.mark.parametrize("beginning", [b'{"jsonrpc":"2.0","id":1,"result":"', b'{"id":1,"result":["\xc3\xa9'])
@pytest.mark.parametrize("cut", [0, 1, 2, 9])
async def test_a_reply_that_is_too_large_is_refused_by_its_header(beginning: bytes, cut: int) -> None:
    """What has come in of it together with its header is told, cut, while the rest never comes."""
    whole = frame(0x81, beginning + b"x" * 100_000)
    pieces = (whole[:cut], whole[cut:2000])
    recorder = await taken(lambda answer: [answer, *filter(None, pieces)], lambda it: bool(it.losses))
    assert recorder.losses[0].code == 1009
    (cause,) = recorder.invalids
    assert isinstance(cause, MessageTooLarge)
    assert cause.beginning == (beginning + b"x" * 2000)[:1024].decode()
    assert reply_ids(cause.beginning) == [1]


def _unmasked(data: bytes) -> bytes:
    """Give the payload of the short frame that a client wrote."""
    length = data[1] & 0x7F
    return bytes(byte ^ data[2 + index % 4] for index, byte in enumerate(data[6 : 6 + length]))
