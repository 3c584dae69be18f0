"""Who a bound signature is for: the circle's URL, written so that every runtime writes the same."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import ConfigError
from ..urls import find_fault, place_of, shown

__all__ = ["audience"]


def audience(url: str) -> str:
    """Write the audience of a circle's URL.

    Scheme and host in lower case, without a dot at the host's end; IPv6 compressed, in brackets; without the default
    port, query and fragment; the path as it stands, `/` where it is empty.

    Raises:
        ConfigError: The URL is none that every runtime dials alike (`circle_ws.urls`).
    """
    fault = find_fault(url)
    if fault is not None:
        raise ConfigError(f"a circle's url {shown(url)!r} {fault}", option="url")
    parts = urlsplit(url)
    return f"{parts.scheme}://{place_of(parts)}{parts.path or '/'}"
