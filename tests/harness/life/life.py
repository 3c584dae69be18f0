"""Runs inside Pyodide in a page of its own: one client, whose every change of status is told to the test."""

from typing import Any

import js
from pyodide.ffi import to_js

from circle_ws import Backoff, CircleWsClient, CircleWsClientBuilder, StatusChange

KEY = "c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"
NEVER = Backoff(first=600, base=600, maximum=600, floor=600)
"""A client that comes back with these delays does so because something skipped them."""


def tell(change: StatusChange) -> None:
    told: dict[str, Any] = {"status": change.status.value, "retry_in": change.retry_in, "cause": str(change.cause)}
    js.tell(to_js(told, dict_converter=js.Object.fromEntries))


def make() -> CircleWsClient:
    js_query = js.URLSearchParams.new(js.location.search)
    builder = CircleWsClientBuilder(js_query.get("circle")).with_keypair(KEY).with_reconnect(backoff=NEVER)
    return builder.with_keepalive(interval=float(js_query.get("interval")), timeout=2).build()


client = make()
client.on_status(tell)
await client.connect()  # type: ignore[top-level-await]  # noqa: F704
