"""What a client tells the log, unasked: nothing dies in silence, nothing fills it, and no secret is in it."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from circle_ws import (
    AuthRejected,
    Backoff,
    ConnectionFailed,
    ConnectionLost,
    ConnectionStatus,
    NotConnected,
    RpcError,
    StatusChange,
)
from circle_ws.engine.notifications import DropLog, Subscriptions, listen
from circle_ws.engine.observers import ConnectionLog
from tests.support.clients import QUICK, client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers

S = ConnectionStatus
LOGGERS = {f"circle_ws.{name}" for name in ("connection", "notifications")}
URL = "wss://circle.example/02ab?token=hunter2"
SHOWN = "wss://circle.example/02ab?..."
LOST = ConnectionLost.closed(1006)
REFUSED = ConnectionFailed("the connection was refused")
STEADY = Backoff(first=0.01, base=0.01, maximum=0.01, floor=0.01)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator["Told"]:
    """What is told in the test, at level INFO and above."""
    with caplog.at_level(logging.INFO, "circle_ws"):
        yield Told(caplog)


class Told:
    """The records of the logger `circle_ws` and its children, but for those of the transports."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def lines(self) -> list[tuple[str, str]]:
        return [
            (one.levelname, one.getMessage())
            for one in self._caplog.records
            if one.name in LOGGERS and one.levelno >= logging.INFO
        ]

    def levels(self) -> list[str]:
        return [level for level, _ in self.lines()]


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


