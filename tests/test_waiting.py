"""Calls that wait: what is said of them is true, and they wait no longer than they must. Time is virtual."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from circle_ws import Backoff, CallTimeout, ConnectionLost, ConnectionStatus, KeepAlive, OutcomeUnknown
from tests.support.clients import KEY
from tests.support.story import Made, Story


@pytest.fixture
def story(request: pytest.FixtureRequest) -> Generator[Story]:
    """A client with one slot, connected."""
    options: dict[str, Any] = {"ping": False, "key": None, "keepalive": None, "max_in_flight": 1}
    it = Story(**options | getattr(request, "param", {}))
    it.connect()
    it.loop.settle()
    assert it.it.is_connected()
    yield it
    it.end()


def error_of(made: Made) -> BaseException | None:
    return made.task.exception()


@pytest.mark.parametrize("waiting", ["call", "again"])
def test_a_slot_never_goes_to_a_call_whose_time_is_over_too(story: Story, waiting: str) -> None:
    """Calls whose time ends together end as they are: who waited has not run, and is not written at the last moment."""
    story.call("call", "hold", 1.0, 0)
    for _ in range(3):
        story.call(waiting, "hold", 1.0, 0)
    story.advance(2.0)
    for one in story.calls:
        assert isinstance(error_of(one), CallTimeout)
    assert ["has not run" in str(error_of(one)) for one in story.calls] == [False, True, True, True]
    assert [request.token for request in story.circle.written] == [0]
    assert not story.it._supervisor.send_queue._queue


@pytest.mark.parametrize("ends", ["is cancelled", "is over its time"])
def test_a_notification_waits_for_no_slot(story: Story, ends: str) -> None:
    """It keeps its place behind a call that waits, and goes out as soon as that is gone."""
    story.call("call", "hold", None, 0)
    story.call("call", "hold", 1.0, 0)
    story.call("notify", "hold", 10.0, 0)
    story.loop.settle()
    assert not story.calls[2].task.done()
    if ends == "is cancelled":
        story.calls[1].task.cancel()
        story.loop.settle()
    else:
        story.advance(1.0)
    assert [request.token for request in story.circle.written] == [0, 2]
    assert story.calls[2].task.done()


def waits_for_the_sign_in(story: Story) -> bool:
    """Whether the sign-in is renewed at this moment."""
    session = story.it._supervisor._session
    return session is not None and session.reauthenticating and session.loss is None


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("story", [{"key": KEY}], indirect=True)
def test_reconnect_during_a_renewal_dials_at_once(story: Story, turns: int) -> None:
    """In every phase of the sign-in: no time passes until the call has its answer on a fresh connection."""
    story.circle.signed_out = 1
    story.call("call", "echo", 2.0, 0)
    story.loop.turn()
    while not waits_for_the_sign_in(story):
        story.loop.turn()
    story.turn(turns)
    story.reconnect()
    story.advance(0.5)
    assert len(story.circle.connections) == 2
    assert story.calls[0].ended is not None
    assert story.it.is_connected()


def test_a_call_that_may_have_run_never_claims_that_it_has_not(story: Story) -> None:
    """A call that was written before a loss and waits when the client is closed has one story, not two."""
    story.call("again", "hold", None, 0)
    story.loop.settle()
    story.circle.refusal = 0
    story.cut(1006)
    story.loop.settle()
    story.close(0)
    story.advance(0.1)
    error = error_of(story.calls[0])
    assert type(error) is OutcomeUnknown
    assert "may have run" in str(error)
    assert "has not run" not in str(error)


class Learns:
    """Callers that look at the client, and ask for a new connection, as soon as they learn of a loss."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.seen: list[tuple[ConnectionStatus, bool]] = []
        self.task = story.loop.create_task(self._call())
        story.loop.settle()

    async def _call(self) -> None:
        it = self.story.it
        with pytest.raises(OutcomeUnknown):
            await it.call("hold", [len(self.seen)], timeout=None)
        self.seen.append((it.status, it.is_connected()))
        it.reconnect()
        await it.wait_until_connected()


PATIENT = Backoff(floor=5, first=5)
PROBED = {"ping": False, "key": None, "keepalive": KeepAlive(1, 10, "rpc"), "max_in_flight": 8, "backoff": PATIENT}
PINGED = {**PROBED, "ping": True, "keepalive": KeepAlive(1, 10, "ping")}
SIGNED_IN = {"ping": False, "key": KEY, "keepalive": None, "max_in_flight": 8, "backoff": PATIENT}


def ask_for_life(story: Story) -> None:
    """Leave a probe, or a ping, unanswered."""
    story.circle.deaf = True
    for connection in story.circle.connections:
        connection.frozen = story.it.capabilities.ping
    story.advance(1.5)
    for connection in story.circle.connections:
        connection.frozen = False


def renew_the_sign_in(story: Story) -> None:
    """Start to re-authenticate, and get no further."""
    story.circle.sign_in = "hang"
    story.circle.signed_out = 1
    story.call("again", "echo", None, 0)
    story.loop.settle()
    assert waits_for_the_sign_in(story)


MOMENTS = [(PROBED, ask_for_life), (PINGED, ask_for_life), (SIGNED_IN, renew_the_sign_in)]


@pytest.mark.parametrize(
    ("story", "begin"), MOMENTS, indirect=["story"], ids=["with a probe", "with a ping", "in a renewal"]
)
def test_who_learns_of_a_loss_finds_the_status_changed(story: Story, begin: Callable[[Story], None]) -> None:
    """Whatever is unanswered at that moment; and `reconnect()` skips the delay then."""
    before = Learns(story)
    begin(story)
    after = Learns(story) if begin is ask_for_life else before
    story.circle.sign_in = "well"
    began = story.loop.time()
    story.loop.do(lambda: story.it._supervisor._session.abort(ConnectionLost.closed(1006)))  # type: ignore[union-attr]
    story.circle.deaf = False
    story.loop.settle()
    assert before.seen == after.seen == [(ConnectionStatus.WAITING, False)]
    assert story.it.is_connected()
    assert before.task.done()
    assert story.loop.time() == began


@pytest.mark.parametrize("story", [PROBED], indirect=True)
def test_reconnect_between_a_loss_and_what_follows(story: Story) -> None:
    """In the very turn of the loss nothing is decided yet; the next attempt is made at once all the same."""

    def lose_and_reconnect() -> None:
        session = story.it._supervisor._session
        assert session is not None
        session.abort(ConnectionLost.closed(1006))
        assert not story.it.is_connected()
        story.it.reconnect()

    began = story.loop.time()
    story.loop.do(lose_and_reconnect)
    story.loop.settle()
    assert story.it.is_connected()
    assert story.it.stats.reconnects == 1
    assert story.loop.time() == began
