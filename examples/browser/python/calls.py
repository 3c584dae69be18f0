"""The calls of a person: each can be stopped, and is answered to the page with how long it took."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from words import told

from circle_ws import CircleWsClient, CircleWsError


class Calls:
    """The calls that wait for an answer, by the page's number of each.

    Args:
        post: Takes an event for the page.
    """

    def __init__(self, post: Callable[..., None]) -> None:
        self._post = post
        self._waiting: dict[int, asyncio.Task[None]] = {}

    def start(self, client: CircleWsClient, number: int, method: str, params: str, timeout: float | None) -> None:
        """Call a method; its answer, or its error, is posted as `answer`.

        Args:
            client: Who calls.
            number: The page's number of the call.
            method: The method; None plays the script in `params`.
            params: JSON, or nothing.
            timeout: Of the call, in seconds; None waits for ever.
        """
        self._waiting[number] = asyncio.create_task(self._perform(client, number, method, params, timeout))

    def stop(self, number: int) -> None:
        """Wait no longer for the answer to a call."""
        if task := self._waiting.get(number):
            task.cancel()

    async def _perform(
        self, client: CircleWsClient, number: int, method: str | None, params: str, timeout: float | None
    ) -> None:
        started = time.perf_counter()
        outcome: dict[str, Any]
        try:
            if method is None:
                answer = await client.play(params, timeout=timeout)
            else:
                answer = await client.call(method, json.loads(params or "null"), timeout=timeout)
            outcome = {"value": json.dumps(answer, ensure_ascii=False)}
        except asyncio.CancelledError:
            outcome = {"error": {"name": "Stopped", "words": "Stopped. The circle may still carry it out."}}
        except CircleWsError as error:
            outcome = {"error": told(error)}
        finally:
            del self._waiting[number]
        self._post("answer", number=number, ms=(time.perf_counter() - started) * 1000, **outcome)
