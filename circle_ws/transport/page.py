"""The surroundings of a page: whether the browser is online, and when it, or its tab, comes back.

All of it is a hint: the link may be fine. What JavaScript calls must never raise.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import JsProxy, create_proxy

from .surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Page", "surroundings"]

_logger = logging.getLogger("circle_ws.transport")


class Page(Surroundings):
    """Listen to the events of a page, or of a worker, while anybody watches. Node has none of them."""

    __slots__ = ("_js_listeners",)

    def __init__(self) -> None:
        super().__init__()
        self._js_listeners: list[tuple[Any, str, JsProxy]] = []

    @property
    def offline(self) -> bool:
        """Whether the browser says that it is offline; that it is online says little."""
        return getattr(getattr(js, "navigator", None), "onLine", None) is False

    def watch(self, awake: Callable[[], None]) -> Callable[[], None]:
        """Call `awake` when the network, the page or its tab comes back."""
        remove = super().watch(awake)
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
        self._hand_on()

    def _on_pageshow(self, js_event: Any) -> None:
        # A page that is shown for the first time has slept nothing.
        if js_event.persisted:
            self._hand_on()

    def _on_visibilitychange(self, _js_event: Any) -> None:
        if js.document.visibilityState == "visible":
            self._hand_on()

    def _hand_on(self) -> None:
        try:
            self.wake()
        except Exception:
            _logger.exception("learning that the page is back failed")


surroundings = Page()
