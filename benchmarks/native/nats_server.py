"""As much of a NATS server, with one responder, as request/reply of nats-py needs; it answers with prepared payloads.

Written from the published client protocol (INFO, CONNECT, PING, SUB, PUB, MSG). A real server with a responder would
cost two more processes, which would share the cores of what is measured.
"""

import asyncio
import json
import time
from typing import Any

from benchmarks.cores import SECOND, pin
from benchmarks.native.payloads import PAYLOADS
from benchmarks.process import answer_lines

_ANSWERS = {name.encode(): json.dumps(value, separators=(",", ":")).encode() for name, value in PAYLOADS.items()}
_INFO = {"server_id": "bench", "version": "2.10.0", "proto": 1, "max_payload": 1048576, "headers": True}


class _Nats(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest = b""
        self._subscription = b"1"
        transport.write(b"INFO %b\r\n" % json.dumps(_INFO).encode())

    def data_received(self, data: bytes) -> None:
        data, at = self._rest + data, 0
        answers: list[bytes] = []
        while (end := data.find(b"\r\n", at)) >= 0:
            words = data[at:end].split(b" ")
            after = end + 2
            if words[0] == b"PUB":
                after += int(words[-1]) + 2
                if after > len(data):
                    break
                answers.append(self._message(words[2], _ANSWERS[words[1]]))
            elif words[0] == b"PING":
                answers.append(b"PONG\r\n")
            elif words[0] == b"SUB":
                self._subscription = words[-1]
            at = after
        self._rest = data[at:]
        if answers:
            self._transport.write(b"".join(answers))

    def _message(self, subject: bytes, payload: bytes) -> bytes:
        return b"MSG %b %b %d\r\n%b\r\n" % (subject, self._subscription, len(payload), payload)


async def serve() -> None:
    """Run the server until standard input ends."""
    server = await asyncio.get_running_loop().create_server(_Nats, "127.0.0.1", 0)

    async def answer(ask: str) -> Any:
        if ask != "cpu":
            raise ValueError(f"nothing to answer to {ask!r}")
        return time.process_time()

    await answer_lines({"port": server.sockets[0].getsockname()[1]}, answer)


if __name__ == "__main__":
    pin(SECOND)
    asyncio.run(serve())
