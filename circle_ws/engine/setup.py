"""What a program does on every new connection before its calls go out: register, subscribe anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import CircleWsError, ConnectionFailed, RpcError
from .tasks import Interrupted

if TYPE_CHECKING:
    from ..jsonrpc.messages import Params
    from .session import Session
    from .tasks import UserTasks

__all__ = ["Setup", "SetupSession", "run_setup"]


class SetupSession:
    """Call the circle while the client's own calls still wait."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    async def call(self, method: str, params: Params = None) -> Any:
        """Call a method and return its result, as plain JSON values. The time is that of the attempt, `open_timeout`.

        Raises:
            RpcError: The circle answered with an error.
            ConnectionLost: The link went down.
            InvalidRequest: The params are not finite plain JSON with string keys.
            MessageTooLarge: The request is over `max_request_bytes`.
        """
        try:
            result = await self._session.request(method, params)
        except RpcError:
            self._session.set_up = True
            raise
        self._session.set_up = True
        return result

    async def notify(self, method: str, params: Params = None) -> None:
        """Send a notification; return when it is written.

        Raises:
            ConnectionLost: The link went down.
            InvalidRequest: The params are not finite plain JSON with string keys.
            MessageTooLarge: It is over `max_request_bytes`.
        """
        self._session.notify(method, params)


Setup: TypeAlias = Callable[[SetupSession], Awaitable[object]]
"""A user's function that runs after every sign-in and before the calls that wait go out."""


async def run_setup(setup: Setup, session: Session, tasks: UserTasks) -> None:
    """Run a user's setup.

    Raises:
        ConnectionFailed: The circle refused something, the connection was lost, or something that the setup awaited was
            cancelled; another attempt may work.
        Exception: What else the setup raises.
    """
    try:
        await tasks.run("the setup function", lambda: setup(SetupSession(session)))
    except (CircleWsError, Interrupted) as error:
        raise ConnectionFailed(f"the setup failed: {error}", phase="setup") from error
    if session.loss is not None:
        raise ConnectionFailed("the server closed the connection during the setup", phase="setup") from session.loss
