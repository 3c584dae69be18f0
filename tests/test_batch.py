"""Several calls in one message, in both runtimes against the real circle and scripted ones."""

import asyncio
import gc
import json
from typing import Any

import pytest

from circle_ws import (
    Backoff,
    CallTimeout,
    ClientClosed,
    ConnectionFailed,
    ConnectionStatus,
    InvalidRequest,
    InvalidResult,
    MessageTooLarge,
    NotConnected,
    OutcomeUnknown,
    QueueFull,
    RpcError,
    StatusChange,
)
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers


async def test_each_call_has_its_own_end(peers: Peers) -> None:
    """Results, errors and notifications of one batch; one message goes out and nothing is mixed up."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        async with it.batch() as batch:
            one = batch.call("echo", [1])
            batch.notify("record", ["noted"])
            bad = batch.call("no such method")
            two = batch.call("echo", {"value": {"a": 2}})
        assert await one == 1
        assert await two == await two == {"a": 2}
        with pytest.raises(RpcError) as caught:
            await bad
        assert caught.value.code == -32601
        assert await circle.ask("runs") == ["noted"]
        assert (it.stats.calls, it.stats.failures) == (3, 1)


async def test_it_is_one_message(peers: Peers) -> None:
    """What is written is one array, its members in order, with ids of their own."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        left = later(_leave(it))
        await until(peer, "received")
        sent = json.loads((await peer.ask("received"))[0])
        assert [member["method"] for member in sent] == ["a", "b", "c"]
        assert [member.get("params") for member in sent] == [[1], None, {"x": 1}]
        assert "id" not in sent[1]
        replies = [
            {"jsonrpc": "2.0", "id": member["id"], "result": member["method"]} for member in sent if "id" in member
        ]
        await peer.ask("send", text=json.dumps(replies[::-1]))
        assert await left == ["a", "c"]


async def _leave(it: Any) -> list[Any]:
    async with it.batch() as batch:
        a = batch.call("a", [1])
        batch.notify("b")
        c = batch.call("c", {"x": 1})
    return [await a, await c]


async def test_replies_may_come_one_by_one(peers: Peers) -> None:
    """A circle that answers the members singly is understood too."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        left = later(_leave(it))
        await until(peer, "received")
        for member in json.loads((await peer.ask("received"))[0]):
            if "id" in member:
                await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": member["id"], "result": 1}))
        assert await left == [1, 1]


async def test_inside_the_block_there_is_no_result_yet(peers: Peers) -> None:
    """Awaiting inside would wait for ever, so it raises at once; and then nothing is sent."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        with pytest.raises(InvalidRequest, match="after the block"):
            async with it.batch() as batch:
                one = batch.call("record", [1])
                await one
        with pytest.raises(InvalidRequest, match="not sent"):
            await one
        with pytest.raises(InvalidRequest, match="sent already"):
            batch.call("record", [2])
        async with it.batch():
            pass
        assert await circle.ask("runs") == []
        assert it.stats.calls == 0


async def test_an_unread_failure_is_not_reported(peers: Peers) -> None:
    """A failed member that is never awaited leaves no report of an exception that was never retrieved."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.batch() as batch:
        batch.call("no such method")
        batch.call("fail")


async def test_only_notifications(peers: Peers) -> None:
    """A batch of notifications ends when it is written; nothing is waited for."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        async with it.batch() as batch:
            batch.notify("record", [1])
            batch.notify("record", [2])
        await until(circle, "runs", lambda runs: runs == [1, 2])


async def test_what_a_batch_cannot_be(peers: Peers) -> None:
    """Too many calls, too many bytes, a bad param, a client that is not connected: said when the block is left."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=2) as it:
        with pytest.raises(InvalidRequest, match="max_in_flight"):
            await _many(it, 3)
        with pytest.raises(MessageTooLarge):
            async with it.batch() as batch:
                for _ in range(2):
                    batch.call("echo", ["x" * 40_000])
        with pytest.raises(InvalidRequest):
            async with it.batch() as batch:
                batch.call("record", [float("nan")])
        assert await it.call("echo", ["still there"]) == "still there"
        assert await circle.ask("runs") == []
    with pytest.raises(ClientClosed):
        await _many(it, 1)
    with pytest.raises(NotConnected):
        await _many(client(circle.url), 1)


async def _many(it: Any, count: int, **options: Any) -> list[Any]:
    async with it.batch(**options) as batch:
        results = [batch.call("hold", [number]) for number in range(count)]
    return [await result for result in results]


async def test_it_takes_a_slot_for_each_call(peers: Peers) -> None:
    """A batch waits until there is room for all of it, and what comes after it waits behind it."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=3) as it:
        held = [later(it.call("hold", [number])) for number in range(2)]
        await until(circle, "runs", lambda runs: len(runs) == 2)
        batch = later(_many(it, 2))
        after = later(it.call("record", ["after"]))
        await asyncio.sleep(0.05)
        assert await circle.ask("runs") == [0, 1]
        await circle.ask("release")
        assert await asyncio.gather(*held) == [0, 1]
        assert await batch == [0, 1]
        await after


