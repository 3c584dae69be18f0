"""Serving a link: waiting for its end, and asking for signs of life meanwhile, as `liveness` decides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .errors import CircleWsError, ConnectionLost
from .liveness import Action, KeepAlive, Liveness, Step

if TYPE_CHECKING:
    from .session import Session

__all__ = ["PROBE", "watch"]

PROBE = "rpc.ping"
"""The request that asks for a sign of life; any reply, an error too, is one."""


async def watch(session: Session, keepalive: KeepAlive, *, ping: bool) -> bool:
    """Return when the link is lost, by itself or because nothing came in any more, or wants its sign-in renewed.

    Args:
        session: The connection.
        keepalive: How it is watched.
        ping: Whether ping frames can be sent and this peer may answer them.

    Returns:
        Whether this peer may still answer ping frames: False once it only answered a probe.
    """
    loop = asyncio.get_running_loop()
    transport = session.transport
    liveness = Liveness(keepalive, ping=ping, now=loop.time(), received=transport.bytes_received)
    while session.quiet:
        step = liveness.next(loop.time(), transport.bytes_received)
        if step.action is Action.WAIT:
            await session.wait(step.until)
        elif step.action is Action.DEAD:
            session.abort(_silence(keepalive))
        else:
            await _ask(session, step)
    return not liveness.prefers_probe


async def _ask(session: Session, step: Step) -> None:
    try:
        sign = session.transport.ping() if step.action is Action.PING else session.request(PROBE)
        await session.wait_for(sign, step.until)
    except (TimeoutError, CircleWsError):
        # Whether the link is alive is told by the bytes that came in, not by this answer.
        return


def _silence(keepalive: KeepAlive) -> ConnectionLost:
    return ConnectionLost(
        f"the link went down: nothing came in for {keepalive.timeout:g} s after a sign of life was asked for",
        local=True,
    )
