"""The calls of a client over all its connections: none runs twice unless its caller allows that, none is forgotten."""

import asyncio
import json

import pytest

from circle_ws import (
    Backoff,
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    ConnectionStatus,
    MessageTooLarge,
    NotConnected,
    OutcomeUnknown,
    RpcError,
)
from tests.support.clients import client
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers
from tests.support.wire import Line

S = ConnectionStatus


async def test_an_idempotent_call_is_written_again(peers: Peers) -> None:
    """A plain call fails with `OutcomeUnknown`; idempotent ones are answered on the next connection, in order."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        plain = later(it.call("f", ["plain"]))
        allowed = [later(it.call("f", [number], idempotent=True)) for number in range(3)]
        await until(peer, "received", lambda texts: len(texts) == 4)
        await peer.ask("answer", method="f", answer={"result": "well"})
        await peer.ask("cut")
        assert isinstance(await plain, OutcomeUnknown)
        after = later(it.call("f", ["after"]))
        assert await asyncio.gather(*allowed, after) == ["well"] * 4
    received = [json.loads(text)["params"][0] for text in await peer.ask("received")]
    assert received == ["plain", 0, 1, 2, 0, 1, 2, "after"]


async def test_an_idempotent_call_is_written_four_times_at_most(peers: Peers) -> None:
    """Once, and again after three losses; then its outcome is unknown too. Each time it has an id of its own."""
    peer = await peers.start("scripted", answers={"f": {"close": 1001}})
    async with client(peer.url, key=None) as it:
        with pytest.raises(OutcomeUnknown):
            await it.call("f", [1], idempotent=True)
    received = [json.loads(text) for text in await peer.ask("received")]
    assert [request["params"] for request in received] == [[1]] * 4
    assert len({request["id"] for request in received}) == 4


async def test_an_idempotent_call_keeps_its_one_deadline(peers: Peers) -> None:
    """Its time goes on over the losses, and the words say that it may have run."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        allowed = later(it.call("hold", [1], idempotent=True, timeout=0.4))
        await until(circle, "runs")
        await circle.kill()
        ended = await allowed
        assert isinstance(ended, CallTimeout)
        assert "may have run" in str(ended)
        await circle.start()


async def test_closing_tells_of_an_idempotent_call_that_its_outcome_is_unknown(peers: Peers) -> None:
    """It was written once: `ClientClosed`, which says that nothing was, would be wrong."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    in_flight = later(it.call("hold", [1], idempotent=True))
    await until(circle, "runs")
    await it.close(drain=0)
    assert type(await in_flight) is OutcomeUnknown

    it = client(circle.url)
    await it.connect()
    waiting = later(it.call("hold", [2], idempotent=True))
    await until(circle, "runs", lambda runs: len(runs) == 2)
    await circle.kill()
    await eventually(lambda: it.status is S.WAITING)
    plain = later(it.call("record", [3]))
    await asyncio.sleep(0)
    await it.close()
    assert type(await waiting) is OutcomeUnknown
    assert type(await plain) is ClientClosed


async def test_reconnect_skips_the_delay(peers: Peers) -> None:
    """In the pause between attempts `reconnect()` dials at once."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=Backoff(first=60, floor=60, maximum=60)) as it:
        await circle.ask("cut_all")
        await eventually(lambda: it.status is S.WAITING)
        it.reconnect()
        assert await it.call("echo", ["at once"], timeout=5) == "at once"


