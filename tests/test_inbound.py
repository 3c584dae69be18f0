"""Dispatch of what comes in: each reply to its call, and of what breaks JSON-RPC no more fails than it is about."""

from typing import Any

import pytest

from circle_ws import ConnectionLost, MessageTooLarge, OutcomeUnknown, ProtocolError, RpcError
from circle_ws.engine.inbound import _own_text
from tests.support.wire import Line

UNREAD = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "no comma"}}


@pytest.fixture
async def line() -> Line:
    return Line()


async def test_replies_find_their_calls(line: Line) -> None:
    """In any order, in one message or in several."""
    calls = [line.submitted() for _ in range(4)]
    line.reply(calls[2], result=[2])
    line.reply(calls[0], error={"code": 7, "message": "no", "data": [1]})
    line.hand_in([{"jsonrpc": "2.0", "id": calls[number].id, "result": number} for number in (3, 1)])
    error = calls[0].future.exception()
    assert isinstance(error, RpcError)
    assert (error.code, error.message, error.data) == (7, "no", [1])
    assert [call.future.result() for call in calls[1:]] == [1, [2], 3]
    assert line.told == []


async def test_a_reply_whose_caller_is_gone(line: Line) -> None:
    """It ends nothing, and its slot is free."""
    call = line.submitted()
    call.future.cancel()
    line.reply(call)
    assert not line.queue.pending.entries
    assert line.counters.ignored_replies == 0


async def test_the_text_of_a_member_of_a_batch() -> None:
    """Its own; where the stack of a page is too deep to write it again, that of the whole message stands for it."""
    assert _own_text({"jsonrpc": "2.0", "method": "tick"}, "whole") == '{"jsonrpc":"2.0","method":"tick"}'
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    assert _own_text(deep, "whole") == "whole"


async def test_a_notification_before_the_status_ends_the_interruption(line: Line) -> None:
    """After a reconnect the gap stands before the first notification, though the client is not connected yet."""
    line.subscriptions.interrupt(0.0)
    line.hand_in({"jsonrpc": "2.0", "method": "tick"})
    assert line.subscriptions.interrupted_at is None


async def test_replies_to_nothing(line: Line) -> None:
    """Late ones and second ones are counted; one to what was never asked is told, too."""
    call = line.submitted()
    line.reply(call)
    line.reply(call)
    assert (line.counters.ignored_replies, line.told) == (1, [])
    line.hand_in({"jsonrpc": "2.0", "id": 4711, "result": 1})
    assert line.counters.ignored_replies == 2
    assert line.counters.protocol_errors == 1


@pytest.mark.parametrize("kind", ["call", "partly answered batch"])
async def test_an_error_without_an_id(line: Line, kind: str) -> None:
    """It is that of the one message that has no reply; in a batch also where some of its calls were answered."""
    if kind == "call":
        call = line.submitted()
        line.hand_in(UNREAD)
    else:
        batch = line.batched(3)
        call = batch.requests[2]
        line.hand_in([{"jsonrpc": "2.0", "id": batch.requests[0].id, "result": 1}, UNREAD])
        assert batch.requests[0].future.result() == 1
        assert isinstance(batch.requests[1].future.exception(), RpcError)
    assert isinstance(call.future.exception(), RpcError)
    assert line.counters.protocol_errors == 0


@pytest.mark.parametrize("why", ["two calls", "a notification", "a reply of ours", "a call that was given up"])
async def test_an_error_without_an_id_that_may_be_about_another(line: Line, why: str) -> None:
    """What may be about something else fails no call, until the next reply."""
    call = line.submitted()
    if why == "two calls":
        line.submitted()
    elif why == "a notification":
        line.queue.submit(line.noted())
    elif why == "a reply of ours":
        line.session.reply("{}")
    else:
        line.queue.forget(line.submitted())
    line.hand_in(UNREAD)
    assert not call.future.done()
    assert line.counters.protocol_errors == 1
    if why != "two calls":
        other = line.submitted()
        line.reply(other)
        line.hand_in(UNREAD)
        assert isinstance(call.future.exception(), RpcError)


