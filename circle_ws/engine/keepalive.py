"""Serving a link: waiting for its end, and asking for signs of life meanwhile, as `liveness` decides."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ConnectionLost, RpcError
from ..policy.liveness import Action, KeepAlive, Liveness, Step
from .tasks import start_task

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..stats import Counters
    from .session import Session

__all__ = ["PROBE", "watch"]

PROBE = "rpc.ping"
"""The request that asks for a sign of life; any reply, an error too, is one."""


async def watch(session: Session, keepalive: KeepAlive, counters: Counters, *, ping: bool) -> bool:
    """Return when the link is lost, by itself or because nothing came in any more, or wants its sign-in renewed.

    Args:
        session: The connection.
        keepalive: How it is watched.
        counters: Each answer is a sample of the round trip.
        ping: Whether ping frames can be sent and this peer may answer them.

    Returns:
        Whether this peer may still answer ping frames: False once it only answered a probe.
    """
    loop = asyncio.get_running_loop()
    transport = session.transport
    liveness = Liveness(keepalive, ping=ping, now=loop.time(), wall=time.time(), received=transport.bytes_received)
    while session.quiet:
        if session.doubted:
            session.doubted = False
            step = liveness.doubt(loop.time(), transport.bytes_received)
        else:
            step = liveness.next(loop.time(), time.time(), transport.bytes_received)
        if step.action is Action.WAIT:
            await session.wakeup.wait(step.until)
        elif step.action is Action.DEAD:
            session.abort(_silence(liveness.patience))
        else:
            await _ask(session, step, counters)
    return not liveness.prefers_probe


async def _ask(session: Session, step: Step, counters: Counters) -> None:
    """Ask the peer for a sign of life; whether the connection is alive is told by what comes in, not by this answer."""
    asked = asyncio.get_running_loop().time()
    try:
        sign = session.transport.ping() if step.action is Action.PING else session.request(PROBE)
    except ConnectionLost:
        return
    if isinstance(sign, asyncio.Future):
        # Not waited for: thousands of idle clients would wake up, and set a timer, twice as often.
        sign.add_done_callback(partial(_count, counters, asked))
        await session.wakeup.wait(step.until)
        return
    answer = start_task(_answer_to(sign))
    answer.add_done_callback(partial(_count, counters, asked))
    try:
        await session.wakeup.wait_for(answer, step.until)
    finally:
        answer.cancel()


async def _answer_to(sign: Awaitable[object]) -> None:
    await sign


def _count(counters: Counters, asked: float, answer: asyncio.Future[None]) -> None:
    # An error is an answer, too.
    if not answer.cancelled() and isinstance(answer.exception(), RpcError | None):
        counters.round_trip(answer.get_loop().time() - asked)


def _silence(seconds: float) -> ConnectionLost:
    return ConnectionLost(f"the connection is dead: nothing arrived for {seconds:g} s after a heartbeat", local=True)
