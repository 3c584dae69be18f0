"""A circle that is faster than any client here: it cuts the id out of the text and pastes it into a prepared answer.

It parses no JSON and checks no signature. It speaks JSON-RPC and, for gql, as much of the subprotocol
`graphql-transport-ws` as queries need. It is a program of its own, so that it has a core to itself.
"""

import json
import time
from typing import Any

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from benchmarks.cores import SECOND, pin
from benchmarks.fast_circle import run
from benchmarks.native.payloads import PAYLOADS
from benchmarks.process import raise_file_limit

_ENCODED = {name.encode(): json.dumps(value, separators=(",", ":")).encode() for name, value in PAYLOADS.items()}
_RESULTS = {
    **_ENCODED,
    b"fetch_nonce": b'"nonce_1234567890_abcdef"',
    b"authenticate": b"true",
}
_METHOD_WITHIN = 160
"""The name of the method stands this early in a message, in bytes."""


class _JsonRpc(WSListener):
    """Answer JSON-RPC requests; push notifications when asked to."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._answer(transport, frame.get_payload_as_bytes())

    def _answer(self, transport: WSTransport, text: bytes) -> None:
        id = _value_after(text, b'"id"')
        if b'"push"' in text[:_METHOD_WITHIN]:
            _push(transport, id, int(_value_after(text, b'"count"')))
            return
        result = _pick(text, _RESULTS)
        transport.send(WSMsgType.TEXT, b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id, result))


class _GraphQL(_JsonRpc):
    """Answer the queries of gql."""

    def _answer(self, transport: WSTransport, text: bytes) -> None:
        if b'"connection_init"' in text:
            transport.send(WSMsgType.TEXT, b'{"type":"connection_ack"}')
        elif b'"subscribe"' in text[:_METHOD_WITHIN]:
            id = _value_after(text, b'"id"')
            answer = b'{"id":%b,"type":"next","payload":{"data":{"echo":%b}}}' % (id, _pick(text, _ENCODED))
            transport.send(WSMsgType.TEXT, answer)
            transport.send(WSMsgType.TEXT, b'{"id":%b,"type":"complete"}' % id)


def _value_after(text: bytes, key: bytes) -> bytes:
    """Cut out a number or a short text that follows a key."""
    start = text.index(key) + len(key)
    after = text[start : start + 40].lstrip(b": ")
    return after[: min(at for at in (after.find(b","), after.find(b"}"), len(after)) if at > 0)]


def _pick(text: bytes, results: dict[bytes, bytes]) -> bytes:
    begin = text[:_METHOD_WITHIN]
    for name, result in results.items():
        if name in begin:
            return result
    raise ValueError(f"nothing is prepared for {begin!r}")


def _push(transport: WSTransport, id: bytes, count: int) -> None:
    """Send so many notifications at once, then the answer."""
    for number in range(count):
        text = b'{"jsonrpc":"2.0","method":"tick","params":{"number":%d,"text":"%b"}}' % (number, b"x" * 40)
        transport.send(WSMsgType.TEXT, text)
    transport.send(WSMsgType.TEXT, b'{"jsonrpc":"2.0","id":%b,"result":%d}' % (id, count))


def _choose(request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
    if b"deflate" in request.path:
        # Agrees to compression, so that the client sets it up; good for clients that only idle.
        agreed = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Extensions": "permessage-deflate"})
        return WSUpgradeResponseWithListener(agreed, _JsonRpc())
    return _GraphQL() if b"graphql" in request.path else _JsonRpc()


async def _answer(ask: str) -> Any:
    if ask != "cpu":
        raise ValueError(f"nothing to answer to {ask!r}")
    return time.process_time()


if __name__ == "__main__":
    pin(SECOND)
    raise_file_limit()
    run(_choose, _answer)
