"""The transport in browsers, and in all other hosts of Pyodide, over their own `WebSocket`.

Functions that JavaScript calls never raise, and all proxies are destroyed when the socket has ended.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import JsException, JsProxy, create_proxy, to_js

from ..errors import ConnectionFailed, ConnectionLost, UnsupportedRuntime
from .base import BEGINNING, Capabilities, Receiver, TransportOptions, binary_message, message_too_large
from .pyodide_events import PolicyWatch
from .pyodide_messages import LOOK_EVERY, Flood, reader_of_large
from .waiter import deliver

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PyodideConnect", "PyodideTransport", "connect"]

_logger = logging.getLogger("circle_ws.transport")

_OPEN = 1
_NORMAL = 1000
_ABNORMAL = 1006
_PRIVATE = 3000
"""JavaScript may send close codes 1000 and 3000 to 4999, and 123 bytes of reason; 1009 goes out as 4009."""
_TOO_LARGE = _PRIVATE + 1009
"""Close code for an incoming message over the maximum size."""
_LOW_WATER = 128 * 1024
_LARGE = 1024
"""Characters from which on a message crosses to Python faster as bytes: six times faster at 16 Ki."""
_MAX_CHARACTER_BYTES = 4
"""Maximum length of a character in UTF-8."""
_POLICY_TIMEOUT = 0.1
"""Maximum delay of the `securitypolicyviolation` event after the constructor threw, in seconds."""
_POLL = 0.01
"""Interval of polling `bufferedAmount`, for which browsers have no event, in seconds; each message looks at it too."""


class PyodideTransport:
    """One WebSocket of the browser."""

    __slots__ = (
        "_closed",
        "_count",
        "_flood",
        "_js_handlers",
        "_js_send",
        "_js_socket",
        "_large",
        "_loss",
        "_opened",
        "_options",
        "_reader",
        "_receiver",
        "_relief",
        "_silent",
        "_surely_fits",
        "_surely_open",
        "_unseen",
        "bytes_received",
    )

    def __init__(self, url: str, receiver: Receiver, options: TransportOptions) -> None:
        loop = asyncio.get_running_loop()
        self._receiver = receiver
        self._options = options
        self._opened = loop.create_future()
        self._closed = loop.create_future()
        self._loss: ConnectionLost | None = None
        self._silent = False
        self._surely_open = False
        """Whether a message event is on the stack, which only an open socket has."""
        limit = options.max_message_bytes
        self._surely_fits = math.inf if limit is None else limit // _MAX_CHARACTER_BYTES
        """Number of characters that are never over the maximum of bytes."""
        self._relief: asyncio.Future[None] | None = None
        self._unseen = 0
        """Upper bound of `bufferedAmount`: what it was when last looked at, and what was sent since, in bytes."""
        self.bytes_received: int = 0
        """Characters received so far."""
        self._count = 0
        """Number of messages that Python was entered for."""
        try:
            self._js_socket = js.WebSocket.new(url, to_js(list(options.subprotocols)))
        except JsException as error:
            raise ConnectionFailed(f"the browser refused to open it: {error.name}: {error.message}") from error
        # Kept, as looking it up takes longer than calling it.
        self._js_send = self._js_socket.send
        self._reader: Callable[[Any], Any] | None = None
        self._large = False
        """Whether the last message was large, so that the next one is expected to be large too."""
        # Unless this is set before the first message, binary ones arrive as a Blob.
        self._js_socket.binaryType = "arraybuffer"
        self._js_handlers: dict[str, JsProxy] = {
            "onopen": create_proxy(self._on_open),
            "onmessage": create_proxy(self._on_message),
            "onerror": create_proxy(self._on_error),
            "onclose": create_proxy(self._on_close),
        }
        self._flood = Flood(self._js_socket, self._js_handlers["onmessage"], self._take_later)
        for name, js_handler in self._js_handlers.items():
            setattr(self._js_socket, name, js_handler)

    async def opened(self) -> None:
        """Return once the socket is open.

        Raises:
            ConnectionFailed: It could not be opened.
        """
        try:
            failure = await self._opened
        except asyncio.CancelledError:
            self.abort()
            raise
        if failure is not None:
            self.abort()
            raise failure

    @property
    def lag(self) -> float:
        """How long the message that was delivered last had waited in the page, in seconds."""
        return self._flood.lag

    @property
    def buffered(self) -> int:
        """Bytes that the browser has not handed to the network yet; 0 while they are surely few.

        Asking the browser takes longer than sending.
        """
        if self._unseen <= _LOW_WATER:
            return 0
        self._unseen = int(self._js_socket.bufferedAmount)
        return self._unseen

    def send(self, text: str) -> None:
        """Hand over one text message.

        Raises:
            ConnectionLost: The connection is known to be down.
        """
        # After its end a browser's socket silently drops what is sent. Asking takes half as long as sending.
        if not self._surely_open and self._js_socket.readyState != _OPEN:
            # What was put aside came before the end, so it is delivered.
            asyncio.get_running_loop().call_soon(self._flood.finish)
            raise self._loss or ConnectionLost.closed(_ABNORMAL)
        self._js_send(text)
        self._unseen += len(text) if text.isascii() else 3 * len(text)

    async def drain(self) -> None:
        """Return when writing more makes sense.

        Raises:
            ConnectionLost: The connection went down meanwhile.
        """
        loop = asyncio.get_running_loop()
        while self._js_socket.readyState == _OPEN:
            if self.buffered <= _LOW_WATER:
                return
            self._relief = loop.create_future()
            loop.call_later(_POLL, _settle, self._relief)
            await self._relief
        raise self._loss or ConnectionLost.closed(_ABNORMAL)

    async def ping(self) -> None:
        """Raise an error: JavaScript cannot send ping frames.

        Raises:
            UnsupportedRuntime: Always.
        """
        raise UnsupportedRuntime("a browser sends no ping frames; use keep-alive mode 'rpc'", option="keepalive")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the handshake, within `close_timeout`. Idempotent; cancelled, it aborts."""
        self._silent = True
        self._surely_open = False
        try:
            if not self._closed.done():
                self._js_socket.close(code if code == _NORMAL or code >= _PRIVATE else _PRIVATE + code, reason)
                await asyncio.wait([self._closed], timeout=self._options.close_timeout)
        finally:
            self.abort()

    def abort(self) -> None:
        """Release the socket at once; the browser closes it in its own time. Idempotent."""
        self._silent = True
        self._surely_open = False
        if self._js_handlers:
            self._release()
            self._js_socket.close()

    def _release(self) -> None:
        self._flood.stop()
        for name, js_handler in self._js_handlers.items():
            setattr(self._js_socket, name, None)
            js_handler.destroy()
        self._js_handlers.clear()
        _settle(self._closed)

    # What JavaScript calls.

    def _on_open(self, _js_event: Any) -> None:
        # Firefox opens a socket whose server accepted no subprotocol; the standard, Chromium and Node do not.
        if self._options.subprotocols and not self._js_socket.protocol:  # pragma: no cover - Firefox is not measured
            self._silent = True
            self._settle(_refused())
        else:
            self._settle(None)

    def _on_error(self, _js_event: Any) -> None:
        # Before opening, an error may be the only event (a content security policy in Chromium, Node 20). After that,
        # `close` follows with the code.
        self._settle(_refused())

    def _on_message(self, js_event: Any) -> None:
        # The hot path: each step more is paid for by every message.
        try:
            if self._silent:
                return
            text = self._read_large(js_event) if self._large else js_event.data
            if type(text) is not str:
                self._receiver.invalid(binary_message())
                return
            size = len(text)
            self._large = size > _LARGE
            self.bytes_received += size
            if self._relief is not None:
                self._relieve()
            if size <= self._surely_fits or self._fits(text):
                self._surely_open = True
                deliver(self._receiver.message, text)
                self._count += 1
                if not self._count % LOOK_EVERY and self._js_handlers:
                    self._flood.look(text)
        except Exception:
            _logger.exception("a receiver raised; the connection goes on")
        finally:
            self._surely_open = False

    def _take_later(self, text: str | None) -> None:
        """Deliver a message outside of its event, None for a binary one: what it wakes is resumed in a later turn."""
        try:
            if self._silent or self._loss is not None:
                return
            if text is None:
                self._receiver.invalid(binary_message())
                return
            self.bytes_received += len(text)
            if self._relief is not None:
                self._relieve()
            if len(text) <= self._surely_fits or self._fits(text):
                self._receiver.message(text)
        except Exception:
            _logger.exception("a receiver raised; the connection goes on")

    def _read_large(self, js_event: Any) -> Any:
        if self._reader is None:
            self._reader = reader_of_large(js_event)
        return self._reader(js_event)

    def _on_close(self, js_event: Any) -> None:
        self._settle(_refused())
        loss = ConnectionLost.closed(int(js_event.code), str(js_event.reason))
        self._flood.finish()
        self._end(loss)

    def _settle(self, failure: ConnectionFailed | None) -> None:
        if not self._opened.done():
            self._opened.set_result(failure)

    def _relieve(self) -> None:
        if self._relief is not None and self.buffered <= _LOW_WATER:
            _settle(self._relief)
            self._relief = None

    def _fits(self, text: str) -> bool:
        limit = self._options.max_message_bytes
        if limit is None or (size := _utf8_length(text, limit)) <= limit:
            return True
        self._refuse(size, limit, text[:BEGINNING])
        return False

    def _refuse(self, size: int, limit: int, beginning: str) -> None:
        self._receiver.invalid(message_too_large(limit, beginning, size=size))
        self._js_socket.close(_TOO_LARGE, "message too large")
        words = f"an incoming message of {size} bytes is over max_message_bytes ({limit})"
        self._end(ConnectionLost.closed(_TOO_LARGE, words, local=True))

    def _end(self, loss: ConnectionLost) -> None:
        """Report, once, that the connection is down."""
        if self._loss is not None:
            return
        self._loss = loss
        # A dial may be cancelled in the very turn of this event, before `opened` sees the cancellation.
        was_open = not self._opened.cancelled() and self._opened.result() is None
        report = was_open and not self._silent
        self._release()
        try:
            if report:
                self._receiver.lost(loss)
        except Exception:
            _logger.exception("a receiver raised; the connection is down all the same")


