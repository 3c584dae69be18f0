"""When a connection is probed, and when it is declared dead. The clock is a number."""

import math
from typing import Any

import pytest

from circle_ws.errors import ConfigError
from circle_ws.policy.liveness import (
    LAST_PROBE_TIMEOUT,
    PROMPT_PROBE_TIMEOUT,
    Action,
    KeepAlive,
    KeepAliveMode,
    Liveness,
    Step,
)

_EPOCH = 1.8e9
_ORDINARY = KeepAlive(interval=20, timeout=10)


class _Clocked(Liveness):
    """Has a wall clock that goes like the other one, but for the time that the machine slept."""

    def at(self, now: float, received: int, *, slept: float = 0.0) -> Step:
        return self.next(now, _EPOCH + now + slept, received)


def _watch(keepalive: KeepAlive = _ORDINARY, *, ping: bool = True) -> _Clocked:
    return _Clocked(keepalive, ping=ping, now=0.0, wall=_EPOCH, received=0)


def test_it_asks_at_the_interval() -> None:
    """Nothing is asked before the interval is over, and a ping then."""
    liveness = _watch()
    assert liveness.timeout == 10
    assert liveness.at(0, 0) == Step(Action.WAIT, 20)
    assert liveness.at(19.999, 0) == Step(Action.WAIT, 20)
    assert liveness.at(20, 0) == Step(Action.PING, 30)


def test_a_busy_connection_is_asked_too() -> None:
    """Traffic does not put the question off: its answer is the round-trip sample."""
    liveness = _watch()
    assert liveness.at(10, 5000).action is Action.WAIT
    assert liveness.at(20, 9000).action is Action.PING


@pytest.mark.parametrize("ping", [True, False])
def test_any_byte_is_life(ping: bool) -> None:
    """One byte after asking, whatever it is, and the next question comes one interval after the last."""
    liveness = _watch(ping=ping)
    liveness.at(20, 100)
    assert liveness.at(25, 101) == Step(Action.WAIT, 40)
    assert liveness.at(40, 101).action in (Action.PING, Action.PROBE)


def test_bytes_before_the_question_are_no_answer() -> None:
    """Only what comes in after asking counts."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode="ping"))
    liveness.at(20, 100)
    assert liveness.at(30, 100) == Step(Action.DEAD, 30)


@pytest.mark.parametrize(("mode", "ping"), [("ping", True), ("rpc", False), ("auto", False)])
def test_dead_after_the_timeout(mode: KeepAliveMode, ping: bool) -> None:
    """Where there is no second chance, the connection is dead when the timeout is over, and not a moment before."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode=mode), ping=ping)
    assert liveness.at(20, 0).action is (Action.PING if ping else Action.PROBE)
    assert liveness.at(29.999, 0) == Step(Action.WAIT, 30)
    assert liveness.at(30, 0) == Step(Action.DEAD, 30)


def test_auto_gives_a_second_chance() -> None:
    """In `auto` an unanswered ping is followed by one probe, and that by the end."""
    liveness = _watch()
    liveness.at(20, 0)
    assert liveness.at(30, 0) == Step(Action.PROBE, 30 + LAST_PROBE_TIMEOUT)
    assert liveness.at(30 + LAST_PROBE_TIMEOUT, 0) == Step(Action.DEAD, 30 + LAST_PROBE_TIMEOUT)
    assert liveness.prefers_probe is False


def test_auto_learns_to_probe() -> None:
    """A peer that answers the probe but not the ping is probed from then on, with the whole timeout."""
    liveness = _watch()
    liveness.at(20, 0)
    liveness.at(30, 0)
    assert liveness.at(31, 1).action is Action.WAIT
    assert liveness.prefers_probe is True
    assert liveness.at(50, 1) == Step(Action.PROBE, 60)


def test_auto_keeps_pinging_who_answers() -> None:
    """A peer that answers pings is never probed."""
    liveness, received = _watch(), 0
    for now in range(20, 2000, 20):
        assert liveness.at(now, received).action is Action.PING
        received += 2
        assert liveness.at(now + 1, received).action is Action.WAIT
    assert liveness.prefers_probe is False


def test_without_ping_frames_it_probes() -> None:
    """Where ping frames cannot be sent, the first question is a probe already."""
    liveness = _watch(ping=False)
    assert liveness.prefers_probe is True
    assert liveness.at(20, 0).action is Action.PROBE


def test_a_timeout_longer_than_the_interval() -> None:
    """While an answer is out nothing more is asked, and life that came late is life."""
    liveness = _watch(KeepAlive(interval=10, timeout=60, mode="ping"))
    assert liveness.at(10, 0) == Step(Action.PING, 20)
    assert liveness.at(15, 0) == Step(Action.WAIT, 20)
    assert liveness.at(20, 0) == Step(Action.WAIT, 70)
    assert liveness.at(69, 1).action is Action.PING
    assert liveness.at(79, 1) == Step(Action.WAIT, 129)
    assert liveness.at(129, 1) == Step(Action.DEAD, 129)


def test_bytes_that_a_late_timer_overtook_are_life() -> None:
    """When the timer comes late but bytes are there, the connection lives and is asked anew in its turn."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode="ping"))
    liveness.at(20, 0)
    assert liveness.at(35, 1) == Step(Action.WAIT, 40)


@pytest.mark.parametrize(
    ("mode", "ping", "action"),
    [("ping", True, Action.PING), ("rpc", False, Action.PROBE), ("auto", True, Action.PROBE)],
)
def test_after_a_sleep_it_asks_at_once(mode: KeepAliveMode, ping: bool, action: Action) -> None:
    """The wall clock went on while the other one stood: the connection is probed at once, with a short limit."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode=mode), ping=ping)
    assert liveness.at(5, 0, slept=0) == Step(Action.WAIT, 20)
    assert liveness.at(6, 0, slept=3600) == Step(action, 6 + PROMPT_PROBE_TIMEOUT)
    assert liveness.at(6 + PROMPT_PROBE_TIMEOUT, 0, slept=3600) == Step(Action.DEAD, 6 + PROMPT_PROBE_TIMEOUT)
    assert liveness.timeout == PROMPT_PROBE_TIMEOUT


