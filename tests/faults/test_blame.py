"""Rows 17 and 19 to 21: a reply that breaks the protocol fails the call that it is about, at once, and no other."""

import asyncio
import json
import os
from typing import Any

import pytest

from circle_ws import (
    CircleWsClient,
    ConnectionFailed,
    ConnectionLost,
    OutcomeUnknown,
    ProtocolError,
    RpcError,
)
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer

FINE = {"f": {"result": "fine"}}
NAMELESS = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no comma"}}'

IN_PLAIN_SIGHT = {
    "NaN": '{"jsonrpc":"2.0","id":$id,"result":NaN}',
    "the id last": '{"result":[1e999,{"id":4711}],"id": $id }',
    "half a surrogate": '{"jsonrpc":"2.0","id":$id,"error":{"code":-32000,"message":"\\ud800"}}',
    "brackets in a string": '{"result":["}]","\\"id\\":4711,"],"id":$id,"x":-Infinity}',
    "half a message": '{"jsonrpc":"2.0","id":$id,"resu',
    "a byte order mark": '\ufeff{"jsonrpc":"2.0","id":$id,"result":1}',
    "too deep": f'{{"jsonrpc":"2.0","id":$id,"result":{"[" * 5000}{"]" * 5000}}}',
    "too long a number": f'{{"jsonrpc":"2.0","id":$id,"result":{"9" * 2000}}}',
    "in a batch": '[{"jsonrpc":"2.0","id":$id,"result":NaN}]',
    "a string as the id": '{"jsonrpc":"2.0","id":"$id","result":NaN}',
    "a float as the id": '{"jsonrpc":"2.0","id":$id.0,"result":NaN}',
    "a string as the id, in a batch": '[{"jsonrpc":"2.0","id":"$id","result":NaN}]',
    "a float as the id, in a batch": '[{"jsonrpc":"2.0","result":NaN,"id":$id.0}]',
    "a comma too many": '{"jsonrpc":"2.0","id":$id,"result":1,}',
}
HIDDEN = {
    "a request": '{"jsonrpc":"2.0","id":$id,"method":"f","params":[NaN]}',
    "a request, its method last": '{"id":$id,"params":[NaN],"method":"f"}',
    "deeper": '{"jsonrpc":"2.0","result":{"id":$id,"x":NaN}}',
    "in a string": '{"jsonrpc":"2.0","result":"\\"id\\":$id,","x":NaN}',
    "cut in the middle of the id": '{"jsonrpc":"2.0","result":NaN,"id":$id',
    "of another type": '{"jsonrpc":"2.0","id":[$id],"result":NaN}',
    "very far behind": f'{{"result":["{"x" * 100_000}",NaN],"id":$id}}',
}
BROKEN = [
    ('{"id":$id,"result":1}', "jsonrpc"),
    ('{"jsonrpc":"2.0","id":$id}', "neither"),
    ('{"jsonrpc":"2.0","id":$id,"error":null}', "not an object"),
    ('{"jsonrpc":"2.0","id":$id,"result":1,"error":{"code":1,"message":"why it failed"}}', "both.*why it failed"),
    ('{"jsonrpc":"2.0","id":$id,"error":"why it failed"}', "integer code.*why it failed"),
    ('{"jsonrpc":"2.0","id":$id,"error":{"message":"why it failed"}}', "integer code.*why it failed"),
    ('{"jsonrpc":"2.0","id":$id,"error":{"code":1.5,"message":"why it failed"}}', "1.5.*why it failed"),
    ('{"jsonrpc":"2.0","id":$id,"error":{"code":1,"message":null,"data":"why"}}', "integer code.*why"),
    ('{"id":$id,"error":{"code":1,"message":"why it failed"}}', "jsonrpc.*why it failed"),
    ('[{"jsonrpc":"2.0","id":$id,"error":"why it failed"}]', "integer code.*why it failed"),
]
ALMOST = [
    '{"jsonrpc":"2.0","id":"$id","result":1}',
    '{"jsonrpc":"2.0","id":$id.0,"result":1}',
    '{"jsonrpc":"2.0","id":"$id","error":{"code":1,"message":"m"}}',
    '{"jsonrpc":"2.0","id":"$id"}',
    '[{"jsonrpc":"2.0","id":"$id","result":1}]',
]


