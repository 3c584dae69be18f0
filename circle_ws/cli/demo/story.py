"""The native part of the demo: one client connects, calls, listens and reconnects, and each step is printed."""

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any

from rich.console import Console
from rich.text import Text

from ...auth.keypair import KeyPair
from ...builder import CircleWsClientBuilder
from ...client import CircleWsClient
from ...errors import OutcomeUnknown
from ...status import ConnectionStatus, StatusChange
from ..output import printable

__all__ = ["Narrator", "tell"]

_COLOURS = {
    ConnectionStatus.CONNECTING: "yellow",
    ConnectionStatus.AUTHENTICATING: "yellow",
    ConnectionStatus.CONNECTED: "green",
    ConnectionStatus.WAITING: "red",
    ConnectionStatus.FAILED: "bold red",
}


class Narrator:
    """Printer of the story: chapters, and lines with a clock on the left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def chapter(self, title: str) -> None:
        """Print the heading of a new part."""
        self._console.print()
        self._console.print(Text(title, style="bold"))

    def line(self, words: str, *, mark: str = " ", style: str = "") -> None:
        """Print one event; a long one is wrapped under its beginning."""
        clock = f"{time.monotonic() - self._started:8.3f} s  "
        margin = len(clock) + 2
        wrapped = Text(printable(words)).wrap(self._console, max(20, self._console.width - margin))
        for number, part in enumerate(wrapped):
            part.rstrip()
            head = [(clock, "dim"), (f"{mark} ", style)] if number == 0 else [(" " * margin, "")]
            self._console.print(Text.assemble(*head, part))

    def result(self, words: str) -> None:
        """Print what came back."""
        self.line(words, mark="→", style="cyan")

    def link(self, address: str) -> None:
        """Print an address by itself, not wrapped at any width, so that it can be clicked and copied."""
        self._console.print(Text(f"\n  {address}\n", style="bold cyan"), soft_wrap=True)

    def status(self, change: StatusChange) -> None:
        """Print a change of status."""
        words = change.status.value
        if change.retry_in is not None:
            words += f", next attempt in {change.retry_in:.1f} s"
        if change.cause is not None:
            words += f" ({change.cause})"
        self.line(words, mark="●", style=_COLOURS.get(change.status, "dim"))


def _shortened(public_key: str) -> str:
    """Return the two ends of a public key."""
    return f"{public_key[:10]}…{public_key[-8:]}"


async def tell(narrator: Narrator, url: str) -> None:
    """Connect a client to the circle at `url`, use it, lose its connection, and print each step."""
    client = CircleWsClientBuilder(url).with_keypair(KeyPair.generate()).build()
    client.on_status(narrator.status)
    try:
        await _sign_in(narrator, client)
        await _ask(narrator, client)
        await _listen(narrator, client)
        await _be_dropped(narrator, client)
    finally:
        narrator.chapter("Goodbye")
        await client.close()


async def _sign_in(narrator: Narrator, client: CircleWsClient) -> None:
    narrator.chapter("Connect and sign in")
    narrator.line(f"a fresh key, {_shortened(client.public_key or '')}")
    await client.connect()
    await _settle()


async def _ask(narrator: Narrator, client: CircleWsClient) -> None:
    narrator.chapter("Ask")
    await _timed(narrator, 'client.play("40 + 2")', client.play("40 + 2"))
    words = 'client.call("echo", {"value": [1, "two", None]})'
    await _timed(narrator, words, client.call("echo", {"value": [1, "two", None]}))


async def _timed(narrator: Narrator, words: str, asked: Awaitable[Any]) -> None:
    narrator.line(words)
    started = time.perf_counter()
    answer = await asked
    narrator.result(f"{json.dumps(answer)}   in {(time.perf_counter() - started) * 1000:.1f} ms")


async def _listen(narrator: Narrator, client: CircleWsClient) -> None:
    narrator.chapter("Listen")
    narrator.line('client.notifications("tick")')
    async with client.notifications("tick") as ticks:
        narrator.result(f"pushed by the circle: {json.dumps(await anext(ticks))}")


async def _be_dropped(narrator: Narrator, client: CircleWsClient) -> None:
    narrator.chapter("Lose the connection in the middle of a call")
    narrator.line('client.call("drop")')
    try:
        await client.call("drop")
    except OutcomeUnknown as error:
        narrator.result(f"OutcomeUnknown: {error}")
    await _settle()
    narrator.line('client.call("whoami"), asked while there is no connection: it waits for the next one')
    answer = await client.call("whoami")
    narrator.result(f"signed in again as {_shortened(answer['pubkey'])} (the same key, compressed)")


async def _settle() -> None:
    """Wait until changes of status are printed: callbacks run in a later iteration of the event loop."""
    await asyncio.sleep(0.01)
