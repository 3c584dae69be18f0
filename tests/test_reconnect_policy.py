"""Whether to connect again, and when: what is counted between one failure and the next."""

import random
from typing import TYPE_CHECKING, Any

import pytest

from circle_ws import Backoff, errors
from circle_ws.policy import Classifier, Failure, Verdict
from circle_ws.policy.reconnect import ReconnectPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = errors.ConnectionLost.closed(1006)
REFUSED = errors.ConnectionFailed("refused")
NOT_FOUND = errors.ConnectionFailed("HTTP 404", http_status=404)
MAINTENANCE = errors.RedirectRefused("HTTP 302", http_status=302)
RESTART = errors.ConnectionLost.closed(1012)
POLICY_VIOLATION = errors.ConnectionLost.closed(1008)
SESSION_ENDED = errors.ConnectionLost.closed(4401)
REJECTED = errors.AuthRejected("no")
STEADY = Backoff(first=1, base=2, maximum=1000, floor=0)


class Highest(random.Random):
    """Draw the upper bound, so that a delay tells its bound."""

    def uniform(self, a: float, b: float) -> float:
        return b


def recovery(
    backoff: Backoff | None = STEADY, classifier: Classifier | None = None, persistent: bool = False
) -> ReconnectPolicy:
    return ReconnectPolicy(backoff, classifier, persistent=persistent, rng=Highest())


def connected(backoff: Backoff | None = STEADY, classifier: Classifier | None = None) -> ReconnectPolicy:
    made = recovery(backoff, classifier)
    made.lost(0.0, answered=False, useful=False)
    return made


def test_a_client_that_was_never_connected_gives_up_at_once_unless_it_is_persistent() -> None:
    """`first_connect="once"` makes one attempt; `"retry"` keeps trying, until something fatal."""
    assert recovery().plan(REFUSED, "open", 1, 0) is None
    persistent = recovery(persistent=True)
    assert [persistent.plan(REFUSED, "open", n, 0) for n in (1, 2, 3)] == [1, 4, 8]
    assert persistent.plan(errors.InvalidNonce("no"), "nonce", 4, 0) is None
    assert recovery(persistent=True).plan(REJECTED, "authenticate", 1, 0) is None


def test_delays_grow_and_start_again_after_a_connection_that_stood() -> None:
    """Only `reset_after` seconds of uptime bring the delays back to the beginning."""
    it = connected()
    assert it.plan(LOST, "serve", 0, 0) == 1
    assert it.plan(REFUSED, "open", 1, 0) == 4
    it.lost(9.9, answered=True, useful=False)
    assert it.plan(LOST, "serve", 0, 0) == 8
    it.lost(10.0, answered=False, useful=False)
    assert it.plan(LOST, "serve", 0, 0) == 1


def test_without_a_back_off_nothing_is_tried_again() -> None:
    """`without_reconnect()`: the first loss is the end."""
    assert connected(backoff=None).plan(LOST, "serve", 0, 0) is None


def test_attempts_are_bounded() -> None:
    """After `attempts` failed ones it gives up; the loss itself is none."""
    it = connected(Backoff(attempts=2))
    assert it.plan(LOST, "serve", 0, 0) is not None
    assert it.plan(REFUSED, "open", 1, 0) is not None
    assert it.plan(REFUSED, "open", 2, 0) is None


def test_three_refusals_in_two_minutes_are_enough() -> None:
    """HTTP 4xx and redirects, in any order: fatal when there are three, and the first is 120 s old."""
    it = connected()
    times = [(NOT_FOUND, 1000.0), (MAINTENANCE, 1001.0), (NOT_FOUND, 1002.0), (NOT_FOUND, 1119.9)]
    assert None not in [it.plan(cause, "open", 0, now) for cause, now in times]
    assert it.plan(NOT_FOUND, "open", 0, 1120.0) is None
    slow = connected()
    assert None not in [slow.plan(NOT_FOUND, "open", 0, now) for now in (0.0, 500.0)]
    assert slow.plan(MAINTENANCE, "open", 0, 1000.0) is None


def test_one_that_keeps_trying_from_the_start_is_as_patient() -> None:
    """`first_connect="retry"`: what a client bears that was connected before; one that is to connect once does not."""
    it = recovery(persistent=True)
    assert None not in [it.plan(NOT_FOUND, "open", n, 10.0 * n) for n in range(1, 13)]
    assert it.plan(NOT_FOUND, "open", 13, 130.0) is None
    assert recovery().plan(NOT_FOUND, "open", 1, 0) is None


def test_a_row_is_broken_by_another_kind_and_by_being_connected() -> None:
    """A refused port between two 404, or a connection, begins a new row, and with it the two minutes."""
    betweens: tuple[Callable[[ReconnectPolicy], object], ...] = (
        lambda it: it.plan(REFUSED, "open", 0, 150.0),
        lambda it: it.lost(0.0, answered=False, useful=False),
        ReconnectPolicy.restarted,
    )
    for between in betweens:
        it = connected()
        assert None not in [it.plan(NOT_FOUND, "open", 0, now) for now in (0.0, 1.0)]
        between(it)
        assert None not in [it.plan(NOT_FOUND, "open", 0, now) for now in (200.0, 201.0, 202.0)]
        assert it.plan(NOT_FOUND, "open", 0, 320.0) is None


