"""A way through a SOCKS proxy where the proxy, or the circle, has several addresses."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from .native_addresses import find_addresses, first_of, open_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from urllib.parse import SplitResult

__all__ = ["open_socks"]

_LEFT_TO_THE_PROXY = ("socks5h", "socks4a")
"""Schemes with which the proxy looks the circle's name up."""


async def open_socks(
    proxy: SplitResult,
    host: str,
    port: int,
    connect: Callable[[str, str], Coroutine[Any, Any, socket.socket]],
) -> socket.socket:
    """Give a socket that leads to the circle; a cancelled one leaves nothing behind.

    Args:
        proxy: The proxy's checked URL.
        host: The circle's.
        port: The circle's.
        connect: Speaks with the proxy at an address, and asks it for a host.

    Raises:
        OSError: The proxy cannot be reached, and the cause says why; or the circle's host is unknown here.
        Exception: What `connect` raises.
    """
    via = await _reachable((proxy.hostname or "").removesuffix("."), proxy.port or 0)
    hosts = [host]
    if proxy.scheme not in _LEFT_TO_THE_PROXY:
        family = socket.AF_INET if proxy.scheme == "socks4" else socket.AF_UNSPEC
        hosts = [where[0] for _, where in await find_addresses(host, port, family)]
    return await first_of([partial(connect, via, one) for one in hosts])


async def _reachable(host: str, port: int) -> str:
    """Give an address of the proxy that answers: the package takes the first one, whether it does or not."""
    try:
        addresses = await find_addresses(host, port)
        if len(addresses) == 1:
            address: str = addresses[0][1][0]
            return address
        with await open_socket(host, port) as opened:
            answering: str = opened.getpeername()[0]
            return answering
    except OSError as error:
        raise ConnectionError("the SOCKS proxy cannot be reached") from error
