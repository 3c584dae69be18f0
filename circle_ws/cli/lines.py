"""Notifications as JSON lines, written so that a slow reader holds up neither the event loop nor the connection."""

import asyncio
import os
import select
import stat
import sys
import time
from typing import Any

import typer

from ..engine.listener import Gap
from ..status import ConnectionStatus, StatusChange
from .output import in_json, printable, show

__all__ = ["Events", "JsonLines", "Lines", "gap_words"]

_CHUNK = getattr(select, "PIPE_BUF", 0)
"""What a pipe that is ready takes without blocking, in bytes; 0 where that is not known (Windows)."""


class Events:
    """The changes of status that a person needs to know, as sentences.

    Args:
        url: The circle, for a message.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lost: float | None = None

    def words(self, change: StatusChange) -> str | None:
        """Return a sentence for a change; None for one that needs none."""
        if change.status is ConnectionStatus.CONNECTED:
            lost, self._lost = self._lost, None
            return f"connected to {self._url}" if lost is None else f"connected again after {change.at - lost:.1f} s"
        if change.status is not ConnectionStatus.WAITING:
            return None
        if self._lost is None:
            self._lost = change.at
        cause = f": {change.cause}" if change.cause is not None else ""
        return f"not connected, next attempt in {change.retry_in or 0:.1f} s{cause}"


def gap_words(gap: Gap) -> str:
    """Return a sentence for a gap."""
    parts = []
    if gap.dropped:
        parts.append(f"{gap.dropped} were dropped, because the output is read too slowly")
    if gap.downtime:
        parts.append(f"there was no connection for {gap.downtime:.1f} s")
    return f"notifications may be missing here: {'; '.join(parts)}"


class Lines:
    """Notifications as JSON lines on stdout, and everything else as sentences on stderr.

    Args:
        url: The circle, for a message.
    """

    interval: float | None = None

    def __init__(self, url: str) -> None:
        self._events = Events(url)
        self._lines: list[str] = []

    def add(self, method: str, params: Any) -> None:
        """Take a notification."""
        self._line("notification", method=method, params=params)

    def gap(self, gap: Gap) -> None:
        """Say that notifications may be missing."""
        self._say(gap_words(gap))

    def status(self, change: StatusChange) -> None:
        """Say what has become of the connection."""
        if words := self._events.words(change):
            self._say(words)

    async def flush(self) -> None:
        """Write the lines that were taken."""
        if self._lines:
            lines, self._lines = self._lines, []
            await _write("\n".join(lines))

    def _line(self, kind: str, **members: Any) -> None:
        self._lines.append(in_json({"type": kind, "at": round(time.time(), 3), **members}))

    @staticmethod
    def _say(words: str) -> None:
        typer.echo(printable(words), err=True)


class JsonLines(Lines):
    """Everything as JSON lines on stdout, told apart by their `type`."""

    # A change of status is written soon, although no notification comes.
    interval: float | None = 0.25

    def gap(self, gap: Gap) -> None:
        """Take a gap."""
        self._line("gap", dropped=gap.dropped, downtime=round(gap.downtime, 3))

    def status(self, change: StatusChange) -> None:
        """Take a change of status."""
        cause = None if change.cause is None else str(change.cause)
        self._line("status", status=change.status.value, attempt=change.attempt, retry_in=change.retry_in, cause=cause)


async def _write(text: str) -> None:
    """Write a line or more to stdout; where it is a pipe, wait for its reader without blocking the loop."""
    descriptor = _pipe()
    if descriptor is None:
        show(text)
        return
    left = memoryview(f"{text}\n".encode(sys.stdout.encoding, "backslashreplace"))
    while left:
        await _writable(descriptor)
        left = left[os.write(descriptor, left[:_CHUNK]) :]


def _pipe() -> int | None:
    """Return the descriptor of stdout if it is a pipe or a socket that can be waited for."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # It is closed, or not a real file.
        return None
    mode = os.fstat(descriptor).st_mode
    return descriptor if _CHUNK and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) else None


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)
