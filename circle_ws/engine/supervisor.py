"""The one task of a client: dial, sign in, serve, classify, wait. Whoever it is that changes the status, it is here.

It knows nothing of the client object, so that a client that is dropped can be collected.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import CircleWsError, ClientClosed, ConnectionFailed, ConnectionLost, NotConnected
from ..stats import Counters
from ..status import ConnectionStatus as Status
from ..transport import host_events
from .closing import ClosingHandshakes, ended
from .connector import Connector
from .handlers import Handlers
from .inbound import Inbound
from .loop_affinity import LoopAffinity
from .notifications import Subscriptions
from .observers import ProtocolErrors, StatusPublisher
from .reconnect import Reconnect
from .send_queue import SendQueue
from .session_loop import SessionLoop
from .tasks import UserTasks, cancel_once, is_cancelled, start_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ..config import ClientConfig
    from ..stats import ClientStats
    from .session import Session

__all__ = ["Supervisor"]

_logger = logging.getLogger("circle_ws")


class Supervisor:
    """Keep one client connected.

    Args:
        config: The options.

    Attributes:
        home: The event loop that it belongs to.
        board: The status.
        send_queue: What is on its way, over all connections.
        subscriptions: Who listens to notifications.
        handlers: Who answers the circle's requests.
        counters: What it has done so far.
        protocol_errors: Reports of what the peer got wrong.
        serving: Serves each connection, and knows what the sign-in found out.
        failure: What ended it, in status FAILED.
    """

    __slots__ = (
        "_abandoned",
        "_attempt",
        "_reconnect",
        "_drain_end",
        "_draining",
        "_ending",
        "_closing",
        "_handshake",
        "_kept",
        "_returning",
        "_session",
        "_task",
        "_trace",
        "_user_tasks",
        "_watch_no_more",
        "publisher",
        "config",
        "counters",
        "failure",
        "handlers",
        "affinity",
        "send_queue",
        "session_loop",
        "subscriptions",
        "protocol_errors",
    )

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self.affinity = LoopAffinity()
        self.handlers = Handlers(config.max_request_bytes)
        self._user_tasks = UserTasks()
        self._closing = ClosingHandshakes(self.handlers, self._user_tasks)
        self.publisher = StatusPublisher(config.url)
        self.counters = Counters()
        self.send_queue = SendQueue(config, self.counters, self._closing, lambda: self.phase)
        self.subscriptions = Subscriptions()
        self.protocol_errors = ProtocolErrors(self.counters)
        self.failure: Exception | None = None
        self.session_loop = SessionLoop(config, self.counters, self._user_tasks)
        self._reconnect = Reconnect(config)
        self._task: asyncio.Task[None] | None = None
        self._trace: TracebackType | None = None
        self._session: Session | None = None
        self._handshake: Connector | None = None
        self._abandoned: set[asyncio.Task[None]] = set()
        """Runs that were told to end, and still wind down; what happens here is no longer theirs."""
        self._kept = False
        self._returning = False
        self._attempt = 0
        self._ending: asyncio.Task[None] | None = None
        self._drain_end = math.inf
        """When calls in flight are waited for no longer, on the event loop's clock."""
        self._draining: asyncio.Timeout | None = None
        self._watch_no_more: Callable[[], None] | None = None

    # What the client asks for.

    @property
    def connected(self) -> bool:
        """Whether calls can be written now."""
        session = self._session
        return self.publisher.status is Status.CONNECTED and session is not None and session.loss is None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop it runs on, while it runs."""
        return self._task.get_loop() if self._task is not None and not self._task.done() else None

    @property
    def may_be_abandoned(self) -> bool:
        """Whether it was started by `connect()` and was never connected since: who started it may end it."""
        return not self._kept and not self._returning

    def settle_in(self) -> None:
        """Belong to the running event loop, unless it belongs to another one already.

        Raises:
            RuntimeError: It does.
        """
        if self.publisher.status in (Status.IDLE, Status.FAILED):
            self.affinity.bind()
        else:
            self.affinity.check()

    async def decided(self) -> None:
        """Return when it is known what comes of a link that was just lost: a new attempt, or none."""
        if self.publisher.status is Status.CONNECTED and not self.connected:
            await self.publisher.changed()

    def start(self, *, persistently: bool = False) -> None:
        """Begin to connect, unless it does already.

        Args:
            persistently: Keep trying whatever was configured, and whoever stops waiting for it.
        """
        recovery = self._reconnect.recovery
        if self.publisher.status in (Status.IDLE, Status.FAILED):
            self.failure = None
            self.subscriptions.revive()
            self._returning = False
            self._kept = persistently
            self._attempt = 0
            recovery.restarted()
            recovery.persistent = persistently or self.config.first_connect == "retry"
            self._begin_attempt()
            # Not in the context of the caller, which may be that of one request of many.
            self._task = start_task(self._run(), context=self._user_tasks.context.copy(), name="the transport")
            self._task.add_done_callback(self._ended)
        elif persistently:
            self._kept = recovery.persistent = True
            if self.publisher.status is Status.CONNECTED and not self.connected:
                # It was lost, and what follows is not decided yet.
                self._reconnect.hurry()

    async def ready(self) -> None:
        """Return when connected.

        Raises:
            ClientClosed: The client is closed.
            NotConnected: It was never started, or its start was cancelled.
            CircleWsError: What it failed with.
        """
        connects = self.counters.connects
        # One that was ready for a moment only was ready, too: whoever waits may come too late to see it.
        while not self.connected and self.counters.connects == connects:
            status = self.publisher.status
            if status is Status.FAILED and self.failure is not None:
                # Raised once for each who waits: with where it came from, but not the frames of all who waited before.
                raise self.failure.with_traceback(self._trace)
            if status in (Status.CLOSING, Status.CLOSED):
                raise ClientClosed("the client is closed, which is final; make a new one")
            if status is Status.IDLE:
                raise NotConnected("connect() was cancelled before the client was connected")
            await self.publisher.settled()

    async def abandon(self) -> None:
        """End a start that nobody waits for any more: back to IDLE at once; return when its task has ended."""
        task = self._task
        if task is None or task.done() or self._ending is not None:
            return
        # From here on the client may be started again, however long this one takes to wind down.
        self._task = None
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        task.cancel()
        self.unwatch()
        self._handshake = None
        self._cut_link()
        self.handlers.cancel()
        self.send_queue.fail_queued(NotConnected("connect() was cancelled before the client was connected"))
        self.send_queue.stop()
        self.publisher.set(Status.IDLE)
        await asyncio.wait([task], timeout=self.config.close_timeout)

    def forsake(self, words: str) -> None:
        """Cut everything off, without a closing handshake: the client was dropped."""
        if self.handlers or self.publisher.callbacks or self.protocol_errors.callbacks:
            _logger.warning("%s; its callbacks and handlers are called no more: keep a reference to the client", words)
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def stop(self, drain: float | None) -> None:
        """Close, once; every caller returns when it is done.

        Args:
            drain: How long to wait for calls in flight, in seconds; None means no limit. Of several callers the most
                impatient one decides.
        """
        if self.publisher.status is Status.CLOSED:
            return
        if self.affinity.has_ended:
            # Nothing can be waited for any more.
            self._end_now()
            return
        self.settle_in()
        self.handlers.spare(asyncio.current_task())
        if drain is not None:
            self._drain_no_longer_than(drain)
        if self._ending is None:
            self._ending = start_task(self._shut_down())
            # One that is cancelled before its first step never gets to do it.
            self._ending.add_done_callback(lambda _: self._end_now())
        # Not awaited itself: whoever cancels it must not end the wait of those who were not cancelled.
        await asyncio.wait([self._ending])

    def reconnect(self) -> None:
        """Dial now: skip the delay, or leave the present link for a fresh one.

        Raises:
            NotConnected: The client was never started, or gave up.
        """
        if self._reconnect.waiting:
            self._reconnect.skip()
        elif self.publisher.status is Status.CONNECTED and self._session is not None:
            # Where the link is lost already, and its loss not dealt with yet, that makes the next attempt at once.
            self._reconnect.hurry()
            self._session.leave(
                ConnectionLost("the client replaced the connection by a new one", code=1000, local=True)
            )

    def stats(self) -> ClientStats:
        """Give what it has done so far, in numbers."""
        session = self._session
        if session is None or not self.connected:
            return self.counters.snapshot(None)
        # Only that of a page knows.
        return self.counters.snapshot(self.publisher.last.at, getattr(session.transport, "lag", None))

    # The task.

    async def _run(self) -> None:
        try:
            # There is one attempt at a time: an abandoned one may take its time to end.
            await ended(self._winding_down, self.config.close_timeout)
            self._watch_no_more = host_events.watch(self._awake)
            await self._stay_connected()
        except asyncio.CancelledError:
            if self._is_current:
                self._cut_off()
            raise
        except Exception as error:
            # A fault of ours: nobody may hang on it.
            if self._ending is None and self._is_current:
                self._cut_link()
                self._give_up(error)
        finally:
            if self._is_current:
                self.unwatch()

    @property
    def _is_current(self) -> bool:
        """Whether the running task is the client's, and not one that was abandoned."""
        return self._task is asyncio.current_task()

    def unwatch(self) -> None:
        """Be held by the surroundings no more: a task that was left behind on an ended loop never comes to its end."""
        if self._watch_no_more is not None:
            self._watch_no_more()

    @property
    def _winding_down(self) -> list[asyncio.Task[None]]:
        """The abandoned runs; one of a loop that ended is never done."""
        return [task for task in self._abandoned if task.get_loop() is self.affinity.loop]

    def _ended(self, task: asyncio.Task[None]) -> None:
        # One that is cancelled before its first step never gets to see it. Who was woken by the end of another may
        # have started the client again by now.
        if task is self._task and task.cancelled() and self.publisher.status is Status.CONNECTING:
            self._cut_off()

    async def _stay_connected(self) -> None:
        while True:
            cause, phase = await self._live_once()
            if self._ending is not None or not self._is_current:
                return
            delay = self._reconnect.plan(cause, phase, self._attempt)
            if delay is None:
                self._give_up(cause)
                return
            self.publisher.set(Status.WAITING, attempt=self._attempt, retry_in=delay, cause=cause)
            await self._reconnect.wait(delay)
            self._begin_attempt()

    def _awake(self) -> None:
        """Learn that the machine or the page may have slept, or is online again: look after the link at once."""
        self._reconnect.awake()
        if self.connected and self._session is not None:
            self._session.doubt()

    async def _live_once(self) -> tuple[Exception, str]:
        """Connect and serve; give what ended it, and in which phase."""
        try:
            session = await self._establish()
        except Exception as error:
            # Also one that is none of ours, as of a setup or a transport: the classifier may think it worth a retry.
            if self._session is not None:
                self._reconnect.recovery.lost(0.0, answered=False, useful=self._session.useful)
            return error, self.phase
        finally:
            self._handshake = None
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._reconnect.recovery.connected()
        try:
            return await self._serve(session), "serve"
        except CircleWsError as error:
            return error, "authenticate"
        finally:
            self.subscriptions.interrupt(time.time())
            self._reconnect.recovery.lost(loop.time() - started, answered=session.answered, useful=session.useful)

    def _begin_attempt(self) -> None:
        self._attempt += 1
        self.publisher.set(Status.CONNECTING, attempt=self._attempt)

    async def _establish(self) -> Session:
        if not self._reconnect.may_dial:
            raise ConnectionFailed("the browser says that it is offline; other machines are dialled when it is online")
        self._session = session = self.send_queue.new_session()
        inbound = Inbound(session, self.send_queue, self.subscriptions, self.handlers, self.protocol_errors)
        authenticator = self.session_loop.authenticator
        self._handshake = handshake = Connector(
            self.config, session, inbound, authenticator, self._user_tasks, self._signing_in
        )
        await handshake.run()
        if is_cancelled():
            # A transport kept it from learning of that.
            session.abort(ConnectionLost.closed(1006, local=True))
            raise asyncio.CancelledError
        return session

    def _signing_in(self) -> None:
        authenticator = self.session_loop.authenticator
        delay = None if authenticator is None else authenticator.expected_delay()
        self.publisher.set(Status.AUTHENTICATING, attempt=self._attempt, cause=delay)

    async def _serve(self, session: Session) -> ConnectionLost:
        self._attempt = 0
        if session.loss is None:
            self.publisher.set(Status.CONNECTED)
            self.subscriptions.resume(time.time())
            self.counters.connects += 1
            self.counters.reconnects += self._returning
            self._returning = True
            session.may_reauthenticate = self.session_loop.authenticator is not None
            self.send_queue.attach(session)
        return await self.session_loop.until_lost(session)

    @property
    def phase(self) -> str:
        """What it is doing while nothing can be written, for the words of a timeout."""
        if self._handshake is not None:
            return self._handshake.phase
        return self.session_loop.phase(self._session)

    # Its ends.

    def _give_up(self, cause: Exception) -> None:
        self.failure = cause
        self._trace = cause.__traceback__
        self._handshake = None
        self.send_queue.fail_queued(cause)
        self.send_queue.stop()
        self.subscriptions.fail(cause)
        self.publisher.set(Status.FAILED, attempt=self._attempt, cause=cause)

    def _cut_off(self) -> None:
        """End after a cancellation: by `stop`, by `forsake`, or from outside, as when the event loop ends."""
        self._handshake = None
        if self._ending is not None:
            return
        self._cut_link()
        self._closing.cancel()
        self._give_up(NotConnected("the client was dropped without close(), or its event loop ended"))

    def _cut_link(self) -> None:
        if self._session is not None:
            self._session.abort(ConnectionLost.closed(1006, local=True))

    def _drain_no_longer_than(self, seconds: float) -> None:
        self._drain_end = min(self._drain_end, asyncio.get_running_loop().time() + seconds)
        if self._draining is not None and not self._draining.expired():
            self._draining.reschedule(self._drain_end)

    async def _drain(self) -> None:
        """Wait for calls in flight, as long as every caller of `stop` has the patience."""
        end = None if math.isinf(self._drain_end) else self._drain_end
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end) as self._draining:
                    await self.send_queue.drained()
        finally:
            self._draining = None

    async def _shut_down(self) -> None:
        try:
            if self.publisher.status not in (Status.IDLE, Status.FAILED):
                self.publisher.set(Status.CLOSING)
                await self._drain()
            self.send_queue.close()
            await self._hang_up()
        except Exception:
            _logger.exception("closing failed; the connection is cut")
        finally:
            self._end_now()
        # Status callbacks run in the next turn: let them, before `close()` returns and the program may end.
        await asyncio.sleep(0)

    async def _hang_up(self) -> None:
        """Close the connection, and end what runs for it, within `close_timeout`."""
        running = self._winding_down
        if self._task is not None and not self._task.done():
            self._task.cancel()
            running.append(self._task)
        await ended(running, self.config.close_timeout)
        if self._session is not None:
            self._session.leave(ConnectionLost.closed(1000, local=True))
        await self._closing.end(self.config.close_timeout)

    def _end_now(self) -> None:
        """Be closed, whatever still runs: nothing here waits, so nothing can keep it from its end."""
        status = self.publisher.status
        if status is Status.CLOSED:
            return
        if status not in (Status.IDLE, Status.FAILED, Status.CLOSING):
            self.publisher.set(Status.CLOSING)
        self.send_queue.close()
        self.unwatch()
        if self._task is not None:
            cancel_once(self._task)
        self._closing.cancel()
        # A link that was lost may still be flushing its last bytes to a peer that does not read.
        self._cut_link()
        self.send_queue.stop()
        self.subscriptions.end()
        self.publisher.set(Status.CLOSED)
