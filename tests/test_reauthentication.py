"""A circle that forgets who is signed in: one renewal for each connection, then the refused call once more."""

import asyncio
import itertools
import json
from typing import Any

import pytest

from circle_ws import (
    AuthError,
    AuthRejected,
    CallTimeout,
    Challenge,
    CircleWsClient,
    ClientClosed,
    ConnectionFailed,
    ConnectionStatus,
    DowngradeDetected,
    KeepAlive,
    OutcomeUnknown,
    QueueFull,
    RpcError,
    SignerFailed,
    StatusChange,
)
from circle_ws.auth.profiles import BOUND
from circle_ws.transport import host_events
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import client
from tests.support.limits import DIALLED, SOON
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

pytestmark = pytest.mark.limit(120)

S = ConnectionStatus
NONCE: dict[str, Any] = {"result": "nonce_1234567890_abcdef"}
YES: dict[str, Any] = {"result": True}
REFUSED: dict[str, Any] = {"error": {"code": -32001, "message": "authentication required"}}


class Slow(Vault):
    """Signs at once the first time, and later when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.pen = asyncio.Event()

    async def sign(self, challenge: Challenge) -> str:
        signature = await super().sign(challenge)
        if len(self.asked) > 1:
            await self.pen.wait()
        return signature


def watched(it: CircleWsClient) -> list[StatusChange]:
    """Collect the changes of status from now on."""
    changes: list[StatusChange] = []
    it.on_status(changes.append)
    return changes


async def sent(peer: RemotePeer) -> list[str]:
    """Return the methods that were called, in order."""
    return [json.loads(text)["method"] for text in await peer.ask("received")]


def is_refusal(error: Any) -> bool:
    return isinstance(error, RpcError) and error.code == -32001


# Against the real circle.


@pytest.mark.parametrize("public_url", [None, "self"], ids=["legacy", "bound"])
@pytest.mark.parametrize("dialect", ["hero-0.2", "circles-1.0"])
async def test_the_call_is_answered_and_the_status_stays(peers: Peers, dialect: str, public_url: str | None) -> None:
    """The refused call is answered after one renewal; the status stays CONNECTED, and the connection the same."""
    circle = await peers.start("circle", dialect=dialect, public_url=public_url)
    vault = Vault()
    async with client(circle.url, key=None, signer=vault) as it:
        changes = watched(it)
        await circle.ask("forget_sign_ins")
        assert await it.call("record", ["once"]) == 1
        assert await it.whoami() == {"pubkey": (await circle.ask("public_keys"))[0]}
        assert changes == []
        assert it.is_connected()
        assert len(vault.asked) == 2
        assert len({challenge.nonce for challenge in vault.asked}) == 2
    assert await circle.ask("runs") == ["once"]


async def test_many_calls_are_renewed_once_and_run_in_order(peers: Peers) -> None:
    """Calls that are refused together are renewed once, and each runs once, in the order in which they were made."""
    circle = await peers.start("circle")
    vault = Vault()
    async with client(circle.url, key=None, signer=vault, max_in_flight=8) as it:
        await circle.ask("forget_sign_ins")
        assert await asyncio.gather(*(it.call("record", [number]) for number in range(50))) == list(range(1, 51))
        assert len(vault.asked) == 2
    assert await circle.ask("runs") == list(range(50))


async def test_the_second_time_is_an_error(peers: Peers) -> None:
    """A circle that forgets again on the same connection gets no third signature: -32001 is a plain `RpcError`."""
    circle = await peers.start("circle")
    vault = Vault()
    async with client(circle.url, key=None, signer=vault) as it:
        changes = watched(it)
        await circle.ask("forget_sign_ins")
        assert await it.call("echo", [1]) == 1
        await circle.ask("forget_sign_ins")
        for _ in range(3):
            assert is_refusal(await later(it.call("echo", [2])))
        assert it.is_connected()
        assert changes == []
        assert len(vault.asked) == 2
        # The next connection may have one again.
        await circle.ask("cut_all")
        await eventually(lambda: not it.is_connected())
        assert await it.call("echo", [3]) == 3
        await circle.ask("forget_sign_ins")
        assert await it.call("echo", [4]) == 4
        assert len(vault.asked) == 4


async def test_the_text_of_a_request_is_not_touched(peers: Peers) -> None:
    """Only the id of the envelope is another one: what looks like it inside of the params stays."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        value = ['"id":4,', {"id": 4, "method": '"id":4,"id":5,'}]
        await circle.ask("forget_sign_ins")
        assert await asyncio.gather(*(it.call("echo", {"value": value}) for _ in range(4))) == [value] * 4


