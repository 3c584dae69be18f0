"""A transport that notes how a client opens a connection and signs in: forms and times, never a value."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ...errors import CircleWsError
from ...jsonrpc import codec
from ...transport import Capabilities, Connect, Receiver, Transport, TransportOptions

__all__ = ["Exchange", "Watch"]

_BOUND = "auth_profiles"
_CHECKED = 64 * 1024
"""Maximum length of a message that is looked at, in characters; the sign-in has none that is longer."""


@dataclass(slots=True)
class Exchange:
    """A request and its reply, without their values.

    Attributes:
        id: The id of the request.
        method: The method.
        by_position: Whether the params went by position.
        names: The names of the params; empty if they went by position.
        count: The number of params.
        sent: When it was sent, in seconds on the clock of `time.perf_counter`.
        answered: When the reply came; None if there was none.
        accepted: Whether the reply was a result.
        offers: Whether the result named bound profiles.
    """

    id: Any
    method: str
    by_position: bool
    names: frozenset[str]
    count: int
    sent: float = field(default_factory=perf_counter)
    answered: float | None = None
    accepted: bool = False
    offers: bool = False

    @property
    def seconds(self) -> float | None:
        """How long the reply took."""
        return None if self.answered is None else self.answered - self.sent


class Watch:
    """A `Connect` that notes what it sees of one connection.

    Args:
        inner: Opens the WebSocket.

    Attributes:
        capabilities: Those of `inner`.
        transport: The open transport; None before.
        seconds: How long it took to open; None before.
        exchanges: What was asked and answered, in order.
        echoed: Whether the server sent a request back as it was.
    """

    def __init__(self, inner: Connect) -> None:
        self._inner = inner
        self.capabilities: Capabilities = inner.capabilities
        self.transport: Transport | None = None
        self.seconds: float | None = None
        self.exchanges: list[Exchange] = []
        self.echoed: bool = False

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        """Open the WebSocket as `inner` does."""
        began = perf_counter()
        self.transport = await self._inner(url, _Receiving(receiver, self), options)
        self.seconds = perf_counter() - began
        return _Sending(self.transport, self)

    def asked(self, method: str) -> list[Exchange]:
        """Return the requests of this method, in order."""
        return [one for one in self.exchanges if one.method == method]

    def note_request(self, text: str) -> None:
        """Note a request of the client's."""
        message = _read(text)
        if isinstance(message, dict) and "id" in message and isinstance(message.get("method"), str):
            params = message.get("params") or ()
            names = frozenset(params) if isinstance(params, dict) else frozenset[str]()
            exchange = Exchange(message["id"], message["method"], isinstance(params, list), names, len(params))
            self.exchanges.append(exchange)

    def note_reply(self, text: str) -> None:
        """Note a message of the server's, if it is the reply to a request."""
        waiting = [one for one in self.exchanges if one.answered is None]
        message = _read(text) if waiting else None
        if not isinstance(message, dict):
            return
        for exchange in waiting:
            if "method" in message:
                self.echoed |= (message["method"], message.get("id")) == (exchange.method, exchange.id)
            elif exchange.id == message.get("id"):
                exchange.answered = perf_counter()
                result = message.get("result")
                # Both, one of them null, are a reply too.
                exchange.accepted = "result" in message and message.get("error") is None
                exchange.offers = isinstance(result, dict) and bool(result.get(_BOUND))
                return


def _read(text: str) -> Any:
    if len(text) > _CHECKED:
        return None
    try:
        return codec.decode(text)
    except CircleWsError:
        return None


class _Receiving:
    """The client's receiver, with the watch in front of it."""

    def __init__(self, receiver: Receiver, watch: Watch) -> None:
        self._watch = watch
        self._message = receiver.message
        self.invalid = receiver.invalid
        self.lost = receiver.lost

    def message(self, text: str) -> None:
        self._watch.note_reply(text)
        self._message(text)


class _Sending:
    """The open transport, with the watch in front of it."""

    def __init__(self, transport: Transport, watch: Watch) -> None:
        self._transport = transport
        self._watch = watch
        self.drain, self.close, self.abort = transport.drain, transport.close, transport.abort

    @property
    def buffered(self) -> int:
        return self._transport.buffered

    @property
    def bytes_received(self) -> int:
        return self._transport.bytes_received

    def send(self, text: str) -> None:
        self._watch.note_request(text)
        self._transport.send(text)

    def ping(self) -> Awaitable[None]:
        return self._transport.ping()