async def in_flight(it: CircleWsClient, peer: RemotePeer, count: int) -> tuple[list["asyncio.Task[Any]"], list[int]]:
    """Start calls, wait until they are in flight, and return them and their ids."""
    before = len(await peer.ask("received"))
    calls = [later(it.call("silent")) for _ in range(count)]
    texts = await until(peer, "received", lambda texts: len(texts) == before + count)
    return calls, [json.loads(text)["id"] for text in texts[before:]]


async def answer_well(peer: RemotePeer, ids: list[int]) -> None:
    for id in ids:
        await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": id, "result": id}))


async def check_it_fails_its_call_alone(peers: Peers, text: str, words: str = "") -> None:
    """Send six such replies in a row: each fails its call, nothing is counted, and the connection stays."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        others, ids = await in_flight(it, peer, 2)
        for _ in range(6):
            (call,), (id,) = await in_flight(it, peer, 1)
            await peer.ask("send", text=text.replace("$id", str(id)))
            error = await call
            assert type(error) is ProtocolError
            pytest.raises(ProtocolError, _raise, error).match(words)
        assert not any(other.done() for other in others)
        await answer_well(peer, ids)
        assert await asyncio.gather(*others) == ids
        assert await it.call("f") == "fine"
        assert it.stats.protocol_errors == 0
    assert await peer.ask("count") == 1


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("name", IN_PLAIN_SIGHT)
async def test_row_17_an_id_in_plain_sight(peers: Peers, name: str) -> None:
    """Row 17, malformed JSON: what names a call fails that call at once, and never counts towards the close."""
    if name == "a byte order mark" and os.environ.get("CIRCLE_WS_RUNTIME") == "node":
        pytest.skip("Node's WebSocket takes the mark away")
    await check_it_fails_its_call_alone(peers, IN_PLAIN_SIGHT[name])


@pytest.mark.parametrize("name", HIDDEN)
async def test_row_17_no_id_in_plain_sight(peers: Peers, name: str) -> None:
    """Row 17, malformed JSON: what only looks as if it named a call fails none; it is dropped, told and counted."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        told: list[ProtocolError] = []
        it.on_protocol_error(told.append)
        (call,), (id,) = await in_flight(it, peer, 1)
        await peer.ask("send", text=HIDDEN[name].replace("$id", str(id)))
        await eventually(lambda: told)
        assert await it.call("f") == "fine"
        assert not call.done()
        await answer_well(peer, [id])
        assert await call == id


async def test_row_17_each_reply_of_a_batch_that_is_no_json(peers: Peers) -> None:
    """Row 17, malformed JSON: every call that it names fails at once, and ids of requests in it name no call."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        (one, other, third), ids = await in_flight(it, peer, 3)
        members = (
            '{"jsonrpc":"2.0","id":%d,"result":[{}]},{"id":%d,"method":"f"},{"jsonrpc":"2.0","id":%d,"result":NaN}'
        )
        await peer.ask("send", text=f"[{members % (ids[0], ids[2], ids[1])}]")
        assert {type(one) for one in await asyncio.gather(one, other)} == {ProtocolError}
        assert not third.done()
        await answer_well(peer, [ids[2]])
        assert await third == ids[2]


async def test_row_17_good_traffic_between(peers: Peers) -> None:
    """Row 17, malformed JSON: any number of malformed messages is borne that has something well-formed between."""
    peer = await peers.start("scripted", answers=FINE)
    good = [
        '{"jsonrpc":"2.0","method":"news"}',
        '{"jsonrpc":"2.0","method":"news","params":null}',
        '{"jsonrpc":"2.0","id":"x","method":"unknown","params":null}',
        '{"jsonrpc":"2.0","id":4711,"result":1}',
        NAMELESS,
        '[{"jsonrpc":"2.0","method":"news"}]',
    ]
    async with client(peer.url, key=None) as it, it.notifications("news") as news:
        calls, ids = await in_flight(it, peer, 2)
        for text in good:
            for malformed in ("{", "no JSON", "[]", "5"):
                await peer.ask("send", text=malformed)
            await peer.ask("send", text=text)
        assert await it.call("f") == "fine"
        await answer_well(peer, ids)
        assert await asyncio.gather(*calls) == ids
        assert [await anext(news) for _ in range(3)] == [None] * 3
        assert it.stats.protocol_errors == 4 * len(good) + 2
    assert await peer.ask("count") == 1


@pytest.mark.parametrize("members", ["1", "1,{}", '{"jsonrpc":"2.0","method":"news"},1'])
async def test_row_17_a_batch_of_nonsense_ends_at_the_fifth_member(peers: Peers, members: str) -> None:
    """Row 17, malformed JSON: each malformed member counts, five in one batch close the connection; one is reported."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        told: list[ProtocolError] = []
        it.on_protocol_error(told.append)
        held, _ = await in_flight(it, peer, 2)
        await later(peer.ask("send", text=f"[{','.join([members] * 300)}]"))
        for loss in await asyncio.gather(*held):
            assert isinstance(loss, OutcomeUnknown)
            assert (loss.code, loss.local) == (4002, True)
        assert await it.call("f") == "fine"
        assert len(told) == it.stats.protocol_errors == 5


