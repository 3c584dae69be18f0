"""Replies: what a function came to is always written as some reply, within its size, and says no more than it may."""

import asyncio
import json
import logging
import math
from typing import Any

import pytest

from circle_ws.errors import RpcError
from circle_ws.jsonrpc.responder import BatchReply, ReplyRoom, Responder

LOGGER = logging.getLogger("circle_ws.test_responder")
REQUEST = {"jsonrpc": "2.0", "id": 7, "method": "thing"}
TOO_LARGE = RpcError(-32005, "no room")


class Odd:
    """Raises while it is written, as an author's own class may."""

    def to_py(self, depth: int) -> Any:
        raise ValueError("secret details")


@pytest.fixture
def responder() -> Responder:
    return Responder(LOGGER, max_bytes=1000, unwritable="internal error: {} cannot be written")


def read(text: str) -> Any:
    reply = json.loads(text)
    assert reply.pop("jsonrpc") == "2.0"
    return reply


def error(code: int, message: str, data: Any = None, id: Any = 7) -> Any:
    body = {"code": code, "message": message}
    return {"id": id, "error": body if data is None else {**body, "data": data}}


@pytest.mark.parametrize("id", [7, "seven", 1.5, None, ""])
@pytest.mark.parametrize("value", [None, 0, "text", [1, {"a": None}]])
def test_a_result_is_written_as_it_is(responder: Responder, id: Any, value: Any) -> None:
    """With the id as it came."""
    assert read(responder.result({**REQUEST, "id": id}, value)) == {"id": id, "result": value}


