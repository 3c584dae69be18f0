"""A circle without its sockets: its methods, its rules and its clients, in every runtime."""

from __future__ import annotations

import inspect
from functools import partial
from threading import Semaphore
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..auth.crypto_utils import format_public_key
from ..auth.profiles import audience
from ..errors import ConfigError, InvalidRequest, RpcError
from ..jsonrpc.messages import EXECUTION_FAILED
from ..jsonrpc.methods import Function, Method
from .answering import ClientSession
from .concurrency import MAX_THREADS, in_thread
from .connection import Connection
from .sign_in import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .base import Socket
    from .rules import Admit, Rules

__all__ = ["CircleCore", "checked_admit", "checked_audience", "checked_keys"]

F = TypeVar("F", bound=Function)


class CircleCore:
    """What all circles have in common, of whatever the connections to their clients are made.

    Args:
        rules: The options that every connection is held to.
        play: Runs a script and returns its output; None: there is no method `play`.
    """

    def __init__(self, rules: Rules, play: Callable[[str], Any] | None) -> None:
        self._rules = rules
        self._free_threads = Semaphore(MAX_THREADS)
        self._sessions: dict[object, ClientSession] = {}
        self.method("whoami")(_whoami_text if rules.dialect == "baobab" else _whoami)
        if play is not None:
            self.method("play")(_player(play, as_text=rules.dialect == "circles-1.0"))

    def method(self, name: str | None = None, *, thread: bool = False) -> Callable[[F], F]:
        """Register the decorated function, sync or async, as a method.

        Params by position or by name become its arguments, converted strictly to its annotations, to the same types as
        with `returns=` of a client; a mismatch is answered with -32602 and its path. A parameter without an annotation,
        or with `Any`, takes the value as it is; one annotated with `Connection` takes the caller's connection. An
        `RpcError` that it raises is the answer; any other exception is logged and answered with -32603.

        A plain function runs on the event loop and blocks the whole circle, with all its clients, while it runs. One
        that computes for long, or waits for a file or a database, should be async, or run in a thread.

        Args:
            name: The method's name; by default the function's.
            thread: Run the plain function in a thread of its own. `publish` and the connection may be used from there;
                their async methods as `asyncio.run(connection.call(...))`. When its client is gone the function runs
                on to its end, and its result is lost. Over 512 threads the answer is error -32005.

        Raises:
            ConfigError: The name is one of the circle's own: `fetch_nonce`, `authenticate`, `rpc.ping`; an async
                function was to run in a thread; or no value can be converted to an annotation.
        """

        def register(function: F) -> F:
            called = name or function.__name__
            if called in RESERVED:
                raise ConfigError(f"the circle itself answers {called}; give the method another name")
            run = in_thread(function, self._free_threads) if thread else function
            try:
                self._rules.methods[called] = Method(run, Connection)
            except InvalidRequest as error:
                raise ConfigError(f"the method {called}: {error}") from None
            return function

        return register

    @property
    def connections(self) -> list[Connection]:
        """The connections that are open, signed in or not."""
        return [session.connection for session in list(self._sessions.values())]

    async def _serve(self, socket: Socket) -> None:
        """Serve one client until its connection has ended."""
        session = self._sessions[socket] = self._session(socket)
        try:
            await session.serve()
        finally:
            del self._sessions[socket]

    def _session(self, socket: Socket) -> ClientSession:
        return ClientSession(self._rules, socket)


def checked_audience(public_url: str | None) -> str | None:
    """Return the public URL as a bound signature names it; None for None.

    Raises:
        ConfigError: It is none.
    """
    try:
        return None if public_url is None else audience(public_url)
    except ConfigError as error:
        raise ConfigError(f"public_url: {error}", option="public_url") from None


def checked_keys(keys: Iterable[str] | None) -> frozenset[str] | None:
    """Return public keys in the one form in which they are compared; None for None.

    Raises:
        InvalidKey: One is no public key.
    """
    return None if keys is None else frozenset(format_public_key(key, compressed=True) for key in keys)


def checked_admit(admit: Any) -> Admit | None:
    """Return an async function of a public key, or None.

    Raises:
        ConfigError: It is something else.
    """
    # An object with an async `__call__`, and a `partial` of an async function, will do.
    function = admit.func if isinstance(admit, partial) else admit
    called = None if isinstance(function, type) else getattr(function, "__call__", None)  # noqa: B004
    if admit is None or inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        return cast("Admit | None", admit)
    raise ConfigError(f"admit must be an async function of a public key, or None, not {admit!r}", option="admit")


def _whoami_text(connection: Connection) -> str | None:
    return connection.public_key


def _whoami(connection: Connection) -> dict[str, str | None]:
    return {"pubkey": connection.public_key}


def _player(play: Callable[[str], Any], *, as_text: bool) -> Function:
    async def run(script: str) -> str | dict[str, str]:
        try:
            output = play(script)
            text = str(await output if inspect.isawaitable(output) else output)
            return text if as_text else {"output": text}
        except Exception as error:
            raise RpcError(EXECUTION_FAILED, f"execution failed: {error}") from error

    return run
