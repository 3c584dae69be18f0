"""Which URLs a circle can have. Checked here, because browsers accept and rewrite more than they say."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from .errors import ConfigError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["check_url", "find_fault", "is_loopback", "is_plain", "shown"]

_HOST = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?"
_HEXADECIMAL = r"0x[0-9a-f]*"


def check_url(url: str) -> None:
    """Check that `url` is a `ws://` or `wss://` URL that every runtime understands in the same way.

    Raises:
        ConfigError: It is not; the message says what is wrong.
    """
    if not isinstance(url, str):
        raise ConfigError(f"url must be a text like 'wss://circle.example/...', not {type(url).__name__}", option="url")
    fault = find_fault(url)
    if fault is None and "#" in url:
        fault = "has a fragment (#...), which is never sent"
    if fault is not None:
        raise ConfigError(f"url {shown(url)!r} {fault}", option="url")


# What is found out about a URL is kept, as `urllib.parse` does: a program has few, and may have many clients for each.
@lru_cache
def is_loopback(url: str) -> bool:
    """Tell whether a checked URL names this machine: 127.0.0.0/8, ::1 or localhost."""
    host = _parts(url).hostname or ""
    if host.removesuffix(".") == "localhost":
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_plain(url: str) -> bool:
    """Tell whether a checked URL is `ws://`, however it is written: anybody on the path can read along."""
    return _parts(url).scheme == "ws"


def shown(url: str) -> str:
    """Give the URL as it may appear in a message: without a password, a query or a fragment, which may hold tokens."""
    parts = _split(url)
    if parts is None or (not parts.netloc and "@" in url):
        return "(unreadable)"
    host = parts.netloc.rpartition("@")[2]
    query, fragment = ("..." if part else "" for part in (parts.query, parts.fragment))
    return parts._replace(netloc=host, query=query, fragment=fragment).geturl()


@lru_cache
def find_fault(url: str) -> str | None:
    """Say what is wrong with a URL, a fragment apart; None where nothing is."""
    if not url.isascii() or any(character <= " " or character in "\\\x7f" for character in url):
        return "holds a space, a backslash, a control character or one beyond ASCII; percent-encode it"
    parts = _split(url)
    if parts is None:
        return "cannot be read: its port is no number up to 65535, or its host no IPv6 address although in brackets"
    if parts.scheme not in ("ws", "wss"):
        return f"must begin with ws:// or wss://, not {parts.scheme + ':' if parts.scheme else 'without a scheme'}"
    if not parts.hostname:
        return "names no host; it should look like wss://circle.example/..."
    if "@" in parts.netloc:
        return "holds a user name or password; a circle knows its users by their keys"
    if parts.port == 0:
        return "has port 0, on which nothing can listen"
    if any(segment.lower().replace("%2e", ".") in (".", "..") for segment in parts.path.split("/")):
        return "has a dot segment (/./ or /../) in its path, which browsers remove"
    return _host_fault(parts.hostname)


def _host_fault(host: str) -> str | None:
    if "%" in host:
        return "has a percent sign in its host: no escapes and no IPv6 zones, which browsers rewrite or refuse"
    if ":" in host:
        return None
    if not re.fullmatch(_HOST, host):
        return "has a host with other characters than letters, digits, hyphens, underscores and dots"
    last = host.removesuffix(".").rpartition(".")[2]
    if last.isdigit() or re.fullmatch(_HEXADECIMAL, last):
        from ipaddress import IPv4Address

        try:
            IPv4Address(host.removesuffix("."))
        except ValueError:
            return "has a numeric host that is not four plain decimals, which browsers rewrite"
    return None


def _split(url: str) -> SplitResult | None:
    """Take the URL apart; None where that fails. The reason is not told: it may quote a password."""
    try:
        parts = _parts(url)
        return parts if parts.port is None or parts.port >= 0 else None
    except ValueError:
        return None


def _parts(url: str) -> SplitResult:
    # With all that it imports it takes a page a tenth of a second, which an import of ours need not wait for.
    from urllib.parse import urlsplit

    return urlsplit(url)
