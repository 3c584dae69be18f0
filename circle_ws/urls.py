"""Checks of the URLs of circles and proxies, and how they may appear in a message.

A circle's URL must mean the same in every runtime: browsers accept more than RFC 3986 and rewrite it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from .errors import ConfigError
from .text import looks_like_key

__all__ = [
    "ENVIRONMENT",
    "check_url",
    "find_fault",
    "find_length_fault",
    "find_proxy_fault",
    "host_of",
    "is_loopback",
    "is_plain",
    "is_relative",
    "is_socks",
    "normalised",
    "place_of",
    "query_of",
    "port_of",
    "shown",
    "shown_proxy",
]

_HOST = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?"
_LONGEST_LABEL, _LONGEST_NAME = 63, 253
"""Maximum lengths in the DNS, of a part between two dots and of the whole name (RFC 1035, section 2.3.4)."""
_USER = (
    "holds a user name or password, which browsers refuse; a circle knows its users by their keys, and what a server "
    "before it asks for goes into a header: with_headers({'Authorization': ...})"
)
_ODD = re.compile(r"[^!-\[\]-~]")
"""What no URL may hold, because browsers would rewrite it: all but printable ASCII, and the backslash."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_RELATIVE = ": it would be relative to a page that came over http or https, and there is none here"
_DEFAULT_PORTS = {"ws": 80, "wss": 443}

ENVIRONMENT = "environment"
"""The value that means the proxy of the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` ...)."""

_PROXY_SCHEMES = ("http", "https", "socks5h", "socks5", "socks4a", "socks4")
_LONGEST_CREDENTIAL = 255
"""Maximum length of a user name or a password in SOCKS 5, in bytes (RFC 1929)."""


def is_relative(url: object) -> bool:
    """Return whether a value is a URL without a scheme, which a page resolves, of characters that a URL may hold."""
    return isinstance(url, str) and bool(url) and not _ODD.search(url) and not _SCHEME.match(url)


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


# Results are cached, as in `urllib.parse`: a program has few URLs, but may have many clients for each.
@lru_cache
def is_loopback(url: str) -> bool:
    """Return whether a checked URL names this machine: 127.0.0.0/8, ::1 or localhost."""
    host = host_of(urlsplit(url))
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # To older versions of Python ::ffff:127.0.0.1 is no loopback address.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@lru_cache
def normalised(url: str) -> str:
    """Return a checked URL in the one form in which it is dialled, looked up, compared and certified.

    Scheme and host in lower case, without a dot at the host's end; IPv6 compressed, in brackets; without the default
    port; `/` for an empty path. Path and query stay as they are.
    """
    parts = urlsplit(url)
    return parts._replace(netloc=place_of(parts), path=parts.path or "/").geturl()


def place_of(parts: SplitResult) -> str:
    """Return host and port of a checked URL as in `normalised`, without the default port."""
    host = host_of(parts)
    if ":" in host:
        host = f"[{_compressed(host)}]"
    return host if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{parts.port}"


def port_of(parts: SplitResult) -> int:
    """Return the port of a checked URL of a circle."""
    return parts.port or _DEFAULT_PORTS[parts.scheme.lower()]


def host_of(parts: SplitResult) -> str:
    """Return the host in the form in which it is compared; empty where there is none."""
    return (parts.hostname or "").removesuffix(".")


def _compressed(host: str) -> str:
    address = IPv6Address(host)
    if address.ipv4_mapped is None:
        return address.compressed
    # From 3.13 on Python writes these with dots; older versions and browsers do not.
    number = int(address.ipv4_mapped)
    return f"::ffff:{number >> 16:x}:{number & 0xFFFF:x}"


def query_of(url: str) -> str:
    """Return the query of a checked URL with its question mark, which may hold a secret; empty if there is none."""
    return url[url.index("?") :] if "?" in url else ""


def is_plain(url: str) -> bool:
    """Return whether a checked URL is `ws://`, in upper or lower case: not encrypted."""
    return urlsplit(url).scheme == "ws"


def shown(url: str) -> str:
    """Return a URL for a message: without password, query and fragment, which may hold secrets."""
    if looks_like_key(url):
        return "(hidden: it looks like a key)"
    parts = _split(url)
    if parts is None or (not parts.netloc and "@" in url):
        return "(unreadable)"
    host = parts.netloc.rpartition("@")[2]
    query, fragment = ("..." if part else "" for part in (parts.query, parts.fragment))
    return parts._replace(netloc=host, query=query, fragment=fragment).geturl()


