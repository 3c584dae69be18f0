"""How often a key may sign where signing is not constant-time, and that nothing waits where it is."""

import asyncio
import logging
import re
import sys
from typing import Any

import pytest

from circle_ws import CircleWsError, ConnectionStatus, KeyPair
from circle_ws.auth import PROFILES, backend, keypair
from circle_ws.auth.keypair import BURST, INTERVAL, reserve_signature, signing_delay
from tests.support.clients import KEY, client
from tests.support.limits import DIALLED, SOON
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers

S = ConnectionStatus
_IN_BROWSER = sys.platform == "emscripten"

# The bucket, with a clock that is passed in.


def test_the_documented_numbers() -> None:
    """Five at once, then one in ten seconds."""
    assert (BURST, INTERVAL) == (5, 10.0)


@pytest.mark.parametrize("start", [0.0, 1.5, 1e9])
def test_a_burst_and_then_one_after_the_other(start: float) -> None:
    """The first five need not wait; each one after them waits for an interval more."""
    assert [reserve_signature("key", start) for _ in range(9)] == [0, 0, 0, 0, 0, 10, 20, 30, 40]


def test_time_gives_turns_back() -> None:
    """For each interval that passes there is one more turn, up to the burst and no further."""
    for _ in range(5):
        assert reserve_signature("key", 100) == 0
    assert reserve_signature("key", 110) == 0
    assert reserve_signature("key", 110) == 10
    assert [reserve_signature("key", 130) for _ in range(3)] == [0, 10, 20]
    assert [reserve_signature("key", 100_000) for _ in range(6)] == [0, 0, 0, 0, 0, 10]


def test_a_part_of_an_interval_counts() -> None:
    """Who comes before the next turn waits for the rest of the interval only."""
    for _ in range(5):
        reserve_signature("key", 0)
    assert reserve_signature("key", 7.5) == 2.5
    assert reserve_signature("key", 9) == 11


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """An earlier time gives no turn away."""
    for _ in range(5):
        reserve_signature("key", 1000)
    assert reserve_signature("key", 500) >= 10


def test_where_it_counts() -> None:
    """A key pair is limited in a browser, whose backend is not constant-time, and natively not at all."""
    assert backend.CONSTANT_TIME is not _IN_BROWSER
    pair = KeyPair(KEY)
    waits = [pair.wait_to_sign(0) for _ in range(7)]
    assert waits == ([0, 0, 0, 0, 0, 10, 20] if _IN_BROWSER else [0] * 7)
    for _ in range(7):
        reserve_signature(pair.public_key, 0)
    assert pair.signing_delay(0) == (100 if _IN_BROWSER else 0)
    assert pair.wait_to_sign(0) == (100 if _IN_BROWSER else 0)


def test_looking_takes_no_turn() -> None:
    """Who only asks how long it would take does not make it longer."""
    assert [signing_delay("key", 0) for _ in range(9)] == [0] * 9
    for _ in range(5):
        reserve_signature("key", 0)
    assert [signing_delay("key", 0) for _ in range(9)] == [10] * 9
    assert reserve_signature("key", 10) == 0


def test_each_key_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key does not pay for this one; another `KeyPair` of the same key does: the limit is the key's."""
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    for _ in range(5):
        assert KeyPair(KEY).wait_to_sign(0) == 0
    assert KeyPair(KEY.upper()).signing_delay(0) == 10
    assert KeyPair(KEY).wait_to_sign(0) == 10
    assert KeyPair.generate().wait_to_sign(0) == 0


def test_a_key_is_forgotten_once_its_turns_are_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of a key ends when it tells nothing any more: a page may make keys without end."""
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    for number in range(20):
        KeyPair.generate().wait_to_sign(number * 5)
    assert len(keypair._full_at) == 2
    KeyPair(KEY).wait_to_sign(1000)
    assert len(keypair._full_at) == 1


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
    monkeypatch.setattr(keypair, "INTERVAL", 3.0)
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
    monkeypatch.setattr(keypair, "INTERVAL", 60.0)
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    circle = await peers.start("circle")
    it = client(circle.url, open_timeout=DIALLED)
    await it.connect()
    for _ in range(4):
        await circle.ask("cut_all")
        await eventually(lambda: not it.is_connected())
        await it.wait_until_connected()
    await circle.ask("cut_all")
    await eventually(lambda: it.status is ConnectionStatus.AUTHENTICATING)
    waiting = later(it.call("echo", [1], timeout=30))
    # `open_timeout` stands still meanwhile.
    await asyncio.sleep(DIALLED + 0.3)
    assert it.status is ConnectionStatus.AUTHENTICATING
    assert not waiting.done()
    began = asyncio.get_running_loop().time()
    await it.close()
    assert asyncio.get_running_loop().time() - began < SOON
    assert isinstance(await waiting, Exception)


async def more_than(number: int, things: list[Any]) -> None:
    await eventually(lambda: len(things) > number)


async def test_waiting_for_a_turn_is_told(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the status, with its cause and how long it takes; by the log, once in the life of a client as a warning."""
    monkeypatch.setattr(keypair, "INTERVAL", 0.4)
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    circle = await peers.start("circle")

    def take_turns(count: int) -> None:
        for _ in range(count):
            KeyPair(KEY).wait_to_sign(asyncio.get_running_loop().time())

    take_turns(5)
    caplog.set_level(logging.INFO, "circle_ws")
    async with client(circle.url) as it:
        causes: list[BaseException | None] = []
        # Others sign with the same key, so that there is a turn to wait for however long it took to reconnect.
        it.on_status(lambda change: take_turns(3) if change.status is S.CONNECTING else None)
        it.on_status(lambda change: causes.append(change.cause) if change.status is S.AUTHENTICATING else None)
        for number in range(3):
            await circle.ask("cut_all")
            await more_than(number, causes)
            await it.wait_until_connected()
    assert len(causes) == 3
    for cause in causes:
        assert type(cause) is CircleWsError
        assert re.fullmatch(
            r"the sign-in waits \d\.\d s for its turn to sign: in a page a key signs 5 times .*", str(cause)
        )
    records = [record for record in caplog.records if "turn to sign" in record.message]
    assert [record.levelname for record in records] == ["WARNING", "INFO", "INFO", "INFO"]
    assert not any(KEY in record.message for record in records)


async def test_a_circle_that_hangs_up_gets_no_turn(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the connection is seen while the key waits for its turn; the next sign-in gets the turn."""
    monkeypatch.setattr(keypair, "INTERVAL", 600.0)
    monkeypatch.setattr(backend, "CONSTANT_TIME", False)
    circle = await peers.start("circle")
    for _ in range(5):
        KeyPair(KEY).wait_to_sign(asyncio.get_running_loop().time())
    before = KeyPair(KEY).signing_delay(asyncio.get_running_loop().time())
    it = client(circle.url, first_connect="retry")
    connecting = later(it.connect())
    failures: list[BaseException | None] = []
    it.on_status(lambda change: failures.append(change.cause) if change.status is S.WAITING else None)
    for number in range(3):
        await eventually(lambda: it.status is S.AUTHENTICATING)
        await circle.ask("cut_all")
        await more_than(number, failures)
    assert all("hung up" in str(failure) or "closed" in str(failure) for failure in failures)
    assert KeyPair(KEY).signing_delay(asyncio.get_running_loop().time()) <= before
    await it.close()
    await connecting


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
