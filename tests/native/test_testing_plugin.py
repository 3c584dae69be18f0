"""The pytest plugin in projects of their own: with pytest-asyncio, with anyio, and with neither."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.limits import PATIENCE

pytest.importorskip("pytest_asyncio", reason="pytest-asyncio, of the dependency group test, is not installed")

_ROOT = Path(__file__).parents[2]
_SHARED = """
import pytest
import circle_ws, circle_ws.sync

KEY = "46" * 32

@pytest.fixture(autouse=True)
def adding(request):
    circle = request.getfixturevalue("circle")
    circle.method("add")(lambda a, b: a + b)
    return circle

async def check(circle, client, server):
    assert await client.call("add", [1, 2]) == 3
    await circle.drop()
    assert await client.call("add", [1, 2]) == 3
    server.method("add")(lambda a, b: a + b)
    async with circle_ws.connect(server.url, private_key=KEY) as other:
        assert await other.call("add", [1, 2]) == 3
"""
_PLAIN = """
from shared import *

def test_plain(circle, circle_sync_client, circle_server):
    assert circle_sync_client.call("add", [1, 2]) == 3
    circle.drop()
    assert circle_sync_client.call("add", [1, 2]) == 3
    assert circle.publish("news") == 1
    circle_server.method("add")(lambda a, b: a + b)
    with circle_ws.sync.connect(circle_server.url, private_key=KEY) as client:
        assert client.call("add", [1, 2]) == 3

@pytest.mark.xfail(strict=True, reason="a plain test cannot use it")
def test_a_plain_test_with_an_async_client(circle_client): ...
"""
_ASYNCIO = """
from shared import *

@pytest.fixture
async def on_top(circle_client):
    return await circle_client.call("add", [2, 2])

{mark}
async def test_one(circle, circle_client, circle_server):
    await check(circle, circle_client, circle_server)
"""
_SCOPES = """
@pytest.mark.asyncio(loop_scope="session")
async def test_session(circle, circle_client, circle_server):
    await check(circle, circle_client, circle_server)

class TestClass:
    @pytest.mark.asyncio(loop_scope="class")
    async def test_class(self, circle, circle_client, circle_server):
        await check(circle, circle_client, circle_server)
"""
_TRIO = """
from shared import *

@pytest.fixture
def anyio_backend():
    return "trio"

@pytest.mark.anyio
async def test_it(circle_client): ...
"""
_ASYNCIO_BACKEND = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
_FAULTY = """
import asyncio
import pytest
from circle_ws.testing import pytest_async

@pytest.fixture
async def fails():
    raise ValueError("before the yield")
    yield

@pytest.fixture
async def yields_twice():
    yield 1
    yield 2

@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(pytest_async, "_LIMIT", 0.05)

@pytest.fixture
async def hangs(impatient):
    await asyncio.Event().wait()
    yield

async def test_before(fails): ...
async def test_after(yields_twice): ...
async def test_never(hangs): ...
"""
_ON_TOP = """
{mark}
async def test_a_fixture_on_top(on_top):
    assert on_top == 4
"""


def run(folder: Path, *options: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run the suite of a project with these files."""
    (folder / "conftest.py").write_text('pytest_plugins = ["circle_ws.testing.pytest_plugin"]\n')
    for name, text in {"shared": _SHARED, **files}.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "--strict-markers", "-W", "error", *options]
    # Plugins are named by each run; loading all that are installed takes seconds.
    environ = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=PATIENCE)


def test_with_pytest_asyncio_and_anyio(tmp_path: Path) -> None:
    """Side by side in one project, in their strict modes, pytest-asyncio with scopes of loops; trio is refused."""
    asyncio_mark, anyio_mark = "@pytest.mark.asyncio", "@pytest.mark.anyio"
    done = run(
        tmp_path,
        *("-p", "asyncio", "-p", "anyio", "-o", "asyncio_default_fixture_loop_scope=function"),
        test_trio=_TRIO,
        test_plain=_PLAIN,
        test_asyncio=_ASYNCIO.format(mark=asyncio_mark) + _SCOPES,
        test_anyio=_ASYNCIO.format(mark=anyio_mark) + _ON_TOP.format(mark=anyio_mark),
    )
    assert "6 passed, 1 xfailed, 1 error" in done.stdout, done.stdout
    assert "circle-ws runs on asyncio, not on trio" in done.stdout, done.stdout


def test_with_the_auto_mode_of_pytest_asyncio(tmp_path: Path) -> None:
    """Without marks, with a fixture of the project's own on top of ours."""
    done = run(
        tmp_path,
        *("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function", "-o", "asyncio_mode=auto"),
        test_asyncio=_ASYNCIO.format(mark="") + _ON_TOP.format(mark="") + _SCOPES,
    )
    assert "4 passed" in done.stdout, done.stdout


def test_without_any_other_plugin(tmp_path: Path) -> None:
    """As inside Pyodide: this one runs coroutine tests, whatever marks they have, and knows the others' options."""
    done = run(
        tmp_path,
        *("-p", "no:asyncio", "-p", "no:anyio", "-p", "circle_ws.testing.pytest_async"),
        *("--strict-config", "-o", "asyncio_mode=auto"),
        test_plain=_PLAIN,
        test_asyncio=_ASYNCIO.format(mark="@pytest.mark.asyncio") + _ON_TOP.format(mark="@pytest.mark.anyio"),
    )
    assert "3 passed, 1 xfailed" in done.stdout, done.stdout


def test_beside_anyio_alone(tmp_path: Path) -> None:
    """Anyio's tests and their fixtures are anyio's, the others are run here, and what is wrong with those is told."""
    done = run(
        tmp_path,
        *("-p", "anyio"),
        test_anyio=_ASYNCIO_BACKEND
        + _ASYNCIO.format(mark="@pytest.mark.anyio")
        + _ON_TOP.format(mark="@pytest.mark.anyio"),
        test_faulty=_FAULTY,
    )
    assert "3 passed, 3 errors" in done.stdout, done.stdout
    for words in ("before the yield", "the fixture yields more than once", "still running after its limit of 0.05 s"):
        assert words in done.stdout
