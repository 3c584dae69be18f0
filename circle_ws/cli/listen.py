"""`listen`: notifications of a circle as they come, in a live table or as JSON lines, across reconnects."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console

from ..client import CircleWsClient
from ..engine.listener import Gap, Listener
from ..hooks import Setup, SetupSession
from ..status import StatusChange
from ..urls import shown as shown_url
from .calls import decoded
from .connection import Connection, connects
from .lines import JsonLines, Lines
from .output import ExitCode, Json, fail, run
from .progress import follow
from .table import LiveTable

__all__ = ["listen"]

BUFFER = 10_000
"""Maximum number of notifications that wait for a slow reader of the output; 16 MiB of them at most, too."""


class View(Protocol):
    """What shows the notifications and what happens to the connection."""

    interval: float | None
    """Seconds after which `flush()` is called although nothing has come; None: not at all."""

    def add(self, method: str, params: Any) -> None:
        """Take a notification."""
        ...

    def gap(self, gap: Gap) -> None:
        """Take a place where notifications may be missing."""
        ...

    def status(self, change: StatusChange) -> None:
        """Take a change of status."""
        ...

    async def flush(self) -> None:
        """Show what was taken, if it is time."""
        ...


@connects
def listen(
    connection: Connection,
    methods: Annotated[
        list[str] | None, typer.Argument(metavar="METHOD...", help="The notifications to show; else all.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after N notifications.")] = None,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="Say also where a reconnect may have lost notifications, and for how long.")
    ] = False,
    setup: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'METHOD PARAMS'",
            help="Call this after each sign-in, so after each reconnect too: to subscribe; repeat it.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show notifications as they come, until Ctrl-C: a live table on a terminal, JSON lines in a pipe.

    It survives reconnects and says so on stderr, with --json in lines of their own.
    """
    builder = connection.builder().with_reconnect()
    if setup:
        builder = builder.with_setup(_setup(setup, connection))
    client = builder.build()
    # Most circles push nothing to clients that have not signed in.
    where = shown_url(connection.url) + ("" if client.public_key else " (not signed in)")
    view = _view(where, methods or [], as_json=as_json)
    run(_listen(client, view, methods or [], count, gaps=gaps))


def _setup(calls: Iterable[str], connection: Connection) -> Setup:
    """Return a function that makes these calls, each a method and perhaps params."""
    parsed: list[tuple[str, Any]] = []
    for call in calls:
        method, _, params = call.strip().partition(" ")
        if params.strip() == "-":
            fail("--setup takes its params as JSON, not from stdin", code=ExitCode.USAGE)
        parsed.append((method, decoded(params or None, connection)))

    async def subscribe(session: SetupSession) -> None:
        for method, params in parsed:
            await session.call(method, params)

    return subscribe


def _view(url: str, methods: Sequence[str], *, as_json: bool) -> View:
    if as_json:
        return JsonLines(url)
    if sys.stdout is not None and sys.stdout.isatty() and not (console := Console()).is_dumb_terminal:
        return LiveTable(console, url, methods)
    return Lines(url)


async def _listen(client: CircleWsClient, view: View, methods: Sequence[str], count: int | None, *, gaps: bool) -> None:
    only = methods[0] if len(set(methods)) == 1 else None
    # Before the connection, so that none is missed. One listener for several methods keeps their order.
    listener = client.notifications(only, gaps=True, buffer=BUFFER)
    client.on_status(view.status)
    try:
        with follow(client):
            await client.connect()
        with ExitStack() as stack:
            if isinstance(view, LiveTable):
                stack.enter_context(view)
            await _show_all(listener, view, only, frozenset(methods), count, gaps=gaps)
    finally:
        await client.close(drain=0)


async def _show_all(
    listener: Listener[Any], view: View, only: str | None, methods: frozenset[str], count: int | None, *, gaps: bool
) -> None:
    left = -1 if count is None else count
    while left:
        for item in await _batch(listener, view.interval):
            if isinstance(item, Gap):
                if item.dropped or gaps:
                    view.gap(item)
                continue
            method, params = (only, item) if only is not None else (item.method, item.params)
            if left and (not methods or method in methods):
                view.add(method, params)
                left -= 1
        await view.flush()


async def _batch(listener: Listener[Any], interval: float | None) -> list[Any]:
    """Return what has come; an empty list once it is time to redraw."""
    limit = asyncio.timeout(interval)
    try:
        async with limit:
            return await listener.batch()
    except TimeoutError:
        if not limit.expired():
            raise
        return []
