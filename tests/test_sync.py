"""The blocking client, in both runtimes against the real circle: each method waits, with the async client's outcome."""

from typing import Any

import pytest

import circle_ws
import circle_ws.sync
from circle_ws import (
    CircleWsClientBuilder,
    ClientClosed,
    ConnectionStatus,
    NotConnected,
)
from circle_ws.auth import derive_public_key
from circle_ws.testing import loop
from tests.support.clients import KEY, QUICK
from tests.support.peers import Peers, RemotePeer


class Circle:
    """The circle of a test, asked from blocking code."""

    def __init__(self, peer: RemotePeer) -> None:
        self._peer = peer
        self.url = peer.url

    def ask(self, name: str, **arguments: Any) -> Any:
        return loop.run(self._peer.ask(name, **arguments))


@pytest.fixture
def circle(peers: Peers) -> Circle:
    return Circle(loop.run(peers.start("circle")))


def connect(circle: Circle, **options: Any) -> circle_ws.sync.CircleWsClient:
    return circle_ws.sync.connect(circle.url, **{"private_key": KEY, "backoff": QUICK, **options})


def test_sign_in_and_get_answers(circle: Circle) -> None:
    """`connect` returns a connected client; its block closes it."""
    with connect(circle) as client:
        assert client.is_connected()
        assert client.status is ConnectionStatus.CONNECTED
        assert client.play("40 + 2") == "42"
        assert client.whoami() == {"pubkey": derive_public_key(KEY, compressed=True)}
        assert client.call("echo", [[1, 2]], returns=list[int]) == [1, 2]
        assert client.call("echo", {"value": "7"}, returns=float.fromhex) == 7
        assert repr(client).startswith("<circle_ws.sync.CircleWsClient ws://")
    assert not client.is_connected()
    assert client.status is ConnectionStatus.CLOSED
    with pytest.raises(ClientClosed):
        client.call("echo", [1])
    client.close()


def test_the_builder_builds_one(circle: Circle) -> None:
    """`build_sync()` dials nothing; the block connects."""
    client = CircleWsClientBuilder(circle.url).with_keypair(KEY).build_sync()
    assert client.status is ConnectionStatus.IDLE
    with pytest.raises(NotConnected):
        client.call("echo", [1])
    with client:
        assert client.call("echo", [1]) == 1