_CAPABILITIES = Capabilities(ping=False, headers=False, proxy=False, tls=False, http_status=False, subprotocols=True)


class PyodideConnect:
    """The `Connect` of browsers and of other hosts of Pyodide."""

    @property
    def capabilities(self) -> Capabilities:
        """Subprotocols, and nothing else.

        Raises:
            UnsupportedRuntime: This host has no `WebSocket`.
        """
        if not hasattr(js, "WebSocket"):
            raise UnsupportedRuntime(
                "this host has no WebSocket: Node has it from version 22 on, and Node 20 with the switch "
                "--experimental-websocket",
                option="transport",
            )
        return _CAPABILITIES

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> PyodideTransport:
        """Dial `url`; return once the socket is open. Cancelled, it leaves nothing behind.

        Raises:
            ConnectionFailed: It could not be opened; browsers do not say why.
            ConfigError: The page's content security policy forbids it.
        """
        with PolicyWatch(url) as policy:
            try:
                transport = PyodideTransport(url, receiver, options)
                await transport.opened()
            except ConnectionFailed as failure:
                if isinstance(failure.__cause__, JsException):
                    # Firefox throws at once; its event about the policy comes a little later.
                    await asyncio.wait([policy.violation], timeout=_POLICY_TIMEOUT)
                if policy.violation.done():
                    raise policy.violation.result() from failure
                raise
        return transport


connect: PyodideConnect = PyodideConnect()


def _refused() -> ConnectionFailed:
    return ConnectionFailed(
        "the WebSocket could not be opened; a browser does not tell why (unknown host, refused port, HTTP error, "
        "certificate, content security policy, no WebSocket server, none of the subprotocols): its console may"
    )


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _utf8_length(text: str, limit: int) -> int:
    """Return the size in UTF-8; where the number of characters decides about `limit`, return that instead."""
    if len(text) > limit or text.isascii():
        return len(text)
    return len(text.encode(errors="surrogatepass")) if 4 * len(text) > limit else len(text)
