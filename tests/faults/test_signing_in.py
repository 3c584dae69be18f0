"""Rows 22 to 28: the sign-in that is rejected, that hangs, that would be worth less; a circle that forgets it."""

import asyncio
import json
from typing import Any

import pytest

from circle_ws import (
    AuthRejected,
    CallTimeout,
    Challenge,
    ConnectionStatus,
    DowngradeDetected,
    RpcError,
    SignerFailed,
)
from tests.faults.stage import IN_BROWSER, NONCE, Story, Wall, behind_faults, http
from tests.support.clients import KEY, OTHER_KEY, client
from tests.support.limits import DIALLED
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

S = ConnectionStatus
YES, NO = {"result": True}, {"result": False}
REFUSED = {"error": {"code": -32002, "message": "invalid credentials"}}
OPEN_TIMEOUT = 1.0 if IN_BROWSER else 0.3
"""Firefox lets an attempt at an address that was just cut off wait for up to 0.4 s."""
YEARS = 365 * 24 * 3600.0


async def asked(peer: RemotePeer, method: str) -> list[dict[str, Any]]:
    """Return the requests for this method that the peer received."""
    requests = [json.loads(text) for text in await peer.ask("received")]
    return [request for request in requests if request["method"] == method]


async def test_row_22_a_rejected_key_is_not_tried_again(peers: Peers) -> None:
    """Row 22, auth rejected on the first connect: fatal, no retry; who waits learns, and no block is entered."""
    circle = await peers.start("circle", keys=[client("ws://localhost/", OTHER_KEY).public_key])
    it = client(circle.url, KEY, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    await asyncio.sleep(0)
    waiting = later(it.call("echo", [1]))
    failure = await connecting
    assert isinstance(failure, AuthRejected)
    assert (await story.until(S.FAILED)).attempt == 1
    assert it.failure is failure
    assert await waiting is failure
    await it.close()
    with pytest.raises(AuthRejected):
        async with client(circle.url, KEY, first_connect="retry"):
            pytest.fail("the block was entered")
    async with client(circle.url, OTHER_KEY) as welcome:
        assert welcome.is_connected()


@pytest.mark.parametrize("no", [NO, REFUSED], ids=["false", "error"])
async def test_row_23_a_second_rejection_on_the_way_back_is_fatal(peers: Peers, no: dict[str, Any]) -> None:
    """Row 23, auth rejected on a reconnect: once more with a fresh nonce; rejected again, everything pending fails."""
    nonces = [{"result": f"nonce_{number}_1234567890_abcdef"} for number in range(3)]
    peer = await peers.start("scripted", answers={"fetch_nonce": nonces, "authenticate": [YES, no, no]})
    it = client(peer.url)
    story = Story(it)
    await it.connect()
    ticks = it.notifications("tick")
    listening = later(anext(ticks))
    await peer.ask("cut")
    await eventually(lambda: not it.is_connected())
    waiting = later(it.call("f"))
    waits = await story.waits(2)
    assert waits[1].retry_in is not None
    assert waits[1].retry_in > 0
    failed = await story.until(S.FAILED)
    assert isinstance(failed.cause, AuthRejected)
    assert await waiting is failed.cause
    assert await listening is failed.cause
    assert await peer.ask("count") == 3
    assert len({request["params"]["signature"] for request in await asked(peer, "authenticate")}) == 3
    await it.close()


async def test_row_23_one_rejection_on_the_way_back_is_borne(peers: Peers) -> None:
    """Row 23, auth rejected on a reconnect: a circle that has not loaded its keys yet lets the client in after that."""
    answers = {"fetch_nonce": NONCE, "authenticate": [YES, NO, YES], "f": {"result": 1}}
    peer = await peers.start("scripted", answers=answers)
    async with client(peer.url) as it:
        await peer.ask("cut")
        await eventually(lambda: not it.is_connected())
        assert await it.call("f") == 1
    assert await peer.ask("count") == 3


@pytest.mark.parametrize(("method", "phase"), [("fetch_nonce", "nonce"), ("authenticate", "authenticate")])
@pytest.mark.parametrize("back", [False, True], ids=["first", "back"])
async def test_row_24_a_silent_step_ends_at_open_timeout(peers: Peers, method: str, phase: str, back: bool) -> None:
    """Row 24, auth step hangs: `open_timeout` covers it, on the first connect and on a reconnect; retry."""
    answers: dict[str, Any] = {"fetch_nonce": NONCE, "authenticate": YES}
    answers[method] = [answers[method], None, answers[method]] if back else [None, answers[method]]
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, open_timeout=OPEN_TIMEOUT, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    if back:
        await connecting
        await peer.ask("cut")
    failure = await story.failed_in(phase)
    assert f"open_timeout ({OPEN_TIMEOUT:g} s)" in str(failure)
    await story.until(S.CONNECTED)
    await connecting
    await it.close()


class Person(Vault):
    """Signs when it has thought about it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def sign(self, challenge: Challenge) -> str:
        await asyncio.sleep(self.seconds)
        return await super().sign(challenge)


async def test_row_24_a_person_may_take_longer_than_open_timeout(peers: Peers) -> None:
    """Row 24, auth step hangs: the time that the signer takes is not the attempt's."""
    circle = await peers.start("circle")
    signer = Person(DIALLED + 0.3)
    async with client(circle.url, key=None, signer=signer, open_timeout=DIALLED, sign_timeout=30) as it:
        assert await it.call("echo", [1]) == 1
    assert len(signer.asked) == 1


@pytest.mark.parametrize("step", ["public_key", "sign"])
async def test_row_24_a_signer_that_hangs_ends_at_sign_timeout(
    peers: Peers, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 24, auth step hangs: the signer has its own `sign_timeout`; running out is fatal."""
    circle = await peers.start("circle")
    signer = Vault()
    monkeypatch.setattr(signer, step, lambda *arguments: asyncio.Event().wait())
    it = client(circle.url, key=None, signer=signer, sign_timeout=0.2, first_connect="retry")
    failure = await later(it.connect())
    assert isinstance(failure, SignerFailed)
    assert "sign_timeout (0.2 s)" in str(failure)
    assert it.status is S.FAILED
    await it.close()


class Refusing(Vault):
    """Signs so many times, and refuses then."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def sign(self, challenge: Challenge) -> str:
        if len(self.asked) == self.times:
            raise PermissionError("the person said no")
        return await super().sign(challenge)


@pytest.mark.parametrize("times", [0, 1], ids=["first", "back"])
async def test_row_25_a_refusing_signer_is_fatal(peers: Peers, times: int) -> None:
    """Row 25, the signer fails or the person refuses: fatal, on the first connect and on a reconnect."""
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url, key=None, signer=Refusing(times), first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    if times:
        assert await connecting is None
        await circle.ask("cut_all")
    failed = await story.until(S.FAILED)
    assert isinstance(failed.cause, SignerFailed)
    assert "the person said no" in str(failed.cause)
    assert await proxy.ask("count") == times + 1
    assert isinstance(await connecting, SignerFailed) or times
    await it.close()


async def test_row_26_a_circle_that_no_longer_offers_is_not_signed_for(peers: Peers) -> None:
    """Row 26, bound profile no longer offered: fatal, `DowngradeDetected`; what waits fails, and nothing is signed."""
    circle, proxy = await behind_faults(peers)
    await circle.ask("call_itself", url=proxy.url)
    vault = Vault()
    it = client(proxy.url, key=None, signer=vault)
    story = Story(it)
    await it.connect()
    await circle.ask("call_itself", url=None)
    await circle.ask("cut_all")
    await eventually(lambda: not it.is_connected())
    failure = await later(it.call("echo", [1]))
    assert isinstance(failure, DowngradeDetected)
    assert (await story.until(S.FAILED)).cause is failure
    assert len(vault.asked) == 1
    assert await proxy.ask("count") == 2
    await it.close()


async def test_row_26_a_proof_that_failed_counts(peers: Peers) -> None:
    """Row 26, bound profile no longer offered: even if the first proof failed and no sign-in was accepted."""
    offer = {"nonce": "nonce_1234567890_abcdef", "expires_at": 4102444800, "auth_profiles": ["circle-bound-v1"]}
    answers = {
        "fetch_nonce": [{"result": offer}, NONCE],
        "authenticate": [{"error": {"code": -32603, "message": "no"}}],
    }
    peer = await peers.start("scripted", answers=answers)
    vault = Vault()
    it = client(peer.url, key=None, signer=vault, first_connect="retry")
    failure = await later(it.connect())
    assert isinstance(failure, DowngradeDetected)
    assert [challenge.profile for challenge in vault.asked] == ["circle-bound-v1"]
    await it.close()


async def test_row_27_a_forgotten_sign_in_is_renewed_once(peers: Peers) -> None:
    """Row 27, -32001 in mid-session: one renewal on this connection, then the refused call once more; then an error."""
    circle, proxy = await behind_faults(peers)
    async with client(proxy.url) as it:
        story = Story(it)
        await circle.ask("forget_sign_ins")
        assert await it.call("record", ["once"]) == 1
        await circle.ask("forget_sign_ins")
        with pytest.raises(RpcError) as caught:
            await it.call("record", ["never"])
        assert caught.value.code == -32001
        # A fresh connection may renew again.
        it.reconnect()
        await story.until(S.CONNECTED)
        await circle.ask("forget_sign_ins")
        assert await it.call("record", ["again"]) == 2
    assert await circle.ask("runs") == ["once", "again"]
    assert await proxy.ask("count") == 2


@pytest.mark.parametrize("ahead", [10 * YEARS, -60 * YEARS])
async def test_row_28_a_wrong_clock_has_no_effect(peers: Peers, wall: Wall, ahead: float) -> None:
    """Row 28, wrong local clock: a sign-in with a nonce that expires, calls, their times and reconnects."""
    circle, proxy = await behind_faults(peers, nonce_lifetime=5)
    await circle.ask("call_itself", url=proxy.url)
    wall.ahead = ahead
    async with client(proxy.url, policy="require-bound") as it:
        assert await it.call("echo", [1]) == 1
        held = later(it.call("hold", [1], timeout=0.2))
        wall.ahead = -ahead
        assert isinstance(await held, CallTimeout)
        await proxy.ask("end", how="reset")
        await eventually(lambda: not it.is_connected())
        assert await it.call("echo", [2]) == 2


@pytest.mark.native_only("a browser shows no HTTP status")
@pytest.mark.parametrize("ahead", [YEARS, -YEARS])
async def test_row_28_a_wrong_clock_does_not_change_what_a_server_asks_for(
    peers: Peers, wall: Wall, ahead: float
) -> None:
    """Row 28, wrong local clock: a `Retry-After` that is a date is read by the server's own clock, its `Date`."""
    circle, proxy = await behind_faults(peers)
    it = client(proxy.url)
    story = Story(it)
    await it.connect()
    wall.ahead = ahead
    dates = {"Date": "Fri, 31 Dec 1999 23:58:00 GMT", "Retry_After": "Fri, 31 Dec 1999 23:59:59 GMT"}
    await proxy.ask("refuse", reply=http(503, **dates), times=1)
    await circle.ask("cut_all")
    assert (await story.waits(2))[1].retry_in == 119
    await it.close()
