"""What the fast circles have in common: a program of its own, on picows, that serves until its standard input ends."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from picows import WSListener, WSUpgradeRequest, WSUpgradeResponseWithListener, ws_create_server

from benchmarks.process import answer_lines

__all__ = ["run"]


def run(
    choose: Callable[[WSUpgradeRequest], WSListener | WSUpgradeResponseWithListener],
    answer: Callable[..., Awaitable[Any]],
) -> None:
    """Serve on the port that the command line names.

    Args:
        choose: Makes what serves one connection.
        answer: Answers what the parent process asks.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    asyncio.run(_serve(parser.parse_args().port, choose, answer))


async def _serve(port: int, choose: Callable[..., Any], answer: Callable[..., Awaitable[Any]]) -> None:
    server = await ws_create_server(choose, "127.0.0.1", port, backlog=1024)
    await answer_lines({"port": server.sockets[0].getsockname()[1]}, answer)
