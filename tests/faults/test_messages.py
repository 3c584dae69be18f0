"""Rows 15 to 21: messages that are too large, no JSON, absurd, no JSON-RPC, or replies to no call."""

import asyncio
import json
import os
from typing import Any

import pytest

from circle_ws import (
    CallTimeout,
    CircleWsClient,
    ConnectionLost,
    ConnectionStatus,
    MessageTooLarge,
    OutcomeUnknown,
    ProtocolError,
)
from tests.faults.stage import IN_BROWSER, Story, behind_faults
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer

S = ConnectionStatus
FINE = {"f": {"result": "fine"}}
BEARABLE = 4


@pytest.mark.parametrize("fragments", [0, 3], ids=["whole", "in fragments"])
async def test_row_15_a_message_that_is_too_large(peers: Peers, fragments: int) -> None:
    """Row 15, inbound message too large: the call that it answers fails; the others' outcome is unknown; retry."""
    peer = await peers.start("scripted", answers={"again": [None, {"result": "run again"}], **FINE})
    async with client(peer.url, key=None, max_message_bytes=3000) as it:
        story = Story(it)
        told: list[ProtocolError] = []
        it.on_protocol_error(told.append)
        large = later(it.call("large", idempotent=True))
        other, again = later(it.call("other")), later(it.call("again", idempotent=True))
        sent = await until(peer, "received", lambda texts: len(texts) == 3)
        id = json.loads(sent[0])["id"]
        text = f'{{"jsonrpc":"2.0","id":{id},"result":"{"x" * 5000}"}}'
        if fragments:
            await later(peer.ask("send_fragments", fragments=[text[start : start + 2000] for start in (0, 2000, 4000)]))
        else:
            await later(peer.ask("send", text=text))
        failure, unknown = await large, await other
        assert isinstance(failure, MessageTooLarge)
        assert failure.limit == 3000
        assert "max_message_bytes (3000); raise it" in str(failure)
        assert type(unknown) is OutcomeUnknown
        assert unknown.__cause__ is failure
        assert "max_message_bytes (3000); raise it" in str(unknown)
        assert await again == "run again"
        loss = (await story.until(S.WAITING)).cause
        assert isinstance(loss, ConnectionLost)
        assert loss.local
        assert loss.__cause__ is failure
        assert told == [failure]
        assert await it.call("f") == "fine"
    methods = [json.loads(text)["method"] for text in await peer.ask("received")]
    assert methods == ["large", "other", "again", "again", "f"]
    # JavaScript may not send 1009. Fragments that are still on their way may reset TCP, and the code with it.
    codes = {4009 if IN_BROWSER else 1009, *([1006] if fragments else [])}
    assert (await peer.ask("ended"))[0]["code"] in codes