async def test_reconnect_leaves_the_connection_for_a_fresh_one(peers: Peers) -> None:
    """While connected it says good-bye and dials again at once, even without a back-off; it does nothing twice."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=None) as it:
        plain = later(it.call("hold", [1]))
        await until(circle, "runs")
        it.reconnect()
        it.reconnect()
        unknown = await plain
        assert isinstance(unknown, OutcomeUnknown)
        assert unknown.local
        assert await it.call("echo", ["fresh"]) == "fresh"
        await until(circle, "public_keys", lambda keys: len(keys) == 1)


async def test_reconnect_of_a_client_that_is_not_there(peers: Peers) -> None:
    """IDLE, FAILED and CLOSED refuse in words."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=None)
    with pytest.raises(NotConnected):
        it.reconnect()
    await it.connect()
    await circle.ask("cut_all")
    await eventually(lambda: it.status is S.FAILED)
    with pytest.raises(NotConnected):
        it.reconnect()
    await it.close()
    with pytest.raises(ClientClosed):
        it.reconnect()


# The queue alone.

LOST = ConnectionLost.closed(1006)


async def test_what_waits_goes_out_in_order() -> None:
    """As slots get free, and a notification behind calls only after them."""
    line = Line(max_in_flight=2)
    calls = [line.submitted() for _ in range(4)]
    note = line.noted()
    line.queue.submit(note)
    assert line.wire.ids() == [call.id for call in calls[:2]]
    line.reply(calls[1])
    line.reply(calls[0])
    assert line.wire.ids() == [call.id for call in calls]
    assert json.loads(line.wire.sent[-1])["method"] == "note"
    assert note.future.done()


async def test_what_waits_goes_out_when_a_caller_is_gone() -> None:
    """Of a call that waited, or that was written; its late reply is ignored."""
    line = Line(max_in_flight=1)
    written, waiting, last = (line.submitted() for _ in range(3))
    line.queue.forget(waiting)
    assert line.wire.ids() == [written.id]
    line.queue.forget(written)
    assert line.wire.ids() == [written.id, last.id]
    line.reply(written)
    assert line.counters.ignored_replies == 1
    assert line.told == []
    assert not last.future.done()


async def test_what_a_lost_connection_gives_back() -> None:
    """Idempotent calls go out first on the next one, in order and with new ids; the others have an unknown outcome."""
    line = Line(max_in_flight=4)
    calls = [line.submitted(params=f"[{number}]", idempotent=number % 2 == 0) for number in range(6)]
    before = line.wire.ids()
    line.session.lost(ConnectionLost.closed(1012, "bye"))
    errors = [calls[number].future.exception() for number in (1, 3)]
    assert all(type(error) is OutcomeUnknown and error.code == 1012 for error in errors)
    assert not any(call.future.done() for call in calls[::2])
    line.open()
    assert [json.loads(text)["params"][0] for text in line.wire.sent] == [0, 2, 4, 5]
    assert set(before).isdisjoint(line.wire.ids()[:2])
    line.reply(calls[0])
    assert calls[0].future.result() is True


async def test_the_clients_own_calls_learn_of_the_end_first() -> None:
    """What serves the connection wakes up before the callers, who find the status changed; it is never sent again."""
    line = Line()
    order: list[str] = []
    call = line.submitted()
    own = line.made(internal=True, idempotent=True)
    assert line.session.write(own)
    call.future.add_done_callback(lambda _: order.append("the call"))
    own.future.add_done_callback(lambda _: order.append("the client"))
    line.session.lost(LOST)
    await asyncio.sleep(0)
    assert order == ["the client", "the call"]
    assert type(own.future.exception()) is OutcomeUnknown
    assert type(call.future.exception()) is OutcomeUnknown


@pytest.mark.parametrize("local", [False, True])
async def test_a_message_that_was_too_big(local: bool) -> None:
    """The largest is blamed for the peer's 1009, idempotent or not; our own 1009 is about what came in."""
    line = Line()
    small, large = (line.submitted(params=f'["{"x" * size}"]', idempotent=True) for size in (5, 500))
    own = line.made(params=f'["{"x" * 5000}"]', internal=True)
    line.session.write(own)
    line.session.lost(ConnectionLost.closed(1009, local=local))
    assert not small.future.done()
    assert large.future.done() is not local
    if not local:
        error = large.future.exception()
        assert isinstance(error, MessageTooLarge)
        assert (error.size, "'f'" in str(error)) == (large.size, True)
    assert type(own.future.exception()) is OutcomeUnknown