def test_being_connected_breaks_a_row_of_rejections() -> None:
    """Rejected once, accepted, rejected again: that is not twice in a row."""
    it = connected()
    assert it.plan(REJECTED, "authenticate", 1, 0) is not None
    it.lost(1, answered=False, useful=False)
    assert it.plan(REJECTED, "authenticate", 1, 0) is not None
    assert it.plan(REJECTED, "authenticate", 2, 0) is None


def test_being_let_in_does_not_break_a_row_of_rejecting_closes() -> None:
    """A circle that lets the client in and closes with 4401 at once is given up at the second time."""
    it = connected()
    for uptime, answered, planned in ((1, False, True), (1, True, True), (10, False, True), (1, False, False)):
        it.lost(uptime, answered=answered, useful=False)
        assert (it.plan(SESSION_ENDED, "serve", 0, 0) is not None) is planned


@pytest.mark.parametrize(
    "good",
    [
        {"uptime": 1, "answered": True, "useful": False},
        {"uptime": 1, "answered": False, "useful": True},
        {"uptime": 10, "answered": False, "useful": False},
    ],
    ids=["an answer", "a notification or the setup", "it stood"],
)
def test_what_breaks_a_row_of_protocol_closes(good: dict[str, Any]) -> None:
    """A peer that accepts and closes with 1008 is given up at the third time, unless it was of use between."""
    it = connected()
    bad: dict[str, Any] = {"uptime": 9, "answered": False, "useful": False}
    for kind, planned in ((bad, True), (bad, True), (good, True), (bad, True), (bad, False)):
        it.lost(**kind)
        assert (it.plan(POLICY_VIOLATION, "serve", 0, 0) is not None) is planned


def test_what_is_useful_does_not_excuse_a_rejection() -> None:
    """A circle that takes the sign-in, answers the setup and says 4401 then refuses the key all the same."""
    it = connected()
    for planned in (True, False):
        it.lost(1, answered=False, useful=True)
        assert (it.plan(SESSION_ENDED, "serve", 0, 0) is not None) is planned


def test_a_restart_is_drawn_between_its_own_bounds() -> None:
    """Close 1012: U(0.5, 5), whatever the back-off says; 1013 waits ten seconds at least."""
    it = connected(Backoff(first=100, base=100, maximum=1000))
    assert (it.plan(RESTART, "serve", 0, 0), it.at_least) == (5, 0)
    it = connected(Backoff(first=1))
    assert it.at_least == 0, "nothing was asked for yet"
    assert it.plan(errors.ConnectionLost.closed(1013), "serve", 0, 0) == it.at_least == 10


def test_restarts_that_repeat_grow_like_everything_else() -> None:
    """The back-off comes on top of U(0.5, 5) until a connection stood for `reset_after`."""
    it = connected()
    delays = []
    for uptime in (1, 1, 1, 10, 1):
        it.lost(uptime, answered=True, useful=True)
        delays.append(it.plan(RESTART, "serve", 0, 0))
    assert delays == [5, 5 + 4, 5 + 8, 5, 5 + 4]


def test_what_a_users_classifier_draws_does_not_grow() -> None:
    """`between` alone is what it says, however often."""
    it = connected(classifier=lambda failure: Verdict(retry=True, between=(1, 2)))
    assert [it.plan(LOST, "serve", 0, 0) for _ in range(3)] == [2, 2, 2]


def test_a_users_classifier_answers_first() -> None:
    """It sees the failure with its phase and count; None leaves the answer to the default."""
    seen: list[Failure] = []

    def classifier(failure: Failure) -> Verdict | None:
        seen.append(failure)
        return Verdict(retry=True, at_least=77) if isinstance(failure.cause, errors.AuthRejected) else None

    it = recovery(classifier=classifier)
    assert it.plan(REJECTED, "authenticate", 1, 0) == 77
    assert it.plan(REJECTED, "authenticate", 2, 0) == 77
    assert it.plan(REFUSED, "open", 3, 0) is None
    assert [(failure.phase, failure.ever_connected, failure.consecutive) for failure in seen] == [
        ("authenticate", False, 1),
        ("authenticate", False, 2),
        ("open", False, 1),
    ]


@pytest.mark.parametrize("cause", [NOT_FOUND, REFUSED], ids=["persistent", "of no kind"])
def test_a_users_classifier_sees_since_when_and_for_whom(cause: Exception) -> None:
    """How long and how old the row is, and whether the client keeps trying before it was ever connected."""
    seen: list[Failure] = []
    it = recovery(classifier=seen.append, persistent=True)
    for now in (5.0, 7.5):
        it.plan(cause, "open", 1, now)
    assert [(told.consecutive, told.seconds, told.persistent) for told in seen] == [(1, 0.0, True), (2, 2.5, True)]


def test_a_users_classifier_can_give_up() -> None:
    """A classifier may make fatal what the default would retry."""
    assert connected(classifier=lambda failure: Verdict(retry=False)).plan(LOST, "serve", 0, 0) is None