async def test_an_anonymous_client_has_nothing_to_renew(peers: Peers) -> None:
    """Without a key -32001 is the caller's error, at once, and the connection stays."""
    circle = await peers.start("circle")
    async with client(circle.url, key=None) as it:
        for _ in range(2):
            assert is_refusal(await later(it.call("echo", [1])))
        assert it.is_connected()


# While it is renewed.


async def test_others_wait_while_it_is_renewed(peers: Peers) -> None:
    """Meanwhile the client is CONNECTED, what is pushed comes in, and other calls wait: they go out after it."""
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED, YES], "g": YES}
    )
    slow = Slow()
    async with client(peer.url, key=None, signer=slow) as it, it.notifications("tick") as ticks:
        changes = watched(it)
        first = later(it.call("f"))
        await eventually(lambda: len(slow.asked) == 2)
        others = [later(it.call("g")), later(it.notify("n")), later(it.call("g"))]
        await peer.ask("send", text='{"jsonrpc":"2.0","method":"tick","params":[1]}')
        assert await anext(ticks) == [1]
        assert it.status is S.CONNECTED
        assert it.is_connected()
        await it.wait_until_connected(timeout=0)
        await it.connect()
        assert not first.done()
        assert not any(one.done() for one in others)
        assert (await sent(peer))[2:] == ["f", "fetch_nonce"]
        slow.pen.set()
        assert await asyncio.gather(first, *others) == [True, True, None, True]
        assert changes == []
    assert await sent(peer) == ["fetch_nonce", "authenticate", "f", "fetch_nonce", "authenticate", "f", "g", "n", "g"]
    requests = [json.loads(text) for text in await peer.ask("received")]
    ids = [request["id"] for request in requests if "id" in request]
    assert len(ids) == len(set(ids))


async def test_a_call_that_is_refused_twice(peers: Peers) -> None:
    """A call that is refused once more after the renewal fails with that, and is not sent a third time."""
    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "f": REFUSED})
    async with client(peer.url) as it:
        assert is_refusal(await later(it.call("f")))
        assert is_refusal(await later(it.call("f")))
        assert it.is_connected()
    assert await sent(peer) == ["fetch_nonce", "authenticate", "f", "fetch_nonce", "authenticate", "f", "f"]


INVALID: dict[str, Any] = {"error": {"code": -32002, "message": "no"}}


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        ("fetch_nonce", REFUSED),
        ("fetch_nonce", INVALID),
        ("authenticate", REFUSED),
        ("authenticate", INVALID),
        ("authenticate", {"result": False}),
    ],
)
async def test_a_refused_renewal_is_the_end(peers: Peers, step: str, refusal: dict[str, Any]) -> None:
    """It is tried once more on a fresh connection; refused again it ends the client, and everything that waits."""
    answers: dict[str, Any] = {"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED], "silent": None}
    answers[step] = [answers[step], refusal, refusal]
    peer = await peers.start("scripted", answers=answers)
    slow = Slow()
    it = client(peer.url, key=None, signer=slow)
    await it.connect()
    unanswered = later(it.call("silent"))
    calls = [later(it.call("f"))]
    if step == "authenticate":
        await eventually(lambda: len(slow.asked) == 2)
        calls += [later(it.call("g")), later(it.notify("n"))]
        await asyncio.sleep(0)
        slow.pen.set()
    for failure in await asyncio.gather(*calls):
        assert isinstance(failure, AuthRejected)
        assert failure is it.failure
    assert it.status is S.FAILED
    # It was written, and is not known to have been refused.
    assert isinstance(await unanswered, OutcomeUnknown)
    assert await peer.ask("count") == 2
    assert (await sent(peer)).count("f") == 1
    assert (await sent(peer)).count("g") == 0
    await it.close()


async def test_a_signer_that_refuses_the_renewal_is_the_end(peers: Peers) -> None:
    """A person who does not want to sign again ends the client."""

    class Once(Vault):
        async def sign(self, challenge: Challenge) -> str:
            signature = await super().sign(challenge)
            if len(self.asked) > 1:
                raise PermissionError("not again")
            return signature

    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED]})
    it = client(peer.url, key=None, signer=Once())
    await it.connect()
    failure = await later(it.call("f"))
    assert isinstance(failure, SignerFailed)
    assert it.failure is failure
    assert it.status is S.FAILED
    await it.close()


