"""Runs inside Pyodide: the clients that are measured, and the work they do."""

import asyncio
import json
import time
from typing import Any, Protocol

import js
from pyodide.ffi import create_proxy

import circle_ws
from circle_ws.transport.waiter import deliver, new_waiter

__all__ = ["flood", "open_careful", "open_floor", "open_naive", "open_ours", "work"]


class Client(Protocol):
    """A client that can call a circle."""

    async def call(self, method: str, params: Any) -> Any:
        """Call a method."""


class Naive:
    """The usual code: an event listener, and a proxy of it, for each call."""

    def __init__(self, js_socket: Any) -> None:
        self._js_socket = js_socket
        self._next = 0

    async def call(self, method: str, params: Any) -> Any:
        """Call a method."""
        self._next += 1
        id = self._next
        future = asyncio.get_running_loop().create_future()

        def on_message(js_event: Any) -> None:
            message = json.loads(js_event.data)
            if message.get("id") == id:
                future.set_result(message["result"])

        js_listener = create_proxy(on_message)
        self._js_socket.addEventListener("message", js_listener)
        self._js_socket.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
        try:
            return await future
        finally:
            self._js_socket.removeEventListener("message", js_listener)
            js_listener.destroy()


class Careful:
    """The code of a programmer who knows Pyodide: one proxy for all messages, a dict of futures."""

    def __init__(self, js_socket: Any) -> None:
        self._js_socket = js_socket
        self._next = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        js_socket.onmessage = create_proxy(self._take)

    async def call(self, method: str, params: Any) -> Any:
        """Call a method."""
        self._next += 1
        future = self._waiting[self._next] = asyncio.get_running_loop().create_future()
        self._js_socket.send(json.dumps({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}))
        return await future

    def _take(self, js_event: Any) -> None:
        message = json.loads(js_event.data)
        if "id" in message:
            self._waiting.pop(message["id"]).set_result(message["result"])


class Floor:
    """The least that Python can do in a page: one proxy, a dict, calls resumed within the event; no checks."""

    def __init__(self, js_socket: Any) -> None:
        self._js_send = js_socket.send
        self._next = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        js_socket.onmessage = create_proxy(lambda js_event: deliver(self._take, js_event.data))

    async def call(self, method: str, params: Any) -> Any:
        """Call a method."""
        self._next += 1
        waiter = self._waiting[self._next] = new_waiter()
        self._js_send(json.dumps({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}))
        return await waiter

    def _take(self, text: str) -> None:
        message = json.loads(text)
        if "id" in message:
            self._waiting.pop(message["id"]).set_result(message["result"])


async def _open(url: str) -> Any:
    js_socket = js.WebSocket.new(url)
    opened = asyncio.get_running_loop().create_future()
    js_socket.onopen = create_proxy(lambda _: opened.set_result(None))
    await opened
    return js_socket


async def open_naive(url: str) -> Client:
    """Open it."""
    return Naive(await _open(url))


async def open_careful(url: str) -> Client:
    """Open it."""
    return Careful(await _open(url))


async def open_floor(url: str) -> Client:
    """Open it."""
    return Floor(await _open(url))


async def open_ours(url: str) -> Client:
    """Open it with everything on that is on by default: deadlines, slots, statistics, keep-alive."""
    # A hundred calls of 16 KiB at once are more than may wait by default while the browser catches up.
    client = circle_ws.CircleWsClient(circle_ws.ClientConfig(url, max_queued_bytes=4 * 1024 * 1024))
    await client.connect()
    return client


async def work(client: Client, calls: int, flight: int, payload: str, js_latencies: Any = None) -> float:
    """Make `calls` calls, `flight` of them at a time; gives milliseconds.

    Args:
        client: Makes the calls.
        calls: How many.
        flight: How many at a time.
        payload: The params, as JSON.
        js_latencies: A JavaScript array that takes how long each call took, in milliseconds.
    """
    params = json.loads(payload)
    left = calls
    latencies: list[float] = []

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await client.call("echo", params)

    async def timed() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await client.call("echo", params)
            latencies.append((time.perf_counter() - began) * 1000)

    body = one_after_the_other if js_latencies is None else timed
    began = time.perf_counter()
    await asyncio.gather(*(body() for _ in range(flight)))
    took = (time.perf_counter() - began) * 1000
    for latency in latencies:
        js_latencies.push(latency)
    return took


async def flood(client: circle_ws.CircleWsClient, count: int, rate: int) -> list[int]:
    """Read so many notifications; gives how many came and how many were dropped."""
    got = 0
    async with client.notifications("tick") as ticks:
        await client.call("flood", [count, rate])
        try:
            async with asyncio.timeout(10):
                async for _ in ticks:
                    got += 1
                    if got + ticks.dropped >= count:
                        break
        except TimeoutError:
            pass
        return [got, ticks.dropped]


async def stream(client: circle_ws.CircleWsClient, count: int, rate: int, js_latencies: Any, js_now: Any) -> list[int]:
    """Read so many notifications while a call is made every 250 ms; gives how many came and how many were dropped.

    Args:
        client: Listens and calls.
        count: How many.
        rate: How many a second.
        js_latencies: A JavaScript array that takes how long each call took, in milliseconds.
        js_now: Gives the time, in milliseconds.
    """

    async def call() -> None:
        while True:
            await asyncio.sleep(0.25)
            began = js_now()
            await client.call("echo", ["x"])
            js_latencies.push(js_now() - began)

    calling = asyncio.ensure_future(call())
    got = await flood(client, count, rate)
    calling.cancel()
    return got