@pytest.mark.parametrize("binary", [False, True])
async def test_a_reply_that_says_nothing(line: Line, binary: bool) -> None:
    """An empty batch or a binary message while one message is open; a notification beside it does not matter."""
    call = line.submitted()
    line.queue.submit(line.noted())
    line.inbound.invalid(ProtocolError("a binary message")) if binary else line.hand_in("[]")
    assert type(call.future.exception()) is ProtocolError
    line.submitted()
    line.submitted()
    line.inbound.invalid(ProtocolError("a binary message")) if binary else line.hand_in("[]")
    assert line.counters.protocol_errors == 1


async def test_a_message_that_is_too_large(line: Line) -> None:
    """The call that it names fails with it; the others have an unknown outcome whose cause it is."""
    calls = [line.submitted() for _ in range(2)]
    large = MessageTooLarge("too large", beginning=f'{{"jsonrpc":"2.0","id":{calls[0].id},"result":"xxx')
    line.inbound.invalid(large)
    line.inbound.lost(ConnectionLost.closed(1009, local=True))
    assert calls[0].future.exception() is large
    error = calls[1].future.exception()
    assert type(error) is OutcomeUnknown
    assert error.__cause__ is large
    assert line.counters.protocol_errors == 1


async def test_what_a_lost_connection_still_hands_over(line: Line) -> None:
    """It is about nothing any more: calls on the next connection are not touched."""
    old = line.inbound
    line.session.lost(ConnectionLost.closed(1006))
    line.open()
    call = line.submitted()
    old.message(f'{{"jsonrpc":"2.0","id":{call.id},"result":1}}')
    old.message("[]")
    old.invalid(ProtocolError("a binary message"))
    old.lost(ConnectionLost.closed(1001))
    assert not call.future.done()
    assert line.session.loss is None
    assert line.told == []


async def test_malformed_messages_in_a_row(line: Line) -> None:
    """Five end the connection; anything well-formed between them starts the count anew."""
    for _ in range(4):
        line.hand_in("{")
    line.hand_in({"jsonrpc": "2.0", "method": "news"})
    for _ in range(4):
        line.hand_in("{")
    assert line.wire.closed == []
    line.hand_in("{")
    assert line.wire.closed == [4002]
    line.hand_in("{")
    assert line.counters.protocol_errors == 9


@pytest.mark.parametrize(
    "message", ['{"jsonrpc":"2.0","id":$id}', '{"jsonrpc":"2.0","id":"$id","result":1}', '{"id":$id,"result":NaN}']
)
async def test_a_broken_reply_fails_its_call_alone(line: Line, message: str) -> None:
    """By its id, though the id has another type, and though it is no JSON."""
    call, other = line.submitted(), line.submitted()
    line.hand_in(message.replace("$id", str(call.id)))
    assert type(call.future.exception()) is ProtocolError
    assert not other.future.done()
    assert line.counters.protocol_errors == 0
    assert line.session.answered


async def test_a_reply_frees_its_slot_only_when_it_is_handled() -> None:
    """A rejection with -32001 stops what waits before its slot is free."""
    line = Line(max_in_flight=1)
    line.session.may_reauthenticate = True
    call, waiting = line.submitted(), line.submitted()
    line.reply(call, error={"code": -32001, "message": "who are you?"})
    assert line.wire.ids() == [1]
    line.session.reauthenticated()
    line.reply(call)
    assert line.wire.ids() == [1, call.id, waiting.id]


async def test_bytes_are_counted(line: Line) -> None:
    """Those of a text as UTF-8 has them."""
    text: Any = '{"jsonrpc":"2.0","method":"news","params":["\u20ac"]}'
    line.hand_in(text)
    assert line.counters.bytes_in == len(text) + 2
