"""The moments of a client's life that can last, each against a peer that answers nothing any more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from circle_ws import Backoff, Challenge, CircleWsClient, ConnectionStatus, KeepAlive
from tests.faults.stage import LONG, NONCE, behind_faults
from tests.support.clients import KEY, client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

__all__ = ["CLOSE_TIMEOUT", "MOMENTS", "Moment"]

S = ConnectionStatus
CLOSE_TIMEOUT = 0.1
YES = {"result": True}
FORGOTTEN = {"error": {"code": -32001, "message": "authentication required"}}


@dataclass
class Moment:
    """A client at one moment.

    Attributes:
        client: It lets nothing end by itself: all its own times are long, but for the closing handshake.
        peer: Where its sockets are.
        waiting: Tasks of the user's that wait for it.
        starting: Whether `connect()` is among them, and the client was not connected before.
        deaf: Whether the peer does not read, so that it cannot even learn that a socket is closed.
    """

    client: CircleWsClient
    peer: RemotePeer
    waiting: list["asyncio.Task[Any]"]
    starting: bool = False
    deaf: bool = False

    async def gone(self) -> None:
        """Return when every socket of the client's is closed."""
        if self.deaf:
            await self.peer.ask("listen")
        await until(self.peer, "open_connections", lambda count: not count)


MOMENTS: dict[str, Callable[[Peers], Awaitable[Moment]]] = {}


def _moment(function: Callable[[Peers], Awaitable[Moment]]) -> Callable[[Peers], Awaitable[Moment]]:
    MOMENTS[function.__name__] = function
    return function


def _patient(url: str, key: str | None = None, **options: Any) -> CircleWsClient:
    patience = Backoff(first=LONG, base=LONG, maximum=LONG, floor=LONG)
    times = {"open_timeout": LONG, "close_timeout": CLOSE_TIMEOUT, "keepalive": None, "backoff": patience}
    return client(url, key, **{**times, **options})


async def _connecting(it: CircleWsClient, peer: RemotePeer, status: ConnectionStatus) -> Moment:
    """Begin to connect; give the moment at which it gets no further."""
    connecting = later(it.connect())
    await eventually(lambda: it.status is status)
    waiting = [connecting, later(it.wait_until_connected()), later(it.call("f"))]
    moment = Moment(it, peer, waiting, starting=True)
    await asyncio.sleep(0)
    return moment


async def _signing_in(peers: Peers, answers: dict[str, Any], last: str, **options: Any) -> Moment:
    """Begin to connect to a peer that answers no more after the request `last`."""
    peer, proxy = await behind_faults(peers, "scripted", answers=answers)
    moment = await _connecting(_patient(proxy.url, **{"key": KEY, **options}), proxy, S.AUTHENTICATING)
    await until(peer, "received", lambda texts: last in "".join(texts))
    return moment


@_moment
async def idle(peers: Peers) -> Moment:
    peer = await peers.start("tcp")
    return Moment(_patient(peer.url), peer, [])


@_moment
async def in_a_black_hole(peers: Peers) -> Moment:
    peer = await peers.start("tcp")
    await peer.ask("black_hole")
    return await _connecting(_patient(peer.url), peer, S.CONNECTING)


@_moment
async def without_an_answer_of_http(peers: Peers) -> Moment:
    peer = await peers.start("tcp")
    moment = await _connecting(_patient(peer.url), peer, S.CONNECTING)
    await until(peer, "count")
    return moment


@_moment
async def without_a_nonce(peers: Peers) -> Moment:
    return await _signing_in(peers, {}, "fetch_nonce")


@_moment
async def without_an_answer_to_the_signature(peers: Peers) -> Moment:
    return await _signing_in(peers, {"fetch_nonce": NONCE}, "authenticate")


class _Thinking(Vault):
    """Signs never."""

    async def sign(self, challenge: Challenge) -> str:
        await asyncio.Event().wait()
        raise AssertionError("this event is never set")