async def test_row_17_good_replies_of_a_bad_batch_count(peers: Peers) -> None:
    """Row 17, malformed JSON: nonsense beside a reply does not take the reply away, wherever it stands."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        (call,), (id,) = await in_flight(it, peer, 1)
        reply = json.dumps({"jsonrpc": "2.0", "id": id, "result": "good"})
        await later(peer.ask("send", text=f"[{'1,' * 10}{reply}{',1' * 10}]"))
        assert await call == "good"
        assert await it.call("f") == "fine"


@pytest.mark.parametrize("text", ["[" + "1," * 5_000_000 + "1]", "[" + "[]," * 3_000_000 + "1]"], ids=["1", "[]"])
async def test_row_18_a_huge_batch_is_one_malformed_message(peers: Peers, text: str) -> None:
    """Row 18, absurd: a batch of millions is refused as a whole, told of once, and takes no minute."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None, keepalive=None) as it:
        told: list[ProtocolError] = []
        it.on_protocol_error(told.append)
        await peer.ask("send", text=text)
        await eventually(lambda: told)
        assert "over the maximum of 1000 members" in str(told[0])
        assert await it.call("f") == "fine"
        assert len(told) == 1


@pytest.mark.parametrize(("reply", "words"), BROKEN)
async def test_row_19_a_broken_reply_fails_the_call_that_it_names(peers: Peers, reply: str, words: str) -> None:
    """Row 19, not JSON-RPC: it fails that call with `ProtocolError`, which keeps the circle's own words."""
    await check_it_fails_its_call_alone(peers, reply, words)


@pytest.mark.parametrize(
    "reply",
    [
        '{"jsonrpc":"2.0","id":$id,"error":{"code":-32000,"message":"why it failed \\ud800"}}',
        '{"error":{"code":-32000,"message":"why it failed","data":NaN},"id":$id,"jsonrpc":"2.0"}',
        ' { "id" : $id , "error" : {"code":-32000,"message":"why it failed"',
    ],
)
async def test_row_17_its_words_are_kept(peers: Peers, reply: str) -> None:
    """Row 17, malformed JSON: what the circle wrote as its error is in the words of the call's."""
    await check_it_fails_its_call_alone(peers, reply, "not strict JSON.*why it failed")


async def test_row_19_a_null_beside_the_other_is_taken(peers: Peers) -> None:
    """Row 19, not JSON-RPC: with a null for the one that it is not, a reply means what it says."""
    answers = {
        "good": {"result": 5, "error": None},
        "null": {"result": None, "error": None},
        "bad": {"result": None, "error": {"code": 7, "message": "why"}},
    }
    peer = await peers.start("scripted", answers=answers)
    async with client(peer.url, key=None) as it:
        assert await it.call("good") == 5
        assert await it.call("null") is None
        with pytest.raises(RpcError, match="why") as caught:
            await it.call("bad")
        assert caught.value.code == 7
        assert it.stats.protocol_errors == 0


