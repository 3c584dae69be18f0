"""When a link is asked for a sign of life, and when it is given up. The clock is a number."""

import math
from typing import Any

import pytest

from circle_ws.errors import ConfigError
from circle_ws.liveness import LAST_PROBE_TIMEOUT, Action, KeepAlive, KeepAliveMode, Liveness, Step

_ORDINARY = KeepAlive(interval=20, timeout=10)


def _watch(keepalive: KeepAlive = _ORDINARY, *, ping: bool = True) -> Liveness:
    return Liveness(keepalive, ping=ping, now=0.0, received=0)


def test_it_asks_at_the_interval() -> None:
    """Nothing is asked before the interval is over, and a ping then."""
    liveness = _watch()
    assert liveness.next(0, 0) == Step(Action.WAIT, 20)
    assert liveness.next(19.999, 0) == Step(Action.WAIT, 20)
    assert liveness.next(20, 0) == Step(Action.PING, 30)


def test_a_busy_link_is_asked_too() -> None:
    """Traffic does not put the question off: its answer is the round-trip sample."""
    liveness = _watch()
    assert liveness.next(10, 5000).action is Action.WAIT
    assert liveness.next(20, 9000).action is Action.PING


@pytest.mark.parametrize("ping", [True, False])
def test_any_byte_is_life(ping: bool) -> None:
    """One byte after asking, whatever it is, and the next question comes one interval after the last."""
    liveness = _watch(ping=ping)
    liveness.next(20, 100)
    assert liveness.next(25, 101) == Step(Action.WAIT, 40)
    assert liveness.next(40, 101).action in (Action.PING, Action.PROBE)


def test_bytes_before_the_question_are_no_answer() -> None:
    """Only what comes in after asking counts."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode="ping"))
    liveness.next(20, 100)
    assert liveness.next(30, 100) == Step(Action.DEAD, 30)


@pytest.mark.parametrize(("mode", "ping"), [("ping", True), ("rpc", False), ("auto", False)])
def test_dead_after_the_timeout(mode: KeepAliveMode, ping: bool) -> None:
    """Where there is no second chance, the link is dead when the timeout is over, and not a moment before."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode=mode), ping=ping)
    assert liveness.next(20, 0).action is (Action.PING if ping else Action.PROBE)
    assert liveness.next(29.999, 0) == Step(Action.WAIT, 30)
    assert liveness.next(30, 0) == Step(Action.DEAD, 30)


def test_auto_gives_a_second_chance() -> None:
    """In `auto` an unanswered ping is followed by one probe, and that by the end."""
    liveness = _watch()
    liveness.next(20, 0)
    assert liveness.next(30, 0) == Step(Action.PROBE, 30 + LAST_PROBE_TIMEOUT)
    assert liveness.next(30 + LAST_PROBE_TIMEOUT, 0) == Step(Action.DEAD, 30 + LAST_PROBE_TIMEOUT)
    assert liveness.prefers_probe is False


def test_auto_learns_to_probe() -> None:
    """A peer that answers the probe but not the ping is probed from then on, with the whole timeout."""
    liveness = _watch()
    liveness.next(20, 0)
    liveness.next(30, 0)
    assert liveness.next(31, 1).action is Action.WAIT
    assert liveness.prefers_probe is True
    assert liveness.next(50, 1) == Step(Action.PROBE, 60)


def test_auto_keeps_pinging_who_answers() -> None:
    """A peer that answers pings is never probed."""
    liveness, received = _watch(), 0
    for now in range(20, 2000, 20):
        assert liveness.next(now, received).action is Action.PING
        received += 2
        assert liveness.next(now + 1, received).action is Action.WAIT
    assert liveness.prefers_probe is False


def test_without_ping_frames_it_probes() -> None:
    """Where ping frames cannot be sent, the first question is a probe already."""
    liveness = _watch(ping=False)
    assert liveness.prefers_probe is True
    assert liveness.next(20, 0).action is Action.PROBE


def test_a_timeout_longer_than_the_interval() -> None:
    """While an answer is out nothing more is asked, and life that came late is life."""
    liveness = _watch(KeepAlive(interval=10, timeout=60, mode="ping"))
    assert liveness.next(10, 0) == Step(Action.PING, 20)
    assert liveness.next(20, 0) == Step(Action.WAIT, 70)
    assert liveness.next(69, 1).action is Action.PING
    assert liveness.next(129, 1) == Step(Action.DEAD, 129)


def test_a_late_timer_does_not_kill() -> None:
    """When the process slept through the timeout but bytes are there, the link lives and is asked anew."""
    liveness = _watch(KeepAlive(interval=20, timeout=10, mode="ping"))
    liveness.next(20, 0)
    assert liveness.next(5000, 1) == Step(Action.PING, 5010)


@pytest.mark.parametrize("mode", ["auto", "ping", "rpc"])
@pytest.mark.parametrize(("interval", "timeout"), [(20, 20), (25, 20), (20, 5), (10, 60), (0.5, 0.25)])
@pytest.mark.parametrize("dies_at", [0.0, 0.1, 19.9, 20.5, 47.3, 100.0])
def test_a_half_open_link_is_found_in_time(
    mode: KeepAliveMode, interval: float, timeout: float, dies_at: float
) -> None:
    """From the peer's last byte to the end it takes at most interval + timeout + 7 s, whenever that byte came."""
    keepalive = KeepAlive(interval=interval, timeout=timeout, mode=mode)
    liveness = _watch(keepalive, ping=mode != "rpc")
    now, received, step = 0.0, 0, Step(Action.WAIT, 0.0)
    while step.action is not Action.DEAD:
        step = liveness.next(now, received)
        assert step.until > now or step.action is Action.DEAD, "a step that ends at once would be a hot loop"
        received += step.action in (Action.PING, Action.PROBE) and now < dies_at
        now = step.until
    assert dies_at <= now <= dies_at + interval + timeout + 7


@pytest.mark.parametrize("name", ["interval", "timeout"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "20", None, True])
def test_bad_times_are_refused(name: str, value: Any) -> None:
    """A time that is not positive and finite is refused by name, with how to turn keep-alive off."""
    with pytest.raises(ConfigError, match=rf"keepalive\.{name} must be a positive number.*without_keepalive") as caught:
        KeepAlive(**{"interval": 20, name: value})
    assert caught.value.option == "keepalive"


@pytest.mark.parametrize("mode", ["", "PING", "none", None, True, []])
def test_bad_modes_are_refused(mode: Any) -> None:
    """A mode that there is not is refused, with the ones that there are."""
    with pytest.raises(ConfigError, match=r"keepalive\.mode must be 'auto', 'ping' or 'rpc'") as caught:
        KeepAlive(interval=20, mode=mode)
    assert caught.value.option == "keepalive"