@lru_cache
def find_fault(url: str) -> str | None:
    """Return what is wrong with a circle's URL, or None. A fragment is not looked at."""
    if any(character <= " " or character in "\\\x7f" for character in url):
        return "holds a space, a backslash or a control character; percent-encode it"
    if not url.isascii():
        return _USER if "@" in _authority(url) else _beyond_ascii(url)
    if re.search(r"\][^:]", _authority(url)):
        return "has something between the brackets of an IPv6 address and its port"
    parts = _split(url)
    if parts is None:
        return "cannot be read: its port is no number up to 65535, or its host no IPv6 address although in brackets"
    if parts.scheme not in ("ws", "wss"):
        why = f"{parts.scheme}:" if parts.scheme else f"without a scheme{_RELATIVE}"
        return f"must begin with ws:// or wss://, not {why}"
    if not parts.hostname:
        return "names no host; it should look like wss://circle.example/..."
    if "@" in parts.netloc:
        return _USER
    if parts.port == 0:
        return "has port 0, on which nothing can listen"
    if any(segment.lower().replace("%2e", ".") in (".", "..") for segment in parts.path.split("/")):
        return "has a dot segment (/./ or /../) in its path, which browsers remove"
    return _host_fault(parts.hostname)


def _beyond_ascii(url: str) -> str:
    """Return what to do with a URL that holds a character beyond ASCII."""
    if _authority(url).rpartition("@")[2].isascii():
        return "holds a character beyond ASCII; percent-encode it"
    return (
        "has a host with a character beyond ASCII; write its ASCII form, which begins with xn-- and which browsers "
        "show (it is not converted here: some letters would become different hosts in different programs)"
    )


def _authority(url: str) -> str:
    """Return what stands between scheme and path, also of a URL that cannot be parsed."""
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]


def _host_fault(host: str) -> str | None:
    if "%" in host:
        return "has a percent sign in its host: no escapes and no IPv6 zones, which browsers rewrite or refuse"
    if ":" in host:
        return None
    if not re.fullmatch(_HOST, host):
        return "has a host with other characters than letters, digits, hyphens, underscores and dots"
    last = host.removesuffix(".").rpartition(".")[2]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        try:
            IPv4Address(host.removesuffix("."))
        except ValueError:
            return "has a numeric host that is not four plain decimals, which browsers rewrite"
    return find_length_fault(host)


def find_length_fault(host: str) -> str | None:
    """Return what is too long in the name of a host, or None."""
    name = host.removesuffix(".")
    if len(name) > _LONGEST_NAME:
        return f"has a host of {len(name)} characters; a name has at most {_LONGEST_NAME}"
    longest = max(map(len, name.split(".")))
    if longest > _LONGEST_LABEL:
        return f"has a host with {longest} characters between two dots; a name has at most {_LONGEST_LABEL} there"
    return None


def find_proxy_fault(url: str) -> str | None:
    """Return what is wrong with the URL of a proxy, or None."""
    if any(character <= " " or character == "\x7f" for character in url):
        return "holds a space or a control character; percent-encode it"
    if not url.isascii():
        return "holds a character beyond ASCII; percent-encode it, but in a host write the ASCII form (xn--...)"
    parts = _split(url)
    if parts is None:
        return "cannot be read; percent-encode what is special in its name and password (@ : / ? #)"
    if parts.scheme not in _PROXY_SCHEMES:
        return f"must begin with one of {', '.join(f'{scheme}://' for scheme in _PROXY_SCHEMES)}"
    if not parts.hostname:
        return "names no host; it should look like http://proxy.example:3128"
    if parts.port == 0 or (parts.port is None and is_socks(url)):
        return "names no port to connect to"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "has more after its host and port, where nothing belongs"
    return find_length_fault(parts.hostname) or _credentials_fault(parts, socks=is_socks(url))


def is_socks(url: str) -> bool:
    """Return whether the URL is that of a SOCKS proxy."""
    return url.lower().startswith("socks")


def shown_proxy(url: str) -> str:
    """Return a proxy's URL for a message: scheme, host and port."""
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
    for text in (parts.username, parts.password):
        if not text:
            return "has a user name without a password, or the other way round"
        try:
            plain = unquote(text, errors="strict")
        except UnicodeDecodeError:
            return "has a percent-encoded name or password that is no UTF-8"
        if any(character < " " or character == "\x7f" for character in plain):
            return "has a control character in its name or password"
        if socks and (not plain.isascii() or len(plain) > _LONGEST_CREDENTIAL):
            limit = _LONGEST_CREDENTIAL
            return f"has a name or password that is not ASCII or longer than {limit}, which SOCKS cannot send"
    return None


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None. The parser's error is dropped: it may quote a password."""
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port >= 0 else None
    except ValueError:
        return None
