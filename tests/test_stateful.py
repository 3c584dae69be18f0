"""Whatever happens, in whatever order: what holds for every call and for the client. Time is virtual.

hypothesis makes up stories of calls, cancels, faults of the circle, turns of the event loop and time that passes; one
in which something does not hold is shrunk to its shortest form.
"""

import asyncio
import gc
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circle_ws import (
    Backoff,
    CallTimeout,
    CircleWsError,
    ClientClosed,
    ConnectionStatus,
    KeepAlive,
    MessageTooLarge,
    NotConnected,
    OutcomeUnknown,
    ProtocolError,
    QueueFull,
    RpcError,
    SetupSession,
)
from circle_ws.status import TRANSITIONS
from tests.support.story import LOGGER, Made, Step, Story

S = ConnectionStatus

MOST_RUNS = {"call": 1, "notify": 1, "again": 4}
"""How often the circle may run a token, by the kind of call."""
ENDINGS = (RpcError, CallTimeout, OutcomeUnknown, NotConnected, ClientClosed, MessageTooLarge, ProtocolError, QueueFull)
"""What a call may end with, besides a result and what the client failed with."""
SLACK = 1e-3


# What is made up.

NONSENSE = [
    "no JSON",
    "[]",
    '{"jsonrpc":"2.0"}',
    b"blob",
    "x" * 3000,
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}',
    '{"jsonrpc":"2.0","id":1,"method":"are_you_there"}',
    '{"jsonrpc":"2.0","id":999999,"result":["of",0]}',
    '{"jsonrpc":"2.0","id":true,"result":["of",0]}',
    '{"jsonrpc":"2.0","id":2.0,"result":["of",0]}',
    '{"jsonrpc":"2.0","method":"tick","params":[1]}',
]
FAULTS: list[Step] = [
    *(("fault", "refusal", status) for status in (0, 503, 403, 302)),
    ("fault", "hanging", True),
    *(("fault", "sign_in", how) for how in ("reject", "fail", "hang")),
    *(("fault", "signed_out", count) for count in (1, 2, 3)),
    ("fault", "deaf", True),
    ("fault", "freeze"),
    ("fault", "break_silently"),
    *(("cut", code) for code in (1001, 1006, 1000, 1002, 1008, 1009, 1012, 1013, 4000, 4401)),
]
LIFE: list[Step] = [
    *[("connect",), ("wait_until_connected",), ("reconnect",), ("cancel_last",)] * 4,
    *(("cancel", index) for index in range(4)),
    # A client that is closed has no story any more.
    ("close", 1.0),
]
CALLS = st.tuples(
    st.just("call"),
    st.sampled_from(list(MOST_RUNS)),
    st.sampled_from(["echo", "hold", "hold", "fail", "end"]),
    st.sampled_from([2.0, 0.5, None, 0]),
    st.sampled_from([0, 0, 500]),
)
TURNS = st.tuples(st.just("turn"), st.integers(1, 6))
STEPS = st.one_of(
    TURNS,
    TURNS,
    CALLS,
    CALLS,
    CALLS,
    st.tuples(st.just("advance"), st.sampled_from([0.01, 0.1, 0.5, 1.0, 3.0, 6.0, 30.0])),
    st.tuples(st.just("answer"), st.integers(0, 9), st.sampled_from(["well", "twice", "garbled", "elsewhere"])),
    st.sampled_from(FAULTS),
    st.sampled_from(LIFE),
    st.tuples(st.just("say"), st.sampled_from(NONSENSE)),
    st.just(("heal",)),
)
STORIES = st.lists(st.lists(STEPS, max_size=20), min_size=8, max_size=20)
"""Chapters of steps: lists in a list grow long, and shrink well."""


async def set_up(session: SetupSession) -> None:
    await session.call("set_up")


CLIENTS = st.fixed_dictionaries(
    {
        "key": st.sampled_from([None, "4646464646464646464646464646464646464646464646464646464646464646"]),
        "ping": st.booleans(),
        "keepalive": st.sampled_from(
            [None, *(KeepAlive(interval=2.0, timeout=1.0, mode=mode) for mode in ("auto", "rpc"))]
        ),
        "backoff": st.sampled_from(
            [
                Backoff(first=0.1, base=0.1, maximum=0.1, floor=0.1),
                Backoff(first=1.0, base=0.5, maximum=4.0),
                Backoff(first=1.0, base=0.5, maximum=4.0, attempts=2),
                None,
            ]
        ),
        "first_connect": st.sampled_from(["once", "retry"]),
        "max_in_flight": st.sampled_from([2, 1, 5]),
        "max_queued": st.sampled_from([100, 5, 1]),
        "setup": st.sampled_from([None, set_up]),
        "max_message_bytes": st.just(2000),
        "open_timeout": st.just(3.0),
    }
)


# What holds, after every step.


def check(story: Story) -> None:
    check_that_nothing_was_logged(story)
    for one in story.calls:
        if one.deadline is not None:
            assert (story.loop.time() if one.ended is None else one.ended) <= one.deadline + SLACK, f"too late: {one}"
    for token, times in story.circle.ran.items():
        assert times <= MOST_RUNS[story.calls[token].kind], f"it ran {times} times: {story.calls[token]}"
    check_what_was_written(story)
    check_the_status(story)
    if story.loop.quiet:
        check_that_nothing_waits_without_need(story)


