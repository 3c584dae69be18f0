"""Which URLs a circle can have. Checked here, because browsers accept and rewrite more than they say."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from .errors import ConfigError

__all__ = ["check_url", "is_loopback", "shown"]


def check_url(url: str) -> None:
    """Check that `url` is a `ws://` or `wss://` URL that every runtime understands in the same way.

    Raises:
        ConfigError: It is not; the message says what is wrong.
    """
    if not isinstance(url, str):
        raise ConfigError(f"url must be a text like 'wss://circle.example/...', not {type(url).__name__}", option="url")
    fault = _fault(url)
    if fault is not None:
        raise ConfigError(f"url {shown(url)!r} {fault}", option="url")


def is_loopback(url: str) -> bool:
    """Tell whether a checked URL names this machine: 127.0.0.0/8, ::1 or localhost."""
    host = urlsplit(url).hostname or ""
    if host.removesuffix(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _fault(url: str) -> str | None:
    if not url.isascii() or any(character <= " " or character in "\\\x7f" for character in url):
        return "holds a space, a backslash, a control character or one beyond ASCII; percent-encode it"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"cannot be read: {error}"
    if parts.scheme not in ("ws", "wss"):
        return f"must begin with ws:// or wss://, not {parts.scheme + ':' if parts.scheme else 'without a scheme'}"
    if not parts.hostname:
        return "names no host; it should look like wss://circle.example/..."
    if "@" in parts.netloc:
        return "holds a user name or password; a circle knows its users by their keys"
    if port == 0:
        return "has port 0, on which nothing can listen"
    return "has a fragment (#...), which is never sent" if "#" in url else None


def shown(url: str) -> str:
    """Give the URL as it may appear in a message: without a password and without a query, which may hold tokens."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable)"
    host = parts.netloc.rpartition("@")[2]
    return SplitResult(parts.scheme, host, parts.path, "..." if parts.query else "", parts.fragment).geturl()
