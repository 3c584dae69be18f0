"""Runs inside Pyodide in a page or a worker: one client that dials, and tells the test what came of it."""

from typing import Any

import js
from pyodide.ffi import to_js

from circle_ws import CircleWsClient, CircleWsClientBuilder, CircleWsError

KEY = "c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"


async def tell(**told: Any) -> None:
    await js.tell(to_js(told, dict_converter=js.Object.fromEntries))


def make() -> CircleWsClient:
    # A client that would try again and again, if this were worth it.
    return CircleWsClientBuilder(js.circle).with_keypair(KEY).with_reconnect(first_connect="retry").build()


async def dial(client: CircleWsClient) -> None:
    try:
        async with client:
            await tell(outcome="connected")
    except CircleWsError as error:
        await tell(outcome=type(error).__name__, words=str(error), status=client.status.value)


await dial(make())  # type: ignore[top-level-await]  # noqa: F704
