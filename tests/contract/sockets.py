"""The two ends of a connection, the same over the runtime's own transport and over memory."""

from typing import TYPE_CHECKING, Any

from circle_ws.transport import Connect, Transport, TransportOptions, connect
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.outcomes import eventually, until
from tests.support.peers import Peers, RemotePeer
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from circle_ws.errors import ConnectionLost

__all__ = ["MemorySockets", "RealSockets", "Sockets"]


class Sockets:
    """A client's transport, and the operations at the server's end."""

    connect: Connect
    url: str

    async def dial(self, receiver: Recorder, **options: Any) -> Transport:
        """Open a connection."""
        return await self.connect(self.url, receiver, TransportOptions(**{"close_timeout": 2.0, **options}))

    async def send(self, text: str) -> None:
        raise NotImplementedError

    async def send_binary(self, text: str) -> None:
        raise NotImplementedError

    async def close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    async def received(self, count: int) -> list[str]:
        """Return the texts that the server received, once there are `count`."""
        raise NotImplementedError

    async def ending(self) -> int:
        """Return the close code that the server saw."""
        raise NotImplementedError


class RealSockets(Sockets):
    """The runtime's own transport, against a real server."""

    connect = connect

    def __init__(self, peer: RemotePeer) -> None:
        self.peer = peer
        self.url = peer.url

    @classmethod
    async def make(cls, peers: Peers) -> "RealSockets":
        return cls(await peers.start("scripted"))

    async def send(self, text: str) -> None:
        await self.peer.ask("send", text=text)

    async def send_binary(self, text: str) -> None:
        await self.peer.ask("send_binary", text=text)

    async def close(self, code: int, reason: str) -> None:
        await self.peer.ask("end_with", code=code, reason=reason)

    async def received(self, count: int) -> list[str]:
        texts: list[str] = await until(self.peer, "received", lambda texts: len(texts) >= count)
        return texts

    async def ending(self) -> int:
        return int((await until(self.peer, "ended"))[-1]["code"])


class MemorySockets(Sockets):
    """The in-process transport."""

    def __init__(self) -> None:
        self.url = "ws://localhost/"
        self.texts: list[str] = []
        self.connect = self.server = MemoryServer(self._serve)

    async def _serve(self, peer: MemoryPeer) -> None:
        async for text in peer:
            self.texts.append(text)

    async def send(self, text: str) -> None:
        self.server.peers[-1].send(text)

    async def send_binary(self, text: str) -> None:
        self.server.peers[-1].send(text.encode())

    async def close(self, code: int, reason: str) -> None:
        self.server.peers[-1].close(code, reason)

    async def received(self, count: int) -> list[str]:
        await eventually(lambda: len(self.texts) >= count)
        return self.texts

    async def ending(self) -> int:
        peer = self.server.peers[-1]
        loss: ConnectionLost = await eventually(lambda: peer.loss)
        return loss.code
