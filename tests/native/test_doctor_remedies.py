"""Proves the remedies for faults that no peer of the tests shows: of a machine's network, and of odd circles."""

import socket
import ssl

import pytest

from circle_ws.cli.doctor import remedies
from circle_ws.errors import CallTimeout, CircleWsError, ConnectionFailed, ConnectionLost, RpcError, SignerFailed


def caused(error: CircleWsError, cause: BaseException) -> CircleWsError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("step", "cause", "remedy"),
    [
        ("dns", socket.gaierror(socket.EAI_NONAME, "unknown"), "Correct the host circle.example"),
        ("dns", TimeoutError(), "The DNS server does not answer"),
        ("tcp", TimeoutError(), "a firewall drops them"),
        ("tcp", OSError(101, "Network is unreachable"), "has a route to circle.example"),
        ("tls", ssl.SSLError(1, "no such protocol"), "in a version from 1.2 on"),
    ],
)
def test_the_network(step: str, cause: BaseException, remedy: str) -> None:
    error = ConnectionFailed("why")
    error.__cause__ = cause
    assert remedy in remedies.for_network(step, error, "circle.example", 443)


@pytest.mark.parametrize(
    ("status", "remedy"), [(418, "ask who runs the server"), (500, "read the logs"), (425, "Try again later")]
)
def test_a_status_of_http(status: int, remedy: str) -> None:
    assert remedy in remedies.for_upgrade(ConnectionFailed("why", http_status=status), "circle.example", 443)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (SignerFailed("why"), "Check the signer."),
        (caused(ConnectionFailed("why"), RpcError(-32603, "internal")), "it has failed inside"),
        (caused(ConnectionFailed("why"), ConnectionLost.closed(1011)), "its log says why"),
        (ConnectionFailed("why"), "does not seem to be a circle"),
        (CallTimeout("why"), "Read the circle's log."),
    ],
)
def test_a_sign_in(error: CircleWsError, remedy: str) -> None:
    assert remedy in remedies.for_sign_in(error, fixed=False)
