"""Batches: one reply for all members, run at the same time, bounded in number, and no way to sign in."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from circle_ws.auth import derive_public_key, sign_message
from circle_ws.errors import ConfigError, RpcError
from circle_ws.server import CircleServer
from circle_ws.server.answering import MAX_RUNNING
from tests.native.by_hand import ask, batch, exchange, request, sign_in, signed_in
from tests.support.clients import KEY
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually


class Meeting(CircleServer):
    """A circle whose method `meet` ends when so many run at the same time as `met` says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.here = 0
        self.met = asyncio.Event()
        self.ended: list[str] = []
        self.method()(self.meet)
        self.method()(self.hold)
        self.method()(self.fail)

    async def meet(self, count: int) -> int:
        self.here += 1
        if self.here == count:
            self.met.set()
        await self.met.wait()
        return self.here

    async def hold(self) -> None:
        try:
            self.here += 1
            await asyncio.Event().wait()
        finally:
            self.ended.append("hold")

    def fail(self, how: str) -> None:
        if how == "fault":
            raise RuntimeError("secret details")
        raise RpcError(77, "words", {"more": [1]})


@pytest.fixture
async def circle() -> AsyncGenerator[Meeting]:
    async with Meeting() as server:
        yield server


async def test_members_run_at_the_same_time(circle: Meeting) -> None:
    """Members that wait for one another all end; one more in the batch is answered by an error of its own."""
    async with signed_in(circle) as socket:
        members = [request("meet", [20], number) for number in range(20)]
        replies = await batch(socket, *members, request("meet", {}, "wrong"), request("fail", ["rpc"], "own"))
        assert [replies[number]["result"] for number in range(20)] == [20] * 20
        assert replies["wrong"]["error"]["code"] == -32602
        assert replies["own"]["error"] == {"code": 77, "message": "words", "data": {"more": [1]}}


async def test_a_fault_of_one_member_is_told_without_details(circle: Meeting, caplog: pytest.LogCaptureFixture) -> None:
    """A member whose method fails is -32603, the others are answered, and the fault is logged."""
    async with signed_in(circle) as socket:
        replies = await batch(socket, request("fail", ["fault"], 1), request("rpc.ping", None, 2))
        assert replies[1]["error"] == {"code": -32603, "message": "internal error"}
        assert replies[2]["result"] == "pong"
    assert "secret details" in caplog.text


async def test_there_is_a_most_of_members() -> None:
    """At the limit all are answered; over it nothing is run, and one error says the limit."""
    async with CircleServer(max_batch=3) as server, signed_in(server) as socket:
        members = [request("whoami", None, number) for number in range(4)]
        assert len(await batch(socket, *members[:3])) == 3
        reply = await batch(socket, *members)
        assert (reply["id"], reply["error"]["code"]) == (None, -32600)
        assert "at most 3 members, not 4" in reply["error"]["message"]
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"


@pytest.mark.parametrize("option", ["max_batch", "max_batch_reply_bytes"])
@pytest.mark.parametrize("count", [0, -1, 2.5, True, None])
def test_a_wrong_limit_is_refused(option: str, count: Any) -> None:
    """The number of members is a whole number from 1, and so is that of bytes."""
    wrong: dict[str, Any] = {option: count}
    with pytest.raises(ConfigError, match=option) as caught:
        CircleServer(**wrong)
    assert caught.value.option == option


async def test_a_batch_of_a_thousand_is_taken(circle: Meeting) -> None:
    """That is what a client may send, too."""
    async with signed_in(circle) as socket:
        assert len(await batch(socket, *(request("rpc.ping", None, number) for number in range(1000)))) == 1000
        refused = await batch(socket, *(request("rpc.ping", None, number) for number in range(1001)))
        assert "at most 1000 members, not 1001" in refused["error"]["message"]


