"""A link that is up: it is watched, and its sign-in renewed where the circle wants that, until it is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..errors import ConnectionFailed, ConnectionLost
from .keepalive import watch

if TYPE_CHECKING:
    from ..config import ClientConfig
    from ..stats import Counters
    from .authenticator import Authenticator
    from .session import Session
    from .tasks import UserTasks

__all__ = ["SessionLoop"]


class SessionLoop:
    """Serve the links of one client, one after the other.

    Args:
        config: The options.
        counters: Count the signs of life.
        tasks: Run what the signer does.

    Attributes:
        authenticator: Signs in; None where nobody does.
    """

    __slots__ = ("_config", "_counters", "_ping", "authenticator")

    def __init__(self, config: ClientConfig, counters: Counters, tasks: UserTasks) -> None:
        self._config = config
        self._counters = counters
        # What a link has shown about pings counts for the next one too.
        self._ping = config.transport.capabilities.ping and not (config.keepalive and config.keepalive.mode == "rpc")
        self.authenticator = _authenticator(config, tasks)

    @property
    def public_key(self) -> str | None:
        """The signer's, as hex in the configured profile's form, once it is known."""
        return self.authenticator.public_key if self.authenticator is not None else None

    @property
    def positional(self) -> bool:
        """Whether the circle's own methods get their params by position, as configured or as the sign-in found out."""
        return self._config.params == "positional" if self.authenticator is None else self.authenticator.positional

    async def until_lost(self, session: Session) -> ConnectionLost:
        """Serve a link.

        Args:
            session: What goes over it.

        Returns:
            What it was lost with.

        Raises:
            CircleWsError: The sign-in could not be renewed; the link is cut off.
        """
        while session.loss is None:
            if self._config.keepalive is None:
                await session.wakeup.wait()
            else:
                self._ping = await watch(session, self._config.keepalive, self._counters, ping=self._ping)
            if session.loss is None and session.reauthenticating and self.authenticator is not None:
                await self._renew(session, self.authenticator)
        return session.loss

    def phase(self, session: Session | None) -> str:
        """Name what is done on a link while nothing can be written, for the words of a timeout."""
        renewing = session is not None and session.loss is None and session.reauthenticating
        return self.authenticator.phase if renewing and self.authenticator is not None else "queue"

    async def _renew(self, session: Session, authenticator: Authenticator) -> None:
        """Sign in again on the same connection, because the circle says that nobody is signed in. Calls wait."""
        limit = asyncio.timeout(self._config.open_timeout)
        try:
            async with limit:
                await authenticator.sign_in(session, limit)
        except BaseException as error:
            session.abort(ConnectionLost.closed(1006, local=True))
            if isinstance(error, TimeoutError) and limit.expired():
                raise ConnectionFailed(
                    f"the sign-in was not renewed within open_timeout ({self._config.open_timeout:g} s)",
                    phase=authenticator.phase,
                ) from None
            raise
        session.reauthenticated()


def _authenticator(config: ClientConfig, tasks: UserTasks) -> Authenticator | None:
    if config.signer is None:
        return None
    # Whoever does not sign in need not load what does.
    from .authenticator import Authenticator

    return Authenticator(config, config.signer, tasks)
