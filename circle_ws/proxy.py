"""Which proxies there can be, and how one may be named in a message: never with its password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .urls import find_length_fault

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["ENVIRONMENT", "find_proxy_fault", "is_socks", "shown_proxy"]

ENVIRONMENT = "environment"
"""Stands for the proxy that the environment names (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` ...)."""

_SCHEMES = ("http", "https", "socks5h", "socks5", "socks4a", "socks4")
_LONGEST = 255
"""So long may a name or a password be in SOCKS 5, in bytes (RFC 1929)."""


def find_proxy_fault(url: str) -> str | None:
    """Say what is wrong with the URL of a proxy; None where nothing is."""
    if any(character <= " " or character == "\x7f" for character in url):
        return "holds a space or a control character; percent-encode it"
    if not url.isascii():
        return "holds a character beyond ASCII; percent-encode it, but in a host write the ASCII form (xn--...)"
    parts = _split(url)
    if parts is None:
        return "cannot be read; percent-encode what is special in its name and password (@ : / ? #)"
    if parts.scheme not in _SCHEMES:
        return f"must begin with one of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}"
    if not parts.hostname:
        return "names no host; it should look like http://proxy.example:3128"
    if parts.port == 0 or (parts.port is None and is_socks(url)):
        return "names no port to connect to"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "has more after its host and port, where nothing belongs"
    return find_length_fault(parts.hostname) or _credentials_fault(parts, socks=is_socks(url))


def is_socks(url: str) -> bool:
    """Tell whether the URL is that of a SOCKS proxy."""
    return url.lower().startswith("socks")


def shown_proxy(url: str) -> str:
    """Give the proxy as it may appear in a message: scheme, host and port."""
    parts = _split(url)
    if url == ENVIRONMENT:
        return url
    # Where the password is not percent-encoded, a part of it may be read as the host.
    if parts is None or not parts.netloc or "@" in url.replace(parts.netloc, "", 1):
        return "(unreadable)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _credentials_fault(parts: SplitResult, *, socks: bool) -> str | None:
    if parts.username is None:
        return None
    from urllib.parse import unquote

    for text in (parts.username, parts.password):
        if not text:
            return "has a user name without a password, or the other way round"
        try:
            plain = unquote(text, errors="strict")
        except UnicodeDecodeError:
            return "has a percent-encoded name or password that is no UTF-8"
        if any(character < " " or character == "\x7f" for character in plain):
            return "has a control character in its name or password"
        if socks and (not plain.isascii() or len(plain) > _LONGEST):
            return f"has a name or password that is not ASCII or longer than {_LONGEST}, which SOCKS cannot send"
    return None


def _split(url: str) -> SplitResult | None:
    """Take the URL apart; None where that fails. The reason is not told: it may quote a password."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port >= 0 else None
    except ValueError:
        return None