async def test_a_renewal_is_no_way_to_a_downgrade(peers: Peers) -> None:
    """A circle that had the client sign bound cannot have a legacy signature by forgetting it."""
    offer = {"result": {"nonce": NONCE["result"], "expires_at": 4102444800, "auth_profiles": list(BOUND)}}
    peer = await peers.start("scripted", answers={"fetch_nonce": [offer, NONCE], "authenticate": YES, "f": [REFUSED]})
    vault = Vault()
    it = client(peer.url, key=None, signer=vault)
    await it.connect()
    assert isinstance(await later(it.call("f")), DowngradeDetected)
    assert it.status is S.FAILED
    assert len(vault.asked) == 1
    await it.close()


@pytest.mark.parametrize(
    ("step", "answer", "words"),
    [
        ("fetch_nonce", None, "the sign-in was not renewed within open_timeout"),
        ("authenticate", None, "the sign-in was not renewed within open_timeout"),
        ("fetch_nonce", {"close": 1001}, "closed the connection during the sign-in"),
        ("authenticate", {"close": 1012}, "closed the connection during the sign-in"),
        ("authenticate", {"error": {"code": -32603, "message": "busy"}}, "internal error"),
        ("fetch_nonce", {"raw": '{"jsonrpc":"2.0","id":$id}'}, "not JSON-RPC"),
    ],
)
async def test_a_renewal_that_fails_replaces_the_connection(peers: Peers, step: str, answer: Any, words: str) -> None:
    """The connection is closed, at the latest at `open_timeout`; the refused call goes out on the next one."""
    answers: dict[str, Any] = {"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED, YES], "g": YES, "silent": None}
    answers[step] = [answers[step], answer, answers[step]]
    peer = await peers.start("scripted", answers=answers)
    async with client(peer.url, open_timeout=DIALLED) as it:
        changes = it.status_changes()
        unanswered = later(it.call("silent"))
        calls = [later(it.call("f")), later(it.call("g")), later(it.call("g"))]
        assert (await asyncio.gather(*calls)) == [True, True, True]
        assert isinstance(await unanswered, OutcomeUnknown)
        assert it.is_connected()
    story = [change async for change in changes]
    assert [change.status for change in story][:5] == [
        S.CONNECTED,
        S.WAITING,
        S.CONNECTING,
        S.AUTHENTICATING,
        S.CONNECTED,
    ]
    assert isinstance(story[1].cause, ConnectionFailed)
    assert words in str(story[1].cause)
    assert story[1].cause.phase == ("nonce" if step == "fetch_nonce" else "authenticate")
    assert await peer.ask("count") == 2
    assert (await sent(peer)).count("f") == 2


async def test_without_reconnect_a_renewal_that_fails_is_the_end(peers: Peers) -> None:
    """Where the connection is not to be replaced, the refused call fails with the reason, and so does the client."""
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": [NONCE, {"close": 1001}], "authenticate": YES, "f": [REFUSED]}
    )
    it = client(peer.url, backoff=None)
    await it.connect()
    failure = await later(it.call("f"))
    assert isinstance(failure, ConnectionFailed)
    assert it.failure is failure
    await it.close()


