"""A thousand clients that lose one server, with the default back-off. Time is virtual."""

import random
import sys
from collections.abc import Generator
from functools import partial

import pytest

from circle_ws import CircleWsClient, ClientConfig, ConnectionStatus
from circle_ws.status import StatusChange
from tests.support.unreliable import UnreliableCircle
from tests.support.virtual import VirtualLoop

CLIENTS = 250 if sys.platform == "emscripten" else 1000
"""Fewer in a page, which is slow."""


@pytest.fixture
def loop() -> Generator[VirtualLoop]:
    it = VirtualLoop()
    yield it
    it.close()


def most_within(times: list[float], window: float) -> int:
    return max(sum(start <= time <= start + window for time in times) for start in times)


@pytest.mark.parametrize("uptime", [1.0, 60.0])
def test_they_do_not_come_back_at_once(loop: VirtualLoop, uptime: float) -> None:
    """At most 15 % of them dial first within any 100 ms, on a short connection and on a long one; all do within 2 s."""
    circle = UnreliableCircle(ping=True)
    clients = [CircleWsClient(ClientConfig("ws://localhost/", transport=circle)) for _ in range(CLIENTS)]
    dials: dict[int, float] = {}
    for number, client in enumerate(clients):
        client._supervisor._timer.policy._rng = random.Random(number)
        loop.run(client.connect())
    loop.advance(uptime)
    lost = loop.time()

    def watch(number: int, change: StatusChange) -> None:
        if change.status is ConnectionStatus.CONNECTING:
            dials.setdefault(number, loop.time() - lost)

    def watch_all() -> None:
        for number, client in enumerate(clients):
            client.on_status(partial(watch, number))

    # Inside of the loop: in a page there is another one running outside of it.
    loop.do(watch_all)
    circle.refusal = 0
    loop.do(lambda: circle.cut(1006))
    loop.advance(2.0)
    assert len(dials) == CLIENTS
    assert most_within(list(dials.values()), 0.1) <= 0.15 * CLIENTS

    for client in clients:
        loop.run(client.close())
