"""A circle in a process of its own that counts, call by call, how often it ran each."""

import argparse
import asyncio
import base64
from typing import Any

from benchmarks.process import answer_lines
from circle_ws.server import CircleServer

__all__ = ["Ledger"]


class Ledger:
    """Count how often each call was run: one byte a call, by the number of the client and of its call."""

    def __init__(self) -> None:
        self._runs: dict[int, bytearray] = {}
        self.total = 0

    def note(self, client: int, number: int) -> None:
        """Count a call."""
        runs = self._runs.setdefault(client, bytearray())
        if number >= len(runs):
            runs.extend(bytes(number + 1024 - len(runs)))
        runs[number] = min(runs[number] + 1, 255)
        self.total += 1

    def pages(self) -> dict[str, str]:
        """Return all counts, by client, as base64."""
        return {str(client): base64.b64encode(runs).decode() for client, runs in self._runs.items()}


async def serve(port: int) -> None:
    """Run the circle until standard input ends."""
    ledger = Ledger()
    server = CircleServer(port=port)

    @server.method()
    def count(client: int, number: int) -> list[int]:
        """Answer at once."""
        ledger.note(client, number)
        return [client, number]

    @server.method()
    async def count_slowly(client: int, number: int, pause: float) -> list[int]:
        """Answer after `pause` seconds; a connection that ends meanwhile ends it."""
        ledger.note(client, number)
        await asyncio.sleep(pause)
        return [client, number]

    async def answer(ask: str) -> Any:
        if ask == "ledger":
            return ledger.pages()
        return {"runs": ledger.total, "connections": len(server.connections)}

    async with server:
        await answer_lines({"port": server.port, "url": server.url}, answer)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
