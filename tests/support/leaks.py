"""Fail an async test that leaves something behind: tasks, proxies of Python objects, unhandled errors."""

import asyncio
import gc
import inspect
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from circle_ws.testing import loop

if sys.platform == "emscripten":
    import pyodide_js

    _js_module: Any = pyodide_js._module
    _js_module.enable_pyproxy_allocation_tracing()

    def _forget_proxies() -> None:
        """Count only proxies that are made from now on."""
        _js_module.pyproxy_alloc_map.clear()

    def _proxies() -> list[str]:
        """Name the proxies that JavaScript holds, but for timers: WebLoop clears no cancelled timer."""
        held = [repr(target) for target in _js_module.pyproxy_alloc_map.keys()]  # noqa: SIM118 - a JS Map
        return [name for name in held if ".call_later." not in name]

else:

    def _forget_proxies() -> None:
        """There are none on CPython."""

    def _proxies() -> list[str]:
        return []


@dataclass
class _Traces:
    """What was there before a test, and what the loop reported since."""

    tasks: set["asyncio.Task[Any]"]
    reports: list[dict[str, Any]] = field(default_factory=list)

    def running(self) -> list["asyncio.Task[Any]"]:
        """Return the tasks that are new and have not ended."""
        return [task for task in asyncio.all_tasks(loop.get_loop()) - self.tasks if not task.done()]

    def problems(self) -> list[str]:
        """Return a line for everything that is new."""
        return [
            *(f"a task is still running: {task!r}" for task in self.running()),
            *(f"JavaScript still holds a proxy of {name}" for name in _proxies()),
            *(f"the event loop reported: {_describe(report)}" for report in self.reports),
        ]


def pytest_collection_finish() -> None:
    """What is there before the first test stays: the collections at each test's end need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Generator[None]:
    """Compare what there is before an async test with what there is after its fixtures ended."""
    if not inspect.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    event_loop = loop.get_loop()
    traces = _Traces(asyncio.all_tasks(event_loop))
    _forget_proxies()
    event_loop.set_exception_handler(lambda _, report: traces.reports.append(report))
    try:
        yield
        loop.run(loop.settle())
        gc.collect()
        # What is left belongs to pytest, or to the session: the next collection need not look at it again.
        gc.freeze()
        problems = traces.problems()
        if left := traces.running():
            # The tests that follow are not to be blamed for what goes on.
            for task in left:
                task.cancel()
            loop.run(loop.settle())
    finally:
        event_loop.set_exception_handler(None)
    if problems:
        pytest.fail("\n".join(["the test left something behind:", *problems]), pytrace=False)


def _describe(report: dict[str, Any]) -> str:
    error = report.get("exception")
    rest = {name: value for name, value in report.items() if name not in ("message", "exception")}
    return f"{report.get('message', 'an error')}: {error!r} {rest}"
