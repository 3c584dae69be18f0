"""Rows 7 to 12: the connection that goes down, in all the ways a peer or a network can end it."""

import json
from typing import Any

import pytest

from circle_ws import (
    AuthRejected,
    Backoff,
    ConnectionFailed,
    ConnectionLost,
    ConnectionStatus,
    MessageTooLarge,
    OutcomeUnknown,
    SetupSession,
)
from tests.faults.stage import NONCE, Story, behind_faults
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer

S = ConnectionStatus
YES, NO = {"result": True}, {"result": False}

A_FRAGMENT = "0108" + b'{"jsonrp'.hex()
"""The first frame of a text message that has more."""


async def end(proxy: RemotePeer, peer: RemotePeer, how: str) -> None:
    """End the connection by a TCP fault, a close without a code, or a close code."""
    if how in ("eof", "reset"):
        await proxy.ask("end", how=how)
    elif how == "no code":
        await peer.ask("end_without_a_code")
    else:
        await peer.ask("end_with", code=int(how))


@pytest.mark.parametrize(
    ("how", "code"), [("reset", 1006), ("eof", 1006), ("no code", 1005), ("1001", 1001), ("1000", 1000), ("4000", 4000)]
)
async def test_row_07_an_ended_connection_is_replaced(peers: Peers, how: str, code: int) -> None:
    """Row 7, RST, 1006, 1001, 1005, the server's 1000: what is unanswered fails at once, the rest waits; retry."""
    peer, proxy = await behind_faults(peers, "scripted", answers={"f": {"result": 1}})
    async with client(proxy.url, key=None) as it:
        story = Story(it)
        written = later(it.call("silent"))
        await until(peer, "received")
        await end(proxy, peer, how)
        unknown = await written
        assert isinstance(unknown, OutcomeUnknown)
        assert (unknown.code, unknown.local) == (code, False)
        wait = await story.until(S.WAITING)
        assert isinstance(wait.cause, ConnectionLost)
        assert wait.cause.code == code
        assert wait.retry_in is not None
        assert wait.retry_in <= 0.1
        assert await it.call("f") == 1
    assert [json.loads(text)["method"] for text in await peer.ask("received")] == ["silent", "f"]


@pytest.mark.parametrize("how", ["eof", "reset"])
async def test_row_07_half_a_reply_is_no_reply(peers: Peers, how: str) -> None:
    """Row 7, EOF in mid-frame: its call fails as after any loss, and the partial message is not parsed."""
    answer = {"raw": '{"jsonrpc":"2.0","id":$id,"result":"' + "x" * 300 + '"}'}
    peer, proxy = await behind_faults(peers, "scripted", answers={"f": answer, "g": {"result": 1}})
    async with client(proxy.url, key=None) as it:
        await proxy.ask("end_after", count=200, how=how)
        with pytest.raises(OutcomeUnknown):
            await it.call("f")
        assert await it.call("g") == 1
    assert await proxy.ask("count") == 2
    assert await peer.ask("count") == 2


