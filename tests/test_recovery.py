"""Whether to connect again, and when: what is counted between one failure and the next."""

import random

from circle_ws import Backoff, errors
from circle_ws.policy import Classifier, Failure, Verdict
from circle_ws.recovery import Recovery

LOST = errors.ConnectionLost.closed(1006)
REFUSED = errors.ConnectionFailed("refused")
NOT_FOUND = errors.ConnectionFailed("HTTP 404", http_status=404)
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
) -> Recovery:
    return Recovery(backoff, classifier, persistent=persistent, rng=Highest())


def connected(backoff: Backoff | None = STEADY, classifier: Classifier | None = None) -> Recovery:
    made = recovery(backoff, classifier)
    made.connected()
    return made


def test_a_client_that_was_never_connected_gives_up_at_once_unless_it_is_persistent() -> None:
    """`first_connect="once"` makes one attempt; `"retry"` keeps trying, until something fatal."""
    assert recovery().plan(REFUSED, "open", 1) is None
    persistent = recovery(persistent=True)
    assert [persistent.plan(REFUSED, "open", n) for n in (1, 2, 3)] == [1, 4, 8]
    assert persistent.plan(NOT_FOUND, "open", 4) is None
    assert recovery(persistent=True).plan(REJECTED, "authenticate", 1) is None


def test_delays_grow_and_start_again_after_a_link_that_stood() -> None:
    """Only `reset_after` seconds of uptime bring the delays back to the beginning."""
    it = connected()
    assert it.plan(LOST, "serve", 0) == 1
    assert it.plan(REFUSED, "open", 1) == 4
    it.connected()
    it.lost(9.9, answered=True)
    assert it.plan(LOST, "serve", 0) == 8
    it.connected()
    it.lost(10.0, answered=False)
    assert it.plan(LOST, "serve", 0) == 1


def test_without_a_back_off_nothing_is_tried_again() -> None:
    """`without_reconnect()`: the first loss is the end."""
    assert connected(backoff=None).plan(LOST, "serve", 0) is None


def test_attempts_are_bounded() -> None:
    """After `attempts` failed ones it gives up; the loss itself is none."""
    it = connected(Backoff(attempts=2))
    assert it.plan(LOST, "serve", 0) is not None
    assert it.plan(REFUSED, "open", 1) is not None
    assert it.plan(REFUSED, "open", 2) is None


def test_a_row_of_one_kind_is_counted_and_broken_by_another() -> None:
    """Three HTTP 404 in a row are enough; a refused port between them begins a new row."""
    it = connected()
    plans = [it.plan(cause, "open", 0) for cause in (LOST, NOT_FOUND, NOT_FOUND, REFUSED, NOT_FOUND, NOT_FOUND)]
    assert None not in plans
    assert it.plan(NOT_FOUND, "open", 0) is None


def test_being_connected_breaks_a_row_of_rejections() -> None:
    """Refused once, let in, refused once again: that is not twice in a row."""
    it = connected()
    assert it.plan(REJECTED, "authenticate", 1) is not None
    it.connected()
    it.lost(1, answered=False)
    assert it.plan(REJECTED, "authenticate", 1) is not None
    assert it.plan(REJECTED, "authenticate", 2) is None


def test_being_let_in_does_not_break_a_row_of_rejecting_closes() -> None:
    """A circle that lets the client in and closes with 4401 at once is given up at the second time."""
    it = connected()
    for uptime, answered, planned in ((1, False, True), (1, True, True), (10, False, True), (1, False, False)):
        it.connected()
        it.lost(uptime, answered=answered)
        assert (it.plan(SESSION_ENDED, "serve", 0) is not None) is planned


def test_only_an_answer_breaks_a_row_of_protocol_closes() -> None:
    """A peer that accepts and closes with 1008 is given up at the third time, unless it answered a call between."""
    it = connected()
    for answered, planned in ((False, True), (False, True), (True, True), (False, True), (False, False)):
        it.connected()
        it.lost(1, answered=answered)
        assert (it.plan(POLICY_VIOLATION, "serve", 0) is not None) is planned


def test_a_restart_is_drawn_between_its_own_bounds() -> None:
    """Close 1012: U(0.5, 5), whatever the back-off says; 1013 waits ten seconds at least."""
    it = connected(Backoff(first=100, base=100, maximum=1000))
    assert it.plan(errors.ConnectionLost.closed(1012), "serve", 0) == 5
    assert connected(Backoff(first=1)).plan(errors.ConnectionLost.closed(1013), "serve", 0) == 10


def test_a_users_classifier_answers_first() -> None:
    """It sees the failure with its phase and count; None leaves the answer to the default."""
    seen: list[Failure] = []

    def classifier(failure: Failure) -> Verdict | None:
        seen.append(failure)
        return Verdict(retry=True, at_least=77) if isinstance(failure.cause, errors.AuthRejected) else None

    it = recovery(classifier=classifier)
    assert it.plan(REJECTED, "authenticate", 1) == 77
    assert it.plan(REJECTED, "authenticate", 2) == 77
    assert it.plan(REFUSED, "open", 3) is None
    assert [(failure.phase, failure.ever_connected, failure.consecutive) for failure in seen] == [
        ("authenticate", False, 1),
        ("authenticate", False, 2),
        ("open", False, 1),
    ]


def test_a_users_classifier_can_give_up() -> None:
    """What the default would retry may be fatal to somebody."""
    assert connected(classifier=lambda failure: Verdict(retry=False)).plan(LOST, "serve", 0) is None