async def test_a_batch_that_was_too_big() -> None:
    """All of it is blamed, by the size of the message that it was written in."""
    line = Line()
    single = line.submitted(params=f'["{"x" * 50}"]')
    batch = line.batched(5)
    line.session.lost(ConnectionLost.closed(1009))
    for request in batch.requests:
        error = request.future.exception()
        assert isinstance(error, MessageTooLarge)
        assert "a batch of 5 with" in str(error)
        assert error.size == batch.size
    assert type(single.future.exception()) is OutcomeUnknown


async def test_what_was_rejected_goes_before_what_was_never_written() -> None:
    """With a new id, behind what was rejected before it."""
    line = Line(max_in_flight=2)
    line.session.may_reauthenticate = True
    calls = [line.submitted() for _ in range(3)]
    for call in calls[:2]:
        line.reply(call, error={"code": -32001, "message": "who are you?"})
    assert len(line.wire.sent) == 2
    line.session.reauthenticated()
    assert line.wire.ids()[2:] == [call.id for call in calls[:2]]
    assert line.wire.ids()[2:] == [4, 5]
    line.reply(calls[0], error={"code": -32001, "message": "who are you?"})
    assert isinstance(calls[0].future.exception(), RpcError)


async def test_a_closed_queue_writes_nothing_again() -> None:
    """What waits fails as not run, unless it was written before; what is given back later fails, too."""
    line = Line(max_in_flight=2)
    first, second = (line.submitted(idempotent=True) for _ in range(2))
    never = line.submitted()
    line.session.lost(LOST)
    line.open()
    line.queue.fail_queued(NotConnected("gave up"))
    assert isinstance(never.future.exception(), NotConnected)
    line.queue.close()
    line.session.lost(LOST)
    assert {type(call.future.exception()) for call in (first, second)} == {OutcomeUnknown}


@pytest.mark.parametrize("how", ["replies", "lost"])
async def test_drained(how: str) -> None:
    """When no call of the user's waits or is unanswered, or when the connection is lost; its own do not count."""
    line = Line(max_in_flight=3)
    own = line.made(internal=True)
    line.session.write(own)
    calls = [line.submitted() for _ in range(2)]
    draining = line.queue.drained()
    assert draining is not None
    if how == "replies":
        line.reply(calls[0])
        await asyncio.sleep(0)
        assert not draining.done()
        line.reply(calls[1])
    else:
        line.session.lost(LOST)
    await asyncio.wait_for(draining, PATIENCE)
    assert [call.future.exception() is None for call in calls] == [how == "replies"] * 2
    assert own.future.done() is (how == "lost")
    assert how == "replies" or own.future.exception()


async def test_a_deadline_frees_no_slot_for_another_that_is_over() -> None:
    """All that are due end in one go: one that waits is not written in its last moment."""
    line = Line(max_in_flight=1)
    now = asyncio.get_running_loop().time()
    calls = [line.made(timeout=0.01, deadline=now + 0.01) for _ in range(3)]
    for call in calls:
        line.queue.submit(call)
    await eventually(lambda: all(call.future.done() for call in calls))
    assert line.wire.ids() == [calls[0].id]
    phases = [getattr(call.future.exception(), "phase", None) for call in calls]
    assert phases == ["reply", "queue", "queue"]
    assert line.queue._timer is None


async def test_one_timer_for_all() -> None:
    """It stands at the earliest deadline, and is gone with the last one."""
    line = Line()
    now = asyncio.get_running_loop().time()
    for seconds in (50, 10, 30):
        line.submitted(timeout=seconds, deadline=now + seconds)
        assert line.queue._sweep_at == now + min(seconds, 50 if seconds == 50 else 10)
    timer = line.queue._timer
    assert timer is not None
    line.queue.stop()
    assert timer.cancelled()
    assert line.queue._timer is None