async def test_row_19_its_words_are_cut_and_escaped(peers: Peers) -> None:
    """Row 19, not JSON-RPC: what the circle wrote can neither fill a log nor steer a terminal."""
    peer = await peers.start("scripted", answers={"bad": {"error": {"message": "\x1b[2J\n\u202e\x9b" + "x" * 10_000}}})
    async with client(peer.url, key=None) as it:
        error = await later(it.call("bad"))
        assert type(error) is ProtocolError
        assert len(str(error)) < 400
        assert str(error).isascii()
        assert str(error).isprintable()


@pytest.mark.parametrize("reply", ALMOST)
async def test_row_20_an_id_of_another_type(peers: Peers, reply: str) -> None:
    """Row 20: an id that is an open one but for its type fails that call with `ProtocolError` at once."""
    await check_it_fails_its_call_alone(peers, reply)


async def test_row_20_true_is_the_first_call(peers: Peers) -> None:
    """Row 20: `true` is equal to 1 in Python; it is not its reply, and the call does not wait for another."""
    peer = await peers.start("scripted", answers={"first": {"raw": '{"jsonrpc":"2.0","id":true,"result":1}'}})
    async with client(peer.url, key=None) as it:
        assert type(await later(it.call("first"))) is ProtocolError


@pytest.mark.parametrize("how", ["binary", "an empty batch"])
@pytest.mark.parametrize("what", ["a call", "a batch"])
async def test_row_20_a_reply_without_any_id(peers: Peers, how: str, what: str) -> None:
    """Row 20: a binary reply, or `[]`, fails the one open message; with several open it fails none."""
    peer = await peers.start("scripted", answers=FINE)

    async def say() -> None:
        await (peer.ask("send_binary", text="{}") if how == "binary" else peer.ask("send", text="[]"))

    async with client(peer.url, key=None) as it:
        for _ in range(6):
            if what == "a call":
                (call,), _ = await in_flight(it, peer, 1)
                await say()
                assert type(await call) is ProtocolError
            else:
                left = later(leave(it))
                await until(peer, "received", lambda texts: len(texts) > 0 and "silent" in texts[-1])
                await eventually(lambda: it._supervisor.send_queue.pending.entries)
                await say()
                assert {type(outcome) for outcome in await left} == {ProtocolError}
        assert it.stats.protocol_errors == 0
        calls, ids = await in_flight(it, peer, 2)
        await say()
        assert await it.call("f") == "fine"
        assert not any(call.done() for call in calls)
        assert it.stats.protocol_errors == 1
        await answer_well(peer, ids)
        assert await asyncio.gather(*calls) == ids


async def leave(it: CircleWsClient, members: int = 2) -> list[Any]:
    """Send a batch; give what its calls came to."""
    async with it.batch() as batch:
        results = [batch.call("silent") for _ in range(members)]
        batch.notify("noted")
    return [await later(result) for result in results]


@pytest.mark.parametrize("code", [-32700, -32600])
async def test_row_21_an_error_without_an_id_is_that_of_the_one_message(peers: Peers, code: int) -> None:
    """Row 21, error with `id: null`: while one message is unanswered its calls fail with the error, at once."""
    peer = await peers.start("scripted", answers=FINE)
    text = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": "no comma"}})
    async with client(peer.url, key=None) as it:
        for _ in range(6):
            (call,), _ = await in_flight(it, peer, 1)
            await peer.ask("send", text=text)
            error = await call
            assert type(error) is RpcError
            assert (error.code, error.message) == (code, "no comma")
        for reply in (text, f"[{text},{text}]"):
            left = later(leave(it))
            await until(peer, "received", lambda texts: "noted" in texts[-1])
            await peer.ask("send", text=reply)
            assert [str(outcome) for outcome in await left] == [str(error)] * 2
            assert await it.call("f") == "fine"
        assert it.stats.protocol_errors == 1


