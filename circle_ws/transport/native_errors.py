"""Errors for a WebSocket that could not be opened natively: the network, TLS, HTTP, and the proxy."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..errors import ConnectionFailed, RedirectRefused
from ..text import shown
from ..urls import is_socks
from ..urls import shown as shown_url

__all__ = ["network_failure", "proxy_failure", "proxy_refusal", "retry_after_seconds", "upgrade_refusal"]


def network_failure(error: Exception, via: str = "") -> ConnectionFailed:
    """Return the error for a failure between this host and the server.

    Args:
        error: The system's error.
        via: Added to the message: the proxy.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionFailed(
            f"the server's TLS certificate is not to be trusted: {shown(error.verify_message)}; "
            f"check the host name in the URL and the server's certificate{via}",
            bad_certificate=True,
        )
    return ConnectionFailed(f"{_describe(error)}{via}")


def _describe(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "the host is unknown; check its name in the URL, and the network"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason}); does it speak wss:// on this port?"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused; is the circle running, and the port right?"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the server hung up at once; does it speak ws:// or wss:// on this port?"
    return f"the connection could not be made: {shown(str(error)) or type(error).__name__}"


def upgrade_refusal(
    status: int, retry_after: float | None, location: str | None = None, via: str = ""
) -> ConnectionFailed:
    """Return the error for an HTTP response of the server other than an upgrade.

    Args:
        status: The HTTP status.
        retry_after: The `Retry-After` of the server, in seconds, or None.
        location: The `Location` of the server, or None.
        via: Added to the message: the proxy.
    """
    if 300 <= status < 400:
        to = "" if location is None else f" to {shown(shown_url(location), 200)}"
        return RedirectRefused(
            f"the server redirects{to} (HTTP {status}), which is never followed; dial the new address itself{via}",
            location=location,
            http_status=status,
            retry_after=retry_after,
        )
    return ConnectionFailed(
        f"the server refused the WebSocket with HTTP {status}; {_advice(status)}{via}",
        http_status=status,
        retry_after=retry_after,
    )


def _advice(status: int) -> str:
    if status < 300:
        return "a web server is here, but no WebSocket at this path; check the URL"
    if status in (400, 426):
        return "a proxy in front of it may drop the header Upgrade; it must pass WebSockets on"
    if status in (401, 403):
        return "check which credentials it requires (with_headers() sends them), and the path in the URL"
    if status == 407:
        return "a proxy on the way asks for a user name and password; name it with with_proxy()"
    if status in (408, 425, 429):
        return "the server wants fewer or later attempts"
    if status >= 500:
        return "the circle, or a server in front of it, cannot answer now; check its logs if that continues"
    return "check the path in the URL"


def proxy_failure(error: Exception, proxy: str) -> ConnectionFailed:
    """Return the error for a failure between this host and the proxy, or one that the proxy reports.

    Args:
        error: The error of the system or of the proxy library; its cause is used if there is one.
        proxy: The proxy, without its password.
    """
    cause = error.__cause__ or error
    if isinstance(error, socket.gaierror) and is_socks(proxy):
        words = "the circle's host is unknown here; socks5h:// and socks4a:// leave its name to the proxy"
    elif isinstance(cause, socket.gaierror):
        words = "its host is unknown; check its name, and the network"
    elif isinstance(error, ssl.SSLCertVerificationError):
        words = f"its TLS certificate is not to be trusted: {shown(error.verify_message)}"
    elif isinstance(error, ssl.SSLError):
        words = f"TLS failed ({error.reason}); does it speak https:// on this port?"
    elif isinstance(cause, ConnectionRefusedError):
        words = "it refused the connection; is it running, and the port right?"
    elif isinstance(cause, ConnectionResetError | BrokenPipeError | EOFError):
        words = "it hung up; is it a proxy of this kind?"
    else:
        words = shown(str(cause)) or type(cause).__name__
    return ConnectionFailed(f"the proxy {proxy} did not connect to the circle: {words}", proxy=proxy)


def proxy_refusal(status: int, retry_after: float | None, proxy: str) -> ConnectionFailed:
    """Return the error for an HTTP response of the proxy that opens no tunnel.

    Its status is not the server's, so it is only in the message, not in `http_status`.

    Args:
        status: The HTTP status.
        retry_after: The `Retry-After` of the proxy, in seconds, or None.
        proxy: The proxy, without its password.
    """
    words = "; check the user name and password in its URL" if status == 407 else ""
    return ConnectionFailed(
        f"the proxy {proxy} refused to connect to the circle, with HTTP {status}{words}",
        retry_after=retry_after,
        proxy=proxy,
    )


def retry_after_seconds(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds of `Retry-After` (RFC 9110 section 10.2.3).

    Args:
        value: The header: seconds, or a date.
        date: The header `Date`, to which a date is relative, because the local clock may be wrong. Without it: now.

    Returns:
        Seconds, or None if the header is neither.
    """
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    when = _read_date(value)
    if when is None:
        return None
    return max(0.0, (when - ((_read_date(date) if date else None) or datetime.now(UTC))).total_seconds())


def _read_date(text: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        # OverflowError: a zone with very many digits.
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