def check_that_nothing_was_logged(story: Story) -> None:
    """No exception in a callback, or in a task that is not awaited."""
    for report in story.loop.reports:
        raise AssertionError(report["message"]) from report.get("exception")
    assert not story.complaints


def check_what_was_written(story: Story) -> None:
    """Calls that were never written before go out in their order; no id is used twice."""
    tokens = list(dict.fromkeys(request.token for request in story.circle.written))
    assert tokens == sorted(tokens)
    ids = [request.id for request in story.circle.written if request.id is not None]
    assert len(ids) == len(set(ids))


def check_the_status(story: Story) -> None:
    """It follows the table, and nothing but an error of ours ends a client."""
    last = S.IDLE
    for change in story.changes:
        assert change.previous is last
        assert change.status in TRANSITIONS[last]
        last = change.status
    failure = story.it.failure
    assert failure is None or isinstance(failure, CircleWsError), failure


def check_that_nothing_waits_without_need(story: Story) -> None:
    """When nothing is ready to run, calls in flight wait for a reply, and waiting calls lack a slot or a connection."""
    supervisor = story.it._supervisor
    send_queue, status = supervisor.send_queue, story.it.status
    queue, session = send_queue._queue, send_queue._session
    assert queue.size == sum(call.size for call in queue)
    assert not any(call.future.done() for call in queue)
    if session is not None:
        assert session.loss is None
        in_flight = list(session.pending.entries.values())
        assert not any(call.future.done() for call in in_flight)
        assert sum(not call.internal for call in in_flight) <= supervisor.config.max_in_flight
        assert not queue or not session.has_room(queue.peek()), "there is room for who waits"
    assert story.it.is_connected() is (status is S.CONNECTED)
    if status in (S.IDLE, S.FAILED, S.CLOSED):
        assert not queue
        assert all(one.task.done() for one in story.calls)


# What holds in the end.


def check_the_end(story: Story) -> None:
    for one in story.calls:
        check_how_it_ended(story, one)
    for task in story.others:
        error = None if task.cancelled() else task.exception()
        assert error is None or isinstance(error, CircleWsError), error
    supervisor = story.it._supervisor
    assert story.it.status is S.CLOSED
    assert not asyncio.all_tasks(story.loop)
    assert not story.loop.timers
    assert not supervisor.send_queue._queue
    assert not supervisor.send_queue.pending.entries
    assert not supervisor._closing
    assert not supervisor.publisher._waiters
    gc.collect()
    check_that_nothing_was_logged(story)


def check_how_it_ended(story: Story, one: Made) -> None:
    """With what is its own, or with one of the documented errors, which is true."""
    assert one.task.done(), one
    if one.task.cancelled():
        return
    error, ran = one.task.exception(), story.circle.ran[one.token]
    if error is None:
        assert ran or one.kind == "notify"
        assert one.task.result() == (None if one.kind == "notify" else ["of", one.token])
    elif isinstance(error, RpcError):
        # What the circle says of a request that it could not read names none: it is about the only one that is open.
        assert error.code in (-32001, -32700) or (one.method == "fail" and error.code == one.token)
    else:
        failures = [change.cause for change in story.changes if change.status is S.FAILED]
        assert isinstance(error, ENDINGS) or error in failures, repr(error)
    claims = isinstance(error, NotConnected | ClientClosed | QueueFull)
    if claims or (isinstance(error, CallTimeout) and "has not run" in str(error)):
        assert not ran, f"it says that it has not run: {one}"


def tell(chapters: list[list[Step]], options: dict[str, Any], close: Step | None) -> None:
    """Run one story from its beginning to its end."""
    story = Story(**options)
    steps = [("connect",), *(step for chapter in chapters for step in chapter), *([close] if close else [])]
    try:
        for step in steps:
            story.do(step)
            check(story)
        story.end_well()
        check_the_end(story)
    finally:
        story.end()


@settings(max_examples=min(4 * settings().max_examples, 5000))
@given(chapters=STORIES, options=CLIENTS, close=st.sampled_from([None, ("close", None), ("close", 1.0)]))
def test_whatever_happens_in_whatever_order(
    chapters: list[list[Step]], options: dict[str, Any], close: Step | None
) -> None:
    """Calls end once, in time, with what is theirs; nothing runs too often; nothing is left; the client comes back."""
    level = LOGGER.level
    # A hundred thousand lines that are not read.
    LOGGER.setLevel(logging.ERROR)
    # The collection at the end is to look at this story alone, not at what hypothesis remembers of all the others.
    gc.freeze()
    try:
        tell(chapters, options, close)
    finally:
        # What is left of it would never be looked at again.
        gc.collect()
        gc.unfreeze()
        LOGGER.setLevel(level)


_ORDINARY: dict[str, Any] = {
    "key": None,
    "ping": False,
    "keepalive": None,
    "backoff": Backoff(first=0.1, base=0.1, maximum=0.1),
    "first_connect": "once",
    "max_in_flight": 1,
    "max_queued": 100,
    "setup": None,
    "max_message_bytes": 2000,
    "open_timeout": 3.0,
}


@pytest.mark.parametrize(
    "steps",
    [
        # The second gets its slot from the first, whose time is over, and has a time of its own.
        [("call", "call", "hold", 2.0, 0), ("advance", 0.01), ("call", "call", "hold", 2.0, 0), ("advance", 3.0)],
    ],
)
def test_stories_that_went_wrong_once(steps: list[Step]) -> None:
    """What was found by making up stories, told again each time."""
    tell([steps], _ORDINARY, None)