BROKEN_NAMELESS = [
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":5}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"\\ud800"}}',
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"\\ud800"},"id":null}',
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}',
    '{"error":{"code":-32700,"message":"x"},"id":null}',
    '[{"jsonrpc":"2.0","id":null,"error":{"code":-32600}}]',
    '[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"\\ud800"}}]',
]


@pytest.mark.parametrize("text", BROKEN_NAMELESS)
async def test_row_21_one_that_is_broken_itself(peers: Peers, text: str) -> None:
    """Row 21, error with `id: null`: broken, or without any id, it is still that of the one message."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        for _ in range(6):
            (call,), _ = await in_flight(it, peer, 1)
            await peer.ask("send", text=text)
            error = await call
            assert type(error) is ProtocolError
            if text.startswith("{"):
                pytest.raises(ProtocolError, _raise, error).match("the circle wrote .*code.*-32[67]00")
        left = later(leave(it))
        await until(peer, "received", lambda texts: "noted" in texts[-1])
        await peer.ask("send", text=text)
        assert {type(outcome) for outcome in await left} == {ProtocolError}
        assert await it.call("f") == "fine"
        assert it.stats.protocol_errors == 0


@pytest.mark.parametrize("text", BROKEN_NAMELESS)
@pytest.mark.parametrize("why", ["several messages", "a notification", "another code"])
async def test_row_21_else_a_broken_one_is_an_event(peers: Peers, why: str, text: str) -> None:
    """Row 21, error with `id: null`: where it may be about something else, no call fails for it."""
    peer = await peers.start("scripted", answers=FINE)
    if why == "another code":
        text = text.replace("-32700", "-32000").replace("-32600", "-32000")
    async with client(peer.url, key=None) as it:
        calls, ids = await in_flight(it, peer, 2 if why == "several messages" else 1)
        if why == "a notification":
            await it.notify("n")
            await until(peer, "received", lambda texts: len(texts) == 2)
        await peer.ask("send", text=text)
        await eventually(lambda: it.stats.protocol_errors == 1)
        await answer_well(peer, ids)
        assert await asyncio.gather(*calls) == ids


async def test_row_21_in_an_array_of_replies(peers: Peers) -> None:
    """Row 21, error with `id: null`: beside good replies it is that of the members that have none."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        left = later(leave(it, 3))
        (sent,) = await until(peer, "received")
        first, _, last, _ = json.loads(sent)
        replies = [{"jsonrpc": "2.0", "id": id, "result": "good"} for id in (first["id"], last["id"])]
        await peer.ask("send", text=json.dumps([json.loads(NAMELESS), *replies]))
        outcomes = await left
        assert outcomes[0] == outcomes[2] == "good"
        assert isinstance(outcomes[1], RpcError)
        assert it.stats.protocol_errors == 0


GIVEN_UP = ["a call that was cancelled", "a call that was too slow"]


async def give_up(it: CircleWsClient, peer: RemotePeer, how: str) -> None:
    """Write a call and wait for its reply no longer."""
    before = len(await peer.ask("received"))
    call = later(it.call("silent", timeout=0.05 if how == "a call that was too slow" else None))
    await until(peer, "received", lambda texts: len(texts) > before)
    if how == "a call that was cancelled":
        call.cancel()
    await asyncio.wait([call])


@pytest.mark.parametrize("how", GIVEN_UP)
@pytest.mark.parametrize("text", [NAMELESS, "[]"])
async def test_row_21_it_may_be_that_of_a_call_that_was_given_up(peers: Peers, how: str, text: str) -> None:
    """Row 21, error with `id: null`, and row 20: a call that is open now does not pay for one that was given up."""
    peer = await peers.start("scripted", answers=FINE)
    async with client(peer.url, key=None) as it:
        await give_up(it, peer, how)
        (call,), (id,) = await in_flight(it, peer, 1)
        await peer.ask("send", text=text)
        await eventually(lambda: it.stats.protocol_errors == 1)
        assert not call.done()
        await answer_well(peer, [id])
        assert await call == id
        # From a reply on it is known again what is unanswered.
        (call,), _ = await in_flight(it, peer, 1)
        await peer.ask("send", text=text)
        assert isinstance(await call, RpcError | ProtocolError)


