"""Something else than the client's own task was cancelled inside a function of the user's: that function failed."""

import asyncio
import json
from typing import Any

import pytest

from circle_ws import Challenge, ConnectionFailed, ConnectionStatus, SetupSession, SignerFailed, Verdict
from circle_ws.policy import Failure
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import client
from tests.support.outcomes import eventually
from tests.support.peers import Peers
from tests.support.signers import Vault

S = ConnectionStatus


async def interrupted(*arguments: Any) -> Any:
    """Await something that is cancelled meanwhile."""
    other = asyncio.ensure_future(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(other.cancel)
    return await other


def interrupted_at_once(*arguments: Any) -> Any:
    """Look at the result of something that was cancelled."""
    other = asyncio.get_running_loop().create_future()
    other.cancel()
    return other.result()


async def cancelled(*arguments: Any) -> Any:
    """Raise a cancellation that the program's own code caused."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


@pytest.mark.parametrize("function", [interrupted, interrupted_at_once])
async def test_a_handler_still_answers(peers: Peers, function: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With an internal error, logged as every other one; the next request is answered as ever."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("break", function)
        it.handle("f", lambda: 1)
        answer = await circle.ask("ask_client", method="break")
        assert answer == {"error": [-32603, "internal error", None]}
        assert await circle.ask("ask_client", method="f") == {"result": 1}
    assert "method 'break' raised" in caplog.text


async def test_a_handler_that_is_cancelled_answers(peers: Peers) -> None:
    """The circle does not wait for what will never come."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("break", cancelled)
        assert await circle.ask("ask_client", method="break") == {"error": [-32603, "internal error", None]}


@pytest.mark.parametrize("function", [interrupted, interrupted_at_once, cancelled])
async def test_a_batch_keeps_its_replies(function: Any) -> None:
    """One member of a batch of the circle's is interrupted: it is answered with an error, and the others are too."""

    async def ask(peer: MemoryPeer) -> None:
        peer.send(json.dumps([{"jsonrpc": "2.0", "id": name, "method": name} for name in ("a", "break", "b")]))
        replies.set_result(json.loads(await peer.receive()))
        await peer.receive()

    replies: asyncio.Future[list[dict[str, Any]]] = asyncio.get_running_loop().create_future()
    it = client("ws://localhost/", key=None, transport=MemoryServer(ask))
    it.handle("a", lambda: 1)
    it.handle("b", lambda: 2)
    it.handle("break", function)
    async with it:
        answers = {reply["id"]: reply for reply in await asyncio.wait_for(replies, 5)}
    assert set(answers) == {"a", "b", "break"}
    assert answers["break"]["error"]["code"] == -32603
    assert (answers["a"]["result"], answers["b"]["result"]) == (1, 2)


class Interrupted(Vault):
    """A signer whose `sign()`, or `public_key()`, is interrupted."""

    def __init__(self, where: str, function: Any) -> None:
        super().__init__()
        self._where = where
        self._function = function

    async def public_key(self) -> str:
        if self._where == "public_key":
            await self._fail()
        return await super().public_key()

    async def sign(self, challenge: Challenge) -> str:
        if self._where == "sign":
            await self._fail()
        return await super().sign(challenge)

    async def _fail(self) -> None:
        if self._function is interrupted:
            await interrupted()
        interrupted_at_once()


@pytest.mark.parametrize("function", [interrupted, interrupted_at_once])
@pytest.mark.parametrize("where", ["public_key", "sign"])
async def test_a_signer_failed(peers: Peers, where: str, function: Any) -> None:
    """`SignerFailed`, in words, and FAILED, as for every other failure of a signer."""
    circle = await peers.start("circle")
    it = client(circle.url, key=None, signer=Interrupted(where, function))
    with pytest.raises(SignerFailed, match="cancelled") as caught:
        await it.connect()
    assert it.failure is caught.value
    await it.close()


@pytest.mark.parametrize("function", [interrupted, interrupted_at_once])
async def test_a_setup_failed_the_attempt(peers: Peers, function: Any) -> None:
    """`ConnectionFailed` in the phase `setup`; later it is retried, and works."""
    circle = await peers.start("circle")
    runs = 0

    async def setup(session: SetupSession) -> None:
        nonlocal runs
        runs += 1
        if runs in (1, 3):
            await function()

    it = client(circle.url, setup=setup)
    with pytest.raises(ConnectionFailed, match="the setup failed: something that it awaited was cancelled") as caught:
        await it.connect()
    assert caught.value.phase == "setup"
    assert it.status is S.FAILED
    await it.connect()
    await circle.ask("cut_all")
    await eventually(lambda: runs == 4 and it.is_connected())
    await it.close()


@pytest.mark.native_only("a browser does not let a page set headers")
@pytest.mark.parametrize("function", [interrupted, interrupted_at_once])
async def test_a_headers_function_failed_the_attempt(peers: Peers, function: Any) -> None:
    """`ConnectionFailed`, which is retried."""
    circle = await peers.start("circle")
    asked = 0

    async def headers() -> dict[str, str]:
        nonlocal asked
        asked += 1
        if asked < 3:
            await function()
        return {}

    with pytest.raises(ConnectionFailed, match="the headers function failed"):
        await client(circle.url, headers=headers).connect()
    async with client(circle.url, headers=headers, first_connect="retry") as it:
        assert await it.call("echo", [1]) == 1
    assert asked == 3


async def test_a_transport_failed_the_attempt() -> None:
    """Its dial is interrupted: the attempt failed, and the client tries again."""

    dials: list[str] = []

    class Flaky(MemoryServer):
        async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
            dials.append(url)
            if len(dials) < 3:
                await interrupted()
            return await super().__call__(url, receiver, options)

    async def listen(peer: MemoryPeer) -> None:
        await peer.receive()

    with pytest.raises(ConnectionFailed, match="cancelled"):
        await client("ws://localhost/", key=None, transport=Flaky(listen)).connect()
    async with client("ws://localhost/", key=None, transport=Flaky(listen), first_connect="retry") as it:
        assert it.is_connected()
    assert len(dials) == 3


@pytest.mark.parametrize("function", [interrupted_at_once, lambda: 1 / 0], ids=["interrupted", "raises"])
async def test_a_classifier_that_fails_leaves_the_answer_to_the_policy(
    function: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the client reconnects as it would without one."""

    async def listen(peer: MemoryPeer) -> None:
        await peer.receive()

    def classify(failure: Failure) -> Verdict | None:
        function()
        return None

    server = MemoryServer(listen)
    async with client("ws://localhost/", key=None, transport=server, classifier=classify) as it:
        server.peers[0].close(1001)
        await eventually(lambda: it.stats.connects == 2)
    assert "the classifier raised" in caplog.text


@pytest.mark.parametrize("verdict", [True, "retry", 0], ids=repr)
async def test_a_classifier_that_gives_no_verdict_leaves_the_answer_to_the_policy(
    verdict: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the client reconnects as it would without one."""

    async def listen(peer: MemoryPeer) -> None:
        await peer.receive()

    server = MemoryServer(listen)
    async with client("ws://localhost/", key=None, transport=server, classifier=lambda failure: verdict) as it:
        server.peers[0].close(1001)
        await eventually(lambda: it.stats.connects == 2)
    assert f"the classifier returned {type(verdict).__name__} instead of a Verdict or None" in caplog.text


@pytest.mark.parametrize("function", [interrupted, interrupted_at_once])
async def test_a_status_callback_is_logged(function: Any, caplog: pytest.LogCaptureFixture) -> None:
    """As one that raises anything else."""

    async def listen(peer: MemoryPeer) -> None:
        await peer.receive()

    it = client("ws://localhost/", key=None, transport=MemoryServer(listen))
    it.on_status(function)
    async with it:
        await eventually(lambda: caplog.text.count("a status callback raised") == 2)
    await eventually(lambda: caplog.text.count("a status callback raised") == 4)
