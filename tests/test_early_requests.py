"""What the circle asks before the handshake is over: answered once the client is signed in, and never before."""

import asyncio
import json
from typing import Any

import pytest

from circle_ws import AuthError, Challenge, ConnectionFailed, ConnectionLost, ConnectionStatus
from circle_ws.engine.session import MAX_HELD_BYTES, MAX_HELD_REQUESTS
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import KEY, client
from tests.support.outcomes import eventually, later
from tests.support.signers import Vault

S = ConnectionStatus
SIGN_IN = {"fetch_nonce": "nonce_1234567890_abcdef", "authenticate": True}


def asked(id: Any, method: str = "f", params: Any = None) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


class Eager(MemoryServer):
    """Says something in the very packet that opens a connection; accepts every sign-in unless `accept` is False.

    Attributes:
        replies: The replies to its requests.
        methods: What it was asked.
    """

    def __init__(self, *early: str, accept: bool = True, on_nonce: str = "") -> None:
        super().__init__(self._answer)
        self._early = early
        self._accept = accept
        self._on_nonce = on_nonce
        self.replies: list[Any] = []
        self.methods: list[str] = []

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        transport = await super().__call__(url, receiver, options)
        for text in self._early:
            transport.take(text)
        return transport

    async def _answer(self, peer: MemoryPeer) -> None:
        async for text in peer:
            message = json.loads(text)
            if type(message) is list or "method" not in message:
                self.replies.append(message)
                continue
            self.methods.append(message["method"])
            if message["method"] == "fetch_nonce" and self._on_nonce:
                peer.send(self._on_nonce)
            result = SIGN_IN.get(message["method"], "fine")
            if message["method"] == "authenticate" and not self._accept:
                result = False
            peer.send(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))


@pytest.mark.parametrize("key", [None, KEY], ids=["anonymous", "signed in"])
async def test_requests_in_the_packet_that_opens_are_answered(key: str | None) -> None:
    """Singly and in a batch, with a known method or not, as soon as the client is connected, in order."""
    server = Eager(asked(1, params=[5]), f"[{asked(2, params=[6])},{asked(3)}]", asked("x", "unknown"))
    it = client("ws://localhost/", key=key, transport=server)
    it.handle("f", lambda value=0: value)
    async with it:
        await eventually(lambda: len(server.replies) == 3)
        assert await it.call("g") == "fine"
    single, unknown = (reply for reply in server.replies if type(reply) is dict)
    batch = next(reply for reply in server.replies if type(reply) is list)
    results = {reply["id"]: reply.get("result") for reply in (*batch, single, unknown)}
    assert results == {1: 5, 2: 6, 3: 0, "x": None}


class Watching(Vault):
    """Looks at what has left when it is asked to sign, and may refuse."""

    def __init__(self, server: Eager, *, refuse: bool = False) -> None:
        super().__init__("eip191")
        self._server = server
        self._refuse = refuse
        self.seen: list[Any] = []

    async def sign(self, challenge: Challenge) -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        self.seen = list(self._server.replies)
        if self._refuse:
            raise RuntimeError("no")
        return await super().sign(challenge)


@pytest.mark.parametrize("when", ["with the opening", "with the nonce"])
async def test_before_the_sign_in_nothing_leaves(when: str) -> None:
    """What the circle asks while the client signs in is answered after it, before the setup runs."""
    text = asked(1, params=[5])
    server = Eager(text) if when == "with the opening" else Eager(on_nonce=text)
    signer = Watching(server)
    in_setup: list[Any] = []

    async def set_up(session: Any) -> None:
        await session.call("register")
        in_setup.extend(server.replies)

    it = client("ws://localhost/", key=None, signer=signer, transport=server, setup=set_up)
    it.handle("f", lambda value: value)
    async with it:
        assert await it.call("g") == "fine"
    assert signer.seen == []
    assert in_setup == [{"jsonrpc": "2.0", "id": 1, "result": 5}] == server.replies


@pytest.mark.parametrize("why", ["the circle refuses", "the signer refuses"])
async def test_a_sign_in_that_fails_answers_nothing(why: str) -> None:
    """What was asked before is dropped with the connection; the function never runs."""
    server = Eager(asked(1), accept=why != "the circle refuses", on_nonce=asked(2))
    ran: list[int] = []
    signer = Watching(server, refuse=why == "the signer refuses")
    it = client("ws://localhost/", key=None, signer=signer, transport=server)
    it.handle("f", lambda: ran.append(1))
    failure = await later(it.connect())
    assert isinstance(failure, AuthError)
    assert it.status is S.FAILED
    await it.close()
    assert ran == server.replies == []


@pytest.mark.parametrize(
    ("early", "kept"),
    [
        ([asked(number) for number in range(2 * MAX_HELD_REQUESTS)], MAX_HELD_REQUESTS),
        ([asked(number, params=["x" * 100_000]) for number in range(30)], MAX_HELD_BYTES // 100_080),
        ([f"[{','.join([asked(7)] * 999)}]"], 0),
    ],
    ids=["number", "bytes", "in a batch"],
)
async def test_what_is_kept_is_bounded(early: list[str], kept: int) -> None:
    """In number and in bytes; what is over is dropped, and a batch of which a part is dropped has no reply."""
    server = Eager(*early)
    it = client("ws://localhost/", transport=server)
    it.handle("f", lambda *params: len(params))
    async with it:
        await eventually(lambda: len(server.replies) == kept)
        assert await it.call("g") == "fine"
        assert len(server.replies) == kept


async def test_five_malformed_messages_in_the_packet_that_opens() -> None:
    """Row 17 holds there as well: the attempt fails, and the connection is closed with 4002."""
    server = Eager(*["{"] * 7)
    told: list[Any] = []
    it = client("ws://localhost/", transport=server)
    it.on_protocol_error(told.append)
    failure = await later(it.connect())
    assert isinstance(failure, ConnectionFailed)
    assert isinstance(failure.__cause__, ConnectionLost)
    assert (failure.__cause__.code, failure.__cause__.local) == (4002, True)
    assert "this client closed" in str(failure)
    await eventually(lambda: server.peers[0].loss)
    loss = server.peers[0].loss
    assert loss is not None
    assert loss.code == 4002
    assert server.methods == []
    await it.close()
    assert len(told) == 5
