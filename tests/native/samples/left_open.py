"""A program that ends without closing its blocking client, in whose log there should be nothing."""

import logging

import circle_ws.sync
from circle_ws.transport.memory import MemoryPeer, MemoryServer

logging.basicConfig(level=logging.WARNING)
# How long a turn of the loop took says how busy the machine is.
logging.getLogger("asyncio").addFilter(lambda record: "Executing %s took" not in str(record.msg))


async def circle(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


client = circle_ws.sync.connect("ws://localhost/", transport=MemoryServer(circle))
client.on_status(lambda change: None)
client.handle("describe", lambda topic: topic)
print("done")
