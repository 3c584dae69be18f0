"""The pytest plugin of a run inside Pyodide: what a suite's configuration names but a page cannot have does no harm.

Coroutine tests and async fixtures are run by `circle_ws.testing.pytest_async` on the page's own loop, whatever they are
marked with: pytest-asyncio and anyio would make loops of their own.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from importlib.util import find_spec
from typing import Any, Self

import pytest

from .. import loop

__all__: list[str] = []

_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "pytest_cov": {
        "--cov": {"nargs": "?", "action": "append"},
        "--cov-report": {"action": "append"},
        "--cov-config": {},
        "--cov-context": {},
        "--cov-fail-under": {},
        "--cov-append": {"action": "store_true"},
        "--cov-branch": {"action": "store_true"},
        "--no-cov": {"action": "store_true"},
        "--no-cov-on-fail": {"action": "store_true"},
    },
    "xdist": {"-n": {}, "--numprocesses": {}, "--maxprocesses": {}, "--dist": {}},
    "pytest_timeout": {"--timeout": {}, "--timeout-method": {}},
    "": {"--asyncio-mode": {}, "--asyncio-debug": {"action": "store_true"}, "--anyio-mode": {}},
}
"""Options of plugins, by the module of each: accepted and ignored where there is no such module."""
_SETTINGS = {"pytest_timeout": ("timeout", "timeout_method", "timeout_func_only")}


def _is_absent(module: str) -> bool:
    return not module or find_spec(module) is None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Accept what the plugins that are not here would."""
    group = parser.getgroup("without effect in a page")
    for module, options in _OPTIONS.items():
        for option, named in options.items() if _is_absent(module) else ():
            group._addoption(option, dest=f"page{option.replace('-', '_')}", **named)
    for module, settings in _SETTINGS.items():
        for setting in settings if _is_absent(module) else ():
            parser.addini(setting, "without effect in a page")


class _Runner:
    """Stands in for `asyncio.Runner`, as `unittest.IsolatedAsyncioTestCase` uses it: it runs on the page's own loop."""

    def __init__(self, **_: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """The page's loop goes on."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return loop.get_loop()

    def run(self, coroutine: Coroutine[Any, Any, Any], *, context: Context | None = None) -> Any:
        async def within() -> Any:
            return await asyncio.create_task(coroutine, context=context)

        return loop.run(within())


def pytest_configure(config: pytest.Config) -> None:
    """Accept their markers, and let what would make an event loop use the page's."""
    asyncio.Runner = _Runner  # type: ignore[assignment, misc]
    config.addinivalue_line("markers", "timeout: without effect in a page")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The one backend of anyio that works on a page's loop."""
    return "asyncio"
