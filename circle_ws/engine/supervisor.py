"""The one task of a client, which keeps it connected, and the one writer of its status.

start -> connect (dial, sign in, set up) -> serve -> lost -> policy -> give up, or wait -> connect ...

It has no reference to the client object, so that a dropped client can be garbage-collected.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..errors import CircleWsError, ClientClosed, ConnectionLost, NotConnected
from ..stats import Counters
from ..status import ConnectionStatus as Status
from ..transport import host_events
from . import clock
from .closing import Closing, Drain
from .connector import Connector
from .handlers import Handlers
from .inbound import Inbound
from .loop_affinity import LoopAffinity
from .notifications import Subscriptions
from .observers import ProtocolErrors, StatusPublisher
from .reconnect import ReconnectTimer
from .send_queue import SendQueue
from .session_loop import SessionLoop
from .tasks import UserTasks, cancel_once, start_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ..config import ClientConfig
    from ..stats import ClientStats
    from .session import Session

__all__ = ["Phase", "Supervisor"]

_logger = logging.getLogger("circle_ws.connection")

_RUN = "the transport"
_CANCELLED = "connect() was cancelled before the client was connected"


class Phase(Enum):
    """How a client was started and how far it came, which decides what may be done with it. The status is separate."""

    IDLE = "never started, or the start was abandoned"
    TENTATIVE = "started by connect(), and not connected since: its callers may abandon it"
    PERSISTENT = "started by start(), and not connected since"
    ESTABLISHED = "connected at least once since it was started"
    FAILED = "gave up"
    CLOSING = "close() was called"
    CLOSED = "closed"


_STARTABLE = frozenset({Phase.IDLE, Phase.FAILED})
_RUNNING = frozenset({Phase.TENTATIVE, Phase.PERSISTENT, Phase.ESTABLISHED})


class Supervisor:
    """The connections of one client, and its state beyond any single one.

    Attributes:
        session_loop: Serves each connection; keeps what the sign-in detected.
        failure: The error that the client gave up with, in status FAILED.
    """

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        self.affinity: LoopAffinity = LoopAffinity()
        self.counters: Counters = Counters()
        self.publisher: StatusPublisher = StatusPublisher(config.shown_url)
        self.protocol_errors: ProtocolErrors = ProtocolErrors(self.counters)
        self.subscriptions: Subscriptions = Subscriptions()
        self.handlers: Handlers = Handlers(config.max_request_bytes)
        self._user_tasks = UserTasks()
        self._closing = Closing(config.close_timeout)
        self.send_queue: SendQueue = SendQueue(config, self.counters, self._closing, lambda: self.activity)
        self.session_loop: SessionLoop = SessionLoop(config, self.counters, self._user_tasks)
        self._timer = ReconnectTimer(config)
        self._phase = Phase.IDLE
        self.failure: Exception | None = None
        self._traceback: TracebackType | None = None
        self._callers = 0
        """Number of tasks that wait in `connect()`."""
        self._run: asyncio.Task[None] | None = None
        self._attempt = 0
        self._session: Session | None = None
        self._connector: Connector | None = None
        self._unwatch: Callable[[], None] | None = None
        self._drain = Drain()
        self._shutdown: asyncio.Task[None] | None = None

    # State.

    @property
    def connected(self) -> bool:
        """Whether calls can be written now."""
        session = self._session
        return self.publisher.last.status is Status.CONNECTED and session is not None and session.loss is None

    @property
    def just_lost(self) -> bool:
        """Whether a connection was lost in this iteration of the event loop and the policy has not decided yet."""
        return self.publisher.last.status is Status.CONNECTED and not self.connected

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it runs on, while it runs."""
        return self._run.get_loop() if self._run is not None and not self._run.done() else None

    @property
    def activity(self) -> str:
        """The phase that an error names while no call can be written: `open`, `nonce`, `queue` ..."""
        return self._connector.phase if self._connector is not None else self.session_loop.phase(self._session)

    def stats(self) -> ClientStats:
        """Return the present statistics; only the transport of a page has a lag."""
        session = self._session if self.connected else None
        lag = getattr(session.transport, "lag", None) if session is not None else None
        return self.counters.snapshot(None if session is None else self.publisher.last.at, lag)

    def check_open(self) -> None:
        """Raise `ClientClosed` if `close()` was called."""
        if self.publisher.last.status in (Status.CLOSING, Status.CLOSED):
            raise ClientClosed("the client is closed, which is final; make a new one")

    # Starting.

    async def connect(self) -> None:
        """Start, unless started; return when connected. The errors are those of `CircleWsClient.connect`."""
        self.check_open()
        self.affinity.bind(anew=self._phase in _STARTABLE)
        try:
            self._callers += 1
            try:
                if self.just_lost:
                    await self.publisher.changed()
                self._start(persistent=False)
                await self.ready()
            finally:
                # Before the run is abandoned: a new caller meanwhile must be able to abandon its own run.
                self._callers -= 1
        except asyncio.CancelledError:
            if not self._callers and self._phase is Phase.TENTATIVE:
                await self._abandon()
            raise

    def start(self) -> None:
        """Start, unless started, and keep trying, independently of `first_connect` and of callers of `connect()`."""
        self.check_open()
        self.affinity.bind(anew=self._phase in _STARTABLE)
        self._start(persistent=True)

    def _start(self, *, persistent: bool) -> None:
        if self._phase in _STARTABLE:
            if self._phase is Phase.FAILED:
                self.failure = None
                self.subscriptions.revive()
            self._phase = Phase.PERSISTENT if persistent else Phase.TENTATIVE
            self._timer.policy.persistent = persistent or self.config.first_connect == "retry"
            self._attempt = 1
            self.publisher.set(Status.CONNECTING, attempt=1)
            # Not in the context of the caller, which may be the context of one request of a server.
            self._run = start_task(self._stay_connected(), context=self._user_tasks.context.copy(), name=_RUN)
            self._run.add_done_callback(self._run_ended)
        elif persistent and self._phase in _RUNNING:
            self._timer.policy.persistent = True
            if self._phase is Phase.TENTATIVE:
                self._phase = Phase.PERSISTENT
            if self.just_lost:
                # Another attempt follows, even if the policy would give up.
                self._timer.hurry()

    async def ready(self) -> None:
        """Return when connected. The errors are those of `CircleWsClient.wait_until_connected`."""
        connects = self.counters.connects
        # A connection that was lost again before this task could run counts as connected too.
        while not self.connected and self.counters.connects == connects:
            self.check_open()
            if self._phase is Phase.IDLE:
                raise NotConnected(_CANCELLED)
            if self.failure is not None:
                # With its original traceback, but without the frames of the tasks that raised it before.
                raise self.failure.with_traceback(self._traceback)
            await self.publisher.settled()

    def reconnect(self) -> None:
        """Connect now: skip the delay, or replace the current connection by a new one."""
        if self._timer.waiting:
            self._timer.skip()
        elif self.publisher.status is Status.CONNECTED and self._session is not None:
            # If the connection was just lost, this starts the next attempt at once.
            self._timer.hurry()
            self._session.leave(ConnectionLost("the client replaced the connection", code=1000, local=True))

    # The run: one task, until its start is abandoned, it gives up, or the client is closed.

    async def _stay_connected(self) -> None:
        if self._closing.abandoned:
            # One attempt at a time: an abandoned run may need time to end.
            await self._closing.runs_ended()
        self._unwatch = host_events.watch(self._host_awoke)
        while True:
            failure, phase = await self._use_connection()
            if self._run is not asyncio.current_task() or self._phase not in _RUNNING:
                return
            delay = self._timer.plan(failure, phase, self._attempt)
            if delay is None:
                self._give_up(failure)
                return
            self.publisher.set(Status.WAITING, attempt=self._attempt, retry_in=delay, cause=failure)
            await self._timer.wait(delay)
            self._attempt += 1
            self.publisher.set(Status.CONNECTING, attempt=self._attempt)

    async def _use_connection(self) -> tuple[Exception, str]:
        """Connect and serve; return the error that ended it, and its phase, as in `Failure`."""
        session = self._session = self.send_queue.new_session()
        receiver = Inbound(session, self.send_queue, self.subscriptions, self.handlers, self.protocol_errors)
        authenticator, policy = self.session_loop.authenticator, self._timer.policy
        connector = Connector(self.config, session, receiver, authenticator, self._user_tasks, self._signing_in)
        self._connector = connector
        try:
            if host_events.offline:
                self._timer.check_reachable()
            await connector.run()
        except Exception as error:
            # Foreign exceptions too, for example of a setup: a classifier may retry them.
            policy.lost(None, answered=False, useful=session.useful)
            return error, connector.phase
        finally:
            if self._connector is connector:  # An abandoned run may end after the next one began.
                self._connector = None
            # None if it is not known, as when the function that returns it has failed.
            self._timer.url = session.url or self._timer.url
            self.publisher.log.url = session.url or self.publisher.log.url
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            self._connected(session)
            return await self.session_loop.run(session), "serve"
        except CircleWsError as error:
            return error, "authenticate"
        finally:
            self.subscriptions.interrupt(clock.wall_time())
            policy.lost(loop.time() - began, answered=session.answered, useful=session.useful)

    def _signing_in(self, delay: CircleWsError | None) -> None:
        self.publisher.set(Status.AUTHENTICATING, attempt=self._attempt, cause=delay)

    def _connected(self, session: Session) -> None:
        # First: the status is published before any reply on this connection.
        self.publisher.set(Status.CONNECTED)
        self._attempt = 0
        if self.subscriptions.interrupted_at is not None:
            self.subscriptions.resume(clock.wall_time())
        self.counters.connects += 1
        self.counters.reconnects += self._phase is Phase.ESTABLISHED
        if self._phase in _RUNNING:
            self._phase = Phase.ESTABLISHED
        session.may_reauthenticate = self.session_loop.authenticator is not None
        self.send_queue.attach(session)

    def _host_awoke(self) -> None:
        """Probe the connection, or skip the delay: the host may have been suspended, or is online again."""
        self._timer.host_awoke()
        if self.connected and self._session is not None:
            self._session.doubt()

    def _run_ended(self, run: asyncio.Task[None]) -> None:
        """Give up if the run was cancelled from outside or failed by a bug, so that no caller waits for ever."""
        dropped = NotConnected("the client was dropped without close(), or its event loop ended")
        cause = dropped if run.cancelled() else run.exception()
        if run is self._run and self._phase in _RUNNING:
            self._abort()
            if cause is dropped:
                self._cancel_functions()
                self._closing.cancel()
            self._give_up(cause if isinstance(cause, Exception) else dropped)

    # Ending.

    async def _abandon(self) -> None:
        """Abandon a start that no caller waits for: IDLE at once; return when the run has ended."""
        run = self._run
        if run is None or run.done():
            return
        # From here on the client may be started again, even while this run is still ending.
        self._run = None
        self._phase = Phase.IDLE
        self._timer.policy.restarted()
        self._closing.abandon(run)
        self.unwatch()
        self._connector = None
        self._abort()
        self.handlers.cancel()
        self.send_queue.fail_queued(NotConnected(_CANCELLED))
        self.send_queue.stop()
        self.publisher.set(Status.IDLE)
        await asyncio.wait([run], timeout=self.config.close_timeout)

    def _give_up(self, cause: Exception) -> None:
        self._phase = Phase.FAILED
        self._timer.policy.restarted()
        self.failure, self._traceback = cause, cause.__traceback__
        self.unwatch()
        self.send_queue.fail_queued(cause)
        self.send_queue.stop()
        self.subscriptions.fail(cause)
        self.publisher.set(Status.FAILED, attempt=self._attempt, cause=cause)

    def _abort(self) -> None:
        if self._session is not None:
            self._session.abort(ConnectionLost.closed(1006, local=True))

    def _cancel_functions(self) -> list[asyncio.Task[Any]]:
        return [*self.handlers.cancel(), *self._user_tasks.cancel()]

    def unwatch(self) -> None:
        """Stop watching host events, which keep this object alive; a run on a closed loop never ends by itself."""
        if self._unwatch is not None:
            self._unwatch()

    def forsake(self, words: str) -> None:
        """Abort everything, without a closing handshake: the client was dropped."""
        if self.handlers or self.publisher.callbacks or self.protocol_errors.callbacks:
            _logger.warning(
                "%s; its callbacks and handlers are not called any more: keep a reference to the client", words
            )
        # It was running when the client was dropped.
        assert self._run is not None
        self._run.cancel()

    # Closing.

    async def stop(self, drain: float | None) -> None:
        """Close once; every caller returns when that is done.

        Waits for calls in flight for at most `drain` seconds, the minimum over all callers; None means no limit.
        """
        if self._phase is Phase.CLOSED:
            return
        if self.affinity.has_ended:
            # The loop is closed, so nothing can be awaited on it.
            self._end()
            return
        self.affinity.bind(anew=self._phase in _STARTABLE)
        self.handlers.spare(asyncio.current_task())
        self._drain.end_within(drain)
        if self._shutdown is None:
            self._phase = Phase.CLOSING
            self._shutdown = start_task(self._shut_down())
            # A task that is cancelled before its first step never runs its `finally`.
            self._shutdown.add_done_callback(lambda _: self._end())
        # Not awaited directly: a cancelled caller must not cancel the shutdown for the others.
        await asyncio.wait([self._shutdown])

    async def _shut_down(self) -> None:
        try:
            if self.publisher.status not in (Status.IDLE, Status.FAILED):
                self.publisher.set(Status.CLOSING)
                if (drained := self.send_queue.drained()) is not None:
                    await self._drain.wait(drained)
            self.send_queue.close()
            if self._run is not None:
                self._run.cancel()
            await self._closing.runs_ended(self._run)
            if self._session is not None:
                self._session.leave(ConnectionLost.closed(1000, local=True))
            await self._closing.finish(*self._cancel_functions())
        except Exception:
            _logger.exception("closing failed; the connection is cut")
        finally:
            self._end()
        # Status callbacks run in the next iteration; they should run before `close()` returns and the program may end.
        await asyncio.sleep(0)

    def _end(self) -> None:
        """Set CLOSED at once, whatever still runs. Nothing here awaits, so it cannot be interrupted."""
        if self._phase is Phase.CLOSED:
            return
        self._phase = Phase.CLOSED
        if self.publisher.status not in (Status.IDLE, Status.FAILED, Status.CLOSING):
            self.publisher.set(Status.CLOSING)
        self.send_queue.close()
        self.unwatch()
        if self._run is not None:
            cancel_once(self._run)
        self._cancel_functions()
        self._closing.cancel()
        # A lost connection may still be flushing its last bytes to a peer that does not read.
        self._abort()
        self.send_queue.stop()
        self.subscriptions.end()
        self.publisher.set(Status.CLOSED)
