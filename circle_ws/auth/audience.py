"""Who a bound signature is for: the circle's URL, written so that every runtime writes the same."""

from __future__ import annotations

from ipaddress import IPv6Address
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..url import find_fault, shown

__all__ = ["audience"]

_DEFAULT_PORTS = {"ws": 80, "wss": 443}


def audience(url: str) -> str:
    """Write the audience of a circle's URL.

    Scheme and host in lower case, without a dot at the host's end; IPv6 compressed, in brackets; without the default
    port, query and fragment; the path as it stands, `/` where it is empty.

    Raises:
        ConfigError: The URL is none that every runtime dials alike (`circle_ws.url`).
    """
    fault = find_fault(url)
    if fault is not None:
        raise ConfigError(f"a circle's url {shown(url)!r} {fault}", option="url")
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    if ":" in host:
        host = f"[{_compressed(IPv6Address(host))}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path or '/'}"


def _compressed(address: IPv6Address) -> str:
    if address.ipv4_mapped is None:
        return address.compressed
    # From 3.13 on Python writes these with dots; older ones and browsers do not.
    number = int(address.ipv4_mapped)
    return f"::ffff:{number >> 16:x}:{number & 0xFFFF:x}"
