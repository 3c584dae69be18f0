"""Print which functions of circle_ws run for one call and for one connection with a key, in order of their first run.

`python -m tools.trace_calls`; the reference circle runs in a thread of its own, which is not counted. A function counts
once, however often it runs; constructors, lambdas and comprehensions do not count, nor does what imports run.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

import circle_ws
from circle_ws import CircleWsClientBuilder
from circle_ws.server import CircleServer

__all__ = ["Trace", "trace_call", "trace_connect"]

_PACKAGE = Path(circle_ws.__file__).parent
_KEY = "01" * 32
_CALLBACKS = 0.05
"""Seconds in which the rest of the work of a finished call or connection is done."""


class Trace:
    """Functions of circle_ws, as `module:function`, and their modules, in the order in which they ran first."""

    def __init__(self, codes: Iterable[CodeType]) -> None:
        self.functions = [_name(code) for code in codes if _is_ours(code)]
        self.modules = list(dict.fromkeys(function.partition(":")[0] for function in self.functions))


def _is_ours(code: CodeType) -> bool:
    return Path(code.co_filename).is_relative_to(_PACKAGE) and not code.co_name.startswith(("<", "__"))


def _name(code: CodeType) -> str:
    return f"{Path(code.co_filename).relative_to(_PACKAGE).with_suffix('').as_posix()}:{code.co_qualname}"


async def _traced(run: Callable[[], Awaitable[Any]]) -> Trace:
    """Note the functions that run in this thread meanwhile."""
    codes: dict[CodeType, None] = {}
    sys.setprofile(lambda frame, event, _: codes.setdefault(frame.f_code) if event == "call" else None)
    try:
        await run()
    finally:
        sys.setprofile(None)
    return Trace(codes)


def trace_call() -> Trace:
    """Trace one call of a client that is connected and has called before."""

    async def measure(url: str) -> Trace:
        async with CircleWsClientBuilder(url).with_keypair(_KEY).build() as client:
            await client.call("echo", [0])
            await asyncio.sleep(_CALLBACKS)
            return await _traced(lambda: client.call("echo", [1]))

    return _measured(measure)


def trace_connect() -> Trace:
    """Trace `connect()` of a client with a key, in a process in which a client was connected before."""

    async def measure(url: str) -> Trace:
        client, first = (CircleWsClientBuilder(url).with_keypair(_KEY).build() for _ in range(2))
        async with first:
            trace = await _traced(client.connect)
        await client.close()
        return trace

    return _measured(measure)


def _measured(measure: Callable[[str], Coroutine[Any, Any, Trace]]) -> Trace:
    with _circle() as url:
        return asyncio.run(measure(url))


@contextmanager
def _circle() -> Iterator[str]:
    """Run the reference circle in a thread; yields its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    circle = CircleServer()
    circle.method("echo")(lambda value: value)
    try:
        asyncio.run_coroutine_threadsafe(circle.start(), loop).result()
        yield circle.url
        asyncio.run_coroutine_threadsafe(circle.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def main() -> int:
    """Print both traces."""
    for title, trace in (("one call", trace_call()), ("connect() with a key", trace_connect())):
        print(f"{title}: {len(trace.functions)} functions in {len(trace.modules)} modules")
        print("".join(f"    {function}\n" for function in trace.functions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