@pytest.mark.parametrize("value", [object(), math.nan, {"a": [lambda: 1]}], ids=["object", "nan", "function"])
def test_a_result_that_cannot_be_written(responder: Responder, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is an internal error that names the method, if the peer may know that, and one line in the log."""
    assert read(responder.result(REQUEST, value)) == error(-32603, "internal error: thing cannot be written")
    assert read(Responder(LOGGER).result(REQUEST, value)) == error(-32603, "internal error")
    assert [record.exc_info for record in caplog.records] == [None, None]
    assert caplog.records[0].getMessage().startswith("method 'thing' gave a result that cannot be sent: ")


def test_a_result_that_raises_while_it_is_written(responder: Responder, caplog: pytest.LogCaptureFixture) -> None:
    """The log says where; the peer learns no more than of any other one."""
    assert read(responder.result(REQUEST, Odd())) == error(-32603, "internal error: thing cannot be written")
    assert caplog.records[0].exc_info is not None
    assert "secret details" in caplog.text


@pytest.mark.parametrize("filler", ["x", "é"])
def test_a_result_that_is_too_large(responder: Responder, filler: str, caplog: pytest.LogCaptureFixture) -> None:
    """The maximum counts bytes of the whole reply."""
    frame = len(responder.result(REQUEST, "").encode())
    most = filler * ((1000 - frame) // len(filler.encode()))
    assert read(responder.result(REQUEST, most))["result"] == most
    assert caplog.text == ""
    assert "error" in read(responder.result(REQUEST, most + filler))
    assert "over the maximum of 1000" in caplog.text
    assert read(Responder(LOGGER).result(REQUEST, filler * 5000))["result"] == filler * 5000


@pytest.mark.parametrize("raised", [RpcError(5, "words", {"a": [1]}), RpcError(-32601, ""), RpcError(0, "é\n")])
def test_an_rpc_error_is_the_reply(responder: Responder, raised: RpcError, caplog: pytest.LogCaptureFixture) -> None:
    """As it is, and it is no matter for the log."""
    assert read(responder.failure(REQUEST, raised)) == error(raised.code, raised.message, raised.data)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError("secret details"),
        asyncio.CancelledError("secret details"),
        RpcError("5", "secret details"),  # type: ignore[arg-type]
        RpcError(True, "secret details"),
        RpcError(5, b"secret details"),  # type: ignore[arg-type]
    ],
)
def test_everything_else_is_an_internal_error(
    responder: Responder, raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Its words are for the log alone; a cancellation of something that was awaited, and a malformed error, too."""
    assert read(responder.failure(REQUEST, raised)) == error(-32603, "internal error")
    assert [record.getMessage() for record in caplog.records] == ["method 'thing' raised"]
    assert "secret details" in caplog.text


def test_a_cancellation_of_the_task_itself_is_not_logged(
    responder: Responder, caplog: pytest.LogCaptureFixture
) -> None:
    """Who cancelled it knows; the peer is told all the same."""
    text = responder.failure(REQUEST, asyncio.CancelledError(), is_cancelled=True)
    assert read(text) == error(-32603, "internal error")
    assert caplog.text == ""


def test_what_a_notification_came_to_is_logged(responder: Responder, caplog: pytest.LogCaptureFixture) -> None:
    """Its reply has no id of a request, but there is one."""
    assert read(responder.failure({"method": "thing"}, KeyError("key")))["id"] is None
    assert "method 'thing' raised" in caplog.text


@pytest.mark.parametrize(
    ("failure", "written"),
    [
        (RpcError(5, "words", object()), error(5, "words")),
        (RpcError(5, "words", "x" * 2000), error(5, "words")),
        (RpcError(5, "x" * 2000), error(5, "x" * 200)),
        (RpcError(5, "x" * 2000, [1]), error(5, "x" * 200)),
        (RpcError(5, "\ud800"), error(-32603, "internal error")),
        (RpcError(10**5000, "words"), error(-32603, "internal error")),
    ],
    ids=["data", "large data", "large message", "both", "surrogate", "code"],
)
def test_an_error_can_always_be_written(
    responder: Responder, failure: RpcError, written: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What of it cannot is left out, and logged in one line, with the reason."""
    assert read(responder.error(7, failure)) == written
    [record] = caplog.records
    said, _, reason = record.getMessage().partition(": ")
    assert said == "an error response cannot be written"
    assert reason not in ("", "%s", "None")


def test_the_replies_to_a_batch_are_one() -> None:
    """It comes with the last of them, in the order in which they ended; notifications have none."""
    batch = BatchReply(4, ReplyRoom(1000), TOO_LARGE)
    assert [batch.add(2, '{"a":2}'), batch.add(None, None), batch.add(1, '{"a":1}')] == [None] * 3
    assert batch.add(None, None) == '[{"a":2},{"a":1}]'


def test_a_batch_of_notifications_has_no_reply() -> None:
    """There is nothing to send, ever."""
    batch = BatchReply(3, ReplyRoom(1000), TOO_LARGE)
    assert [batch.add(None, None) for _ in range(3)] == [None] * 3


def test_a_reply_without_room_is_replaced() -> None:
    """By an error with its id; smaller ones that come later still have room."""
    room = ReplyRoom(100)
    batch = BatchReply(4, room, TOO_LARGE)
    batch.add(1, f'"{"x" * 60}"')
    batch.add(2, f'"{"x" * 60}"')
    batch.add("é", f'"{"é" * 30}"')
    replies = json.loads(batch.add(4, None) or "")
    assert replies[0] == "x" * 60
    assert [read(json.dumps(reply)) for reply in replies[1:]] == [error(-32005, "no room", id=id) for id in (2, "é")]
    assert room.left < 0
    batch.release()
    assert room.left == 100
    batch.release()
    assert room.left == 100


def test_batches_share_their_room() -> None:
    """What waits in one has no room in the other, until it is sent."""
    room = ReplyRoom(100)
    one, other, third = (BatchReply(1, room, TOO_LARGE) for _ in range(3))
    large = f'"{"x" * 60}"'
    assert one.add(1, large) == f"[{large}]"
    assert "no room" in (other.add(1, large) or "")
    one.release()
    other.release()
    assert third.add(1, large) == f"[{large}]"


@pytest.mark.parametrize(
    ("left", "reserved", "text", "fits"),
    [
        (10, 0, '"12345678"', True),
        (9, 0, '"12345678"', False),
        (6, 4, '"12345678"', True),
        (5, 4, '"12345678"', False),
        (10, 0, '"ääää"', True),
        (9, 0, '"ääää"', False),
    ],
)
def test_room_is_counted_to_the_byte(left: int, reserved: int, text: str, fits: bool) -> None:
    """Of UTF-8, with what was set aside for the member; all of it is free again in the end."""
    room = ReplyRoom(left)
    batch = BatchReply(1, room, TOO_LARGE, **({"reserved": reserved} if reserved else {}))
    assert (batch.add(1, text) == f"[{text}]") is fits
    assert room.left == 0 or not fits
    batch.release()
    assert room.left == left


@pytest.mark.parametrize("order", [range(10), reversed(range(10))])
def test_refusals_take_no_room_that_was_reserved_for_results(order: Any) -> None:
    """Where room for a refusal was set aside for each, all of it together is never over the limit."""
    refusal = Responder(LOGGER).error(0, TOO_LARGE)
    reserved, count = len(refusal), 10
    limit = 2000
    room = ReplyRoom(limit - 1 - count * (reserved + 1))
    batch = BatchReply(count, room, TOO_LARGE, reserved=reserved)
    whole = ""
    for number in order:
        text = f'"{"x" * 400}"' if number % 2 else '"small"'
        whole = batch.add(number, text) or whole
    replies = json.loads(whole)
    assert len(whole) <= limit
    assert [reply for reply in replies if reply == "small"] == ["small"] * 5
    assert sum(type(reply) is str for reply in replies) > 5
