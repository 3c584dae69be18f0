"""The client that JavaScript gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import js

from ..client import CircleWsClient
from ..config import config_of
from ..engine.tasks import is_cancelled
from ..errors import CircleWsError, ClientClosed, ConfigError, InvalidRequest
from ..text import Hidden
from .functions import Exported, answer_of, invoke, promise_of, start
from .options import NAMES, ON_STATUS, client_options, read, source_of_url
from .values import NULL, error_of, from_javascript, is_null, to_javascript

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine.listener import Listener
    from ..hooks import Setup, SetupSession
    from ..status import StatusChange

__all__ = ["begin"]

_NOTHING = js.Function.prototype
"""A function that does nothing, whatever it is given (ECMA-262 section 20.2.3)."""


def begin(js_url: Any, js_options: Any) -> Any:
    """Return a promise of a connected client."""
    return promise_of(_connect(js_url, js_options), NAMES)


async def _connect(js_url: Any, js_options: Any) -> Any:
    options = Hidden(client_options(js_options))
    js_on_status = options.value.pop(ON_STATUS, None)
    if "setup" in options.value:
        options.value["setup"] = _set_up_by(options.value["setup"])
    client = _Client(CircleWsClient(config_of(source_of_url(js_url), options)))
    if js_on_status is not None:
        client.on_status(js_on_status)
    try:
        await client.client.connect()
    except BaseException:
        await client.end(drain=0)
        raise
    return client.js_client


class _Client:
    """A client and the object of JavaScript's that stands for it.

    Args:
        client: The client.

    Attributes:
        client: The client.
        js_client: The object that JavaScript gets.
    """

    def __init__(self, client: CircleWsClient) -> None:
        self.client = client
        self._methods = {
            "call": Exported("call", lambda *given: promise_of(self._call(*given))),
            "play": Exported("play", lambda *given: promise_of(self._play(*given))),
            "notify": Exported("notify", lambda *given: promise_of(self._notify(*given))),
            "close": Exported("close", lambda *given: promise_of(self._close(*given))),
            "on": Exported("on", self.on),
            "onStatus": Exported("onStatus", self.on_status),
        }
        self._unsubscribers: list[Exported] = []
        self.js_client = _object_of(self._methods)

    async def _call(self, method: Any = None, params: Any = None, js_options: Any = None, *_: Any) -> Any:
        given = _call_options(js_options, "timeout", "idempotent")
        return to_javascript(await self.client.call(method, from_javascript(params), **given))

    async def _play(self, script: Any = None, js_options: Any = None, *_: Any) -> str:
        return await self.client.play(script, **_call_options(js_options, "timeout"))

    async def _notify(self, method: Any = None, params: Any = None, js_options: Any = None, *_: Any) -> None:
        await self.client.notify(method, from_javascript(params), **_call_options(js_options, "timeout"))

    async def _close(self, js_options: Any = None, *_: Any) -> None:
        await self.end(**_call_options(js_options, "drain"))

    def on(self, method: Any = None, js_callback: Any = None, *_: Any) -> Any:
        """Call `js_callback(params, method)` with each notification; null as the method means all of them."""
        _check_callback("on(method, callback)", js_callback)
        name = None if is_null(method) else method
        task = start(_deliver(self.client.notifications(name), name, js_callback))
        return self._unsubscribe(task.cancel)

    def on_status(self, js_callback: Any = None, *_: Any) -> Any:
        """Call `js_callback(change)` at each change of status."""
        _check_callback("onStatus(callback)", js_callback)
        return self._unsubscribe(self.client.on_status(lambda change: invoke(js_callback, _change(change))))

    def _unsubscribe(self, remove: Callable[[], object]) -> Any:
        """Return a function for JavaScript that removes something; called again, it does nothing."""

        def unsubscribe(*_: Any) -> None:
            remove()
            self._unsubscribers.remove(made)
            made.end(_NOTHING)

        made = Exported("unsubscribe", unsubscribe)
        self._unsubscribers.append(made)
        return made.js_function

    async def end(self, **options: Any) -> None:
        """Close the client; from then on its functions answer without Python."""
        await self.client.close(**options)
        while self._unsubscribers:
            self._unsubscribers.pop().end(_NOTHING)
        js_refuse = _refusal(ClientClosed("the client is closed, which is final; connect() makes a new one"))
        js_answers = {"close": js.Promise.resolve.bind(js.Promise, None)}
        # `Object(f)` is f: a function that unsubscribes from nothing.
        js_answers |= dict.fromkeys(("on", "onStatus"), js.Object.bind(None, _NOTHING))
        for name, function in self._methods.items():
            function.end(js_answers.get(name, js_refuse))


def _object_of(functions: dict[str, Exported]) -> Any:
    js_object = js.Object.new()
    for name, function in functions.items():
        setattr(js_object, name, function.js_function)
    return js_object


def _refusal(error: CircleWsError) -> Any:
    """Return a function of JavaScript's that rejects with an error, whatever it is given."""
    return js.Promise.reject.bind(js.Promise, error_of(error))


def _call_options(js_options: Any, *known: str) -> dict[str, Any]:
    try:
        given = read(js_options, known, "the options of a call")
    except ConfigError as error:
        raise InvalidRequest(str(error)) from None
    return {name: None if is_null(value.value) else value.value for name, value in given.items()}


def _check_callback(call: str, js_callback: Any) -> None:
    if not callable(js_callback):
        raise InvalidRequest(f"{call} needs a function")


async def _deliver(listener: Listener[Any], name: str | None, js_callback: Any) -> None:
    """Call a callback with each notification, until its task is cancelled or the client ends."""
    try:
        async with listener:
            while items := await listener.batch():
                for item in items:
                    method, params = (item.method, item.params) if name is None else (name, item)
                    invoke(js_callback, to_javascript(params), method)
                    if is_cancelled():
                        return
    except CircleWsError:
        # The client gave up, which its status tells.
        return


def _change(change: StatusChange) -> Any:
    js_change = to_javascript(
        {
            "status": change.status.value,
            "previous": change.previous.value,
            "at": change.at,
            "attempt": change.attempt,
            "retryIn": change.retry_in,
        }
    )
    js_change.cause = NULL if change.cause is None else error_of(change.cause, NAMES)
    return js_change


def _set_up_by(js_function: Any) -> Setup:
    """Return the setup function that calls one of JavaScript's, with a session that has `call` and `notify`."""

    async def set_up(session: SetupSession) -> None:
        told: list[tuple[Any, BaseException]] = []

        async def call(method: Any = None, params: Any = None, *_: Any) -> Any:
            return to_javascript(await session.call(method, from_javascript(params)))

        async def notify(method: Any = None, params: Any = None, *_: Any) -> None:
            await session.notify(method, from_javascript(params))

        functions = {
            "call": Exported("call", lambda *given: promise_of(call(*given), told=told)),
            "notify": Exported("notify", lambda *given: promise_of(notify(*given), told=told)),
        }
        try:
            await answer_of(js_function, _object_of(functions))
        except Exception as thrown:
            # An error of the session's that the function lets through is what it was in Python.
            js_is = getattr(js.Object, "is")
            original = next((error for js_error, error in told if js_is(js_error, thrown)), thrown)
            if original is thrown:
                raise
            raise original from None
        finally:
            js_refuse = _refusal(InvalidRequest("a session is for the setup function; use the client now"))
            for function in functions.values():
                function.end(js_refuse)

    return set_up
