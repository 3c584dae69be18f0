"""Events of a page or worker: online again, shown again, and what its content security policy forbids.

All of them are hints: the connection may be fine. What JavaScript calls must never raise.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import JsException, JsProxy, create_proxy

from ..errors import ConfigError
from ..urls import normalised, shown
from .base import HostEvents

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["PageEvents", "PolicyWatch", "host_events"]

_SCHEMES = {"http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:"}
"""A URL that is relative to a page gets the page's own scheme, which stands for this one (WHATWG WebSockets)."""
_VIOLATION = "securitypolicyviolation"

_logger = logging.getLogger("circle_ws.transport")


class PageEvents(HostEvents):
    """The host events of a page or a worker; Node has none. Listeners exist only while something watches."""

    __slots__ = ("_js_listeners",)

    def __init__(self) -> None:
        super().__init__()
        self._js_listeners: list[tuple[Any, str, JsProxy]] = []

    @property
    def offline(self) -> bool:
        """Whether the browser says that it is offline. It may be offline without saying so."""
        return getattr(getattr(js, "navigator", None), "onLine", None) is False

    @property
    def hidden(self) -> bool:
        """Whether the tab is hidden, so that its timers come late; False in a worker."""
        return getattr(getattr(js, "document", None), "visibilityState", None) == "hidden"

    def absolute(self, url: str) -> str:
        """Return the `ws://` or `wss://` URL that one means relative to the page, or to the worker's script."""
        try:
            js_url = js.URL.new(url, _base())
        except JsException:
            # Node has no page, and a worker's script may have no address of its own.
            return url
        scheme = _SCHEMES.get(js_url.protocol)
        if scheme is None:
            return url
        js_url.protocol = scheme
        return str(js_url.href)

    def watch(self, on_wake: Callable[[], None]) -> Callable[[], None]:
        """Call `on_wake` when the network, the page or its tab comes back."""
        remove = super().watch(on_wake)
        if not self._js_listeners and hasattr(js, "addEventListener"):
            self._listen()

        def end() -> None:
            remove()
            if not self._watchers:
                self._release()

        return end

    def _listen(self) -> None:
        self._add(js.globalThis, "online", self._on_online)
        self._add(js.globalThis, "pageshow", self._on_pageshow)
        if hasattr(js, "document"):
            self._add(js.document, "visibilitychange", self._on_visibilitychange)

    def _add(self, js_target: Any, name: str, function: Callable[[Any], None]) -> None:
        js_listener = create_proxy(function)
        js_target.addEventListener(name, js_listener)
        self._js_listeners.append((js_target, name, js_listener))

    def _release(self) -> None:
        for js_target, name, js_listener in self._js_listeners:
            js_target.removeEventListener(name, js_listener)
            js_listener.destroy()
        self._js_listeners.clear()

    # What JavaScript calls.

    def _on_online(self, _js_event: Any) -> None:
        self._wake()

    def _on_pageshow(self, js_event: Any) -> None:
        # Not persisted: the page is shown for the first time.
        if js_event.persisted:
            self._wake()

    def _on_visibilitychange(self, _js_event: Any) -> None:
        if js.document.visibilityState == "visible":
            self._wake()

    def _wake(self) -> None:
        try:
            self.wake()
        except Exception:
            _logger.exception("handling an event of the page failed")


class PolicyWatch:
    """A context manager that finds out whether the content security policy of the page or worker forbids a URL.

    Nothing else says why such a dial fails.

    Args:
        url: A checked one.
    """

    __slots__ = ("_js_listener", "_url", "violation")

    def __init__(self, url: str) -> None:
        self._url = url
        self.violation: asyncio.Future[ConfigError] = asyncio.get_running_loop().create_future()
        """Done once the policy is known to forbid the URL, with an error that says so."""

    def __enter__(self) -> Self:
        self._js_listener = create_proxy(self._on_violation)
        if hasattr(js, "addEventListener"):
            js.addEventListener(_VIOLATION, self._js_listener)
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(js, "removeEventListener"):
            js.removeEventListener(_VIOLATION, self._js_listener)
        self._js_listener.destroy()

    def _on_violation(self, js_event: Any) -> None:
        try:
            # A browser may name the whole URL, its origin or its scheme. A policy that only reports forbids nothing.
            blocked = str(js_event.blockedURI)
            if js_event.disposition != "enforce" or not blocked or self.violation.done():
                return
            if normalised(self._url).startswith(blocked):
                self.violation.set_result(_forbidden(self._url, str(js_event.effectiveDirective)))
        except Exception:
            _logger.exception("handling a violation of the content security policy failed")


def _forbidden(url: str, directive: str) -> ConfigError:
    origin = "/".join(normalised(url).split("/", 3)[:3])
    return ConfigError(
        f"the page's content security policy ({directive}) forbids to connect to {shown(url)}; "
        f"name {origin} in connect-src, where the page is served",
        option="url",
    )


def _base() -> Any:
    js_document = getattr(js, "document", None)
    if js_document is not None:
        return js_document.baseURI
    js_location = getattr(js, "location", None)
    return None if js_location is None else js_location.href


host_events: PageEvents = PageEvents()
