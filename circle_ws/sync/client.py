"""The blocking client."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from .. import client
from ..client import play_output
from ..config import DEFAULT, ClientConfig, ValueOptions, config_of
from ..engine.pipeline import checked_outcomes
from ..errors import CallTimeout, InvalidResult
from ..hooks import Request
from ..jsonrpc.convert import find_converter
from ..text import Hidden
from .batch import Batch
from .functions import blocking_setup, blocking_signer, in_order, in_thread, of_a_connection, through
from .listener import Listener, StatusChanges
from .runner import Runner, check_supported, current

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Self, Unpack

    from ..auth.types import Signer
    from ..client import Function, Timeout
    from ..config.headers import HeaderSource, UrlSource
    from ..engine.listener import BufferOptions
    from ..errors import ProtocolError
    from ..hooks import Middleware, Setup
    from ..jsonrpc.convert import TypeForm
    from ..jsonrpc.messages import Params
    from ..stats import ClientStats
    from ..status import ConnectionStatus as Status
    from ..status import StatusChange
    from ..transport import Capabilities
    from .functions import SyncHeaders, SyncMiddleware, SyncSetup, SyncSigner

__all__ = ["CircleWsClient", "Options", "connect"]

T = TypeVar("T")


class Options(ValueOptions, total=False):
    """The options of `connect`: those of `circle_ws.connect`, whose functions may also be plain ones that block."""

    signer: Signer | SyncSigner | None
    headers: HeaderSource | SyncHeaders | None
    setup: Setup | SyncSetup | None
    middleware: Sequence[Middleware | SyncMiddleware]


class CircleWsClient:
    """A client of one circle: connects, signs in, keeps the connection alive and reconnects by itself.

    Use it as a context manager, or call `connect()` and `close()`. Its methods wait for their results, and any number
    of threads may use it. A Ctrl-C ends what the main thread waits for, not the client. Functions of the program's
    (handlers, callbacks, setup, signer, headers, url, subprotocols) run in threads and may block and use the client;
    middleware runs in the thread that makes the call. Async ones run on the event loop, in a thread that all blocking
    clients share.

    After a fork a client that was used before belongs to the parent; in the child its methods raise `RuntimeError`.

    Args:
        config: The options; `CircleWsClientBuilder` and `circle_ws.sync.connect` fill one.

    Raises:
        UnsupportedRuntime: It is a page in which Python cannot wait.
    """

    __slots__ = ("__weakref__", "_client", "_middleware", "_pipeline", "_runner")

    def __init__(self, config: ClientConfig) -> None:
        check_supported()
        self._middleware = tuple(config.middleware)
        self._client = client.CircleWsClient(_adapted(config))
        self._pipeline = self._client._pipeline
        self._runner: Runner | None = None
        """Set at the first use, not before: a client may be made before a fork and used after it."""

    # Connecting and closing.

    def connect(self) -> None:
        """Connect and sign in; return when ready. Returns at once if connected. Concurrent calls share one attempt.

        A Ctrl-C in the last call that waits ends an attempt that `connect()` began, if the client has not been
        connected since, and leaves it in IDLE. An attempt that `start()` began, and a client that is reconnecting,
        continue.

        Raises:
            ConnectionFailed: The circle could not be reached, or did not answer in time.
            AuthError: The sign-in failed.
            ClientClosed: `close()` was called, which is final.
        """
        self._run(self._client.connect)

    def start(self) -> None:
        """Connect in the background, and return at once; idempotent.

        The client keeps trying as with `first_connect="retry"`, whatever was configured, until a fatal failure. Calls
        wait for the connection, within their own deadlines; so does `wait_until_connected()`.

        Raises:
            ClientClosed: `close()` was called, which is final.
        """
        self._bound().do(self._client.start)

    def close(self, *, drain: Timeout = DEFAULT) -> None:
        """Refuse new calls, wait for those in flight, and close the connection. Final, idempotent and bounded.

        Calls that are still queued after that fail with `ClientClosed`, calls in flight with `OutcomeUnknown`. In a
        child process a client of the parent's stays as it is.

        Args:
            drain: How long to wait for calls in flight, in seconds; None means no limit. By default the configured
                `drain_timeout`. A later `close()` may shorten the wait of an earlier one.

        Raises:
            InvalidRequest: `drain` is not a number of seconds.
        """
        self._end(partial(self._client.close, drain=drain))

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.close(drain=0)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(drain=DEFAULT if kind is None else 0)

    def reconnect(self) -> None:
        """Connect now: skip the delay before the next attempt, or replace the current connection by a new one."""
        self._bound().do(self._client.reconnect)

    # Calls and notifications.

    @overload
    def call(self, method: str, params: Params = ..., *, timeout: Timeout = ..., idempotent: bool = ...) -> Any: ...
    @overload
    def call(
        self, method: str, params: Params = ..., *, returns: TypeForm[T], timeout: Timeout = ..., idempotent: bool = ...
    ) -> T: ...
    @overload
    def call(
        self, method: str, params: Params = ..., *, returns: Function[T], timeout: Timeout = ..., idempotent: bool = ...
    ) -> T: ...
    def call(
        self,
        method: str,
        params: Params = None,
        *,
        returns: Any = Any,
        timeout: Timeout = DEFAULT,
        idempotent: bool = False,
    ) -> Any:
        """Call a method of the circle and return its result."""
        convert = None if returns is Any else find_converter(returns)
        if self._middleware:
            result = self._through(Request(method, params, idempotent), timeout, self._pipeline.send_request)
        else:
            runner = self._runner or self._bound()
            result = runner.call(self._pipeline, method, params, timeout, idempotent=idempotent)
        return result if convert is None else self._converted(result, convert)

    def notify(self, method: str, params: Params = None, *, timeout: Timeout = DEFAULT) -> None:
        """Send a notification, which is not answered; return when it is written."""
        self._run(self._pipeline.notify, method, params, timeout)

    def batch(self, *, timeout: Timeout = DEFAULT) -> Batch:
        """Return a context manager that collects calls and sends them as one message (JSON-RPC 2.0 section 6).

        Inside of `with client.batch() as batch`, `one = batch.call("echo", [1])` adds a call; after the end of the
        block, `one.result()` returns its result. A batch has at most 1,000 members, notifications included, and at
        most `max_in_flight` calls. The end of the block raises if the whole batch cannot be sent: `NotConnected`,
        `ClientClosed`, `QueueFull`, `InvalidRequest`, `MessageTooLarge`; for a batch without calls also if it was not
        written, for example `CallTimeout`.

        Args:
            timeout: For the whole batch, as for `call`.
        """
        return Batch(lambda request: self._send_batch(request, timeout), self._count_failure)

    @overload
    def notifications(
        self, method: str | None = ..., *, yields: Any = ..., gaps: Literal[True], **options: Unpack[BufferOptions]
    ) -> Listener[Any]: ...
    @overload
    def notifications(
        self, method: str | None = ..., *, gaps: Literal[False] = ..., **options: Unpack[BufferOptions]
    ) -> Listener[Any]: ...
    @overload
    def notifications(
        self, method: str, *, yields: TypeForm[T], gaps: Literal[False] = ..., **options: Unpack[BufferOptions]
    ) -> Listener[T]: ...
    @overload
    def notifications(
        self, method: str, *, yields: Function[T], gaps: Literal[False] = ..., **options: Unpack[BufferOptions]
    ) -> Listener[T]: ...
    def notifications(
        self, method: str | None = None, *, yields: Any = Any, gaps: bool = False, **options: Unpack[BufferOptions]
    ) -> Listener[Any]:
        """Listen to notifications of the circle, from now on and across reconnects, until the client closes."""
        listen = partial(self._client.notifications, method, yields=yields, gaps=gaps, **options)
        return Listener(self._do(listen), run=self._run, end=self._end, checked=self._pipeline.checked)

    def handle(self, method: str, function: Callable[..., Any]) -> Callable[[], None]:
        """Answer requests that the circle sends."""
        if callable(function):
            function = in_thread(function)
        return self._removable(self._do(self._client.handle, method, function))

    def play(self, script: str, *, timeout: Timeout = DEFAULT) -> str:
        """Run a script on the circle and return its output. The errors are those of `call`."""
        params: Params = [script] if self._client._supervisor.session_loop.positional else {"script": script}
        return play_output(self.call("play", params, timeout=timeout))

    def whoami(self, *, timeout: Timeout = DEFAULT) -> Any:
        """Ask the circle who this client is signed in as; the form of the answer depends on the circle."""
        return self.call("whoami", timeout=timeout)

    # State.

    def is_connected(self) -> bool:
        """Return whether the client is ready (signed in if it has a key) and the connection is not known to be lost."""
        return self._client.is_connected() and self._runner is not None and self._runner.is_usable

    @property
    def status(self) -> Status:
        """The status of the client."""
        return self._client.status

    @property
    def failure(self) -> Exception | None:
        """The error that ended the client, in status FAILED; else None."""
        return self._client.failure

    @property
    def public_key(self) -> str | None:
        """The public key of the client: hex, in the profile's form. None without a signer, or if not known yet."""
        return self._client.public_key

    @property
    def capabilities(self) -> Capabilities:
        """The features of this runtime's WebSocket: ping frames, headers, proxy, TLS options, HTTP status ..."""
        return self._client.capabilities

    @property
    def stats(self) -> ClientStats:
        """The statistics of the client, over all its connections."""
        return self._client.stats

    def status_changes(self) -> StatusChanges:
        """Iterate over the changes of status, the current one first; ends after CLOSED."""
        changes = self._do(self._client.status_changes)
        return StatusChanges(changes, run=self._run, end=self._end, checked=self._pipeline.checked)

    def on_status(self, callback: Callable[[StatusChange], object]) -> Callable[[], None]:
        """Call `callback(change)` at each change of status, in a thread.

        Calls of one plain callback follow each other, in order. It may be async: each invocation then runs in a task on
        the event loop, so invocations may overlap. Each runs in a fresh copy of the context (`contextvars`) in which
        the callback was registered. An exception in it is logged.

        Returns:
            A function that removes the callback.

        Raises:
            InvalidRequest: It is not a function.
        """
        return self._removable(self._do(self._client.on_status, in_order(callback)))

    def on_protocol_error(self, callback: Callable[[ProtocolError], object]) -> Callable[[], None]:
        """Call `callback(error)`, in a thread, whenever the circle breaks JSON-RPC and no call fails for it.

        Such errors are a malformed or binary message, a reply to no request, an error without an id; each is counted in
        `stats`. The callback, the returned function and the exception are as for `on_status`.
        """
        return self._removable(self._do(self._client.on_protocol_error, in_order(callback)))

    def wait_until_connected(self, timeout: float | None = None) -> None:
        """Return when the client is ready."""
        self._run(self._client.wait_until_connected, timeout)

    def __repr__(self) -> str:
        return f"<circle_ws.sync.{repr(self._client)[1:]}"

    # Underneath.

    def _bound(self) -> Runner:
        """Return the runner that the client belongs to from its first use on."""
        if self._runner is None:
            self._runner = current()
            self._runner.do(self._runner.bind, self._client)
        return self._runner

    def _run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        return self._bound().run(function, *args)

    def _do(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function that does not wait: on the event loop, once the client belongs to one."""
        return function(*args) if self._runner is None else self._runner.do(function, *args)

    def _end(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run what closes something, unless it has ended with the interpreter or belongs to another process."""
        if self._bound().is_usable:
            self._bound().run(function)

    def _removable(self, remove: Callable[[], None]) -> Callable[[], None]:
        return lambda: self._do(remove)

    def _converted(self, result: Any, convert: Callable[[Any], Any]) -> Any:
        # In this thread: `returns` may be a function of the user's.
        try:
            return convert(result)
        except InvalidResult:
            self._count_failure()
            raise

    def _count_failure(self) -> None:
        self._bound().soon(self._pipeline.count_failure)

    def _send_batch(self, request: Request, timeout: Timeout) -> list[Any]:
        if not self._middleware:
            return self._run(self._pipeline.batch, request, timeout)
        return checked_outcomes(request, self._through(request, timeout, self._pipeline.send_batch))

    def _through(self, request: Request, timeout: Timeout, send: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        """Send a request through the middleware, all under one deadline; blocking middleware cannot be interrupted."""
        seconds, deadline = self._pipeline.time(timeout, self._bound().time())

        async def last(request: Request) -> Any:
            if asyncio.get_running_loop().time() >= deadline:
                words = f"{request.method!r} took longer than {seconds:g} s (middleware)"
                raise CallTimeout(words, phase="middleware")
            return await send(request, seconds, deadline)

        return through(self._middleware, last)(request)


def connect(url: UrlSource, **options: Unpack[Options]) -> CircleWsClient:
    """Connect to a circle and return the connected client.

    ```python
    with circle_ws.sync.connect("ws://localhost:8765", private_key=key) as client:
        print(client.play("40 + 2"))
    ```

    Args:
        url: The circle: `ws://` or `wss://`; or a function that returns its URL at every attempt.
        **options: The fields of `ClientConfig`; functions may be plain ones that block.

    Returns:
        A connected client, to use in a `with` block or to `close()`.

    Raises:
        ConfigError: An option is wrong; the message names it.
        UnsupportedRuntime: This runtime cannot do what an option asks for, or cannot wait.
        InvalidKey: It is not a private key.
        ConnectionFailed: The circle could not be reached, or did not answer in time.
        AuthError: The sign-in failed.
    """
    given = Hidden(cast("dict[str, Any]", options))
    del options
    return CircleWsClient(config_of(url, given)).__enter__()


def _adapted(config: ClientConfig) -> ClientConfig:
    """Return the config for the client underneath: the functions are async, and there is no middleware."""
    changes: dict[str, Any] = {"middleware": ()}
    if config.setup is not None:
        changes["setup"] = blocking_setup(config.setup)
    for option in ("url", "headers", "subprotocols"):
        if callable(function := getattr(config, option)):
            changes[option] = of_a_connection(function)
    if config.signer is not None:
        changes["signer"] = blocking_signer(config.signer)
    return replace(config, **changes)


def _take_over_docs() -> None:
    """Complete the docstrings of one line: they are the first lines of those of the async client."""
    for name, member in vars(CircleWsClient).items():
        whole = getattr(getattr(client.CircleWsClient, name, None), "__doc__", None)
        if whole is not None and not name.startswith("_") and whole.startswith(f"{member.__doc__}\n"):
            member.__doc__ = whole


_take_over_docs()
