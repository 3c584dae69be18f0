"""The fixture `peers`: start, stop and kill real servers on the host, the same in both runtimes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

import pytest

__all__ = ["Peers", "RemotePeer"]

_Call = Callable[..., Coroutine[Any, Any, Any]]


class RemotePeer:
    """One server on the host, as a test sees it."""

    def __init__(self, call: _Call, started: dict[str, Any]) -> None:
        self._call = call
        self.id: str = started["id"]
        self.url: str = started["url"]
        self.port: int = started["port"]

    async def stop(self) -> None:
        """End it gracefully."""
        await self._call("stop", id=self.id)

    async def kill(self) -> None:
        """End it abruptly: every socket is aborted."""
        await self._call("kill", id=self.id)

    async def start(self) -> None:
        """Start it again on the same port."""
        await self._call("start_again", id=self.id)

    async def ask(self, name: str, **arguments: Any) -> Any:
        """Call the method `name` of the server and return its answer, a JSON value."""
        return await self._call("ask", id=self.id, name=name, **arguments)


class Peers:
    """Starts servers on the host and remembers them, so that they end with the test."""

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._ids: list[str] = []

    async def start(self, kind: str, **options: Any) -> RemotePeer:
        """Start a server of this kind on a free port."""
        started = await self._call("start", kind=kind, **options)
        self._ids.append(started["id"])
        return RemotePeer(self._call, started)

    async def end(self) -> None:
        """End all of them."""
        if self._ids:
            await self._call("end", ids=self._ids)


if sys.platform == "emscripten":
    from pyodide.http import pyfetch

    async def _post(op: str, **arguments: Any) -> Any:
        """Send one operation to the harness, which owns the servers."""
        body = json.dumps({"op": op, "arguments": arguments})
        response = await pyfetch(f"{os.environ['CIRCLE_WS_HARNESS']}/peers", method="POST", body=body)
        answer = await response.json()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    @pytest.fixture(scope="session")
    def _peer_call() -> _Call:
        """How an operation reaches the servers."""
        return _post

else:

    @pytest.fixture(scope="session")
    def _peer_call() -> Generator[_Call]:
        """How an operation reaches the servers."""
        from tests.peers import PeerHost

        host = PeerHost()

        async def call(op: str, **arguments: Any) -> Any:
            return await asyncio.wrap_future(host.call(op, **arguments))

        yield call
        host.end_all()


@pytest.fixture
async def peers(_peer_call: _Call) -> AsyncGenerator[Peers]:
    """Real servers on the host; those that the test starts end with it."""
    started = Peers(_peer_call)
    try:
        yield started
    finally:
        await started.end()
