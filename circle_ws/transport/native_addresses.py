"""TCP to a host with several addresses, some of which may never answer (RFC 8305, "Happy Eyeballs").

It is our own, because asyncio's is off by default, does not cover proxies, and is not part of every event loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from functools import partial
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

__all__ = ["Address", "find_addresses", "first_of", "open_socket"]

DELAY = 0.25
"""Delay before the next attempt starts in parallel, in seconds (RFC 8305 section 8)."""

Address: TypeAlias = tuple[int, Any]
"""The address family, and the address as sockets take it."""


async def find_addresses(host: str, port: int, family: int = socket.AF_UNSPEC) -> list[Address]:
    """Return the addresses of a host, in the order in which they are to be tried: at least one.

    Args:
        host: A name, or an address, which is not looked up.
        port: The port that becomes a part of each address.
        family: Only addresses of this family.

    Returns:
        At least one address, in the order of attempts: families alternate.

    Raises:
        OSError: The host is unknown.
    """
    try:
        version = ip_address(host).version
    except ValueError:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except UnicodeError:
            # getaddrinfo encodes the name first, and raises this for a name that the DNS cannot hold.
            raise socket.gaierror(socket.EAI_NONAME, "the name cannot be looked up") from None
        return _interleaved([(info[0], info[4]) for info in found])
    return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]


async def open_socket(host: str, port: int) -> socket.socket:
    """Connect to the first address of a host that answers. Cancelling it leaves nothing behind.

    Raises:
        OSError: The host is unknown, or none of its addresses can be connected to.
    """
    return await first_of([partial(_connect, address) for address in await find_addresses(host, port)])


async def first_of(attempts: Iterable[Callable[[], Coroutine[Any, Any, socket.socket]]]) -> socket.socket:
    """Return the socket of the first attempt that succeeds, and end the others.

    Each attempt starts when the one before it has failed, or `DELAY` after it.

    Raises:
        Exception: All failed; the most informative error is raised.
    """
    waiting = deque(attempts)
    if len(waiting) == 1:
        return await waiting[0]()
    running: set[asyncio.Task[socket.socket]] = set()
    failures: list[BaseException] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(waiting.popleft()()))
            limit = DELAY if waiting else None
            done, _ = await asyncio.wait(running, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                failure = task.exception()
                if failure is None:
                    return task.result()
                failures.append(failure)
        # A refusal shows that the host is up; that there is no route to an address says little.
        raise next((one for one in failures if isinstance(one, ConnectionRefusedError)), failures[-1])
    finally:
        await _end(running)


async def _connect(address: Address) -> socket.socket:
    family, where = address
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, where)
    except BaseException:
        opened.close()
        raise
    return opened


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Return the addresses with alternating families, each once; the system's first one stays first (RFC 8305, 4)."""
    each = list(dict.fromkeys(addresses))
    first = [one for one in each if one[0] == each[0][0]]
    others = [one for one in each if one[0] != each[0][0]]
    return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]


async def _end(running: set[asyncio.Task[socket.socket]]) -> None:
    for task in running:
        task.cancel()
        # A task that has just finished is not cancelled any more, so its socket must be closed.
        task.add_done_callback(_close)
    if running:
        await asyncio.wait(running)


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