@pytest.mark.parametrize("last", [True, False])
async def test_the_fifth_malformed_member_ends_a_batch(circle: Meeting, last: bool) -> None:
    """One error for all of it, and nothing was run; with four each has its own."""
    ran: list[int] = []
    circle.method("run")(ran.append)
    good = request("run", [1], "good")
    bad: list[Any] = [1, {}, "text", [good], {"jsonrpc": "2.0", "id": 7, "method": 5}]
    async with signed_in(circle) as socket:
        reply = await exchange(socket, json.dumps([good, *bad] if last else [*bad, good]))
        assert (reply["id"], reply["error"]["code"]) == (None, -32600)
        assert "5 members" in reply["error"]["message"]
        assert ran == []
        replies = await exchange(socket, json.dumps([good, *bad[1:]]))
        assert sorted(one.get("error", {"code": 0})["code"] for one in replies) == [-32600] * 4 + [0]
        assert ran == [1]


async def test_a_huge_batch_costs_little() -> None:
    """Five million ones in ten megabytes are refused in a moment."""
    async with CircleServer(max_message_bytes=11 << 20, max_batch=10_000_000) as server, signed_in(server) as socket:
        text = "[" + ",".join(["1"] * 5_000_000) + "]"
        started = time.process_time()
        reply = await exchange(socket, text)
        assert reply["error"]["code"] == -32600
        assert time.process_time() - started < 5


async def test_the_reply_to_a_batch_is_bounded() -> None:
    """Responses over the limit are left out, each with an error that says so; all members have run."""
    async with CircleServer(max_batch_reply_bytes=10_000) as server, signed_in(server) as socket:
        ran: list[int] = []

        @server.method()
        def load(number: int) -> str:
            ran.append(number)
            return "é" * 1000

        members = [request("load", [number], number) for number in range(50)]
        reply = await socket_text(socket, members)
        found = {one["id"]: one for one in json.loads(reply)}
        whole = [id for id, one in found.items() if "result" in one]
        assert whole == [0, 1, 2, 3]
        assert {one["error"]["code"] for one in found.values() if "error" in one} == {-32005}
        assert "over 10000 bytes" in found[49]["error"]["message"]
        assert set(found) == set(ran) == set(range(50))
        assert len(reply.encode()) < 10_000 + 50 * 250
        single = await exchange(socket, json.dumps(request("load", [1])))
        assert len(single["result"]) == 1000


async def test_open_batches_of_a_client_are_bounded_together() -> None:
    """Responses of several batches that wait for the rest of them count as one; those that were sent count no more."""
    async with CircleServer(max_batch_reply_bytes=10_000) as server, signed_in(server) as socket:
        go = asyncio.Event()

        @server.method()
        async def hold() -> None:
            await go.wait()

        @server.method()
        def load() -> str:
            return "x" * 4000

        for number in range(5):
            await socket.send(json.dumps([request("load", None, number), request("hold", None, "hold")]))
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"
        go.set()
        found = [one for _ in range(5) for one in json.loads(await socket.recv()) if one["id"] != "hold"]
        assert sum("result" in one for one in found) == 2
        assert {one["error"]["code"] for one in found if "error" in one} == {-32005}
        again = await batch(socket, request("load", None, 1), request("load", None, 2))
        assert all("result" in one for one in again.values())


async def socket_text(socket: ClientConnection, members: list[Any]) -> str:
    await socket.send(json.dumps(members))
    text = await socket.recv()
    assert type(text) is str
    return text


async def test_no_sign_in_within_a_batch(circle: Meeting) -> None:
    """Both calls of the sign-in are refused there; the nonce is still good afterwards, and other members are run."""
    public = derive_public_key(KEY)
    async with connect(circle.url) as socket:
        nonce = (await ask(socket, "fetch_nonce", [public]))["result"]
        proof = [public, sign_message(KEY, nonce)]
        replies = await batch(
            socket,
            request("fetch_nonce", [public], 1),
            request("authenticate", proof, 2),
            request("whoami", None, 3),
            request("rpc.ping", None, 4),
        )
        assert replies[1]["error"]["code"] == replies[2]["error"]["code"] == -32600
        assert "authenticate is a message of its own" in replies[2]["error"]["message"]
        assert replies[3]["error"]["code"] == -32001
        assert replies[4]["result"] == "pong"
        assert (await ask(socket, "authenticate", proof))["result"] is True


