"""The work on an open connection until it is lost: heartbeats, and re-authentication when the circle demands it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ConnectionFailed, ConnectionLost, RpcError, SignerFailed
from ..policy.liveness import Action, KeepAlive, Liveness, Step
from . import clock
from .tasks import DeadlinePassed, deadline_after, start_task

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..config import ClientConfig
    from ..stats import Counters
    from .authenticator import Authenticator
    from .session import Session
    from .tasks import UserTasks

__all__ = ["PROBE", "SessionLoop"]

PROBE = "rpc.ping"
"""The request of a heartbeat without ping frames; any reply, an error too, proves that the peer is alive."""


class SessionLoop:
    """The client's own work on its connections, one after the other.

    Args:
        config: The options.
        counters: Records round-trip times.
        tasks: Runs the signer's functions.

    Attributes:
        authenticator: The sign-in; None without a signer.
    """

    __slots__ = ("_config", "_counters", "_ping", "authenticator")

    def __init__(self, config: ClientConfig, counters: Counters, tasks: UserTasks) -> None:
        self._config = config
        self._counters = counters
        self._ping = config.transport.capabilities.ping and not (config.keepalive and config.keepalive.mode == "rpc")
        """Whether ping frames can be sent and this peer may answer them. Kept for the next connection."""
        self.authenticator: Authenticator | None = _authenticator(config, tasks)

    @property
    def public_key(self) -> str | None:
        """The signer's public key, as hex in the configured profile's form, once it is known."""
        return self.authenticator.public_key if self.authenticator is not None else None

    @property
    def positional(self) -> bool:
        """Whether the circle's own methods take params by position, as configured or as the sign-in detected."""
        return self._config.params == "positional" if self.authenticator is None else self.authenticator.positional

    def phase(self, session: Session | None) -> str:
        """Return the phase that an error names while no call can be written: `queue`, or a step of a sign-in."""
        renewing = session is not None and session.loss is None and session.reauthenticating
        return self.authenticator.phase if renewing and self.authenticator is not None else "queue"

    async def run(self, session: Session) -> ConnectionLost:
        """Serve the connection until it is lost; return its loss.

        Raises:
            CircleWsError: Re-authentication failed, and the connection is cut; or the signer's account is gone.
        """
        if self.authenticator is None:
            return await self._serve(session)
        gone: list[SignerFailed] = []

        def leave(error: SignerFailed) -> None:
            gone.append(error)
            session.leave(ConnectionLost(str(error), code=1000, local=True))

        unwatch = self.authenticator.watch_account(leave)
        try:
            loss = await self._serve(session)
        finally:
            unwatch()
        if gone:
            raise gone[0]
        return loss

    async def _serve(self, session: Session) -> ConnectionLost:
        while session.loss is None:
            if self._config.keepalive is None:
                await session.wakeup.wait()
            else:
                await self._keep_alive(session, self._config.keepalive)
            if session.loss is None and session.reauthenticating and self.authenticator is not None:
                await self._reauthenticate(session, self.authenticator)
        return session.loss

    async def _keep_alive(self, session: Session, keepalive: KeepAlive) -> None:
        """Send heartbeats until the connection is lost, dead, or needs re-authentication."""
        loop, transport = asyncio.get_running_loop(), session.transport
        now = loop.time()
        liveness = Liveness(
            keepalive, ping=self._ping, now=now, wall=clock.wall_time(), received=transport.bytes_received
        )
        step = Step(Action.WAIT, now + keepalive.interval)
        while True:
            if step.action is Action.WAIT:
                await session.wakeup.wait(step.until)
            elif step.action is Action.DEAD:
                session.abort(_silence(liveness.timeout))
            else:
                await self._probe(session, step)
            if not session.quiet:
                break
            if session.doubted:
                session.doubted = False
                step = liveness.probe_now(loop.time(), transport.bytes_received)
            else:
                step = liveness.next(loop.time(), clock.wall_time(), transport.bytes_received)
        # A peer that answered the probe but no ping gets no more ping frames, on later connections too.
        self._ping = not liveness.prefers_probe

    async def _probe(self, session: Session, step: Step) -> None:
        """Send a ping frame or a request, and wait; `Liveness` judges by the bytes received, not by this answer."""
        began = asyncio.get_running_loop().time()
        try:
            probe = session.transport.ping() if step.action is Action.PING else session.request(PROBE)
        except ConnectionLost:
            return
        if isinstance(probe, asyncio.Future):
            # Not awaited: that would wake each of thousands of idle clients twice as often.
            probe.add_done_callback(partial(self._count, began))
            await session.wakeup.wait(step.until)
            return
        answer = start_task(_awaited(probe))
        answer.add_done_callback(partial(self._count, began))
        if asyncio.iscoroutine(probe):
            # A task that is cancelled before its first step never awaits it, and Python would warn.
            answer.add_done_callback(lambda _: probe.close())
        try:
            await session.wakeup.wait_for(answer, step.until)
        finally:
            answer.cancel()

    def _count(self, began: float, answer: asyncio.Future[None]) -> None:
        # An error is an answer too, so its round trip counts.
        if not answer.cancelled() and isinstance(answer.exception(), RpcError | None):
            self._counters.round_trip(answer.get_loop().time() - began)

    async def _reauthenticate(self, session: Session, authenticator: Authenticator) -> None:
        """Sign in again on the same connection, because the circle forgot the client. Calls wait meanwhile."""
        seconds = self._config.open_timeout
        try:
            await authenticator.sign_in(session, deadline_after(seconds))
        except BaseException as error:
            session.abort(ConnectionLost.closed(1006, local=True))
            if isinstance(error, DeadlinePassed):
                raise ConnectionFailed(
                    f"the sign-in was not renewed within open_timeout ({seconds:g} s)", phase=authenticator.phase
                ) from None
            raise
        session.reauthenticated()


async def _awaited(probe: Awaitable[object]) -> None:
    await probe


def _silence(seconds: float) -> ConnectionLost:
    return ConnectionLost(f"the connection is dead: nothing arrived for {seconds:g} s after a heartbeat", local=True)


def _authenticator(config: ClientConfig, tasks: UserTasks) -> Authenticator | None:
    if config.signer is None:
        return None
    # Imported on use: a program without a key does not need it.
    from .authenticator import Authenticator

    return Authenticator(config, config.signer, tasks)