async def test_a_person_may_take_longer_than_the_open_timeout(peers: Peers) -> None:
    """The time of the signer does not count towards the renewal's limit either."""
    circle = await peers.start("circle")
    slow = Slow()
    async with client(circle.url, key=None, signer=slow, open_timeout=DIALLED) as it:
        await circle.ask("forget_sign_ins")
        calling = later(it.call("echo", [1]))
        await eventually(lambda: len(slow.asked) == 2)
        await asyncio.sleep(DIALLED + 0.3)
        assert it.is_connected()
        slow.pen.set()
        assert await calling == 1


@pytest.mark.parametrize("end", ["cancelled", "timed out"])
async def test_a_call_that_ends_meanwhile_is_not_sent_again(peers: Peers, end: str) -> None:
    """A refused call whose caller is gone, or whose time is over, does not run after the renewal."""
    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED], "g": YES})
    slow = Slow()
    async with client(peer.url, key=None, signer=slow) as it:
        calling = asyncio.ensure_future(it.call("f", timeout=DIALLED if end == "timed out" else 30))
        await eventually(lambda: len(slow.asked) == 2)
        other = later(it.call("g"))
        if end == "cancelled":
            calling.cancel()
        await asyncio.wait([calling])
        if end == "timed out":
            failure = calling.exception()
            assert isinstance(failure, CallTimeout)
            assert failure.phase == "sign"
            assert "refused" in str(failure)
            assert "has not run" in str(failure)
        slow.pen.set()
        assert await other is True
    assert await sent(peer) == ["fetch_nonce", "authenticate", "f", "fetch_nonce", "authenticate", "g"]


async def test_a_call_that_waits_for_the_renewal_keeps_its_time(peers: Peers) -> None:
    """A call that was made meanwhile, and was never written, ends at its own time and says where it waited."""
    peer = await peers.start("scripted", answers={"fetch_nonce": [NONCE], "authenticate": YES, "f": [REFUSED, YES]})
    async with client(peer.url) as it:
        first = later(it.call("f"))
        await eventually(lambda: it._supervisor.activity == "nonce")
        with pytest.raises(CallTimeout, match="it was never written and has not run") as caught:
            await it.call("g", timeout=0.1)
        assert caught.value.phase == "nonce"
        requests = [json.loads(text) for text in await peer.ask("received")]
        await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": requests[-1]["id"], **NONCE}))
        assert await first is True
    assert "g" not in await sent(peer)


async def test_one_deadline_covers_both_times(peers: Peers) -> None:
    """The time of a call goes on over the renewal, up to the reply to what was sent again."""
    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED]})
    slow = Slow()
    async with client(peer.url, key=None, signer=slow) as it:
        loop = asyncio.get_running_loop()
        began = loop.time()
        # Were it a time of its own for what is sent again, that would end at three times DIALLED.
        loop.call_later(DIALLED, slow.pen.set)
        with pytest.raises(CallTimeout, match="may have run") as caught:
            await it.call("f", timeout=2 * DIALLED)
        assert caught.value.phase == "reply"
        assert 2 * DIALLED - 0.05 < loop.time() - began < 3 * DIALLED
        assert it.is_connected()
    assert (await sent(peer)).count("f") == 2


# Closing while it is renewed.


async def test_close_lets_a_renewal_end(peers: Peers) -> None:
    """`close()` waits for what is in flight: the refused call is renewed and answered first."""
    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED, YES]})
    slow = Slow()
    it = client(peer.url, key=None, signer=slow)
    await it.connect()
    calling, notifying = later(it.call("f")), None
    await eventually(lambda: len(slow.asked) == 2)
    notifying = later(it.notify("n"))
    await asyncio.sleep(0)
    closing = later(it.close())
    await eventually(lambda: it.status is S.CLOSING)
    slow.pen.set()
    assert await calling is True
    assert await notifying is None
    await closing
    assert (await sent(peer))[-2:] == ["f", "n"]
    assert [ending["code"] for ending in await peer.ask("ended")] == [1000]


