"""One connection: what may be written to it, what is known before it is written, and what is given back at its end."""

import asyncio
from typing import Any

import pytest

from circle_ws import ConnectionLost, RpcError
from circle_ws.engine.pending_call import PendingBatch, PendingCall
from circle_ws.engine.session import MAX_UNREAD_REPLIES, Session
from tests.support.limits import PATIENCE
from tests.support.outcomes import later
from tests.support.wire import Line, Wire

LOST = ConnectionLost.closed(1006)


@pytest.fixture
async def line() -> Line:
    return Line(max_in_flight=3)


async def test_a_call_is_in_the_table_before_it_is_written(line: Line) -> None:
    """Also each request of a batch: no reply can come too early."""
    seen: list[list[int]] = []
    line.wire.on_send = lambda text: seen.append(list(line.queue.pending.entries))
    call = line.submitted()
    batch = line.batched(2)
    assert seen == [[call.id], [call.id, *(request.id for request in batch.requests)]]


async def test_what_has_no_reply_is_done_when_it_is_written(line: Line) -> None:
    """A notification, and a batch itself; of the requests in that nothing is known yet."""
    note = line.noted()
    assert line.session.write(note)
    assert note.future.done()
    assert line.queue.pending.notified
    batch = line.batched(2)
    assert batch.future.done()
    assert not any(request.future.done() for request in batch.requests)


async def test_who_has_room(line: Line) -> None:
    """As many requests as there are slots; a notification needs none."""
    for _ in range(2):
        line.submitted()
    pair = PendingBatch([line.made(), line.made()], None)
    assert line.session.has_room(line.made())
    assert not line.session.has_room(pair)
    line.submitted()
    assert not line.session.has_room(line.made())
    assert line.session.has_room(line.noted())


async def test_who_has_room_while_the_peer_does_not_read(line: Line) -> None:
    """Nobody, until the transport says that writing on makes sense."""
    line.wire.buffered = 300 * 1024
    line.submitted()
    assert not line.session.has_room(line.noted())
    waiting = line.submitted()
    assert len(line.wire.ids()) == 1
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert line.wire.ids()[1:] == [waiting.id]


@pytest.mark.parametrize("told_first", [False, True])
async def test_a_transport_that_refuses(line: Line, told_first: bool) -> None:
    """What was not written waits for the next connection, unless it was given back already as all others were."""
    flying = line.submitted()
    line.wire.refusal = LOST
    if told_first:
        line.wire.on_send = lambda text: line.inbound.lost(LOST)
    call = line.submitted()
    await asyncio.sleep(0)
    assert line.session.loss is not None
    assert str(flying.future.exception()).endswith("may have run")
    assert call.future.done() is told_first
    line.open()
    assert line.wire.ids() == ([] if told_first else [call.id])
    if told_first:
        assert str(call.future.exception()).endswith("may have run")


async def test_a_transport_that_refuses_a_reply(line: Line) -> None:
    """The connection is lost, and the requests that were held with it are not answered."""
    session = line.queue.new_session()
    session.open(line.wire)
    line.wire.refusal = LOST
    answered: list[int] = []
    session.hold_requests(lambda: session.reply("{}"), 1, 2)
    session.hold_requests(lambda: session.lost(LOST), 1, 2)
    session.hold_requests(lambda: answered.append(3), 1, 2)
    session.take_requests()
    assert answered == []
    await asyncio.sleep(0)
    assert session.loss is LOST
    assert line.wire.sent == []


async def test_a_transport_that_is_lost_while_the_peer_does_not_read(line: Line) -> None:
    """No call goes out on it; the next connection has room."""
    line.wire.buffered = 300 * 1024
    line.wire.drained = LOST
    line.submitted()
    waiting = line.submitted()
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(line.wire.ids()) == 1
    line.session.lost(LOST)
    line.open()
    assert line.wire.ids() == [waiting.id]