async def test_row_15_its_id_cannot_be_read(peers: Peers) -> None:
    """Row 15, inbound message too large: a notification, or an id far behind, is held against no single call."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None, max_message_bytes=2000) as it:
        for text in (
            f'{{"jsonrpc":"2.0","method":"news","params":["{"x" * 3000}"]}}',
            f'{{"jsonrpc":"2.0","result":"{"x" * 3000}","id":1}}',
            f'{{"jsonrpc":"2.0","result":{{"id":1,"text":"{"x" * 3000}"}},"id":1}}',
        ):
            silent = later(it.call("silent"))
            await until(peer, "open_connections", lambda count: count == 1)
            count = len(await until(peer, "received"))
            await until(peer, "received", lambda texts: json.loads(texts[-1])["method"] == "silent")
            await later(peer.ask("send", text=text))
            unknown = await silent
            assert type(unknown) is OutcomeUnknown
            assert isinstance(unknown.__cause__, MessageTooLarge)
            assert await it.call("f") == "fine"
            assert len(await peer.ask("received")) > count


async def test_row_15_the_log_does_not_blame_the_peer(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """Row 15, inbound message too large: the words name our own limit."""
    peer = await peers.start("scripted", answers={"large": {"result": "x" * 3000}})
    async with client(peer.url, key=None, max_message_bytes=2000) as it:
        assert isinstance(await later(it.call("large")), MessageTooLarge)
    assert "max_message_bytes (2000)" in caplog.text
    assert "the peer broke the protocol" not in caplog.text


ASKED = pytest.param(True, marks=pytest.mark.native_only("a browser decides by itself whether it compresses"))


@pytest.mark.parametrize("compression", [False, ASKED], ids=["by default", "asked for"])
async def test_row_16_a_bomb_is_bounded_by_the_same_limit(peers: Peers, compression: bool) -> None:
    """Row 16, compression bomb: off by default natively; what is inflated, by a browser unasked, is as in row 15."""
    peer = await peers.start("scripted", answers={"bomb": {"zeros": 2_000_000}, **FINE}, deflate=True)
    options = {"compression": True} if compression else {}
    async with client(peer.url, key=None, max_message_bytes=100_000, **options) as it:
        unknown = await later(it.call("bomb"))
        assert type(unknown) is OutcomeUnknown
        failure = unknown.__cause__
        assert isinstance(failure, MessageTooLarge)
        assert failure.limit == 100_000
        assert await it.call("f") == "fine"
        assert it.stats.bytes_in < 1000
    assert (await peer.ask("ended"))[0]["code"] == (4009 if IN_BROWSER else 1009)
    assert IN_BROWSER or await peer.ask("deflates") == [int(compression)] * 2


DEEP = "[" * 100_000 + "]" * 100_000
NONSENSE = {
    "nothing": "",
    "half an object": '{"jsonrpc":"2.0",',
    "words": "no JSON",
    "NaN": '{"jsonrpc":"2.0","method":"f","params":[NaN]}',
    "Infinity": '{"jsonrpc":"2.0","method":"f","params":[-Infinity]}',
    "a lone surrogate": '{"jsonrpc":"2.0","method":"f","params":["\\ud800"]}',
    "two messages": '{"jsonrpc":"2.0","method":"f"}{"jsonrpc":"2.0","method":"f"}',
}
ABSURD = {
    "deep arrays": DEEP,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "deep params": f'{{"jsonrpc":"2.0","method":"f","params":{DEEP}}}',
    "arrays that never end": "[" * 1_000_000,
    "a number beyond floats": '{"jsonrpc":"2.0","method":"f","params":[1e999]}',
    "an endless integer": f'{{"jsonrpc":"2.0","method":"f","params":[{"9" * 100_000}]}}',
    "an endless exponent": f'{{"jsonrpc":"2.0","method":"f","params":[1e{"9" * 100_000}]}}',
}
FOREIGN = {
    "no version": '{"id":"x","result":1}',
    "another version": '{"jsonrpc":"1.0","id":4711,"result":1}',
    "an empty batch": "[]",
    "a batch of nonsense": "[1]",
    "both result and error": '{"jsonrpc":"2.0","id":4711,"result":1,"error":{"code":1,"message":"m"}}',
    "too large a batch": f"[{'{},' * 1000}1]",
    "an error that is null, and no result": '{"jsonrpc":"2.0","id":4711,"error":null}',
    "a method that is no text": '{"jsonrpc":"2.0","method":5}',
}
ROWS = {17: NONSENSE, 18: ABSURD, 19: FOREIGN}


async def survives(it: CircleWsClient, peer: RemotePeer, text: str) -> None:
    """Send nonsense while a call is in flight: it is reported and counted, and the call succeeds."""
    told: list[ProtocolError] = []
    it.on_protocol_error(told.append)
    unrelated = [later(it.call("slow")) for _ in range(2)]
    await until(peer, "received", lambda texts: len(texts) == 2)
    for count in range(1, BEARABLE + 1):
        await peer.ask("send", text=text)
        await eventually(lambda: len(told) == count)  # noqa: B023
    assert it.stats.protocol_errors == BEARABLE
    assert await it.call("f") == "fine"
    assert not any(call.done() for call in unrelated)
    for text in (await peer.ask("received"))[:2]:
        await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": json.loads(text)["id"], "result": "at last"}))
    assert await asyncio.gather(*unrelated) == ["at last"] * 2


async def is_left(it: CircleWsClient, peer: RemotePeer, how: str, text: str) -> None:
    """Send five in a row: the connection is closed with 4002, and replaced by a new one."""
    story = Story(it)
    silent, other = later(it.call("silent")), later(it.call("silent"))
    await until(peer, "received", lambda texts: len(texts) == 5)
    for _ in range(BEARABLE + 1):
        await later(peer.ask(how, text=text))
    await other
    loss = await silent
    assert isinstance(loss, OutcomeUnknown)
    assert (loss.code, loss.local) == (4002, True)
    await story.until(S.WAITING)
    assert await it.call("f") == "fine"
    assert (await until(peer, "ended"))[0]["code"] == 4002


async def check_nonsense(peers: Peers, text: str) -> None:
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        await survives(it, peer, text)
        await is_left(it, peer, "send", text)


@pytest.mark.parametrize("name", NONSENSE)
async def test_row_17_what_is_no_json_is_dropped(peers: Peers, name: str) -> None:
    """Row 17, malformed JSON, NaN: dropped, told, counted; the fifth in a row ends the connection (4002); retry."""
    await check_nonsense(peers, NONSENSE[name])


@pytest.mark.skipif(os.environ.get("CIRCLE_WS_RUNTIME") == "node", reason="Node's WebSocket takes the mark away")
async def test_row_17_a_byte_order_mark_is_no_json(peers: Peers) -> None:
    """Row 17, BOM: JSON text on a wire has none (RFC 8259 section 8.1); dropped, told, counted."""
    await check_nonsense(peers, '\ufeff{"jsonrpc":"2.0","method":"f"}')


async def test_row_17_a_binary_frame_is_dropped(peers: Peers) -> None:
    """Row 17, binary frame: as malformed JSON, and counted together with it, each connection for itself."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        for connection in (1, 2):
            for text in ("no JSON", "[]", '{"jsonrpc":"2.0"}'):
                await peer.ask("send", text=text)
            await peer.ask("send_binary", text="blob")
            # While a call is open it would be taken for a reply to that.
            await eventually(lambda: it.stats.protocol_errors == 4 * connection)  # noqa: B023
            assert await it.call("f") == "fine"
            await peer.ask("cut")
            await eventually(lambda: not it.is_connected())
            await it.wait_until_connected()
        assert it.stats.protocol_errors == 8
        held = [later(it.call("silent")) for _ in range(2)]
        await until(peer, "received", lambda texts: json.loads(texts[-1])["method"] == "silent")
        for _ in range(4):
            await peer.ask("send_binary", text='{"jsonrpc":"2.0","method":"f"}')
        await until(peer, "count", lambda count: count == 3)
        await later(peer.ask("send_binary", text="blob"))
        await until(peer, "ended", lambda endings: endings[-1]["code"] == 4002)
        assert {type(one) for one in await asyncio.gather(*held)} == {OutcomeUnknown}
        assert await it.call("f") == "fine"