class Log:
    """A log whose status changes, and whose clock moves, as a test says."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._log = ConnectionLog(URL, self.clock)
        self._last = S.IDLE
        self._attempt = 0

    def go(self, status: ConnectionStatus, cause: BaseException | None = None, retry_in: float | None = None) -> None:
        self._attempt = self._attempt + 1 if status is S.CONNECTING else self._attempt
        self._attempt = 0 if status is S.CONNECTED else self._attempt
        self._log.note(StatusChange(status, self._last, 0.0, self._attempt, retry_in, cause))
        self._last = status

    def fail(self, cause: Exception = REFUSED) -> None:
        self.go(S.CONNECTING)
        self.go(S.WAITING, cause, 1.5)


def test_a_first_connection_is_nothing_to_tell(told: Told) -> None:
    """Neither is closing it."""
    log = Log()
    for status in (S.CONNECTING, S.AUTHENTICATING, S.CONNECTED, S.CLOSING, S.CLOSED):
        log.go(status)
    assert told.lines() == []


def test_a_loss_and_what_follows(told: Told) -> None:
    """The loss with its cause and the delay, the first failed attempt, and the recovery with how long it took."""
    log = Log()
    log.go(S.CONNECTING)
    log.go(S.CONNECTED)
    log.go(S.WAITING, LOST, 0.75)
    log.clock.now += 0.75
    log.fail()
    log.clock.now += 1.5
    log.go(S.CONNECTING)
    log.go(S.CONNECTED)
    assert told.lines() == [
        ("WARNING", f"{SHOWN}: lost the connection: {LOST}; the next attempt is in 0.8 s"),
        ("WARNING", f"{SHOWN}: attempt 1 to connect failed: {REFUSED}; the next one is in 1.5 s"),
        ("INFO", f"{SHOWN}: connected, after 2.2 s without"),
    ]


def test_failed_attempts_are_told_once_a_minute(told: Told) -> None:
    """However many there are, and however many connections are lost between; every loss is told."""
    log = Log()
    for _ in range(600):
        log.fail()
        log.clock.now += 0.5
    assert told.levels() == ["WARNING"] * 5
    log.go(S.CONNECTING)
    log.go(S.CONNECTED)
    for _ in range(10):
        log.go(S.WAITING, LOST, 0.1)
        log.fail()
        log.go(S.CONNECTING)
        log.go(S.CONNECTED)
    assert told.levels() == ["WARNING"] * 5 + ["INFO"] + (["WARNING"] * 2 + ["INFO"]) + ["WARNING", "INFO"] * 9


def test_giving_up_is_one_error(told: Told) -> None:
    """Whatever it was before; a new start that works is nothing to tell."""
    log = Log()
    log.go(S.CONNECTING)
    log.go(S.FAILED, AuthRejected("the circle refused the key"))
    log.go(S.CONNECTING)
    log.go(S.CONNECTED)
    log.go(S.FAILED, LOST)
    words = "the client gave up: {}; connect() starts it again"
    assert told.lines() == [
        ("ERROR", f"{SHOWN}: {words.format('the circle refused the key')}"),
        ("ERROR", f"{SHOWN}: {words.format(LOST)}"),
    ]


def test_what_the_program_did_itself_is_no_error(told: Told) -> None:
    """A client that it dropped, or whose event loop it ended."""
    log = Log()
    log.go(S.CONNECTING)
    log.go(S.CONNECTED)
    log.go(S.FAILED, NotConnected("the client was dropped without close(), or its event loop ended"))
    assert told.levels() == ["INFO"]


def test_a_connection_that_is_left_on_purpose_is_no_loss(told: Told) -> None:
    """`reconnect()` is told at level INFO."""
    log = Log()
    log.go(S.CONNECTING)
    log.go(S.CONNECTED)
    log.go(S.WAITING, ConnectionLost("the client replaced the connection", code=1000, local=True), 0.0)
    assert told.levels() == ["INFO"]


def _setup_failed() -> ConnectionFailed:
    failed = ConnectionFailed("the setup failed: no: 0123456789abcdef0123", phase="setup")
    failed.__cause__ = RpcError(-32000, "no: 0123456789abcdef0123")
    return failed


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionLost.closed(1008, "no 0123456789_abcdefghij here"), "no <hidden> here"),
        (_setup_failed(), "the setup failed: no: <hidden>"),
        (ConnectionLost.closed(1008, "a\nb\x1b[31mc"), r"a\nb\u001b[31mc"),
        (ValueError("of the user's own"), "ValueError: of the user's own"),
        (ValueError(), "ValueError: "),
        (ConnectionLost.closed(4002, "over max_message_bytes", local=True), "over max_message_bytes"),
        (ConnectionFailed("x" * 100_000), "x... (100000 characters)"),
    ],
)
def test_a_peers_words_are_told_without_what_may_be_secret(told: Told, cause: Exception, words: str) -> None:
    """On one line, cut, and without long runs of what keys and signatures are made of."""
    log = Log()
    log.fail(cause)
    ((_, line),) = told.lines()
    assert words in line
    assert len(line) < 1000
    assert line.isprintable()
    assert "hunter2" not in line


def test_nothing_is_formatted_for_a_disabled_level(caplog: pytest.LogCaptureFixture) -> None:
    """A level that is off costs the look at it."""
    with caplog.at_level(logging.CRITICAL, "circle_ws"):
        log = Log()
        log.fail()
        log.go(S.FAILED, LOST)
    assert caplog.records == []


def test_a_slow_listener_is_told_of_once_a_minute(told: Told) -> None:
    """Each by itself, with the number of all that it has lost so far."""
    clock = Clock()
    ticks, everything = DropLog("tick", clock), DropLog(None, clock)
    for number in range(1, 201):
        ticks.note(number)
        clock.now += 1
    everything.note(3)
    lines = told.lines()
    assert [level for level, _ in lines] == ["WARNING"] * 5
    assert [line.partition(" is too slow: ")[0] for _, line in lines] == ["a listener to 'tick'"] * 4 + [
        "a listener to all notifications"
    ]
    numbers = [line.partition(" is too slow: ")[2].partition(" ")[0] for _, line in lines]
    assert numbers == ["1", "61", "121", "181", "3"]


@pytest.mark.parametrize(("overflow", "count"), [("drop_oldest", 1), ("drop_newest", 1), ("close", 1), ("latest", 0)])
async def test_every_kind_of_overflow_is_told_but_for_what_was_asked_for(told: Told, overflow: Any, count: int) -> None:
    """A listener that wants the latest one only is not too slow."""
    subscriptions = Subscriptions()
    it = listen(subscriptions, "tick", Any, buffer=2, buffer_bytes=1000, overflow=overflow, gaps=False)
    for number in range(10):
        subscriptions.publish("tick", [number])
    assert told.levels() == ["WARNING"] * count
    assert it.dropped
    await it.aclose()


# A whole client, in both runtimes.


async def test_a_client_tells_its_story(peers: Peers, told: Told) -> None:
    """A loss, failed attempts, the recovery, and the end; each line names the circle and no token."""
    circle = await peers.start("circle")
    url = f"{circle.url}?token=hunter2"
    it = client(url, backoff=STEADY)
    await it.connect()
    assert told.lines() == []
    changes = it.status_changes()
    await circle.stop()
    waits = 0
    async for change in changes:
        waits += change.status is S.WAITING
        if waits == 4:
            break
    await circle.start()
    await it.wait_until_connected()
    lost, failed, back = told.lines()
    assert [lost[0], failed[0], back[0]] == ["WARNING", "WARNING", "INFO"]
    assert "1001" in lost[1]
    assert "attempt 1" in failed[1]
    await it.close()
    assert len(told.lines()) == 3
    assert all(line.startswith(f"{circle.url}?...: ") for _, line in told.lines())


async def test_failed_first_attempts_are_told_too(peers: Peers, told: Told) -> None:
    """With `first_connect="retry"`, which no task may be waiting for; once, however many there are."""
    circle = await peers.start("circle")
    await circle.stop()
    it = client(circle.url, backoff=STEADY, first_connect="retry")
    connecting = later(it.connect())
    async for change in it.status_changes():
        if change.attempt >= 5:
            break
    assert told.levels() == ["WARNING"]
    await circle.start()
    assert await connecting is None
    assert told.levels() == ["WARNING", "INFO"]
    await it.close()


async def test_the_end_of_a_client_is_told(peers: Peers, told: Told) -> None:
    """FAILED, with its reason: a circle that refuses the key, and says what it was sent."""
    answers = {"fetch_nonce": {"result": "nonce_1234567890_abcdef"}, "authenticate": {"result": False}}
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, backoff=QUICK)
    failure = await later(it.connect())
    assert isinstance(failure, AuthRejected)
    ((level, line),) = told.lines()
    assert level == "ERROR"
    assert str(failure) in line
    assert "nonce_1234567890_abcdef" not in line
    await it.close()


async def test_dropped_notifications_are_told(peers: Peers, told: Told) -> None:
    """A listener that is not read, over a whole connection: one line."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications("tick", buffer=2) as ticks:
        await it.call("tick", [10])
        await eventually(lambda: ticks.dropped == 8)
        assert [line.partition(":")[0] for _, line in told.lines()] == ["a listener to 'tick' is too slow"]
