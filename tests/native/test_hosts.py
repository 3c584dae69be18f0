"""Hosts that cannot run a client: a Node without WebSocket, a program without an asyncio event loop."""

import subprocess
from pathlib import Path

import pytest

from circle_ws import CircleWsClientBuilder, ConfigError, ConnectionStatus
from circle_ws.bundle import programs
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.limits import PATIENCE

_SCRIPT = Path(__file__).parents[1] / "harness" / "page" / "without_websocket.mjs"


@pytest.mark.harness
def test_a_node_without_websocket(wheels: Path) -> None:
    """The client is refused when it is made, in words, and Python goes on."""
    node = programs.find("node")
    if node is None:
        pytest.skip(programs.advice("node"))
    command = [str(node), str(_SCRIPT), str(wheels)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("UnsupportedRuntime: this host has no WebSocket: Node") for line in lines[:3])
    assert lines[3] == "Python goes on"


# Without asyncio. Under trio a coroutine is stepped by a loop that asyncio does not know, as it is here.


async def _serve(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


async def _use(step: str) -> None:
    it = CircleWsClientBuilder("ws://localhost/").with_transport(MemoryServer(_serve)).build()
    try:
        if step == "connect":
            await it.connect()
        elif step == "close":
            await it.close()
        elif step == "batch of notifications":
            await it.notifications().batch()
        elif step == "next notification":
            await anext(it.notifications())
        elif step == "next change":
            changes = it.status_changes()
            # The first is there already.
            await anext(changes)
            await anext(changes)
        else:
            async with it:
                pass
    finally:
        assert it.status is ConnectionStatus.IDLE


@pytest.mark.parametrize(
    "step", ["connect", "async with", "close", "batch of notifications", "next notification", "next change"]
)
def test_without_an_asyncio_loop_it_says_what_is_needed(step: str) -> None:
    """Under trio, or driven by hand: refused in words before anything is touched."""
    coroutine = _use(step)
    with pytest.raises(RuntimeError, match=r"circle-ws runs on asyncio, and no asyncio event loop .* trio"):
        coroutine.send(None)
    coroutine.close()


@pytest.mark.parametrize("url", ["/ws", "ws", "?x=1", "//circle.example/ws"])
def test_natively_a_relative_url_is_refused(url: str) -> None:
    """There is no page that it could be relative to; the words say so."""
    with pytest.raises(ConfigError, match="relative to a page"):
        CircleWsClientBuilder(url).build()
