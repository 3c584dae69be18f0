"""Rows 13 and 14: the connection that is dead without a word, and the machine or the tab that slept."""

import asyncio
import time

import pytest

from circle_ws import ConnectionLost, ConnectionStatus, KeepAlive, OutcomeUnknown
from circle_ws.policy.liveness import LAST_PROBE_TIMEOUT, PROMPT_PROBE_TIMEOUT, KeepAliveMode
from tests.faults.stage import IN_BROWSER, LONG, Story, Wall, behind_faults, timed
from tests.support.clients import client
from tests.support.limits import DIALLED, SOON
from tests.support.outcomes import later, until
from tests.support.peers import Peers

S = ConnectionStatus
PINGS = pytest.param("ping", marks=pytest.mark.native_only("browsers send no ping frames"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the last probe of all for a moment only."""
    monkeypatch.setattr("circle_ws.policy.liveness.LAST_PROBE_TIMEOUT", 0.1)
    monkeypatch.setattr("circle_ws.policy.liveness.PROMPT_PROBE_TIMEOUT", 0.2)


@pytest.fixture
def patient(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a connection that lives the time that it needs on a busy machine."""
    monkeypatch.setattr("circle_ws.policy.liveness.PROMPT_PROBE_TIMEOUT", LONG)


@pytest.mark.parametrize("mode", [PINGS, "auto", "rpc"])
async def test_row_13_a_half_open_connection_is_found_and_replaced(peers: Peers, mode: KeepAliveMode) -> None:
    """Row 13, half-open connection: closed within the times of the keep-alive; calls in flight fail; retry."""
    circle, proxy = await behind_faults(peers)
    async with client(proxy.url, keepalive=KeepAlive(interval=0.1, timeout=1.0, mode=mode)) as it:
        story = Story(it)
        held = later(it.call("hold", [1]))
        await until(circle, "runs")
        # Quiet, but alive: nothing happens for many intervals.
        await asyncio.sleep(0.3)
        assert it.is_connected()
        assert await proxy.ask("swallow") == 1
        assert await timed(held) < 0.1 + 1.0 + 0.1 + SOON
        assert isinstance(await held, OutcomeUnknown)
        loss = (await story.until(S.WAITING)).cause
        assert isinstance(loss, ConnectionLost)
        assert loss.local
        assert "nothing arrived" in str(loss)
        assert await it.call("echo", ["back"]) == "back"
        if not IN_BROWSER:
            # A browser keeps the dead socket as long as it likes: JavaScript cannot cut it off.
            await until(proxy, "open_connections", lambda count: count == 1)
    assert await proxy.ask("count") == 2


@pytest.mark.parametrize("mode", [PINGS, "rpc"])
async def test_row_13_a_long_way_is_not_a_dead_connection(peers: Peers, mode: KeepAliveMode) -> None:
    """Row 13, half-open connection: replies that come after the next probe is due still count."""
    _, proxy = await behind_faults(peers)
    async with client(proxy.url, keepalive=KeepAlive(interval=0.05, timeout=2, mode=mode)) as it:
        await proxy.ask("delay", seconds=0.1)
        for number in range(3):
            assert await timed(it.call("echo", [number])) > 0.15
    assert await proxy.ask("count") == 1


@pytest.mark.native_only("a browser tells of whole messages only")
@pytest.mark.parametrize("mode", ["ping", "rpc"])
async def test_row_13_a_large_reply_is_life_all_along(peers: Peers, mode: KeepAliveMode) -> None:
    """Row 13, half-open connection: any inbound byte counts, so a reply that takes many intervals does arrive."""
    _, proxy = await behind_faults(peers)
    async with client(proxy.url, keepalive=KeepAlive(interval=0.05, timeout=DIALLED, mode=mode)) as it:
        await proxy.ask("pace", size=500, pause=0.07)
        assert await timed(it.call("echo", ["x" * 30_000])) > DIALLED + 1
    assert await proxy.ask("count") == 1


def test_row_13_with_its_own_times_it_is_found_in_good_time() -> None:
    """Row 13, half-open connection: detected at most 7 s after interval and timeout."""
    assert LAST_PROBE_TIMEOUT + 1 <= 7
    assert PROMPT_PROBE_TIMEOUT + 1 <= 7


async def test_row_14_after_a_sleep_a_dead_connection_is_found_soon(peers: Peers, wall: Wall) -> None:
    """Row 14, laptop sleep: only the wall clock went on; the connection that died meanwhile is replaced at once."""
    _, proxy = await behind_faults(peers)
    # Asking the proxy takes less than the interval, or a heartbeat is under way when the clock jumps.
    async with client(proxy.url, keepalive=KeepAlive(interval=1.0, timeout=LONG)) as it:
        story = Story(it)
        await proxy.ask("swallow")
        wall.ahead = 8 * 3600
        assert await timed(story.until(S.WAITING)) < 1.0 + 0.2 + SOON
        assert await it.call("echo", ["awake"]) == "awake"


@pytest.mark.usefixtures("patient")
async def test_row_14_after_a_sleep_a_standing_connection_stays(peers: Peers, wall: Wall) -> None:
    """Row 14, laptop sleep: the connection is only probed, and the clock may go back as well."""
    _, proxy = await behind_faults(peers)
    async with client(proxy.url, keepalive=KeepAlive(interval=0.1, timeout=LONG)) as it:
        for hours in (8, -8):
            wall.ahead = hours * 3600
            await asyncio.sleep(0.25)
        assert await it.call("echo", ["awake"]) == "awake"
    assert await proxy.ask("count") == 1


def freeze(seconds: float) -> None:
    """Block the whole thread: no timer, no message, as in a tab that a browser has frozen.

    `time.sleep` would not do: inside Pyodide it lets the page go on.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
async def test_row_14_after_a_freeze(peers: Peers, dead: bool, request: pytest.FixtureRequest) -> None:
    """Row 14, frozen tab: a late timer proves nothing: the connection is probed at once, and replaced if it is dead."""
    if not dead:
        request.getfixturevalue("patient")
    _, proxy = await behind_faults(peers)
    async with client(proxy.url, keepalive=KeepAlive(interval=0.2, timeout=LONG)) as it:
        story = Story(it)
        if dead:
            await proxy.ask("swallow")
        freeze(0.6)
        if dead:
            assert await timed(story.until(S.WAITING)) < 0.2 + 0.2 + SOON
        else:
            await asyncio.sleep(0.3)
        assert await it.call("echo", ["thawed"]) == "thawed"
    assert await proxy.ask("count") == (2 if dead else 1)