async def test_the_queue_counts_its_calls(peers: Peers) -> None:
    """In the queue a batch counts for as many as it holds; its results fail as the block does."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=3, max_queued=3) as it:
        held = later(_many(it, 3))
        await until(circle, "runs", lambda runs: len(runs) == 3)
        waiting = later(it.call("echo", [1]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            async with it.batch() as batch:
                results = [batch.call("echo", [number]) for number in range(3)]
        for result in results:
            with pytest.raises(QueueFull):
                await result
        await circle.ask("release")
        await held
        assert await waiting == 1


async def test_one_alone_is_never_too_many_to_wait(peers: Peers) -> None:
    """What would be written at once, were there a connection, waits for it, however many calls it holds."""
    circle = await peers.start("circle")
    async with client(circle.url, max_queued=10) as it:
        await it.call("echo", [0])
        it.reconnect()
        async with it.batch() as batch:
            results = [batch.call("echo", [number]) for number in range(20)]
        assert await asyncio.gather(*results) == list(range(20))


@pytest.mark.parametrize("phase", ["reply", "queue"])
async def test_one_deadline(peers: Peers, phase: str) -> None:
    """The time of a batch is over for each call that is not answered, written or not."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=2) as it:
        held = later(_many(it, 2)) if phase == "queue" else None
        if held is not None:
            await until(circle, "runs", lambda runs: len(runs) == 2)
        async with it.batch(timeout=0.1) as batch:
            slow, other = batch.call("hold", [1]), batch.call("echo", [2])
        # This circle answers a batch as a whole.
        for result in (slow, other):
            with pytest.raises(CallTimeout) as caught:
                await result
            assert caught.value.phase == phase
        await circle.ask("release")
        if held is not None:
            await held
        assert await it.call("echo", ["free"]) == "free"


async def test_a_lost_connection(peers: Peers) -> None:
    """Written and unanswered, a call of a batch fails with `OutcomeUnknown`; an idempotent one is written again."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:

        async def both() -> tuple[Any, Any]:
            async with it.batch() as batch:
                plain = batch.call("hold", ["plain"])
                twice = batch.call("hold", ["twice"], idempotent=True)
            return later(plain), later(twice)

        left = later(both())
        await until(circle, "runs", lambda runs: len(runs) == 2)
        await circle.ask("cut_all")
        await until(circle, "runs", lambda runs: len(runs) == 3)
        await circle.ask("release")
        plain, twice = await left
        assert isinstance(await plain, OutcomeUnknown)
        assert await twice == "twice"
    assert await circle.ask("runs") == ["plain", "twice", "twice"]


async def test_it_waits_for_the_connection(peers: Peers) -> None:
    """A batch that was not written yet goes out after the reconnect, once."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await circle.kill()
        await eventually(lambda: not it.is_connected())
        waiting = later(_record(it))
        await asyncio.sleep(0)
        await circle.start()
        assert await waiting == [1, 2]
    assert await circle.ask("runs") == ["one", "two"]


async def _record(it: Any) -> list[Any]:
    async with it.batch() as batch:
        one, two = batch.call("record", ["one"]), batch.call("record", ["two"])
    return [await one, await two]