@pytest.mark.parametrize("fragments", [False, True], ids=["in mid-frame", "between fragments"])
async def test_row_07_half_a_notification_is_none(
    peers: Peers, fragments: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 7, EOF in mid-frame: a partial message reaches no listener, and the next one is whole."""
    circle, proxy = await behind_faults(peers)
    async with client(proxy.url) as it, it.notifications("tick") as ticks:
        if fragments:
            await proxy.ask("inject", data=A_FRAGMENT)
            await proxy.ask("end", how="eof")
        else:
            await proxy.ask("end_after", count=10)
            await circle.ask("push", method="tick", params={"number": "half"})
        await eventually(lambda: not it.is_connected())
        await it.wait_until_connected()
        await circle.ask("push", method="tick", params={"number": "whole"})
        assert await anext(ticks) == {"number": "whole"}
    assert "malformed" not in caplog.text


async def test_row_08_a_restart_has_a_delay_of_its_own(peers: Peers) -> None:
    """Row 8, close 1012 (service restart): retry after 0.5 to 5 s, however short the back-off is."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=Backoff(first=0, base=0, maximum=0, floor=0)) as it:
        story = Story(it)
        delays = set()
        for _ in range(3):
            await circle.ask("drop_all", code=1012)
            delays.add((await story.until(S.WAITING)).retry_in)
            it.reconnect()
            await story.until(S.CONNECTED)
    assert len(delays) == 3
    assert all(delay is not None and 0.5 <= delay <= 5 for delay in delays)


async def test_row_08_restarts_that_repeat_are_waited_for_longer(peers: Peers) -> None:
    """Row 8, close 1012 (service restart): from the second on, the back-off comes on top, answered calls or not."""
    circle = await peers.start("circle")
    steady = Backoff(first=100, base=100, maximum=100, floor=100, reset_after=1000)
    async with client(circle.url, backoff=steady) as it:
        story = Story(it)
        delays = []
        for _ in range(3):
            assert await it.call("echo", [1]) == 1
            await circle.ask("drop_all", code=1012)
            delays.append((await story.until(S.WAITING)).retry_in or 0)
            it.reconnect()
            await story.until(S.CONNECTED)
    assert 0.5 <= delays[0] <= 5
    assert all(100.5 <= delay <= 105 for delay in delays[1:])


async def test_row_09_a_full_house_is_left_alone_for_a_while(peers: Peers) -> None:
    """Row 9, close 1013 (try again later): retry, not before 10 s."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        story = Story(it)
        await circle.ask("drop_all", code=1013)
        wait = await story.until(S.WAITING)
        assert wait.retry_in is not None
        assert wait.retry_in >= 10
        it.reconnect()
        await story.until(S.CONNECTED)


@pytest.mark.parametrize("method", ["fetch_nonce", "authenticate"])
@pytest.mark.parametrize(("code", "least", "most"), [(1012, 0.5, 5), (1013, 10, 10)])
async def test_row_08_and_09_while_signing_in(peers: Peers, method: str, code: int, least: float, most: float) -> None:
    """Rows 8 and 9, close 1012 and 1013: a circle that says so instead of letting the client in is heard too."""
    answers = {"fetch_nonce": NONCE, "authenticate": YES, method: {"close": code}}
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    wait = await story.until(S.WAITING)
    assert wait.retry_in is not None
    assert least <= wait.retry_in <= most
    await it.close()
    assert connecting.done()


@pytest.mark.parametrize("method", ["fetch_nonce", "authenticate"])
@pytest.mark.parametrize("code", [4401, 4403])
async def test_row_10_a_rejecting_close_on_the_first_connect_is_fatal(peers: Peers, code: int, method: str) -> None:
    """Row 10, close 4401, 4403: as a rejected sign-in, no retry, though the client may keep trying."""
    answers = {"fetch_nonce": NONCE, "authenticate": YES, method: {"close": code}}
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, first_connect="retry")
    story = Story(it)
    assert isinstance(await later(it.connect()), Exception)
    await story.until(S.FAILED)
    assert await peer.ask("count") == 1
    await it.close()


@pytest.mark.parametrize("code", [4401, 4403])
async def test_row_10_a_rejecting_close_is_borne_once(peers: Peers, code: int) -> None:
    """Row 10, close 4401, 4403: once more with a fresh nonce after a delay; rejected then too, it is over."""
    answers: dict[str, Any] = {"fetch_nonce": NONCE, "authenticate": [YES, YES, NO], "f": {"result": 1}}
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url)
    story = Story(it)
    await it.connect()
    await peer.ask("end_with", code=code)
    wait = await story.until(S.WAITING)
    assert isinstance(wait.cause, ConnectionLost)
    assert wait.cause.code == code
    await story.until(S.CONNECTED)
    assert await it.call("f") == 1
    await peer.ask("end_with", code=code)
    assert isinstance((await story.until(S.FAILED)).cause, AuthRejected)
    assert await peer.ask("count") == 3
    await it.close()


@pytest.mark.parametrize("code", [4401, 4403])
async def test_row_10_being_let_in_first_is_no_excuse(peers: Peers, code: int) -> None:
    """Row 10, close 4401, 4403: a circle that takes the signature and then says so is given up at the second time."""
    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES})
    it = client(peer.url)
    story = Story(it)
    await it.connect()
    await peer.ask("end_with", code=code)
    await story.until(S.WAITING)
    await story.until(S.CONNECTED)
    await peer.ask("end_with", code=code)
    cause = (await story.until(S.FAILED)).cause
    assert isinstance(cause, ConnectionLost)
    assert cause.code == code
    assert await peer.ask("count") == 2
    await it.close()


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1010])
async def test_row_11_three_complaints_in_a_row_are_fatal(peers: Peers, code: int) -> None:
    """Row 11, close 1002, 1003, 1007, 1008, 1010: two are borne; a useful reply begins a new row; three end it."""
    peer = await peers.start("scripted", answers={"bad": {"close": code}, "good": {"result": 1}})
    it = client(peer.url, key=None)
    story = Story(it)
    await it.connect()
    for row in (2, 3):
        for _ in range(row):
            assert isinstance(await later(it.call("bad")), OutcomeUnknown)
            assert (await story.until(S.FAILED if row == 3 and _ == 2 else S.WAITING)).cause is not None
        if row == 2:
            assert await it.call("good") == 1
    assert isinstance(it.failure, ConnectionLost)
    assert it.failure.code == code
    assert await peer.ask("count") == 5
    await it.close()


@pytest.mark.parametrize("what", ["notification", "setup", "it stood"])
async def test_row_11_a_client_that_only_listens_is_no_nuisance(peers: Peers, what: str) -> None:
    """Row 11, close 1008: what was pushed, an answer to the setup, or `reset_after`, ends the row, without a call."""
    answers = {"subscribe": {"result": True}}
    peer = await peers.start("scripted", answers=answers if what == "setup" else {})

    async def setup(session: SetupSession) -> None:
        await session.call("subscribe")

    it = client(
        peer.url,
        key=None,
        setup=setup if what == "setup" else None,
        backoff=Backoff(first=0.01, base=0.01, maximum=0.01, floor=0, reset_after=0 if what == "it stood" else 1000),
    )
    async with it, it.notifications("news") as news:
        story = Story(it)
        for number in range(5):
            if what == "notification":
                await peer.ask("send", text=f'{{"jsonrpc":"2.0","method":"news","params":[{number}]}}')
                assert await anext(news) == [number]
            await peer.ask("end_with", code=1008)
            await story.until(S.WAITING)
            await story.until(S.CONNECTED)
    assert await peer.ask("count") == 6


async def test_row_11_a_sign_in_is_of_no_use_by_itself(peers: Peers) -> None:
    """Row 11, close 1008: a circle that takes the signature and then says so is given up at the third time."""
    peer = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": YES})
    it = client(peer.url)
    story = Story(it)
    await it.connect()
    for status in (S.WAITING, S.WAITING, S.FAILED):
        await peer.ask("end_with", code=1008)
        await story.until(status)
        if status is S.WAITING:
            await story.until(S.CONNECTED)
    assert await peer.ask("count") == 3
    await it.close()


@pytest.mark.parametrize("useful", [True, False])
async def test_row_11_a_close_in_the_setup_counts_by_what_came_before_it(peers: Peers, useful: bool) -> None:
    """Row 11, close 1008 in the setup: three in a row are fatal, unless the setup was answered before."""
    peer = await peers.start("scripted", answers={"register": {"result": 1}, "subscribe": {"close": 1008}})

    async def setup(session: SetupSession) -> None:
        if useful:
            await session.call("register")
        await session.call("subscribe")

    it = client(peer.url, key=None, setup=setup, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    await story.waits(2)
    if useful:
        await story.waits(3)
        await peer.ask("answer", method="subscribe", answer={"result": 1})
        assert await connecting is None
    else:
        await story.until(S.FAILED)
        assert isinstance(await connecting, ConnectionFailed)
    await it.close()


async def test_row_12_the_largest_request_is_blamed(peers: Peers) -> None:
    """Row 12, close 1009 from the peer: it fails with `MessageTooLarge` and is never sent again, idempotent or not."""
    peer = await peers.start("scripted", answers={"end": {"close": 1009}, "f": None})
    async with client(peer.url, key=None) as it:
        large = later(it.call("f", ["x" * 1000], idempotent=True))
        small = later(it.call("f", ["y"], idempotent=True, timeout=1))
        plain = later(it.call("f", ["z"]))
        await later(it.call("end", timeout=1))
        refused = await large
        assert isinstance(refused, MessageTooLarge)
        assert "1009" in str(refused)
        assert refused.size is not None
        assert refused.size > 1000
        assert isinstance(await plain, OutcomeUnknown)
        await until(peer, "received", lambda texts: sum('"y"' in text for text in texts) == 2)
        await it.close(drain=0)
        assert isinstance(await small, OutcomeUnknown)
    assert sum("xxx" in text for text in await peer.ask("received")) == 1
