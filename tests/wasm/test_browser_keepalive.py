"""Keep-alive as a browser has it: without ping frames."""

from circle_ws import ClientConfig, KeepAlive
from tests.support.clients import client
from tests.support.outcomes import until
from tests.support.peers import Peers


def test_a_browser_asks_less_often() -> None:
    """Each heartbeat is a request there, so the default interval is 25 s."""
    assert ClientConfig("ws://localhost/").keepalive == KeepAlive(interval=25.0, timeout=20.0, mode="auto")


async def test_a_browser_probes_by_itself(peers: Peers) -> None:
    """In a browser mode `auto` probes, there being no ping frames."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, keepalive=KeepAlive(interval=0.05, timeout=5)):
        await until(peer, "received")
    assert "rpc.ping" in (await peer.ask("received"))[0]
