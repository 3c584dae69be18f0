"""Threads with blocking clients while connections are cut: right answers, nothing hangs, nothing is left.

Short by default; the minute is `pytest tests/native/test_sync_storm.py -m soak -s`.
"""

import asyncio
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest

import circle_ws.sync
from circle_ws import OutcomeUnknown
from circle_ws.sync import CircleWsClient, loop_thread
from circle_ws.testing import loop
from tests.support.clients import KEY, QUICK
from tests.support.outcomes import eventually
from tests.support.peers import Peers, RemotePeer

_FILES = "/proc/self/fd"
_DEADLINE = 60
"""Of a call, in seconds: one that takes so long has hung."""

_SHORT = pytest.param(0.5, 0.1, id="short")
_MINUTE = pytest.param(60.0, 1.0, id="minute", marks=pytest.mark.soak)
"""How long the storm lasts, and the time between two cuts, in seconds: a hundred sign-ins must fit in between."""


@pytest.fixture
def circle(peers: Peers) -> RemotePeer:
    return loop.run(peers.start("circle", dialect="hero-0.2"))


@pytest.fixture(autouse=True)
def nothing_left(circle: RemotePeer) -> Iterator[None]:
    """Compare threads, open files and tasks before and after."""
    runner = loop_thread.current()
    threads, files = set(threading.enumerate()), _open_files()
    yield
    assert set(threading.enumerate()) <= threads
    assert runner.do(lambda: [task for task in asyncio.all_tasks(runner.loop) if not task.done()]) == []
    gc.collect()
    # The circle, which is in this process too, closes its ends a little later.
    loop.run(loop.limited(eventually(lambda: _open_files() <= files), 30))


def _open_files() -> int:
    """Return how many sockets, pipes and selectors this process has: libraries that are loaded late are files."""
    if not os.path.isdir(_FILES):
        return 0
    opened = 0
    for name in os.listdir(_FILES):
        with suppress(FileNotFoundError):
            opened += not os.readlink(f"{_FILES}/{name}").startswith("/")
    return opened


class Storm:
    """Calls from many threads, and what came of them, while the circle cuts every connection again and again.

    Args:
        circle: The circle.
        clients: The clients, one of which reconnects at least.
        seconds: How long it goes on at least; on a busy machine until a client has reconnected.
        pause: Between two cuts, in seconds.
    """

    def __init__(self, circle: RemotePeer, clients: list[CircleWsClient], seconds: float, pause: float) -> None:
        self._circle = circle
        self._clients = clients
        self._pause = pause
        self._until = time.monotonic() + seconds
        self.is_over = False
        self.fates: Counter[str] = Counter()
        self.cuts = 0

    @property
    def reconnects(self) -> int:
        return sum(client.stats.reconnects for client in self._clients)

    def run(self, works: list[Callable[[], Counter[str]]]) -> None:
        """Run each in a thread, and cut connections meanwhile."""
        with ThreadPoolExecutor(len(works)) as pool:
            running = [pool.submit(work) for work in works]
            # One that has ended has failed.
            while (time.monotonic() < self._until or not self.reconnects) and not any(one.done() for one in running):
                time.sleep(self._pause)
                # On a busy machine sign-ins take longer than the pause, and cuts would let none succeed.
                if any(client.is_connected() for client in self._clients):
                    loop.run(self._circle.ask("cut_all"))
                    self.cuts += 1
            self.is_over = True
            for one in running:
                self.fates += one.result()

    def work(self, clients: list[CircleWsClient], name: int) -> Counter[str]:
        """Call by each client in turn, at least once; return how many calls ended in which way."""
        fates: Counter[str] = Counter()
        number = 0
        while not self.is_over or number < len(clients):
            client, number = clients[number % len(clients)], number + 1
            value = [name, number]
            try:
                answer = client.call("echo", [value], idempotent=number % 2 == 0, timeout=_DEADLINE)
            except OutcomeUnknown:
                fates["unknown"] += 1
            else:
                assert answer == value
                fates["answered"] += 1
        return fates


def _connected(circle: RemotePeer, stack: ExitStack, count: int) -> list[CircleWsClient]:
    options: dict[str, Any] = {"private_key": KEY, "backoff": QUICK, "first_connect": "retry"}
    return [stack.enter_context(circle_ws.sync.connect(circle.url, **options)) for _ in range(count)]


@pytest.mark.parametrize(("seconds", "pause"), [_SHORT, _MINUTE])
def test_a_hundred_threads_on_one_client(circle: RemotePeer, seconds: float, pause: float) -> None:
    """Each gets the answers to its own calls, or is told that the outcome is unknown."""
    with ExitStack() as stack:
        clients = _connected(circle, stack, 1)
        storm = Storm(circle, clients, seconds, pause)
        storm.run([partial(storm.work, clients, name) for name in range(100)])
        _tell(storm)


@pytest.mark.parametrize(("seconds", "pause"), [_SHORT, _MINUTE])
def test_a_hundred_clients_in_ten_threads(circle: RemotePeer, seconds: float, pause: float) -> None:
    """The same, with ten clients to each thread."""
    with ExitStack() as stack:
        clients = _connected(circle, stack, 100)
        storm = Storm(circle, clients, seconds, pause)
        storm.run([partial(storm.work, clients[name::10], name) for name in range(10)])
        _tell(storm)


def _tell(storm: Storm) -> None:
    print(f"\n{dict(storm.fates)}, {storm.cuts} cuts, {storm.reconnects} reconnects")
    assert storm.fates["answered"]
    assert set(storm.fates) <= {"answered", "unknown"}