@pytest.mark.parametrize("why", ["several messages", "a notification", "another code", "nothing"])
async def test_row_21_else_it_is_an_event(peers: Peers, why: str) -> None:
    """Row 21, error with `id: null`: reported and counted, however often; no call fails, and the connection stays."""
    peer = await peers.start("scripted", answers=FINE)
    told: list[ProtocolError] = []
    text = NAMELESS.replace("-32700", "-32000") if why == "another code" else NAMELESS
    async with client(peer.url, key=None) as it:
        it.on_protocol_error(told.append)
        calls, ids = await in_flight(it, peer, {"several messages": 2, "nothing": 0}.get(why, 1))
        if why == "a notification":
            await it.notify("n")
            await until(peer, "received", lambda texts: len(texts) == 2)
        for _ in range(6):
            await peer.ask("send", text=text)
        await eventually(lambda: len(told) == 6)
        assert not any(call.done() for call in calls)
        await answer_well(peer, ids)
        assert await asyncio.gather(*calls) == ids
        if why == "a notification":
            # The reply shows that the notification was read before it.
            (call,), _ = await in_flight(it, peer, 1)
            await peer.ask("send", text=text)
            assert isinstance(await call, RpcError)
        assert it.stats.protocol_errors == 6
    assert await peer.ask("count") == 1


IN_THE_SIGN_IN = [
    NAMELESS,
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"data":"nonce_1234567890_abcdef_secret"}}',
    '{"jsonrpc":"2.0","error":{"code":-32600,"message":"nonce_1234567890_abcdef_secret\\ud800"}}',
    '{"jsonrpc":"2.0","id":$id,"result":NaN}',
    '{"jsonrpc":"2.0","id":"$id","result":"nonce_1234567890_abcdef"}',
    '{"jsonrpc":"2.0","id":$id,"error":"nonce_1234567890_abcdef_secret"}',
    "[]",
]


@pytest.mark.parametrize("raw", IN_THE_SIGN_IN)
@pytest.mark.parametrize("phase", ["fetch_nonce", "authenticate", "setup"])
async def test_row_17_in_the_sign_in_and_the_setup(peers: Peers, phase: str, raw: str) -> None:
    """Row 17, malformed JSON, as rows 19 to 21: the attempt fails at once; what may be a secret is not told."""
    answers: dict[str, Any] = {
        "fetch_nonce": {"result": "nonce_1234567890_abcdef"},
        "authenticate": {"result": True},
        # A setup's is the user's own matter, and no secret.
        phase: {"raw": raw.replace("nonce_1234567890_abcdef", "words") if phase == "setup" else raw},
    }
    peer = await peers.start("scripted", answers=answers)
    key = {"key": None} if phase == "setup" else {}

    async def set_up(session: Any) -> None:
        await session.call("setup")

    it = client(peer.url, **key, open_timeout=3600.0, setup=set_up if phase == "setup" else None)
    failure = await later(it.connect())
    assert isinstance(failure, Exception)
    cause: BaseException | None = failure
    while cause is not None and phase != "setup":
        assert "abcdef_secret" not in str(cause)
        cause = cause.__cause__ or cause.__context__
    await it.close()


async def test_row_17_five_in_the_packet_of_the_101(peers: Peers) -> None:
    """Row 17, malformed JSON: five before the handshake is over end the connection with 4002 as well."""
    peer = await peers.start("scripted", greeting=["{"] * 6)
    it = client(peer.url, key=None)
    failure = await later(it.connect())
    if failure is None:
        # They may also come a moment later, when it is connected.
        await eventually(lambda: not it.is_connected())
    else:
        assert isinstance(failure, ConnectionFailed)
        assert isinstance(failure.__cause__, ConnectionLost)
        assert failure.__cause__.code == 4002
    assert (await until(peer, "ended"))[0]["code"] == 4002
    await it.close()
