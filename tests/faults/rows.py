"""The rows of the table in docs/reliability.md, and how each differs in a browser. The tests are named after them."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["ROWS", "InABrowser", "Row"]


class InABrowser(Enum):
    """Whether a row applies in a browser."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        number: Its number.
        fault: What goes wrong, in the words of the table.
        in_a_browser: Whether it applies there as it stands.
        why: The difference there, in the words of the documentation; empty if there is none.
    """

    number: int
    fault: str
    in_a_browser: InABrowser = InABrowser.YES
    why: str = ""


def _partly(number: int, fault: str, why: str) -> Row:
    return Row(number, fault, InABrowser.PARTLY, why)


def _natively(number: int, fault: str, why: str) -> Row:
    return Row(number, fault, InABrowser.NO, why)


ROWS = (
    Row(1, "SYN black hole, DNS hangs"),
    _partly(
        2,
        "refused, unknown host; bad TLS certificate",
        "a browser does not say that it was the certificate: retry",
    ),
    Row(3, "slow-loris handshake"),
    _partly(4, "HTTP 4xx on the upgrade, but for row 5", "a browser shows no HTTP status, only 1006: retry"),
    _partly(5, "HTTP 408, 425, 429, 5xx", "a browser shows no `Retry-After`: the back-off alone decides"),
    _natively(
        6,
        "HTTP 3xx",
        "a browser does not follow redirects of a WebSocket either, but does not say that it was one: retry",
    ),
    Row(7, "RST, EOF in mid-frame, 1006, 1001, 1005, the server's 1000"),
    Row(8, "close 1012 (service restart)"),
    Row(9, "close 1013 (try again later)"),
    Row(10, "close 4401, 4403"),
    Row(11, "close 1002, 1003, 1007, 1008, 1010"),
    Row(12, "close 1009 by the peer"),
    _partly(
        13,
        "half-open connection",
        "a browser sends no ping frames, so the only probe is `rpc.ping`, and only a whole message counts as "
        "activity; the browser keeps the dead socket for a while",
    ),
    _partly(
        14,
        "sleep, frozen tab",
        "`visibilitychange`, `pageshow` and `online` also probe at once and skip the pending delay once; "
        "while the browser says that it is offline, only loopback is dialled",
    ),
    _partly(
        15,
        "inbound message too large",
        "the browser has received the whole message before it can be measured; the close code is 4009",
    ),
    _partly(
        16,
        "compression bomb",
        "a browser offers compression by itself, and inflates a message before the client can measure it",
    ),
    Row(17, "malformed JSON, BOM, NaN, binary frame, bad UTF-8"),
    Row(18, "absurd nesting, absurd numbers"),
    Row(19, "not JSON-RPC"),
    Row(20, "unknown, duplicate or late reply"),
    Row(21, "error with `id: null`"),
    Row(22, "auth rejected on the first connect"),
    Row(23, "auth rejected on a reconnect"),
    Row(24, "auth step hangs"),
    Row(25, "the signer fails or the person refuses"),
    Row(26, "bound profile no longer offered"),
    Row(27, "-32001 in mid-session"),
    Row(28, "wrong local clock"),
    Row(29, "thundering herd"),
    Row(30, "accept-then-close"),
    _partly(
        31,
        "flood of notifications, slow consumer",
        "from 1,000 notifications a second on, messages are processed in groups every 5 ms, so a reply may "
        "come that much later; messages that the page has no time for wait in the browser, which the client "
        "cannot bound",
    ),
    _partly(32, "peer stops reading", "the browser's `bufferedAmount` is polled, as there is no event for it"),
    _partly(
        33,
        "cancel or `close()` at every moment",
        "if the peer does not answer the close, the browser silently keeps the socket for a while",
    ),
    Row(34, "many calls"),
    Row(35, "client dropped without `close()`"),
    _partly(
        36,
        "everything is cancelled during `close()`; an invalid drain, a transport that raises",
        "if the peer does not answer the close, the browser silently keeps the socket for a while",
    ),
    Row(37, "a cancelled `connect()` on a client that is reconnecting"),
    _partly(
        38,
        "the circle asks, or pings, without end and does not read",
        "the browser answers pings by itself; the close code is 4013",
    ),
    _natively(
        39,
        "a name with several addresses, the first swallows packets",
        "the browser itself resolves names and dials their addresses",
    ),
    _partly(40, "an HTTP refusal that is not read whole", "a browser shows no HTTP status: retry"),
    _partly(41, "the client used from another event loop or thread", "a page has one event loop and one thread"),
    _partly(
        42,
        "something other than its own task is cancelled inside a function of the program's",
        "a browser does not let a page set headers, so there is no headers function",
    ),
    Row(43, "a reader whose task the program does not keep"),
    _partly(
        44,
        "growth by data that is counted in bytes but costs memory per piece",
        "the browser itself assembles fragments",
    ),
)
"""In order."""
