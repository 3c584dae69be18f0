"""How often a key may sign where signing is not constant-time, and that nothing waits where it is."""

import asyncio
import sys

import pytest

from circle_ws import ConnectionStatus, KeyPair
from circle_ws.auth import PROFILES, backend, rate
from circle_ws.auth.rate import BURST, INTERVAL, SigningRate
from tests.support.clients import KEY, client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers

_IN_BROWSER = sys.platform == "emscripten"

# The bucket, with a clock that is passed in.


def test_the_documented_numbers() -> None:
    """Five at once, then one in ten seconds."""
    assert (BURST, INTERVAL) == (5, 10.0)


@pytest.mark.parametrize("start", [0.0, 1.5, 1e9])
def test_a_burst_and_then_one_after_the_other(start: float) -> None:
    """The first five need not wait; each one after them waits for an interval more."""
    turns = SigningRate()
    assert [turns.reserve(start) for _ in range(9)] == [0, 0, 0, 0, 0, 10, 20, 30, 40]


def test_time_gives_turns_back() -> None:
    """For each interval that passes there is one more turn, up to the burst and no further."""
    turns = SigningRate()
    for _ in range(5):
        assert turns.reserve(100) == 0
    assert turns.reserve(110) == 0
    assert turns.reserve(110) == 10
    assert [turns.reserve(130) for _ in range(3)] == [0, 10, 20]
    assert [turns.reserve(100_000) for _ in range(6)] == [0, 0, 0, 0, 0, 10]


def test_a_part_of_an_interval_counts() -> None:
    """Who comes before the next turn waits for the rest of the interval only."""
    turns = SigningRate()
    for _ in range(5):
        turns.reserve(0)
    assert turns.reserve(7.5) == 2.5
    assert turns.reserve(9) == 11


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """An earlier time gives no turn away."""
    turns = SigningRate()
    for _ in range(5):
        turns.reserve(1000)
    assert turns.reserve(500) >= 10


def test_where_it_counts() -> None:
    """A key pair is limited in a browser, whose backend is not constant-time, and natively not at all."""
    assert backend.CONSTANT_TIME is not _IN_BROWSER
    pair = KeyPair(KEY)
    waits = [pair.wait_to_sign(0) for _ in range(7)]
    assert waits == ([0, 0, 0, 0, 0, 10, 20] if _IN_BROWSER else [0] * 7)


def test_each_key_pair_has_its_own() -> None:
    """Another key pair does not pay for this one."""
    pairs = [KeyPair(KEY), KeyPair.generate()]
    for _ in range(5):
        pairs[0].wait_to_sign(0)
    assert pairs[1].wait_to_sign(0) == 0


# Signing in. The interval is short, so that a test is.


async def _sign_in(url: str, pair: KeyPair) -> float:
    """Sign in and out once; give the seconds it took."""
    began = asyncio.get_running_loop().time()
    it = client(url, key=None, signer=pair, open_timeout=2)
    await it.connect()
    took = asyncio.get_running_loop().time() - began
    await it.close()
    return took


@pytest.mark.parametrize("limited", [True, False] if not _IN_BROWSER else [True])
async def test_the_sixth_sign_in_waits(peers: Peers, limited: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five sign-ins of one key pair go at once, the sixth waits for its turn; natively none does.

    The case that is limited is tried natively too, over a backend that says it is not constant-time.
    """
    monkeypatch.setattr(rate, "INTERVAL", 3.0)
    if not _IN_BROWSER:
        monkeypatch.setattr(backend, "CONSTANT_TIME", not limited)
    circle = await peers.start("circle")
    pair = KeyPair(KEY)
    began = asyncio.get_running_loop().time()
    for _ in range(5):
        assert await _sign_in(circle.url, pair) < 1.5
    so_far = asyncio.get_running_loop().time() - began
    took = await _sign_in(circle.url, pair)
    # Longer than `open_timeout` may be: the time of the turn is apart.
    assert (took > 2.5 - so_far) is limited


async def test_reconnecting_waits_too(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A circle that cuts its client off again and again gets a burst of signatures, and then one at a time.

    While the client waits for its turn it is AUTHENTICATING, takes calls, and closes at once.
    """
    monkeypatch.setattr(rate, "INTERVAL", 60.0)
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    circle = await peers.start("circle")
    it = client(circle.url, open_timeout=0.5)
    await it.connect()
    for _ in range(4):
        await circle.ask("cut_all")
        await eventually(lambda: not it.is_connected())
        await it.wait_until_connected()
    await circle.ask("cut_all")
    await eventually(lambda: it.status is ConnectionStatus.AUTHENTICATING)
    waiting = later(it.call("echo", [1], timeout=30))
    # Well over `open_timeout`, which stands still meanwhile.
    await asyncio.sleep(1)
    assert it.status is ConnectionStatus.AUTHENTICATING
    assert not waiting.done()
    began = asyncio.get_running_loop().time()
    await it.close()
    assert asyncio.get_running_loop().time() - began < 1
    assert isinstance(await waiting, Exception)


async def test_a_renewal_takes_a_turn(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every signature counts, that of a renewal too: the circle cannot have more by forgetting who is there."""
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    circle = await peers.start("circle")
    pair = KeyPair(KEY)
    async with client(circle.url, key=None, signer=pair) as it:
        await circle.ask("forget_sign_ins")
        assert await it.call("echo", [1]) == 1
        now = asyncio.get_running_loop().time()
        assert [pair.wait_to_sign(now) > 0 for _ in range(4)] == [False, False, False, True]


async def test_a_limited_key_still_signs_for_who_asks_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is that of signing in; a program that signs digests itself knows what it does."""
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    pair = KeyPair(KEY)
    signatures = {pair.sign(bytes(32), PROFILES["sha256-compact"]) for _ in range(10)}
    assert len(signatures) == 1
