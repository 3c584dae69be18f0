"""A program that ends without closing its blocking client, in whose log there should be nothing."""

import logging

import circle_ws.sync
from circle_ws.transport.memory import MemoryPeer, MemoryServer

logging.basicConfig(level=logging.WARNING)


async def circle(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


client = circle_ws.sync.connect("ws://localhost/", transport=MemoryServer(circle))
client.on_status(lambda change: None)
client.handle("describe", lambda topic: topic)
print("done")