async def test_a_refused_sign_in_is_renewed_for_its_calls(peers: Peers) -> None:
    """-32001 for the members of a batch: one renewal, then each goes out once more by itself."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await circle.ask("forget_sign_ins")
        assert await _record(it) == [1, 2]
    assert await circle.ask("runs") == ["one", "two"]


async def test_cancelling_frees_everything(peers: Peers) -> None:
    """A cancelled batch holds no slot; its replies are ignored, its results say that it may have run."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=2) as it:
        results: list[Any] = []

        async def hold() -> None:
            async with it.batch() as batch:
                results.extend(batch.call("hold", [number]) for number in range(2))

        task = asyncio.ensure_future(hold())
        await until(circle, "runs", lambda runs: len(runs) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await it.call("echo", [1]) == 1
        with pytest.raises(OutcomeUnknown):
            await results[0]
        await circle.ask("release")
        await eventually(lambda: it.stats.ignored_replies == 2)


async def test_a_circle_that_knows_no_batches(peers: Peers) -> None:
    """It answers with one error without an id: the batch, which alone is unanswered, fails with it at once."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        left = later(_leave(it))
        await until(peer, "received")
        error = {"code": -32600, "message": "no batches here"}
        await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": None, "error": error}))
        failure = await left
        assert isinstance(failure, RpcError)
        assert failure.message == "no batches here"


async def test_an_error_without_an_id_is_no_single_calls(peers: Peers) -> None:
    """Where a single call is unanswered too, the error cannot be attributed, and all calls go on waiting."""
    peer = await peers.start("scripted", answers={"f": {"raw": '{"jsonrpc":"2.0","id":$id,"result":1}'}})
    async with client(peer.url, key=None) as it:
        single = later(it.call("g"))
        left = later(_leave(it))
        await until(peer, "received", lambda texts: len(texts) == 2)
        await peer.ask("send", text='{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"?"}}')
        assert await it.call("f") == 1
        for waiting in (single, left):
            assert not waiting.done()
            waiting.cancel()
        await asyncio.wait([single, left])


async def test_results_are_what_was_asked_for(peers: Peers) -> None:
    """`returns` holds for each call by itself, and one that does not fit counts as a failure."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        async with it.batch() as batch:
            good = batch.call("echo", [[1, 2]], returns=tuple[int, ...])
            bad = batch.call("echo", [[1, "2"]], returns=list[int])
        assert await good == (1, 2)
        with pytest.raises(InvalidResult) as caught:
            await bad
        assert caught.value.path == "$[1]"
        assert it.stats.failures == 1
        with pytest.raises(InvalidRequest):
            async with it.batch() as batch:
                batch.call("record", [1], returns=list[complex])
    assert await circle.ask("runs") == []


async def test_what_the_circle_sends_in_batches(peers: Peers) -> None:
    """Notifications, replies and nonsense in one array: each member counts by itself."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it, it.notifications("n") as news:
        call = later(it.call("f"))
        await until(peer, "received")
        members = [
            {"jsonrpc": "2.0", "method": "n", "params": [1]},
            1,
            {"jsonrpc": "2.0", "id": 1, "result": "fine"},
            {"jsonrpc": "2.0", "method": "n", "params": [2]},
        ]
        await peer.ask("send", text=json.dumps(members))
        assert await call == "fine"
        assert [await anext(news), await anext(news)] == [[1], [2]]
        assert it.stats.protocol_errors == 1


@pytest.mark.parametrize("why", ["its time", "closing", "giving up", "queue"])
async def test_notifications_that_were_never_written_are_told_of(peers: Peers, why: str) -> None:
    """A batch of notifications alone raises what kept it from being sent, as a single notification does."""
    peer = await peers.start("scripted")
    options: dict[str, Any] = {"max_queued": 1} if why == "queue" else {}
    backoff = Backoff(first=0.05, base=0.05, maximum=0.1, floor=0.01, attempts=2 if why == "giving up" else None)
    waiting: list[asyncio.Task[None]] = []
    async with client(peer.url, key=None, backoff=backoff, **options) as it:

        async def leave() -> None:
            async with it.batch(timeout=0.05 if why == "its time" else None) as batch:
                batch.notify("f")
                batch.notify("g")

        def note(change: StatusChange) -> None:
            if change.status is ConnectionStatus.WAITING and not waiting:
                waiting.extend(later(leave()) for _ in range(2))

        it.on_status(note)
        await peer.stop()
        await eventually(lambda: waiting)
        if why == "closing":
            await asyncio.sleep(0)
            await it.close(drain=0)
        outcomes = {type(outcome) for outcome in await asyncio.gather(*waiting[why == "queue" :])}
    expected = {"its time": CallTimeout, "closing": ClientClosed, "giving up": ConnectionFailed, "queue": QueueFull}
    assert outcomes == {expected[why]}
    await asyncio.wait(waiting)


async def test_notifications_that_were_written_are_no_failure(peers: Peers) -> None:
    """They wait for a connection as calls do."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        await peer.stop()
        await eventually(lambda: it.status is ConnectionStatus.WAITING)

        async def leave() -> None:
            async with it.batch() as batch:
                batch.notify("f")

        waiting = later(leave())
        await peer.start()
        assert await waiting is None
        (text,) = await until(peer, "received")
    assert json.loads(text) == [{"jsonrpc": "2.0", "method": "f"}]


async def test_it_has_at_most_a_thousand_members(peers: Peers) -> None:
    """One more is refused in words before anything is sent, notifications counted too."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        with pytest.raises(InvalidRequest, match="1001 is over the maximum of 1000"):
            async with it.batch() as batch:
                for _ in range(1001):
                    batch.notify("record", [0])
        async with it.batch() as batch:
            for _ in range(1000):
                batch.notify("record", [0])
        (text,) = await until(peer, "received")
    assert len(json.loads(text)) == 1000


async def test_a_batch_that_is_cancelled_after_a_member_failed(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """No report of an error that was never retrieved: the caller is gone."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:

        async def leave() -> None:
            async with it.batch() as batch:
                batch.call("bad")
                batch.call("silent")

        left = asyncio.ensure_future(leave())
        await until(peer, "received")
        await peer.ask("send", text='{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}')
        session = it._supervisor._session
        assert session is not None
        await eventually(lambda: len(session.pending.entries) == 1)
        left.cancel()
        await asyncio.wait([left])
        assert left.cancelled()
        assert not session.pending.entries
        gc.collect()
        await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text
