"""Real servers for the tests: they live on the host, in a thread with an event loop of its own.

A test, in whatever runtime, starts, stops and kills them over the fixture `peers`. Every module of this
package may register kinds of peers with `kind`.
"""

import asyncio
import concurrent.futures
import errno
import importlib
import inspect
import itertools
import pkgutil
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

__all__ = ["Peer", "PeerError", "PeerHost", "kind"]

_LIMIT = 120.0


class PeerError(Exception):
    """A peer could not do what a test asked of it."""


class Peer(Protocol):
    """What a kind of peer has; any other method can be called with `ask`."""

    @property
    def url(self) -> str:
        """Where clients connect."""

    async def open(self, port: int) -> int:
        """Listen on `port` (0: any free one) and return the port. May be called again after an end."""

    async def close(self) -> None:
        """End gracefully: clients are told."""

    async def kill(self) -> None:
        """End abruptly: all sockets are aborted at once, as when the machine loses power."""


_Factory = TypeVar("_Factory", bound=Callable[..., Peer | Awaitable[Peer]])
_kinds: dict[str, Callable[..., Peer | Awaitable[Peer]]] = {}


def kind(name: str) -> Callable[[_Factory], _Factory]:
    """Register a class, or an async factory, as the kind of peer called `name`."""

    def register(factory: _Factory) -> _Factory:
        assert name not in _kinds, f"two kinds of peers are called {name!r}"
        _kinds[name] = factory
        return factory

    return register


@dataclass
class _Running:
    peer: Peer
    port: int
    up: bool = True


class PeerHost:
    """Owns the peers and the thread they run in; `call` may be used from any thread."""

    def __init__(self) -> None:
        for module in pkgutil.iter_modules(__path__):
            importlib.import_module(f"{__name__}.{module.name}")
        self._running: dict[str, _Running] = {}
        self._names = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="peers", daemon=True)
        self._thread.start()

    def call(self, op: str, **arguments: Any) -> concurrent.futures.Future[Any]:
        """Start one operation (start, stop, kill, start_again, ask, end) in the thread of the peers."""
        operations: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
            "start": self._start,
            "stop": self._stop,
            "kill": self._kill,
            "start_again": self._start_again,
            "ask": self._ask,
            "end": self._end,
        }
        return asyncio.run_coroutine_threadsafe(_limited(op, operations[op], arguments), self._loop)

    def end_all(self) -> None:
        """End every peer and the thread."""
        try:
            self.call("end", ids=list(self._running)).result(_LIMIT)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_LIMIT)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    async def _start(self, kind: str, **options: Any) -> dict[str, Any]:
        if kind not in _kinds:
            raise PeerError(f"no kind of peer is called {kind!r}; there are {', '.join(sorted(_kinds))}")
        made = _kinds[kind](**options)
        peer = await made if inspect.isawaitable(made) else made
        port = await peer.open(0)
        id = f"{kind}-{next(self._names)}"
        self._running[id] = _Running(peer, port)
        return {"id": id, "url": peer.url, "port": port}

    async def _stop(self, id: str) -> None:
        running = self._find(id)
        if running.up:
            running.up = False
            await running.peer.close()

    async def _kill(self, id: str) -> None:
        running = self._find(id)
        if running.up:
            running.up = False
            await running.peer.kill()

    async def _start_again(self, id: str) -> dict[str, Any]:
        running = self._find(id)
        if running.up:
            raise PeerError(f"the peer {id} is still up")
        while not running.up:
            try:
                running.port = await running.peer.open(running.port)
                running.up = True
            except OSError as error:
                # Somebody's connection to elsewhere may have been given the port meanwhile, for a while.
                if error.errno != errno.EADDRINUSE:
                    raise
                await asyncio.sleep(0.05)
        return {"id": id, "url": running.peer.url, "port": running.port}

    async def _ask(self, id: str, name: str, **arguments: Any) -> Any:
        answer = getattr(self._find(id).peer, name)(**arguments)
        return await answer if inspect.isawaitable(answer) else answer

    async def _end(self, ids: list[str]) -> None:
        ended = [running for id in ids if (running := self._running.pop(id, None)) and running.up]
        await asyncio.gather(*(running.peer.kill() for running in ended))

    def _find(self, id: str) -> _Running:
        if id not in self._running:
            raise PeerError(f"there is no peer {id}")
        return self._running[id]


async def _limited(op: str, method: Callable[..., Coroutine[Any, Any, Any]], arguments: dict[str, Any]) -> Any:
    """Run one operation; whatever goes wrong becomes a `PeerError` that says so in words."""
    try:
        async with asyncio.timeout(_LIMIT):
            return await method(**arguments)
    except PeerError:
        raise
    except Exception as error:
        described = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise PeerError(f"{op}({described}): {type(error).__name__}: {error}") from error
