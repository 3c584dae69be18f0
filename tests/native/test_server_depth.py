"""Deep JSON ends no process: a circle in a thread with a short stack answers it before it is parsed."""

import subprocess
import sys

import pytest

from tests.support.limits import PATIENCE

CIRCLE = """\
import asyncio, sys, threading
from websockets.asyncio.client import connect
from circle_ws.server import CircleServer

DEEP = {
    "arrays": lambda size: "[" * size,
    "objects": lambda size: '{"a":' * (size // 5),
    "closed": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "in a request": lambda size: '{"jsonrpc":"2.0","id":1,"method":"rpc.ping","params":' + "[" * size,
    "beside strings": lambda size: '["]]]]\\\\"",' * (size // 10),
}

async def main():
    async with CircleServer(max_message_bytes=4 << 20) as server, connect(server.url) as socket:
        for make in DEEP.values():
            for size in (3000, 20_000, 1_000_000):
                await socket.send(make(size))
                assert '"code":-32700' in await socket.recv(), (make, size)
        await socket.send("[" * 400 + "]" * 400)
        assert '"code":-32600' in await socket.recv()
        await socket.send('{"jsonrpc":"2.0","id":1,"method":"rpc.ping"}')
        assert '"pong"' in await socket.recv()
    print("alive")

threading.stack_size(int(sys.argv[1]) * 1024)
thread = threading.Thread(target=lambda: asyncio.run(main()))
thread.start()
thread.join()
"""


@pytest.mark.parametrize("stack", [512, 2048, 8192], ids=lambda kib: f"{kib} KiB")
def test_deep_json_is_refused_before_it_is_parsed(stack: int) -> None:
    """Before any sign-in, in whatever shape; what is nested 400 deep is taken."""
    done = subprocess.run([sys.executable, "-c", CIRCLE, str(stack)], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