async def test_close_does_not_wait_for_what_is_gone(peers: Peers) -> None:
    """Where only a notification is left to write after the renewal, `close()` ends with it, not at `drain_timeout`."""
    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "f": [REFUSED]})
    slow = Slow()
    it = client(peer.url, key=None, signer=slow, drain_timeout=20)
    await it.connect()
    calling = asyncio.ensure_future(it.call("f"))
    await eventually(lambda: len(slow.asked) == 2)
    notifying = later(it.notify("n"))
    await asyncio.sleep(0)
    closing = later(it.close())
    await eventually(lambda: it.status is S.CLOSING)
    calling.cancel()
    await asyncio.wait([calling])
    began = asyncio.get_running_loop().time()
    slow.pen.set()
    assert await closing is None
    assert asyncio.get_running_loop().time() - began < 10
    assert await notifying is None


@pytest.mark.parametrize("where", ["sign", "nonce"])
async def test_close_cuts_a_renewal_short(peers: Peers, where: str) -> None:
    """After its `drain` a renewal is given up, wherever it stands; the refused call has not run, and is told so."""
    nonces = [NONCE, None] if where == "nonce" else NONCE
    peer = await peers.start("scripted", answers={"fetch_nonce": nonces, "authenticate": YES, "f": [REFUSED]})
    slow = Slow()
    it = client(peer.url, key=None, signer=slow)
    await it.connect()
    calling = later(it.call("f"))
    await eventually(lambda: it._supervisor.activity == where)
    began = asyncio.get_running_loop().time()
    await it.close(drain=0.05)
    assert asyncio.get_running_loop().time() - began < SOON
    assert isinstance(await calling, ClientClosed)
    assert (await sent(peer)).count("f") == 1


async def test_close_while_a_renewal_is_refused(peers: Peers) -> None:
    """A renewal that is refused while the client closes holds nothing up."""
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": NONCE, "authenticate": [YES, {"result": False}], "f": [REFUSED]}
    )
    slow = Slow()
    it = client(peer.url, key=None, signer=slow)
    await it.connect()
    calling = later(it.call("f"))
    await eventually(lambda: len(slow.asked) == 2)
    closing = later(it.close())
    await eventually(lambda: it.status is S.CLOSING)
    slow.pen.set()
    assert await closing is None
    assert isinstance(await calling, ClientClosed | AuthError)
    assert it.status is S.CLOSED


# What is the client's own.


async def test_a_refused_probe_changes_nothing(peers: Peers) -> None:
    """The keep-alive probe may be refused: that proves that the peer is alive, and is no reason for a signature."""
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "rpc.ping": REFUSED, "f": [REFUSED, YES]}
    )
    vault = Vault()
    async with client(peer.url, key=None, signer=vault, keepalive=KeepAlive(0.05, timeout=5, mode="rpc")) as it:
        while (await sent(peer)).count("rpc.ping") < 3:  # noqa: ASYNC110 - the peer is asked
            await asyncio.sleep(0.02)
        assert len(vault.asked) == 1
        assert it.is_connected()
        # The one renewal is still there.
        assert await it.call("f") is True
        assert len(vault.asked) == 2
    assert await peer.ask("count") == 1


