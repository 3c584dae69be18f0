"""A peer that breaks JSON-RPC is told of, counted and survived; in both runtimes against a real one."""

import json
from typing import Any

import pytest

from circle_ws import ConnectionStatus, ProtocolError, RpcError
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import client
from tests.support.outcomes import eventually, until
from tests.support.peers import Peers

ANSWERS = {"f": {"result": "fine"}}

TROUBLE = {
    "not JSON": ("{", "JSON"),
    "no JSON-RPC": ('{"id":1}', "jsonrpc"),
    "a reply to nothing": ('{"jsonrpc":"2.0","id":4711,"result":1}', "never sent"),
    "a reply with a strange id": ('{"jsonrpc":"2.0","id":"one","result":1}', "never sent"),
    "an id that is almost one": ('{"jsonrpc":"2.0","id":1.0,"result":1}', "never sent"),
    "an error without an id": ('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}', "-32700"),
}


@pytest.mark.parametrize("name", TROUBLE)
async def test_it_is_told_counted_and_survived(peers: Peers, name: str) -> None:
    """The callback is given a `ProtocolError` in words, `stats` counts it, and the next call works."""
    text, words = TROUBLE[name]
    peer = await peers.start("scripted", answers=ANSWERS)
    told: list[ProtocolError] = []
    async with client(peer.url, key=None) as it:
        it.on_protocol_error(told.append)
        await it.call("f")
        await peer.ask("send", text=text)
        await eventually(lambda: told)
        assert await it.call("f") == "fine"
        assert it.stats.protocol_errors == len(told) == 1
    assert words in str(told[0])


async def test_the_peers_own_words_are_at_hand(peers: Peers) -> None:
    """An error without an id carries what the peer said as its cause."""
    peer = await peers.start("scripted", answers=ANSWERS)
    told: list[ProtocolError] = []
    async with client(peer.url, key=None) as it:
        it.on_protocol_error(told.append)
        await peer.ask("send", text='{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no comma"}}')
        await eventually(lambda: told)
    cause = told[0].__cause__
    assert isinstance(cause, RpcError)
    assert (cause.code, cause.message) == (-32700, "no comma")


async def test_a_duplicate_reply_is_no_trouble(peers: Peers) -> None:
    """Duplicate and late replies are counted as ignored, and not reported."""
    reply = '{"jsonrpc":"2.0","id":$id,"result":1}'
    peer = await peers.start("scripted", answers={"f": {"raw": reply}, "g": {"result": 2}})
    told: list[ProtocolError] = []
    async with client(peer.url, key=None) as it:
        it.on_protocol_error(told.append)
        assert await it.call("f") == 1
        await peer.ask("send", text=reply.replace("$id", "1"))
        assert await it.call("g") == 2
        assert it.stats.ignored_replies == 1
        assert it.stats.protocol_errors == 0
    assert told == []


async def test_a_removed_callback_is_not_called_and_a_raising_one_breaks_nothing(
    peers: Peers, caplog: pytest.LogCaptureFixture
) -> None:
    """The function that `on_protocol_error` gives removes it; what a callback raises is logged."""
    peer = await peers.start("scripted", answers=ANSWERS)
    told: list[Any] = []

    def fail(error: ProtocolError) -> None:
        told.append(error)
        raise RuntimeError("the callback's own fault")

    async with client(peer.url, key=None) as it:
        it.on_protocol_error(fail)
        remove = it.on_protocol_error(lambda error: pytest.fail("it was removed"))
        remove()
        remove()
        await peer.ask("send", text="{")
        await eventually(lambda: told)
        assert await it.call("f") == "fine"
    assert "a protocol error callback raised" in caplog.text


async def test_a_call_made_from_the_callback_is_answered(peers: Peers) -> None:
    """A callback is never run on the reader: it may use the client."""
    import asyncio

    peer = await peers.start("scripted", answers=ANSWERS)
    calls: list[asyncio.Task[Any]] = []
    async with client(peer.url, key=None) as it:
        it.on_protocol_error(lambda error: calls.append(asyncio.ensure_future(it.call("f"))))
        await peer.ask("send", text="[]")
        await eventually(lambda: calls)
        assert await calls[0] == "fine"


WELL_FORMED = {
    "a notification": '{"jsonrpc":"2.0","method":"n"}',
    "a request": '{"jsonrpc":"2.0","id":1,"method":"f"}',
    "a late reply": '{"jsonrpc":"2.0","id":4711,"result":1}',
    "an error without an id": '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"?"}}',
}


@pytest.mark.parametrize("batch", ["[{}]", "[{},1]", "[1,{}]"])
@pytest.mark.parametrize("name", WELL_FORMED)
async def test_a_well_formed_member_of_a_batch_ends_the_row(peers: Peers, name: str, batch: str) -> None:
    """Of whatever kind it is, and whatever stands beside it: what is malformed is counted anew."""
    peer = await peers.start("scripted", answers=ANSWERS)
    async with client(peer.url, key=None) as it:
        for _ in range(3):
            await peer.ask("send_many", texts=["1", "1", batch.replace("{}", WELL_FORMED[name])])
        assert await it.call("f") == "fine"
        await until(peer, "received")
        assert it.status is ConnectionStatus.CONNECTED
    assert await peer.ask("count") == 1


async def _read(peer: MemoryPeer) -> None:
    async for text in peer:
        message = json.loads(text)
        if "method" in message:
            peer.send(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": "fine"}))


AFTERWARDS = {
    "a request": '{"jsonrpc":"2.0","id":1,"method":"f"}',
    "a batch": '[{"jsonrpc":"2.0","id":1,"method":"f"},{"jsonrpc":"2.0","method":"n","params":[1]}]',
    "a notification": '{"jsonrpc":"2.0","method":"n","params":[1]}',
}


@pytest.mark.parametrize("name", AFTERWARDS)
async def test_what_follows_the_end_of_a_connection_is_not_taken(name: str) -> None:
    """It may have been read together with the message that ended it; the circle will ask anew on the next one."""
    server = MemoryServer(_read)
    it = client("ws://localhost/", key=None, transport=server)
    ran: list[None] = []
    it.handle("f", lambda: ran.append(None))
    async with it, it.notifications("n", gaps=True) as listener:
        for text in ["{"] * 5 + [AFTERWARDS[name]]:
            server.peers[0].send(text)
        await eventually(lambda: len(server.peers) == 2)
        assert await it.call("f") == "fine"
        assert (ran, it.stats.notifications) == ([], 0)
        server.peers[1].send('{"jsonrpc":"2.0","method":"n","params":[2]}')
        assert [type(await anext(listener)).__name__, await anext(listener)] == ["Gap", [2]]