async def test_a_transport_that_cannot_wait_until_the_peer_reads(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """It breaks its contract, which is logged; calls go out all the same."""
    line.wire.buffered = 300 * 1024
    line.wire.drained = ValueError("a fault of the transport's")
    line.submitted()
    line.wire.buffered = 0
    waiting = line.submitted()
    for _ in range(3):
        await asyncio.sleep(0)
    assert line.wire.ids()[1:] == [waiting.id]
    assert "waiting until the transport can write failed: ValueError: a fault of the transport's" in caplog.text


async def test_what_came_before_the_loss_is_still_handled(line: Line) -> None:
    """A transport that refuses has lost the connection; replies that it had read before are replies all the same."""
    call = line.submitted()
    line.wire.refusal = LOST
    line.submitted()
    line.reply(call)
    assert call.future.result() is True


async def test_after_its_end_nothing_is_written(line: Line) -> None:
    """Not even what the transport would take, and no reply."""
    line.session.lost(LOST)
    assert not line.session.write(line.made())
    line.session.reply("{}")
    with pytest.raises(ConnectionLost):
        await line.session.request("f")
    with pytest.raises(ConnectionLost):
        line.session.notify("f", None)
    assert line.wire.sent == []


async def test_it_gives_back_what_has_no_reply() -> None:
    """Once, in order, when it is lost; by then the task that serves it was woken."""
    given: list[list[PendingCall]] = []
    line = Line()

    def note(session: Session, calls: list[PendingCall]) -> None:
        assert session.loss is not None
        given.append(calls)

    line.session._on_lost = note
    calls = [line.submitted() for _ in range(3)]
    line.reply(calls[1])
    line.session.lost(LOST)
    line.session.lost(ConnectionLost.closed(1001))
    assert given == [[calls[0], calls[2]]]
    assert line.session.loss is LOST
    await asyncio.wait_for(line.session.wakeup.wait(), PATIENCE)


async def test_its_own_requests_take_no_slot_and_are_internal(line: Line) -> None:
    """They are written past the queue and the slots; a result and an error are theirs, and no call of the user's."""
    for _ in range(3):
        line.submitted()
    asking = [later(line.session.request("probe")) for _ in range(2)]
    await asyncio.sleep(0)
    one, other = list(line.queue.pending.entries.values())[3:]
    assert one.internal
    line.reply(one, result=5)
    line.reply(other, error={"code": 1, "message": "no"})
    assert await asking[0] == 5
    assert isinstance(await asking[1], RpcError)
    assert not line.session.answered


async def test_its_own_request_that_is_cancelled(line: Line) -> None:
    """Its slot is free for a call that waits."""
    for _ in range(2):
        line.submitted()
    asking = asyncio.ensure_future(line.session.request("probe"))
    await asyncio.sleep(0)
    waiting = line.submitted()
    asking.cancel()
    await asyncio.wait([asking])
    assert line.wire.ids()[-1] == waiting.id


async def test_closing() -> None:
    """Leaving it closes with the handshake, aborting it at once; what is opened after its end is closed, too."""
    line = Line()
    line.session.leave(ConnectionLost.closed(4002, local=True))
    assert line.wire.closed == [4002]
    line.session.abort(LOST)
    assert line.wire.closed == [4002, None]
    session, late = line.queue.new_session(), Wire()
    session.leave(ConnectionLost.closed(1000, local=True))
    session.open(late)
    assert late.closed == [1000]


async def test_a_peer_that_asks_and_does_not_read(line: Line) -> None:
    """The replies that wait for it are bounded; when it reads, they count no more."""
    text = "x" * (MAX_UNREAD_REPLIES // 2)
    line.wire.buffered = 300 * 1024
    line.session.reply(text)
    line.wire.buffered = 0
    line.session.reply(text)
    line.wire.buffered = 300 * 1024
    line.session.reply(text)
    line.session.reply(text)
    assert line.session.loss is None
    line.session.reply("x")
    assert line.wire.closed == [1013]


def rejected(line: Line, *calls: PendingCall) -> list[bool]:
    return [line.session.may_retry_rejected(call) for call in calls]


async def test_the_rule_of_reauthentication(line: Line) -> None:
    """Before the sign-in there is none; then one; what was written before it may go again, what came later not."""
    session, calls = line.session, [line.made() for _ in range(8)]
    assert rejected(line, calls[0]) == [False]
    assert not session.reauthenticating
    session.may_reauthenticate = True
    assert rejected(line, *calls[1:3]) == [True, True]
    assert session.reauthenticating
    assert not session.may_reauthenticate
    assert not session.has_room(line.noted())
    for call in calls[3:5]:
        assert session.write(call)
    session.reauthenticated()
    assert not session.reauthenticating
    assert rejected(line, *calls[3:5]) == [True, True]
    assert rejected(line, *calls[:3], *calls[5:]) == [False] * 6
    assert not session.reauthenticating


@pytest.mark.parametrize(
    "attributes", [{"internal": True}, {"rejected": True}, {"future": None}], ids=["internal", "twice", "gone"]
)
async def test_what_no_reauthentication_is_made_for(line: Line, attributes: dict[str, Any]) -> None:
    """The client's own requests, a call that was rejected before, and one whose caller is gone."""
    call = line.made()
    if "future" in attributes:
        call.future.cancel()
    else:
        for name, value in attributes.items():
            setattr(call, name, value)
    line.session.may_reauthenticate = True
    assert rejected(line, call) == [False]
    assert line.session.may_reauthenticate


async def test_it_is_probed_only_while_it_stands(line: Line) -> None:
    """No probe is asked for while re-authentication is due, or after the end."""
    line.session.reauthenticating = True
    line.session.doubt()
    assert not line.session.doubted
    line.session.reauthenticating = False
    line.session.doubt()
    assert line.session.doubted
    assert line.session.quiet
    line.session.lost(LOST)
    assert not line.session.quiet


async def test_it_was_of_use(line: Line) -> None:
    """Once it brought a notification, or a reply to the setup."""
    assert not line.session.useful
    line.hand_in({"jsonrpc": "2.0", "method": "news"})
    assert line.session.useful
    line.session.lost(LOST)
    line.open()
    assert not line.session.useful
    line.session.set_up = True
    assert line.session.useful


async def test_a_transport_is_needed(line: Line) -> None:
    """Using a session before it is open is a fault of the library's, and said so."""
    with pytest.raises(RuntimeError, match="a fault of circle-ws"):
        _ = line.queue.new_session().transport
