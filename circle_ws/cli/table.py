"""The live table of `listen`: how many notifications of each kind, how fast, and the last one."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..engine.listener import Gap
from ..status import ConnectionStatus, StatusChange
from ..text import shown
from .lines import Events, gap_words
from .output import beginning, printable

__all__ = ["LiveTable"]

INTERVAL = 0.25
"""Seconds between two drawings of the table."""
WINDOW = 20
"""Drawings over which a rate is measured."""
MAX_ROWS = 30
"""Maximum number of rows; the notifications of further methods are counted together."""
OTHERS = "(others)"
MAX_SHOWN = 300
"""Maximum length of what is shown of a notification, in characters."""


class _Row:
    """One method: how often it came, when it came last, and with what."""

    __slots__ = ("at", "counts", "last", "latest", "total")

    def __init__(self) -> None:
        self.total = 0
        self.at: float | None = None
        self.latest: Any = None
        self.last: str | None = None
        self.counts: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def measure(self, now: float) -> float:
        """Return the rate over the window, a second, and begin the next step of it."""
        self.counts.append((now, self.total))
        since, before = self.counts[0]
        return (self.total - before) / (now - since) if now > since else 0.0


class LiveTable:
    """A table that is redrawn a few times a second, with a line above it for each event.

    Args:
        console: Where it is drawn.
        url: The circle, for a message.
        methods: The methods that have a row from the beginning.
        clock: Seconds that never go back.
    """

    interval: float | None = INTERVAL

    def __init__(
        self, console: Console, url: str, methods: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._clock = clock
        self._events = Events(url)
        self._status = ConnectionStatus.IDLE
        self._dropped = 0
        self._all = _Row()
        self._rows: dict[str, _Row] = {method: _Row() for method in methods[:MAX_ROWS]}
        self._drawn = clock()
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # `stop()` draws it once more.
        self._draw(refresh=False)
        self._live.stop()

    def add(self, method: str, params: Any) -> None:
        """Count a notification, and keep it until the next drawing."""
        row = self._rows.get(method)
        if row is None:
            name = method if len(self._rows) < MAX_ROWS else OTHERS
            row = self._rows.setdefault(name, _Row())
        row.total += 1
        row.latest = (params,)
        self._all.total += 1

    def gap(self, gap: Gap) -> None:
        """Say that notifications may be missing."""
        self._dropped += gap.dropped
        self._say(gap_words(gap))

    def status(self, change: StatusChange) -> None:
        """Show the status, and say what has become of the connection."""
        self._status = change.status
        if words := self._events.words(change):
            self._say(words)

    async def flush(self) -> None:
        """Draw the table, if it is time."""
        if self._clock() - self._drawn >= INTERVAL:
            self._draw()

    def _say(self, words: str) -> None:
        self._live.console.print(Text(printable(f"{time.strftime('%H:%M:%S')}  {words}"), style="dim"))

    def _draw(self, *, refresh: bool = True) -> None:
        self._drawn = now = self._clock()
        self._live.update(Group(self._head(now), self._table(now)), refresh=refresh)

    def _head(self, now: float) -> Text:
        is_connected = self._status is ConnectionStatus.CONNECTED
        parts = [
            f" {self._status.value}  {self._url}",
            f"{self._all.measure(now):,.1f} a second",
            f"{self._all.total:,} in all",
        ]
        if self._dropped:
            parts.append(f"{self._dropped:,} dropped")
        return Text.assemble(("●", "green" if is_connected else "red"), printable("  ".join(parts)))

    def _table(self, now: float) -> Table:
        table = Table(expand=True)
        table.add_column("method", no_wrap=True, max_width=30)
        for name in ("count", "a second", "age"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("last", no_wrap=True, ratio=1)
        for method, row in self._rows.items():
            if row.latest is not None:
                # Not kept: thirty of them may be large.
                row.last, row.at, row.latest = beginning(row.latest[0], MAX_SHOWN), now, None
            age = "" if row.at is None else f"{now - row.at:.0f} s"
            rate = f"{row.measure(now):,.1f}"
            table.add_row(Text(shown(method)), f"{row.total:,}", rate, age, Text(row.last or ""))
        return table