async def test_row_17_bad_utf8_ends_the_connection(peers: Peers) -> None:
    """Row 17, bad UTF-8: the connection fails (RFC 6455 section 8.1), with 1007 where the runtime tells it; retry."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        silent = later(it.call("silent"))
        await until(peer, "received")
        await peer.ask("send_bad_utf8")
        loss = await silent
        assert isinstance(loss, OutcomeUnknown)
        assert loss.code in ((1006, 1007) if IN_BROWSER else (1007,))
        assert await it.call("f") == "fine"


@pytest.mark.parametrize(
    "data",
    ["ff" * 16, "890083", "c103616263", "8103616263" + "01" * 200],
    ids=["noise", "a reserved opcode", "a reserved bit", "a text and noise"],
)
async def test_row_17_garbage_on_the_wire_ends_the_connection(peers: Peers, data: str) -> None:
    """Row 17: data that is no frame fails the connection too (RFC 6455 section 7.1.7); retry, but not for ever."""
    peer, proxy = await behind_faults(peers, "scripted", answers=FINE)
    async with client(proxy.url, key=None) as it:
        silent = later(it.call("silent"))
        await until(peer, "received")
        await proxy.ask("inject", data=data + "ff" * 64)
        loss = await silent
        assert isinstance(loss, OutcomeUnknown)
        assert loss.code in ((1006, 1002) if IN_BROWSER else (1002, 1007))
        assert await it.call("f") == "fine"
        await until(proxy, "open_connections", lambda count: count == 1)


@pytest.mark.parametrize("name", ABSURD)
async def test_row_18_absurdities_are_dropped(peers: Peers, name: str) -> None:
    """Row 18, absurd nesting, absurd numbers: as what is no JSON, and the interpreter lives on."""
    await check_nonsense(peers, ABSURD[name])


@pytest.mark.parametrize("name", FOREIGN)
async def test_row_19_what_is_no_json_rpc_is_dropped(peers: Peers, name: str) -> None:
    """Row 19, not JSON-RPC, with no id of a call: as what is no JSON."""
    await check_nonsense(peers, FOREIGN[name])


@pytest.mark.parametrize(
    "reply",
    [
        '{"id":$id,"result":1}',
        '{"jsonrpc":"2.0","id":$id}',
        '{"jsonrpc":"2.0","id":$id,"result":1,"error":{"code":1,"message":"m"}}',
        '{"jsonrpc":"2.0","id":$id,"error":"no"}',
        '{"jsonrpc":"2.0","id":$id,"error":{"message":"no code"}}',
        '{"jsonrpc":"2.0","id":$id,"error":{"code":1.5,"message":"no integer"}}',
        '{"jsonrpc":"2.0","id":$id,"error":{"code":1,"message":null}}',
    ],
)
async def test_row_19_a_broken_reply_fails_the_call_that_it_names(peers: Peers, reply: str) -> None:
    """Row 19, not JSON-RPC: a reply with the id of a call fails that call with `ProtocolError`, and nothing else."""
    peer = await peers.start("scripted", answers={"bad": {"raw": reply}, **FINE})
    async with client(peer.url, key=None) as it:
        for _ in range(BEARABLE + 2):
            assert type(await later(it.call("bad"))) is ProtocolError
        assert await it.call("f") == "fine"
        assert it.stats.protocol_errors == 0
    assert await peer.ask("count") == 1


async def test_row_20_replies_to_no_open_call_are_ignored(peers: Peers) -> None:
    """Row 20, unknown, duplicate or late reply: counted, and no call gets what is not its own."""
    answers: dict[str, Any] = {"f": {"result": "fine"}, "late": None}
    peer = await peers.start("scripted", answers=answers)
    async with client(peer.url, key=None) as it:
        with pytest.raises(CallTimeout):
            await it.call("late", timeout=0.05)
        gone = later(it.call("late"))
        await until(peer, "received", lambda texts: len(texts) == 2)
        late, cancelled = (json.loads(text)["id"] for text in await peer.ask("received"))
        gone.cancel()
        waiting = later(it.call("late"))
        await until(peer, "received", lambda texts: len(texts) == 3)
        for id in (late, cancelled, 4711, 4711, -1, "1", 1.5, True, None):
            await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": id, "result": "foreign"}))
        assert await it.call("f") == "fine"
        await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": 4, "result": "a duplicate"}))
        assert await it.call("f") == "fine"
        assert it.stats.ignored_replies == 10
        assert not waiting.done()
        await it.close(drain=0)
        assert isinstance(await waiting, OutcomeUnknown)
    assert await peer.ask("count") == 1
