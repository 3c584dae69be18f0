"""Signs of life on a terminal's stderr while something takes its time."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from ..client import CircleWsClient
from ..status import ConnectionStatus, StatusChange
from .output import printable

__all__ = ["follow", "spinner"]

DELAY = 0.5
"""What takes less is not remarked on, in seconds."""

_WORDS = {
    ConnectionStatus.CONNECTING: "connecting",
    ConnectionStatus.AUTHENTICATING: "signing in",
    ConnectionStatus.CONNECTED: "waiting for the answer",
    ConnectionStatus.CLOSING: "closing the connection",
}


def _ignore(words: str) -> None:
    """Say nothing."""


@contextmanager
def spinner(words: str, *, otherwise: Callable[[str], None] = _ignore) -> Iterator[Callable[[str], None]]:
    """Show a spinner while the block takes over half a second; only on a terminal, and only on a running loop.

    Args:
        words: What takes its time.
        otherwise: Takes the later words where there is no terminal.

    Yields:
        A function that changes the words.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield otherwise
        return
    # Not more often: each drawing takes time from what is measured meanwhile.
    status = Console(stderr=True).status(_line(words), refresh_per_second=4)
    timer = asyncio.get_running_loop().call_later(DELAY, status.start)
    try:
        yield lambda words: status.update(_line(words))
    finally:
        timer.cancel()
        status.stop()


@contextmanager
def follow(client: CircleWsClient) -> Iterator[None]:
    """Show a spinner with the status of a client."""
    with spinner(_WORDS[ConnectionStatus.CONNECTING]) as say:

        def changed(change: StatusChange) -> None:
            if change.status in _WORDS:
                say(_WORDS[change.status])

        remove = client.on_status(changed)
        try:
            yield
        finally:
            remove()


def _line(words: str) -> Text:
    return Text(f"{printable(words)} ...")
