"""The peer `circle`: the reference circle itself, with a few methods and the means to look into it."""

import asyncio
import dataclasses
from typing import Any

from circle_ws import RpcError
from circle_ws.auth.profiles import audience
from circle_ws.server import CircleServer, Connection
from tests.peers import kind


@kind("circle")
class Circle(CircleServer):
    """A `CircleServer` that tests can start, kill and ask."""

    def __init__(self, *, public_url: str | None = None, **options: Any) -> None:
        # "self" stands for its own URL, which is known only when it listens.
        own = public_url == "self"
        super().__init__(play=_play, public_url=None if own else public_url, **options)
        self._names_itself = own
        self.ran: list[Any] = []
        """What `record` and `hold` were called with, in order."""
        self._released = asyncio.Event()
        for function in (self.echo, self.record, self.hold, self.fail, self.drop, self.tick, self.ask_back):
            self.method()(function)

    async def open(self, port: int) -> int:
        self._port = port
        await self.start()
        if self._names_itself:
            self.call_itself(self.url)
        return self.port

    async def close(self) -> None:
        await self.stop()

    # Methods of the circle.

    def echo(self, value: Any = None) -> Any:
        return value

    def record(self, value: Any) -> int:
        self.ran.append(value)
        return len(self.ran)

    async def hold(self, value: Any) -> Any:
        """Answer when a test says `release`."""
        self.ran.append(value)
        await self._released.wait()
        return value

    def fail(self) -> None:
        raise RuntimeError("a fault of the circle's own")

    async def drop(self, connection: Connection, code: int = 1001, reason: str = "") -> None:
        await connection.close(code, reason)

    def tick(self, connection: Connection, count: int = 1) -> None:
        for number in range(count):
            connection.notify("tick", {"number": number})

    async def ask_back(self, connection: Connection, method: str, params: list[Any]) -> Any:
        """Answer with what the caller answers."""
        return await connection.call(method, params)

    # What tests ask.

    def runs(self) -> list[Any]:
        return self.ran

    def release(self) -> None:
        self._released.set()

    def push(self, method: str, params: Any) -> int:
        return self.publish(method, params)

    def call_itself(self, url: str | None) -> None:
        """Set another public URL from the next connection on; with None no bound profile is offered."""
        self._rules = dataclasses.replace(self._rules, audience=None if url is None else audience(url))

    def signed_bound(self) -> list[str]:
        """The keys that ever signed in with a signature that names this circle."""
        return sorted(self._rules.signed_bound)

    def forget_sign_ins(self) -> None:
        """Forget who is signed in, as a circle does whose sessions have ended, and keep the connections."""
        for connection in self.connections:
            connection.public_key = None

    async def ask_client(self, method: str, params: Any = None) -> Any:
        """Send the first client a request; gives its result, or the code and the message of its error."""
        try:
            return {"result": await self.connections[0].call(method, params)}
        except RpcError as error:
            return {"error": [error.code, error.message, error.data]}

    async def ask_client_together(self, requests: list[list[Any]]) -> list[Any]:
        """Send the first client a batch."""
        answers = await self.connections[0].batch([(method, params) for method, params in requests])
        return [it.code if isinstance(it, RpcError) else it for it in answers]

    def public_keys(self) -> list[str | None]:
        return [connection.public_key for connection in self.connections]

    async def drop_all(self, code: int = 1001, reason: str = "") -> None:
        await asyncio.gather(*(connection.close(code, reason) for connection in self.connections))

    def cut_all(self) -> None:
        for connection in self.connections:
            connection.abort()


def _play(script: str) -> str:
    """Add whole numbers."""
    return str(sum(int(number) for number in script.split("+")))
