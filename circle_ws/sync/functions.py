"""Functions of the user's, for the async client underneath: plain ones, which may block, run in threads.

Middleware runs in the thread that makes the call, so that it sees what belongs to that thread: a request of a web
framework, a transaction, `threading.local`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from ..auth.keypair import KeyPairSigner
from ..engine.tasks import start_task
from ..hooks import Request
from .runner import current

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from ..auth.types import Challenge, Signer
    from ..hooks import CallNext, Middleware, SetupSession
    from ..jsonrpc.messages import Params

__all__ = [
    "SyncCallNext",
    "SyncHeaders",
    "SyncMiddleware",
    "SyncSetup",
    "SyncSetupSession",
    "SyncSigner",
    "blocking_setup",
    "blocking_signer",
    "in_order",
    "in_thread",
    "of_a_connection",
    "through",
]

SyncCallNext: TypeAlias = Callable[[Request], Any]
"""Calls the next middleware, and after the last one the circle; returns the result. Called again, it calls again."""

SyncMiddleware: TypeAlias = Callable[[Request, SyncCallNext], Any]
"""A user's plain function around every call and every batch: `def middleware(request, call_next): ...`.

It runs in the thread that makes the call, and returns what `circle_ws.Middleware` returns.
"""

SyncHeaders: TypeAlias = Callable[[], Mapping[str, str]]
"""A user's plain function that returns the headers of one attempt."""


class SyncSetupSession(Protocol):
    """A new connection as a plain setup function sees it; the errors are those of `circle_ws.SetupSession`."""

    def call(self, method: str, params: Params = None) -> Any:
        """Call a method and return its result, as plain JSON values; `open_timeout` limits the time."""
        ...

    def notify(self, method: str, params: Params = None) -> None:
        """Send a notification; return when it is written."""
        ...


SyncSetup: TypeAlias = Callable[[SyncSetupSession], object]
"""A user's plain function that runs after every sign-in, before queued calls are written."""


class SyncSigner(Protocol):
    """A signer whose methods are plain functions, which may block. All else is as for `circle_ws.Signer`."""

    @property
    def profiles(self) -> frozenset[str]:
        """The names of the signature profiles that it can sign."""
        ...

    def public_key(self) -> str:
        """Return the public key: hex, compressed (66 characters) or not (130)."""
        ...

    def sign(self, challenge: Challenge) -> str:
        """Sign the challenge; return the signature as hex in the encoding of `challenge.profile`."""
        ...


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a function, or an object that is called like one, is async."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def in_thread(function: Callable[..., Any], *, to_its_end: bool = False) -> Callable[..., Awaitable[Any]]:
    """Return the async form of a user's function: a plain one runs in a thread, with the context of the caller.

    Args:
        function: Plain or async.
        to_its_end: Whether one that is cancelled goes on until its thread has ended, which nothing can stop.
    """
    if is_async(function):
        return function

    @wraps(function)
    async def run(*args: Any, **options: Any) -> Any:
        work = current().apart(function, *args, **options)
        outcome = await (_ended(work) if to_its_end else work)
        return await outcome if inspect.isawaitable(outcome) else outcome

    return run


async def _ended(work: Coroutine[Any, Any, Any]) -> Any:
    task = start_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        # Raises the error of the function, if it failed.
        task.result()
        raise


def of_a_connection(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Return the async form of a function that attempts to connect call: the next attempt waits for its end.

    So a function that blocks for longer than an attempt may take does not fill the process with threads.
    """
    return in_thread(function, to_its_end=True)


def in_order(callback: Callable[[Any], object]) -> Callable[[Any], object]:
    """Return the async form of a callback; a plain one runs in a thread, one call at a time, in order."""
    if not callable(callback) or is_async(callback):
        return callback
    turn = asyncio.Lock()
    run = in_thread(callback)

    async def take_turn(value: Any) -> Any:
        async with turn:
            return await run(value)

    return take_turn


def blocking_setup(setup: Callable[..., Any]) -> Callable[[SetupSession], Awaitable[Any]]:
    """Return the async form of a setup function; a plain one gets a session that blocks."""
    if is_async(setup):
        return setup
    run = of_a_connection(setup)
    return lambda session: run(_BlockingSession(session))


class _BlockingSession:
    """The `SyncSetupSession` of one connection."""

    __slots__ = ("_session",)

    def __init__(self, session: SetupSession) -> None:
        self._session = session

    def call(self, method: str, params: Params = None) -> Any:
        return current().run(self._session.call, method, params)

    def notify(self, method: str, params: Params = None) -> None:
        current().run(self._session.notify, method, params)


def blocking_signer(signer: Signer | SyncSigner) -> Signer:
    """Return the async form of a signer; plain methods of a user's own run in threads."""
    if isinstance(signer, KeyPairSigner) or (is_async(signer.public_key) and is_async(signer.sign)):
        return cast("Signer", signer)
    return _ThreadSigner(signer)


class _ThreadSigner:
    """A signer of the user's whose plain methods run in threads."""

    __slots__ = ("_signer",)

    def __init__(self, signer: Signer | SyncSigner) -> None:
        self._signer = signer

    @property
    def profiles(self) -> frozenset[str]:
        return self._signer.profiles

    async def public_key(self) -> str:
        key: str = await of_a_connection(self._signer.public_key)()
        return key

    async def sign(self, challenge: Challenge) -> str:
        signature: str = await of_a_connection(self._signer.sign)(challenge)
        return signature


def through(middleware: tuple[Middleware | SyncMiddleware, ...], last: CallNext) -> SyncCallNext:
    """Return the function that sends a request through all middleware, the first one outermost, to `last`."""
    # Each step in both forms: the next one around it may be plain or async.
    blocking, asynchronous = _blocking(last), last
    for one in reversed(middleware):
        if is_async(one):
            asynchronous = partial(_around, one, asynchronous)
            blocking = _blocking(asynchronous)
        else:
            blocking = partial(_around, one, blocking)
            asynchronous = partial(current().apart, blocking)
    return blocking


def _around(middleware: Callable[..., Any], call_next: Callable[..., Any], request: Request) -> Any:
    return middleware(request, call_next)


def _blocking(call: Callable[..., Any]) -> SyncCallNext:
    return partial(current().run, call)
