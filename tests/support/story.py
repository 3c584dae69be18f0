"""One client, one unreliable circle and a virtual clock: a test drives them step by step."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circle_ws import CircleWsClient, CircleWsError, ClientClosed, ConnectionStatus, NotConnected
from tests.support.clients import client
from tests.support.unreliable import Request, UnreliableCircle
from tests.support.virtual import VirtualLoop

if TYPE_CHECKING:
    from circle_ws.status import StatusChange

__all__ = ["LOGGER", "Made", "Step", "Story"]

S = ConnectionStatus
LOGGER = logging.getLogger("circle_ws")

Step = tuple[Any, ...]
"""The name of a method of `Story`, and its arguments."""


@dataclass(eq=False)
class Made:
    """One call, or notification, as its caller sees it."""

    token: int
    kind: str
    """`call`, `again` (a call that may run again) or `notify`."""
    method: str
    deadline: float | None
    task: "asyncio.Task[Any]"
    ended: float | None = None
    """The time on the loop's clock."""


class Complaints(logging.Handler):
    """A log handler that keeps errors of the package, except that a client gave up."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "the client gave up" not in record.msg:
            self.texts.append(self.format(record))


class Story:
    """A client and its circle, driven by steps, with a record of every call.

    Args:
        ping: Whether the client's transport has ping frames.
        options: The client's.

    Attributes:
        calls: All that were made, by their token.
        others: The tasks that connect, wait and close.
        changes: Every change of the client's status.
        complaints: What was logged as an error.
    """

    def __init__(self, *, ping: bool, **options: Any) -> None:
        self.loop = VirtualLoop()
        self.circle = UnreliableCircle(ping=ping)
        self.it: CircleWsClient = client("ws://localhost/", transport=self.circle, **options)
        # The same story goes the same way each time.
        self.it._supervisor._timer.policy._rng = random.Random(0)
        self.calls: list[Made] = []
        self.others: list[asyncio.Task[Any]] = []
        self.changes: list[StatusChange] = []
        self.it.on_status(self.changes.append)
        self._complaints = Complaints()
        self.complaints = self._complaints.texts
        LOGGER.addHandler(self._complaints)

    def end(self) -> None:
        """Release the log and the loop, with the tasks that a failed story left."""
        LOGGER.removeHandler(self._complaints)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.loop.close()

    def do(self, step: Step) -> None:
        """Do one step."""
        getattr(self, step[0])(*step[1:])

    # What the program does.

    def call(self, kind: str, method: str, timeout: float | None, padding: int) -> None:
        """Make a call; a client that gave up is started again first, as a program would."""
        if self.it.status in (S.IDLE, S.FAILED):
            self.connect()
        token = len(self.calls)
        params = [token, "x" * padding]
        if kind == "notify":
            coroutine = self.it.notify(method, params, timeout=timeout)
        else:
            coroutine = self.it.call(method, params, timeout=timeout, idempotent=kind == "again")
        deadline = None if timeout is None else self.loop.time() + timeout
        made = Made(token, kind, method, deadline, self.loop.create_task(coroutine))
        made.task.add_done_callback(lambda _: self._ended(made))
        self.calls.append(made)

    def _ended(self, made: Made) -> None:
        made.ended = self.loop.time()
        if not made.task.cancelled():
            # Marks the exception as retrieved; the test looks at it later.
            made.task.exception()

    def cancel(self, index: int) -> None:
        """Cancel a call that has not ended."""
        pending = [one.task for one in self.calls if not one.task.done()]
        if pending:
            pending[index % len(pending)].cancel()

    def connect(self) -> None:
        self._begin(self.it.connect())

    def wait_until_connected(self) -> None:
        self._begin(self.it.wait_until_connected(5.0))

    def close(self, drain: float | None) -> None:
        self._begin(self.it.close(drain=drain))

    def cancel_last(self) -> None:
        """Cancel the latest `connect`, `wait_until_connected` or `close`."""
        for task in self.others[-1:]:
            task.cancel()

    def reconnect(self) -> None:
        def hurry() -> None:
            try:
                self.it.reconnect()
            except (NotConnected, ClientClosed):
                assert self.it.status in (S.IDLE, S.FAILED, S.CLOSING, S.CLOSED)

        self.loop.do(hurry)

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.others.append(self.loop.create_task(coroutine))

    # What the circle does.

    def answer(self, index: int, how: str) -> None:
        """Answer one of the calls that were run: `well`, `twice`, `garbled`, or `elsewhere`, on every connection."""
        unanswered = self.circle.unanswered
        if unanswered:
            request = unanswered[index % len(unanswered)]
            self.loop.do(lambda: self._answer(request, how))

    def _answer(self, request: Request, how: str) -> None:
        result: dict[str, Any] = {"result": ["of", request.token]}
        if how == "elsewhere":
            for connection in self.circle.open_connections:
                self.circle.answer(request, result, connection)
            return
        self.circle.unanswered.remove(request)
        if how == "garbled":
            result["error"] = {"code": 1, "message": "and a result"}
        for _ in range(2 if how == "twice" else 1):
            self.circle.answer(request, result)

    def cut(self, code: int) -> None:
        self.loop.do(lambda: self.circle.cut(code))

    def say(self, text: str | bytes) -> None:
        """Send an unsolicited message from the circle."""
        self.loop.do(lambda: self.circle.send(text))

    def fault(self, name: str, *value: Any) -> None:
        """Set an attribute of the circle, or call its method."""
        if value:
            setattr(self.circle, name, *value)
        else:
            method: Callable[[], None] = getattr(self.circle, name)
            method()

    def heal(self) -> None:
        self.loop.do(self.circle.heal)
        self.loop.settle()

    # What the event loop does.

    def turn(self, turns: int) -> None:
        for _ in range(turns):
            self.loop.turn()

    def advance(self, seconds: float) -> None:
        self.loop.advance(seconds)

    # How it ends.

    def end_well(self) -> None:
        """Heal the circle; the client reconnects by itself, and is closed."""
        circle, loop = self.circle, self.loop
        circle.honest = True
        self.heal()
        for request in list(circle.unanswered):
            self.answer(circle.unanswered.index(request), "well")
        loop.run(self._come_back())
        loop.run(self.it.close(drain=0))
        loop.settle()

    async def _come_back(self) -> None:
        if self.it.status in (S.CLOSING, S.CLOSED):
            return
        # Earlier faults may still end an attempt or two.
        for _ in range(4):
            try:
                await self.it.connect()
                break
            except CircleWsError:
                assert self.it.status is S.FAILED
        # The waiting calls go out first.
        await asyncio.sleep(1)
        token = len(self.calls)
        assert await self.it.call("echo", [token], timeout=10) == ["of", token]