async def test_an_unanswered_probe_does_not_hold_the_renewal_up(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a probe is unanswered, which may take long, the client still re-authenticates at once."""
    monkeypatch.setattr("circle_ws.policy.liveness.PROMPT_PROBE_TIMEOUT", 600)
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": NONCE, "authenticate": YES, "rpc.ping": None, "f": [REFUSED, YES]}
    )
    async with client(peer.url, keepalive=KeepAlive(600, timeout=600, mode="rpc")) as it:
        host_events.wake()
        await until(peer, "received", lambda texts: "rpc.ping" in texts[-1])
        assert await it.call("f") is True
        assert it.is_connected()
        assert (await sent(peer)).count("rpc.ping") == 1
    assert await peer.ask("count") == 1


# In memory, where every turn of the event loop is the test's own.


class Circle:
    """An in-process circle that answers when a test lets it."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []
        """Requests that wait for the test to answer them."""
        self.holds = False
        self.server = MemoryServer(self._serve)

    @property
    def peer(self) -> MemoryPeer:
        return self.server.peers[-1]

    def reply(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        self.peer.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}))

    def methods(self, start: int = 0) -> list[str]:
        return [request["method"] for request in self.received[start:]]

    async def until_held(self, count: int) -> list[dict[str, Any]]:
        """Return the waiting requests, once there are `count`."""
        await eventually(lambda: len(self.held) >= count)
        held, self.held = self.held, []
        assert len(held) == count
        return held

    async def _serve(self, peer: MemoryPeer) -> None:
        async for text in peer:
            request = json.loads(text)
            self.received.append(request)
            if request["method"] == "fetch_nonce":
                self.reply(request, NONCE)
            elif request["method"] == "authenticate":
                self.reply(request, YES)
            elif self.holds:
                self.held.append(request)
            elif "id" in request:
                self.reply(request, {"result": request.get("params")})


async def in_memory(**options: Any) -> tuple[Circle, CircleWsClient]:
    circle = Circle()
    circle.holds = True
    it = client("ws://localhost/", transport=circle.server, **options)
    await it.connect()
    return circle, it


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
async def test_refused_in_any_order(order: tuple[int, ...]) -> None:
    """However the refusals arrive, each call goes out once more, with a new id, and then the new calls."""
    circle, it = await in_memory()
    calls = [later(it.call("f", [number])) for number in range(3)]
    held = await circle.until_held(3)
    circle.holds = False
    for index in order:
        circle.reply(held[index], REFUSED)
    after = later(it.call("g", [9]))
    assert await asyncio.gather(*calls, after) == [[0], [1], [2], [9]]
    assert circle.methods(2) == [*["f"] * 3, "fetch_nonce", "authenticate", *["f"] * 3, "g"]
    again = [request for request in circle.received if request["method"] == "f"][3:]
    assert [request["params"][0] for request in again] == list(order)
    ids = [request["id"] for request in circle.received]
    assert len(ids) == len(set(ids))
    await it.close()


async def test_a_late_refusal_of_an_earlier_call() -> None:
    """A call that was written before the renewal and refused after it goes out again: it needs no other renewal."""
    circle, it = await in_memory()
    first, second = later(it.call("f", [1])), later(it.call("f", [2]))
    held = await circle.until_held(2)
    circle.reply(held[0], REFUSED)
    (again,) = await circle.until_held(1)
    circle.reply(held[1], REFUSED)
    (late,) = await circle.until_held(1)
    assert (again["params"], late["params"]) == ([1], [2])
    circle.reply(again, YES)
    circle.reply(late, YES)
    assert await first is True
    assert await second is True
    assert circle.methods().count("fetch_nonce") == 2
    await it.close()


async def test_a_call_that_waited_is_refused_like_any_later_one() -> None:
    """What was made during the renewal, and written after it, is not sent twice: its -32001 is the second one."""
    slow = Slow()
    circle, it = await in_memory(key=None, signer=slow)
    first = later(it.call("f"))
    (held,) = await circle.until_held(1)
    circle.reply(held, REFUSED)
    await eventually(lambda: len(slow.asked) == 2)
    waiting = later(it.call("g"))
    await asyncio.sleep(0)
    slow.pen.set()
    again, other = await circle.until_held(2)
    assert (again["method"], other["method"]) == ("f", "g")
    circle.reply(other, REFUSED)
    assert is_refusal(await waiting)
    circle.reply(again, YES)
    assert await first is True
    assert circle.methods().count("g") == 1
    assert circle.methods().count("fetch_nonce") == 2
    await it.close()


