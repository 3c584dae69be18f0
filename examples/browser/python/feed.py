"""Notifications in portions: what a person can read of them, and how many there were."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from circle_ws import CircleWsClient, CircleWsError

PORTION = 1 / 20
"""Seconds between two portions at the least: people read slower."""
SHOWN = 60
"""Maximum number of notifications in a portion; more would leave the list before anybody saw them."""
LONGEST = 2000
"""Maximum number of characters of the params that are shown."""


class Feed:
    """The notifications of one client, handed to the page in portions.

    Args:
        post: Takes an event for the page.
    """

    def __init__(self, post: Callable[..., None]) -> None:
        self._post = post
        self.wanted = ""
        """Only notifications that hold this text are shown; every one is counted."""

    async def run(self, client: CircleWsClient) -> None:
        """Hand over the notifications of a client until it closes."""
        try:
            async with client.notifications(buffer=50_000) as listener:
                while batch := await listener.batch():
                    rows = self._rows(batch)
                    self._post("notifications", count=len(batch), dropped=listener.dropped, at=time.time(), rows=rows)
                    await asyncio.sleep(PORTION)
        except CircleWsError:
            pass  # The client gave up; the page shows that as its status.

    def _rows(self, batch: list[Any]) -> list[tuple[str, str]]:
        """Return the last ones that are wanted, each as its method and its params in JSON."""
        if not self.wanted:
            return [_row(one) for one in batch[-SHOWN:]]
        wanted = self.wanted.casefold()
        rows = []
        for one in reversed(batch):
            row = _row(one)
            if wanted in f"{row[0]} {row[1]}".casefold():
                rows.append(row)
                if len(rows) == SHOWN:
                    break
        return rows[::-1]


def _row(notification: Any) -> tuple[str, str]:
    text = json.dumps(notification.params, ensure_ascii=False)
    return notification.method, text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
