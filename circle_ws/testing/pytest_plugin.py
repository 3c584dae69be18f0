"""Fixtures for pytest: `pytest_plugins = ["circle_ws.testing.pytest_plugin"]` in the root `conftest.py`.

| fixture | is |
|---|---|
| `circle` | a new `Circle`, in memory; for any test |
| `circle_client` | a connected async client of it; for async tests |
| `circle_sync_client` | a connected blocking client of it; for plain tests |
| `circle_server` | a real `CircleServer` on loopback, started; for any test, natively only |

Async tests may be those of pytest-asyncio or of anyio; what is async is made on the test's own event loop. Without
pytest-asyncio (inside Pyodide always) this plugin runs coroutine tests and async fixtures itself.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import UnsupportedRuntime
from . import pytest_async
from .circle import Circle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ..client import CircleWsClient
    from ..server import CircleServer
    from ..sync import CircleWsClient as SyncClient

__all__ = ["circle", "circle_client", "circle_server", "circle_sync_client"]

_ASYNC_RUNNER = "circle_ws.testing.pytest_async"


def pytest_configure(config: pytest.Config) -> None:
    """Have async tests run by whatever there is to run them."""
    manager = config.pluginmanager
    if manager.has_plugin("asyncio"):
        manager.register(_for_pytest_asyncio(manager.get_plugin("asyncio")))
    elif not manager.has_plugin(_ASYNC_RUNNER):
        manager.register(pytest_async, _ASYNC_RUNNER)


@pytest.fixture
def circle() -> Circle:
    """A circle in memory, new for each test."""
    return Circle()


@pytest.fixture
def circle_client(request: pytest.FixtureRequest) -> CircleWsClient:
    """An async client of `circle`, connected and signed in, on the event loop of the test."""
    if not _is_async(request):
        pytest.fail("circle_client is for async tests; a plain one takes circle_sync_client", pytrace=False)
    client: CircleWsClient = request.getfixturevalue(_on_the_tests_loop(request, "_circle_client"))
    return client


@pytest.fixture
def circle_sync_client(circle: Circle) -> Iterator[SyncClient]:
    """A blocking client of `circle`, connected and signed in."""
    with circle.connect_sync() as client:
        yield client


@pytest.fixture
def circle_server(request: pytest.FixtureRequest) -> CircleServer:
    """A `CircleServer` that listens on loopback: on the event loop of an async test, else on one in a thread."""
    try:
        from ..server import CircleServer  # noqa: F401 - whether there is one here
    except ImportError as error:
        raise UnsupportedRuntime(f"circle_server: {error}; use the fixture circle here") from None
    name = _on_the_tests_loop(request, "_circle_server") if _is_async(request) else "_circle_server_in_thread"
    server: CircleServer = request.getfixturevalue(name)
    return server


# What each is made by. An async fixture runs on the loop that its plugin chooses: anyio and our own runner have one,
# pytest-asyncio chooses by a mark of the fixture, so there is one fixture for each of its scopes.


def _connects() -> Callable[[Circle], AsyncIterator[CircleWsClient]]:
    async def connected(circle: Circle) -> AsyncIterator[CircleWsClient]:
        async with circle.connect() as client:
            yield client

    return connected


def _serves() -> Callable[[], AsyncIterator[CircleServer]]:
    async def started() -> AsyncIterator[CircleServer]:
        from ..server import CircleServer

        async with CircleServer() as server:
            yield server

    return started


_circle_client = pytest.fixture(_connects(), name="_circle_client")
_circle_server = pytest.fixture(_serves(), name="_circle_server")


def _for_pytest_asyncio(pytest_asyncio: Any) -> ModuleType:
    """Return a plugin with the async fixtures as pytest-asyncio wants them."""
    fixtures = ModuleType("circle_ws.testing.fixtures_for_pytest_asyncio")
    for scope in ("function", "class", "module", "package", "session"):
        for made, name in ((_connects(), f"_circle_client_{scope}"), (_serves(), f"_circle_server_{scope}")):
            setattr(fixtures, name, pytest_asyncio.fixture(made, loop_scope=scope, name=name))
    return fixtures


@pytest.fixture
def _circle_server_in_thread() -> Iterator[CircleServer]:
    with _in_thread() as server:
        yield server


@contextmanager
def _in_thread() -> Iterator[CircleServer]:
    import asyncio
    from threading import Thread

    from ..server import CircleServer

    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="circle_server")
    thread.start()
    server = CircleServer()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _is_async(request: pytest.FixtureRequest) -> bool:
    test = getattr(request.node, "obj", None)
    return inspect.iscoroutinefunction(getattr(getattr(test, "hypothesis", None), "inner_test", test))


def _on_the_tests_loop(request: pytest.FixtureRequest, name: str) -> str:
    """Return the name of the fixture that is made on the event loop of the test."""
    mark = request.node.get_closest_marker("asyncio")
    if mark is not None and request.config.pluginmanager.has_plugin("asyncio"):
        given = mark.kwargs.get("loop_scope") or mark.kwargs.get("scope")
        return f"{name}_{given or request.config.getini('asyncio_default_test_loop_scope')}"
    if pytest_async.is_anyios(request.config, request.fixturenames):
        backend = request.getfixturevalue("anyio_backend")
        if (backend if isinstance(backend, str) else backend[0]) != "asyncio":
            words = f"circle-ws runs on asyncio, not on {backend}: have a fixture anyio_backend that returns 'asyncio'"
            pytest.fail(words, pytrace=False)
    return name