async def test_what_waits_for_a_slot_does_not_take_the_refused_ones() -> None:
    """A refusal frees a slot, but nothing goes out through it before the sign-in is renewed."""
    circle, it = await in_memory(max_in_flight=1)
    calls = [later(it.call("f", [number])) for number in range(4)]
    (held,) = await circle.until_held(1)
    circle.holds = False
    circle.reply(held, REFUSED)
    assert await asyncio.gather(*calls) == [[0], [1], [2], [3]]
    assert circle.methods(2) == ["f", "fetch_nonce", "authenticate", "f", "f", "f", "f"]
    await it.close()


async def test_a_full_queue_takes_the_refused_call_all_the_same() -> None:
    """What may run again is not lost for want of room; new calls are told `QueueFull` at once."""
    slow = Slow()
    circle, it = await in_memory(key=None, signer=slow, max_queued=0)
    first = later(it.call("f"))
    (held,) = await circle.until_held(1)
    circle.reply(held, REFUSED)
    await eventually(lambda: len(slow.asked) == 2)
    with pytest.raises(QueueFull):
        await it.call("g")
    slow.pen.set()
    (again,) = await circle.until_held(1)
    circle.reply(again, YES)
    assert await first is True
    await it.close()


async def test_refused_and_lost_in_the_same_moment() -> None:
    """A refusal that is followed at once by the end of the connection asks no signer for a connection that is gone."""
    vault = Vault()
    circle, it = await in_memory(key=None, signer=vault)
    changes = it.status_changes()
    calling = later(it.call("f"))
    (held,) = await circle.until_held(1)
    circle.reply(held, REFUSED)
    circle.peer.close(1012)
    (again,) = await circle.until_held(1)
    circle.reply(again, YES)
    assert await calling is True
    assert len(vault.asked) == 2
    await it.close()
    story = [change async for change in changes]
    assert getattr(story[1].cause, "code", None) == 1012


async def test_a_call_that_was_cancelled_before_its_refusal() -> None:
    """A refusal of no open call is no reason to sign."""
    vault = Vault()
    circle, it = await in_memory(key=None, signer=vault)
    calling = asyncio.ensure_future(it.call("f"))
    (held,) = await circle.until_held(1)
    calling.cancel()
    await asyncio.wait([calling])
    circle.reply(held, REFUSED)
    circle.holds = False
    assert await it.call("g", [1]) == [1]
    assert len(vault.asked) == 1
    await it.close()


@pytest.mark.parametrize("first", ["cancelled", "refused"])
async def test_a_call_that_is_cancelled_in_the_turn_of_its_refusal(first: str) -> None:
    """Cancelled and refused in the same turn of the event loop, in either order, it is not sent again."""
    circle, it = await in_memory()
    calling = asyncio.ensure_future(it.call("f"))
    (held,) = await circle.until_held(1)
    if first == "cancelled":
        calling.cancel()
    circle.reply(held, REFUSED)
    calling.cancel()
    await asyncio.wait([calling])
    assert calling.cancelled()
    circle.holds = False
    assert await it.call("g", [1]) == [1]
    assert circle.methods().count("f") == 1
    await it.close()


async def test_nothing_is_left_in_the_queue() -> None:
    """What was sent again counts for no bytes of the queue any more, and its slot is free."""
    circle, it = await in_memory(max_in_flight=2, max_queued=2)
    send_queue = it._supervisor.send_queue
    for _ in range(2):
        circle.holds = True
        calls = [later(it.call("f", ["x" * 100])) for _ in range(2)]
        held = await circle.until_held(2)
        circle.holds = False
        for request in held:
            circle.reply(request, REFUSED)
        answers = await asyncio.gather(*calls)
        assert (len(send_queue._queue), send_queue._queue.size) == (0, 0)
        circle.peer.close(1001)
        await eventually(lambda: not it.is_connected())
        await it.wait_until_connected()
        assert answers == [["x" * 100]] * 2
    await it.close()