@_moment
async def while_the_signer_is_asked(peers: Peers) -> Moment:
    return await _signing_in(peers, {"fetch_nonce": NONCE}, "fetch_nonce", key=None, signer=_Thinking())


@_moment
async def in_the_setup(peers: Peers) -> Moment:
    async def setup(session: Any) -> None:
        await session.call("register")

    return await _signing_in(peers, {"fetch_nonce": NONCE, "authenticate": YES}, "register", setup=setup)


async def _connected(peers: Peers, **options: Any) -> tuple[Moment, RemotePeer]:
    peer, proxy = await behind_faults(peers, "scripted", answers=options.pop("answers", {}))
    it = _patient(proxy.url, **options)
    await it.connect()
    listening = later(anext(it.notifications("tick")))
    await asyncio.sleep(0)
    return Moment(it, proxy, [listening]), peer


@_moment
async def connected(peers: Peers) -> Moment:
    moment, _ = await _connected(peers)
    await moment.peer.ask("swallow")
    return moment


@_moment
async def with_calls_in_flight_and_waiting(peers: Peers) -> Moment:
    moment, peer = await _connected(peers, max_in_flight=1)
    moment.waiting += [later(moment.client.call("f")), later(moment.client.call("f")), later(moment.client.notify("f"))]
    await until(peer, "received")
    await moment.peer.ask("swallow")
    return moment


@_moment
async def while_the_peer_does_not_read(peers: Peers) -> Moment:
    peer = await peers.start("scripted", deaf=True)
    it = _patient(peer.url, max_request_bytes=None, max_queued_bytes=10**9)
    await it.connect()
    moment = Moment(it, peer, [later(it.call("f", ["x" * 1_000_000])) for _ in range(32)], deaf=True)
    await asyncio.sleep(0)
    return moment


@_moment
async def in_the_pause_between_attempts(peers: Peers) -> Moment:
    moment, _ = await _connected(peers)
    await moment.peer.ask("end", how="reset")
    await eventually(lambda: moment.client.status is S.WAITING)
    moment.waiting += [later(moment.client.call("f")), later(moment.client.wait_until_connected())]
    await asyncio.sleep(0)
    return moment


@_moment
async def while_the_sign_in_is_renewed(peers: Peers) -> Moment:
    answers = {"fetch_nonce": [NONCE], "authenticate": YES, "f": FORGOTTEN}
    moment, peer = await _connected(peers, answers=answers, key=KEY)
    moment.waiting += [later(moment.client.call("f")), later(moment.client.call("g"))]
    await until(peer, "received", lambda texts: "".join(texts).count("fetch_nonce") == 2)
    await moment.peer.ask("swallow")
    return moment


@_moment
async def while_a_probe_is_unanswered(peers: Peers) -> Moment:
    moment, peer = await _connected(peers, keepalive=KeepAlive(0.01, LONG, "rpc"))
    await until(peer, "received")
    await moment.peer.ask("swallow")
    return moment


@_moment
async def with_a_link_that_is_being_left(peers: Peers) -> Moment:
    moment, _ = await _connected(peers)
    await moment.peer.ask("swallow")
    await moment.peer.ask("black_hole")
    moment.client.reconnect()
    await eventually(lambda: moment.client.status is S.CONNECTING)
    return moment


@_moment
async def while_it_closes(peers: Peers) -> Moment:
    moment, _ = await _connected(peers)
    await moment.peer.ask("swallow")
    moment.waiting += [later(moment.client.call("f", timeout=None)), later(moment.client.close(drain=CLOSE_TIMEOUT))]
    await eventually(lambda: moment.client.status is S.CLOSING)
    return moment


@_moment
async def failed(peers: Peers) -> Moment:
    moment, _ = await _connected(peers, backoff=None)
    await moment.peer.ask("end", how="reset")
    await eventually(lambda: moment.client.status is S.FAILED)
    return moment


@_moment
async def closed(peers: Peers) -> Moment:
    moment, _ = await _connected(peers)
    await moment.client.close()
    return moment
