"""A circle that is faster than any client: it pastes the params of a request, undecoded, into the reply.

A program of its own, on picows; it checks nothing and has no sign-in. Two methods are more than an echo:
`flood` with `[count, rate]` answers, then pushes so many notifications `tick` at so many a second; `count_in` gives the
number of messages that this connection has sent.
"""

import asyncio
import time
from typing import Any

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest

from benchmarks.fast_circle import run

_PAUSE = 0.001
"""Between two portions of a flood, in seconds."""


class _Request(msgspec.Struct):
    """A request whose id and params stay text."""

    method: str
    id: msgspec.Raw = msgspec.Raw(b"null")
    params: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Request).decode


class _Echo(WSListener):  # type: ignore[misc, unused-ignore]
    """Serve one connection."""

    def __init__(self) -> None:
        self._floods: set[asyncio.Task[None]] = set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer one message."""
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type is WSMsgType.TEXT:
            request = _decode(frame.get_payload_as_bytes())
            answer = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (bytes(request.id), bytes(request.params))
            transport.send(WSMsgType.TEXT, answer)
            if request.method == "flood":
                self._begin(transport, *msgspec.json.decode(request.params))

    def _begin(self, transport: WSTransport, count: int, rate: int) -> None:
        task = asyncio.get_running_loop().create_task(_flood(transport, count, rate))
        self._floods.add(task)
        task.add_done_callback(self._floods.discard)


async def _flood(transport: WSTransport, count: int, rate: int) -> None:
    """Push `count` notifications, `rate` of them a second, in portions of a millisecond."""
    began = time.perf_counter()
    sent = 0
    while sent < count:
        due = min(count, int((time.perf_counter() - began + _PAUSE) * rate))
        while sent < due:
            transport.send(WSMsgType.TEXT, b'{"jsonrpc":"2.0","method":"tick","params":[%d]}' % sent)
            sent += 1
        await asyncio.sleep(_PAUSE)


def _choose(_: WSUpgradeRequest) -> WSListener:
    return _Echo()


async def _answer(ask: str) -> Any:
    raise ValueError(f"nothing to answer to {ask!r}")


if __name__ == "__main__":
    run(_choose, _answer)