async def test_replies_within_a_batch_are_not_answered(circle: Meeting) -> None:
    """Members that answer nothing that was asked count for nothing; alone they are no reason for a reply."""
    async with signed_in(circle) as socket:
        stray = [{"jsonrpc": "2.0", "id": 7, "result": 1}, {"jsonrpc": "2.0", "id": None, "error": {}}]
        error = {"jsonrpc": "2.0", "id": 8, "error": {"code": 1, "message": "words"}}
        replies = await exchange(socket, json.dumps([*stray, error, request("rpc.ping")]))
        assert sorted(reply.get("result", "error") for reply in replies) == ["error", "pong"]
        await socket.send(json.dumps([stray[0], error]))
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"


async def test_a_batch_within_a_batch_is_no_request(circle: Meeting) -> None:
    """An array as a member is an invalid one."""
    async with signed_in(circle) as socket:
        [reply] = await exchange(socket, json.dumps([[request("rpc.ping")]]))
        assert (reply["id"], reply["error"]["code"]) == (None, -32600)


async def test_members_count_one_by_one() -> None:
    """Members beyond the room for running methods wait until others end; nothing is read meanwhile."""
    async with CircleServer(max_batch=1000, max_message_bytes=1 << 20) as server:
        running = 0
        most = 0
        go = asyncio.Event()

        @server.method()
        async def wait() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await go.wait()
            running -= 1

        async with signed_in(server) as socket:
            await socket.send(json.dumps([request("wait", None, number) for number in range(600)]))
            await socket.send(json.dumps(request("rpc.ping", None, "ping")))
            await eventually(lambda: running > MAX_RUNNING)
            go.set()
            replies = [json.loads(await socket.recv()) for _ in range(2)]
            assert sorted(len(reply) if type(reply) is list else 0 for reply in replies) == [0, 600]
        assert most == MAX_RUNNING + 1


async def test_a_batch_ends_with_its_client(circle: Meeting) -> None:
    """When the client is gone the members are cancelled, each once."""
    async with connect(circle.url) as socket:
        await sign_in(socket)
        await socket.send(json.dumps([request("hold", None, number) for number in range(10)]))
        await eventually(lambda: circle.here == 10)
        socket.transport.abort()
        await eventually(lambda: not circle.connections)
    assert circle.ended == ["hold"] * 10


@pytest.mark.parametrize("how", ["interrupted", "interrupted at once", "cancelled"])
async def test_a_member_that_is_interrupted_takes_no_other_reply_with_it(how: str) -> None:
    """Something that it awaited was cancelled, or it was itself, by the program's own code: an internal error."""
    async with CircleServer() as server:

        @server.method("break")
        async def interrupted() -> Any:
            if how == "cancelled":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)
            other = asyncio.ensure_future(asyncio.Event().wait())
            if how == "interrupted":
                asyncio.get_running_loop().call_soon(other.cancel)
                return await other
            other.cancel()
            await asyncio.wait([other])
            return other.result()

        @server.method()
        def f() -> int:
            return 1

        async with signed_in(server) as socket:
            members = [request("f", None, 1), request("break", None, 2), request("f", None, 3)]
            await socket.send(json.dumps(members))
            answers = {answer["id"]: answer for answer in json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))}
            assert (answers[1]["result"], answers[3]["result"]) == (1, 1)
            assert answers[2]["error"] == {"code": -32603, "message": "internal error"}
            await socket.send(json.dumps(request("break", None, 4)))
            answer = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
            assert answer["error"]["code"] == -32603
