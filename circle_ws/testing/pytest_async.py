"""A pytest plugin that runs coroutine tests and async fixtures, in both runtimes, on one event loop a session.

Inside Pyodide no other can: the page's loop is the only one. There `-p no:asyncio -p no:anyio` leaves their tests, with
their marks and options, to this one. Natively `pytest_plugin` uses it where there is no pytest-asyncio; it leaves
anyio's tests to anyio. A test may take 180 s; `@pytest.mark.limit(seconds)` sets another limit.
"""

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from . import loop

_LIMIT = 180.0
_OPTIONS = {
    "asyncio": (
        "asyncio_mode",
        "asyncio_debug",
        "asyncio_default_fixture_loop_scope",
        "asyncio_default_test_loop_scope",
    ),
    "anyio": ("anyio_mode",),
}
"""Plugins that run async tests, by the names that pytest knows them by, with their options in a project's settings."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Take the options of the plugins whose part this one plays, so that a project's settings are no error."""
    for plugin, options in _OPTIONS.items():
        for option in options if pluginmanager.is_blocked(plugin) else ():
            parser.addini(option, f"an option of the plugin {plugin}, without meaning here", default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "limit(seconds): how long an async test may run; 180 s without it")
    for plugin in _OPTIONS:
        if not config.pluginmanager.has_plugin(plugin):
            config.addinivalue_line("markers", f"{plugin}: a coroutine test; it is run without the plugin {plugin}")


def is_anyios(config: pytest.Config, fixturenames: list[str]) -> bool:
    """Return whether the plugin of anyio runs a test, or sets up a fixture, with these fixtures."""
    return config.pluginmanager.has_plugin("anyio") and "anyio_backend" in fixturenames


def pytest_sessionfinish() -> None:
    """End the loop of the session."""
    loop.shut()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test under its limit of time."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or is_anyios(pyfuncitem.config, pyfuncitem.fixturenames):
        return None
    marker = pyfuncitem.get_closest_marker("limit")
    seconds = marker.args[0] if marker and marker.args else _LIMIT
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    loop.run(loop.limited(pyfuncitem.obj(**arguments), seconds))
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Put a synchronous function in the place of an async fixture while pytest sets it up."""
    original = fixturedef.func
    if is_anyios(request.config, request.fixturenames):
        return (yield)
    bound = _bind(original, request.instance)
    if inspect.isasyncgenfunction(original):
        wrapped: Callable[..., Any] = _from_generator(bound)
    elif inspect.iscoroutinefunction(original):
        wrapped = _from_coroutine(bound)
    else:
        return (yield)
    fixturedef.func = wrapped  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = original  # type: ignore[misc]


def _bind(function: Callable[..., Any], instance: object) -> Callable[..., Any]:
    """Bind a fixture that is a method to the instance of this test, as pytest does for its own."""
    plain = getattr(function, "__func__", None)
    bound: Callable[..., Any] = plain.__get__(instance) if plain and instance else function
    return bound


def _from_coroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def fixture(**arguments: Any) -> Any:
        return loop.run(loop.limited(function(**arguments), _LIMIT))

    return fixture


def _from_generator(function: Callable[..., AsyncGenerator[Any, None]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def fixture(**arguments: Any) -> Generator[Any, None, None]:
        held = _Held(function(**arguments), function.__name__)
        yield loop.run(loop.limited(held.begin(), _LIMIT))
        loop.run(loop.limited(held.end(), _LIMIT))

    return fixture


class _Held:
    """An async generator fixture in a task of its own, so that what it enters is left by the same task."""

    def __init__(self, generator: AsyncGenerator[Any, None], name: str) -> None:
        self._generator = generator
        self._name = name

    async def begin(self) -> Any:
        """Run up to the `yield` and return its value."""
        self._ready = asyncio.get_running_loop().create_future()
        self._release = asyncio.Event()
        self._task = asyncio.create_task(self._hold(), name=f"fixture {self._name}")
        try:
            return await self._ready
        except BaseException:
            self._task.cancel()
            raise

    async def end(self) -> None:
        """Run what follows the `yield`."""
        self._release.set()
        await self._task

    async def _hold(self) -> None:
        try:
            value = await anext(self._generator)
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            return
        self._ready.set_result(value)
        await self._release.wait()
        async for _ in self._generator:
            raise RuntimeError("the fixture yields more than once")
