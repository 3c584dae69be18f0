"""A thousand reconnects on one page: what the page holds stays what it was.

Takes a minute or two: `python -m tests.harness chromium tests/wasm/test_soak.py -m soak -s`.
"""

import asyncio
import functools
import gc
import logging
import random
import sys
import time
from dataclasses import astuple, dataclass, fields
from typing import Any

import pyodide_js
import pytest

from circle_ws import Challenge, CircleWsClient, ConnectionStatus, KeepAlive, OutcomeUnknown, StatusChange
from circle_ws.auth import PROFILES, derive_public_key, sign_message
from tests.support.clients import KEY, client
from tests.support.outcomes import later
from tests.support.peers import Peers, RemotePeer
from tests.support.redaction import Secrets, Watch

CLIENTS = 4
ROUNDS = 260
SAMPLES = 13
WARM_UP = 20
"""After so many rounds what the page holds is looked at for the first time."""
LONGEST_TIMER = 5.0
"""Of all options, in seconds: WebLoop keeps a cancelled timer until then."""


class Signer:
    """Sign at once, without the limit that a key of the client's own has on a page, and remember nothing."""

    profiles = frozenset(PROFILES)

    async def public_key(self) -> str:
        return derive_public_key(KEY)

    async def sign(self, challenge: Challenge) -> str:
        return sign_message(KEY, challenge.statement, challenge.profile)


@dataclass(frozen=True)
class Held:
    """What the page holds at a moment."""

    reconnects: int
    seconds: float
    proxies: int
    timers: int
    """Callbacks on their way, those of cancelled timers too."""
    tasks: int
    objects: int
    """Of Python's, as far as its garbage collector knows them; a timer is some seven of them."""
    heap: int
    """The memory of the WebAssembly instance, in MiB."""


def hold(reconnects: int, began: float) -> Held:
    gc.collect()
    module: Any = pyodide_js._module
    names = [repr(target) for target in module.pyproxy_alloc_map.keys()]  # noqa: SIM118 - a JS Map
    objects = gc.get_objects()
    return Held(
        reconnects,
        round(time.monotonic() - began, 1),
        # Whether the proxies of timers are among them depends on the version of Pyodide.
        sum(".call_later." not in name for name in names),
        sum(isinstance(it, asyncio.Handle) for it in objects),
        len(asyncio.all_tasks()),
        len(objects),
        module.HEAPU8.length // 2**20,
    )


async def lose_connections(circle: RemotePeer, clients: list[CircleWsClient], rng: random.Random) -> None:
    """Break the connection of every client, in one way or another."""
    way = rng.randrange(3)
    if way == 0:
        await circle.ask("cut_all")
    elif way == 1:
        await circle.ask("drop_all", code=rng.choice([1000, 1001, 1011, 4000]))
    else:
        for it in clients:
            it.reconnect()


class Connections:
    """Hears of every connection that the clients make."""

    def __init__(self, clients: list[CircleWsClient]) -> None:
        self.made = 0
        self._missing: set[int] = set()
        self._all_back = asyncio.Event()
        for place, it in enumerate(clients):
            it.on_status(functools.partial(self._heard, place))

    def expect(self) -> None:
        """Start to wait for the next connection of every client."""
        self._missing = set(range(CLIENTS))
        self._all_back.clear()

    async def all_back(self) -> None:
        """Return once each client has made a connection since; one that lost it twice meanwhile may have made more."""
        await self._all_back.wait()

    def _heard(self, place: int, change: StatusChange) -> None:
        if change.status is ConnectionStatus.CONNECTED:
            self.made += 1
            self._missing.discard(place)
            if not self._missing:
                self._all_back.set()


async def one_round(
    circle: RemotePeer, clients: list[CircleWsClient], connections: Connections, rng: random.Random, number: int
) -> None:
    """Make calls, lose all connections under them, and have all clients back."""
    connections.expect()
    tokens = [f"{number}-{place}" for place in range(len(clients))]
    plain = [later(it.call("record", [token])) for it, token in zip(clients, tokens, strict=True)]
    again = [later(it.call("echo", [token], idempotent=True)) for it, token in zip(clients, tokens, strict=True)]
    await lose_connections(circle, clients, rng)
    # Nothing is polled: a page that is kept busy so has its timers and its sockets late.
    await connections.all_back()
    assert await asyncio.gather(*again) == tokens
    assert all(type(outcome) in (int, OutcomeUnknown) for outcome in await asyncio.gather(*plain))


@pytest.fixture
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the suite from keeping things: pytest every line, the redaction check every nonce, signature and text."""
    monkeypatch.setattr(logging.getLogger("circle_ws"), "level", logging.ERROR)
    monkeypatch.setattr(Watch, "tell", lambda *_: None)
    for name in ("learn_key", "learn_nonce", "learn_signature"):
        monkeypatch.setattr(Secrets, name, lambda *_: None)


@pytest.mark.soak
@pytest.mark.limit(500)
@pytest.mark.usefixtures("_nothing_is_remembered")
async def test_what_a_page_holds_does_not_grow(peers: Peers) -> None:
    """Proxies and tasks are as many after 1,000 reconnects as before, objects hardly more; no plain call ran twice."""
    circle = await peers.start("circle")
    rng = random.Random(1)
    options: dict[str, Any] = {"open_timeout": LONGEST_TIMER, "sign_timeout": LONGEST_TIMER, "call_timeout": 5.0}
    options["keepalive"] = KeepAlive(interval=2.0, timeout=2.0)
    clients = [client(circle.url, key=None, signer=Signer(), **options) for _ in range(CLIENTS)]
    await asyncio.gather(*(it.connect() for it in clients))
    connections, began = Connections(clients), time.monotonic()
    story = list[Held]()
    for number in range(ROUNDS):
        await one_round(circle, clients, connections, rng, number)
        if number + 1 == WARM_UP:
            first = await rest(connections, began)
        if (number + 1) % (ROUNDS // SAMPLES) == 0:
            story.append(hold(connections.made, began))
    last = await rest(connections, began)
    await asyncio.gather(*(it.close() for it in clients))
    end = await rest(connections, began)
    tell([first, *story, last, end])

    assert connections.made >= 1000
    assert (last.proxies, last.tasks) == (first.proxies, first.tasks)
    # Whatever stayed of each reconnect would be a thousand by now. What each client holds at rest varies a little.
    assert max(last.timers, end.timers) - first.timers < 100
    assert max(last.objects, end.objects) - first.objects < 500
    assert end.proxies == 0
    runs = await circle.ask("runs")
    assert len(runs) == len(set(runs))


async def rest(connections: Connections, began: float) -> Held:
    """Look once nothing is under way and all cancelled timers are gone, so that the machine's pace does not count."""
    await asyncio.sleep(LONGEST_TIMER + 1)
    return hold(connections.made, began)


def tell(story: list[Held]) -> None:
    print(f"\n{sys.platform}, Python {sys.version.split()[0]}, Pyodide {pyodide_js.version}")
    print(" ".join(f"{field.name:>10}" for field in fields(Held)))
    for one in story:
        print(" ".join(f"{value:>10}" for value in astuple(one)))
