"""Proves that a watched transport is the transport, and what is noted of what goes over it."""

import asyncio

import pytest

from circle_ws.cli.doctor.watch import Watch
from circle_ws.transport import TransportOptions
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.recorder import Recorder


def request(id: int | str, method: str) -> str:
    return f'{{"jsonrpc": "2.0", "id": {id!r}, "method": "{method}", "params": [1]}}'.replace("'", '"')


@pytest.fixture
async def server() -> MemoryServer:
    async def silent(peer: MemoryPeer) -> None:
        async for _ in peer:
            pass

    return MemoryServer(silent)


async def test_it_notes_the_reply_to_each_request_and_nothing_else(server: MemoryServer) -> None:
    """Not what is no request or no reply, what cannot be read, what is too long, nor an id that was not asked for."""
    watch, recorder = Watch(server), Recorder()
    transport = await watch("ws://localhost/", recorder, TransportOptions())
    for sent in (
        request(1, "first"),
        request(2, "second"),
        '{"jsonrpc": "2.0", "method": "told"}',
        '{"jsonrpc": "2.0", "id": "theirs", "result": null}',
        f"[{request(3, 'in a batch')}]",
    ):
        transport.send(sent)
    assert [(one.id, one.method, one.by_position, one.count) for one in watch.exchanges] == [
        (1, "first", True, 1),
        (2, "second", True, 1),
    ]
    [peer] = server.peers
    texts = [
        '{"jsonrpc": "2.0", "id": 7, "result": 1}',
        '{"jsonrpc": "2.0", "id": 2, "result": {"auth_profiles": ["bound"]}}',
        f'{{"jsonrpc": "2.0", "id": 1, "result": 1}}{" " * 100_000}',
        '[{"jsonrpc": "2.0", "id": 1, "result": 1}]',
        "no JSON",
    ]
    for text in texts:
        peer.send(text)
    await asyncio.sleep(0)
    assert recorder.messages == texts
    first, second = watch.exchanges
    assert (first.answered, first.seconds) == (None, None)
    assert (second.accepted, second.offers) == (True, True)
    assert not watch.echoed
    transport.abort()


async def test_the_client_has_the_transport_itself(server: MemoryServer) -> None:
    watch = Watch(server)
    transport = await watch("ws://localhost/", Recorder(), TransportOptions())
    inner = watch.transport
    assert inner is not None
    await transport.ping()
    assert transport.bytes_received == inner.bytes_received == 1
    transport.send("x" * 10)
    assert transport.buffered == inner.buffered == 10
    await transport.drain()
    transport.abort()
