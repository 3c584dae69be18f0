"""A thousand reconnects on one page: what the page holds stays what it was.

Takes a minute: `python -m tests.harness chromium tests/wasm/test_soak.py -m soak -s`.
"""

import asyncio
import gc
import logging
import random
import sys
import time
from dataclasses import astuple, dataclass, fields
from typing import Any

import pyodide_js
import pytest

import circle_ws
from circle_ws import Challenge, CircleWsClient, KeepAlive, OutcomeUnknown
from circle_ws.auth import PROFILES, derive_public_key, sign_message
from tests.support.clients import KEY, client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers, RemotePeer

CLIENTS = 4
ROUNDS = 260
SAMPLES = 13
WARM_UP = 2
"""So many of the samples do not count."""
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
    """Proxies of timers, cancelled ones too."""
    tasks: int
    objects: int
    blocks: int
    heap: int
    """The memory of the WebAssembly instance, in MiB."""


def hold(reconnects: int, began: float) -> Held:
    gc.collect()
    module: Any = pyodide_js._module
    names = [repr(target) for target in module.pyproxy_alloc_map.keys()]  # noqa: SIM118 - a JS Map
    timers = sum(".call_later." in name for name in names)
    return Held(
        reconnects,
        round(time.monotonic() - began, 1),
        len(names) - timers,
        timers,
        len(asyncio.all_tasks()),
        len(gc.get_objects()),
        sys.getallocatedblocks(),
        module.HEAPU8.length // 2**20,
    )


async def lose_links(circle: RemotePeer, clients: list[CircleWsClient], rng: random.Random) -> None:
    """Let every client lose its link, in one way or another."""
    way = rng.randrange(3)
    if way == 0:
        await circle.ask("cut_all")
    elif way == 1:
        await circle.ask("drop_all", code=rng.choice([1000, 1001, 1011, 4000]))
    else:
        for it in clients:
            it.reconnect()


async def one_round(circle: RemotePeer, clients: list[CircleWsClient], rng: random.Random, number: int) -> int:
    """Make calls, lose all links under them, and have all clients back; gives the number of links that came back."""
    links = 0

    def count(change: circle_ws.StatusChange) -> None:
        nonlocal links
        links += change.status is circle_ws.ConnectionStatus.CONNECTED

    removers = [it.on_status(count) for it in clients]
    tokens = [f"{number}-{place}" for place in range(len(clients))]
    plain = [later(it.call("record", [token])) for it, token in zip(clients, tokens, strict=True)]
    again = [later(it.call("echo", [token], idempotent=True)) for it, token in zip(clients, tokens, strict=True)]
    await lose_links(circle, clients, rng)
    await eventually(lambda: links == len(clients))
    assert await asyncio.gather(*again) == tokens
    assert all(type(outcome) in (int, OutcomeUnknown) for outcome in await asyncio.gather(*plain))
    for remove in removers:
        remove()
    return links


@pytest.mark.soak
@pytest.mark.limit(500)
async def test_what_a_page_holds_does_not_grow(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and tasks are as many after 1,000 reconnects as before, objects hardly more; no plain call ran twice."""
    # pytest would keep every line.
    monkeypatch.setattr(logging.getLogger("circle_ws"), "level", logging.ERROR)
    circle = await peers.start("circle")
    rng = random.Random(1)
    options: dict[str, Any] = {"open_timeout": LONGEST_TIMER, "sign_timeout": LONGEST_TIMER, "call_timeout": 5.0}
    options["keepalive"] = KeepAlive(interval=2.0, timeout=2.0)
    clients = [client(circle.url, key=None, signer=Signer(), **options) for _ in range(CLIENTS)]
    await asyncio.gather(*(it.connect() for it in clients))
    reconnects, began = 0, time.monotonic()
    story = [hold(0, began)]
    for number in range(ROUNDS):
        reconnects += await one_round(circle, clients, rng, number)
        if number % (ROUNDS // SAMPLES) == ROUNDS // SAMPLES - 1:
            story.append(hold(reconnects, began))
    await asyncio.gather(*(it.close() for it in clients))
    await asyncio.sleep(LONGEST_TIMER + 1)
    story.append(hold(reconnects, began))
    tell(story)

    first, last = story[WARM_UP], story[-2]
    assert reconnects >= 1000
    assert (last.proxies, last.tasks) == (first.proxies, first.tasks)
    assert story[-1].proxies == 0
    assert story[-1].timers <= 1
    assert max(one.timers for one in story[WARM_UP:]) < 2 * max(one.timers for one in story[: WARM_UP + 2])
    runs = await circle.ask("runs")
    assert len(runs) == len(set(runs))


def tell(story: list[Held]) -> None:
    print(f"\n{sys.platform}, Python {sys.version.split()[0]}, Pyodide {pyodide_js.version}")
    print(" ".join(f"{field.name:>10}" for field in fields(Held)))
    for one in story:
        print(" ".join(f"{value:>10}" for value in astuple(one)))