def test_a_sleep_while_an_answer_is_out_kills_nothing() -> None:
    """The limit has passed because the host was suspended: the connection is probed again."""
    liveness = _watch()
    assert liveness.at(20, 0) == Step(Action.PING, 30)
    assert liveness.at(31, 0, slept=3600) == Step(Action.PROBE, 31 + PROMPT_PROBE_TIMEOUT)
    assert liveness.at(32, 1, slept=3600) == Step(Action.WAIT, 51)
    assert liveness.prefers_probe is False, "that it answers a probe says nothing of its pongs"


def test_a_timer_that_is_very_late_is_a_sleep() -> None:
    """A frozen process or tab whose clocks both went on is known by the moment that is long past."""
    liveness = _watch()
    assert liveness.at(0, 0) == Step(Action.WAIT, 20)
    assert liveness.at(20 + 2 * 20, 0).action is Action.PING, "two intervals late is late, and no sleep"
    liveness = _watch()
    assert liveness.at(20 + 2 * 20 + 1, 0) == Step(Action.PROBE, 61 + PROMPT_PROBE_TIMEOUT)


@pytest.mark.parametrize(("slept", "action"), [(20, Action.WAIT), (20.5, Action.PROBE)])
def test_a_sleep_is_longer_than_an_interval(slept: float, action: Action) -> None:
    """The wall clock may gain a whole interval, as when it is set; what counts is since the connection was made."""
    liveness = _Clocked(_ORDINARY, ping=True, now=1000.0, wall=_EPOCH + 1000, received=0)
    assert liveness.at(1001, 0, slept=slept).action is action


def test_a_clock_that_is_set_back_is_no_sleep() -> None:
    """Only a wall clock that gains on the other one tells of a sleep; a small correction does not."""
    liveness = _watch()
    assert liveness.at(5, 0, slept=-3600) == Step(Action.WAIT, 20)
    assert liveness.at(6, 0, slept=-3590) == Step(Action.WAIT, 20)


def test_a_late_timer_gives_one_more_chance() -> None:
    """The limit is over, but the timer came late: it is asked once more, and not for ever."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode="rpc"), ping=False)
    liveness.at(20, 0)
    assert liveness.at(31, 0).action is Action.DEAD, "a second late is not too late to have read what arrived"
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode="rpc"), ping=False)
    liveness.at(20, 0)
    assert liveness.at(32, 0) == Step(Action.PROBE, 32 + PROMPT_PROBE_TIMEOUT)
    assert liveness.at(37, 0) == Step(Action.DEAD, 37)


def test_doubt_asks_at_once() -> None:
    """Told that the machine may have slept, it asks whatever was asked for before."""
    liveness = _watch()
    assert liveness.at(20, 0) == Step(Action.PING, 30)
    assert liveness.probe_now(25, 0) == Step(Action.PROBE, 25 + PROMPT_PROBE_TIMEOUT)
    assert liveness.at(26, 1) == Step(Action.WAIT, 45)


@pytest.mark.parametrize("mode", ["auto", "ping", "rpc"])
@pytest.mark.parametrize(("interval", "timeout"), [(20, 20), (25, 20), (20, 5), (10, 60), (0.5, 0.25)])
@pytest.mark.parametrize("dies_at", [0.0, 0.1, 19.9, 20.5, 47.3, 100.0])
def test_a_half_open_connection_is_found_in_time(
    mode: KeepAliveMode, interval: float, timeout: float, dies_at: float
) -> None:
    """From the peer's last byte to the end it takes at most interval + timeout + 7 s, whenever that byte came."""
    keepalive = KeepAlive(interval=interval, timeout=timeout, mode=mode)
    liveness = _watch(keepalive, ping=mode != "rpc")
    now, received, step = 0.0, 0, Step(Action.WAIT, 0.0)
    while step.action is not Action.DEAD:
        step = liveness.at(now, received)
        assert step.until > now or step.action is Action.DEAD, "a step that ends at once would be a hot loop"
        received += step.action in (Action.PING, Action.PROBE) and now < dies_at
        now = step.until
    assert dies_at <= now <= dies_at + interval + timeout + 7


@pytest.mark.parametrize("name", ["interval", "timeout"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "20", None, True])
def test_bad_times_are_refused(name: str, value: Any) -> None:
    """A time that is not positive and finite is refused by name, with how to turn keep-alive off."""
    words = rf"^keepalive\.{name} must be a positive number.*; to turn .* without_keepalive\(\) or keepalive=None$"
    with pytest.raises(ConfigError, match=words) as caught:
        KeepAlive(**{"interval": 20, name: value})
    assert caught.value.option == "keepalive"


@pytest.mark.parametrize("mode", ["", "PING", "none", None, True, []])
def test_bad_modes_are_refused(mode: Any) -> None:
    """A mode that there is not is refused, with the ones that there are."""
    with pytest.raises(ConfigError, match=r"keepalive\.mode must be 'auto', 'ping' or 'rpc'") as caught:
        KeepAlive(interval=20, mode=mode)
    assert caught.value.option == "keepalive"
