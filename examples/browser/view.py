"""Access to the document: text, state and events of elements with an id."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import js
from pyodide.ffi import JsProxy, create_proxy

KEPT = 50
"""Maximum number of points in the plot and of lines in the log."""


class View:
    """The elements and events of the document. `release()` destroys every JavaScript proxy that it made."""

    def __init__(self) -> None:
        self._listeners: list[tuple[Any, str, JsProxy]] = []

    def on(self, id: str, event: str, function: Callable[[], object]) -> None:
        """Call a function at an event, instead of the browser's default action."""

        def handle(js_event: Any) -> None:
            js_event.preventDefault()
            function()

        js_target, js_handler = _element(id), create_proxy(handle)
        js_target.addEventListener(event, js_handler)
        self._listeners.append((js_target, event, js_handler))

    def release(self) -> None:
        """Remove the event listeners and destroy their proxies."""
        for js_target, event, js_handler in self._listeners:
            js_target.removeEventListener(event, js_handler)
            js_handler.destroy()
        self._listeners.clear()

    def write(self, id: str, text: str) -> None:
        """Set the text of an element."""
        _element(id).textContent = text

    def value(self, id: str) -> str:
        """Return the value of a field."""
        return str(_element(id).value).strip()

    def fill(self, id: str, value: str) -> None:
        """Set the value of a field."""
        _element(id).value = value

    def enable(self, id: str, *, enabled: bool) -> None:
        """Enable or disable a button."""
        _element(id).disabled = not enabled

    def answer(self, id: str, text: str, *, good: bool = True, note: str = "") -> None:
        """Show the outcome of a call, with a note at its end."""
        js_output = _element(id)
        js_output.className = "good" if good else "bad"
        js_output.replaceChildren(_made("span", text))
        if note:
            js_output.append(_made("small", note))

    def status(self, status: str, detail: str) -> None:
        """Show the status as text, and in its colour of style.css."""
        js.document.body.dataset.status = status
        self.write("status", status.capitalize())
        self.write("status-detail", detail)

    def wait(self, seconds: float | None) -> None:
        """Show the delay before the next attempt as a bar; None hides it."""
        js_bar = _element("wait")
        js_bar.hidden = True
        if seconds is not None:
            js_bar.style.animationDuration = f"{seconds}s"
            # Reading the layout in between makes the browser restart the animation.
            js_bar.offsetWidth  # noqa: B018
            js_bar.hidden = False

    def log(self, at: float, status: str, detail: str) -> None:
        """Add a line at the top of the log."""
        clock = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 1000) % 1000:03}"
        js_line = _made("li")
        js_line.dataset.status = status
        js_line.append(_made("time", clock), _made("span", status), _made("small", detail))
        js_log = _element("log")
        js_log.prepend(js_line)
        while js_log.childElementCount > KEPT:
            js_log.lastElementChild.remove()

    def plot(self, trips: Sequence[float]) -> None:
        """Draw the last round trips, in milliseconds, and write the latest."""
        self.write("trip", f"{trips[-1]:.1f}")
        highest = max(*trips, 1.0)
        # The latest is at the right edge.
        first = KEPT - len(trips)
        points = [f"{200 * n / (KEPT - 1):.1f},{38 - 36 * trip / highest:.1f}" for n, trip in enumerate(trips, first)]
        _element("plot-line").setAttribute("points", " ".join(points))


def _element(id: str) -> Any:
    return js.document.getElementById(id)


def _made(tag: str, text: str = "") -> Any:
    js_made = js.document.createElement(tag)
    js_made.textContent = text
    return js_made
