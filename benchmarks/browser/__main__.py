"""Measure circle_ws in a page: `python -m benchmarks.browser chromium|firefox --bundle DIR [--out DIR] [--small]`.

The browser is started with a URL and nothing is attached to it: a debugger slows the WebSocket of a page to a third.
With `--out` it writes `browser-NAME.json` and, where matplotlib is there, `browser-NAME.svg`.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.browser.cells import Plan, full, small
from benchmarks.browser.figures import summary, tables
from benchmarks.browser.server import PageFailed, PageServer
from benchmarks.gauges import versions
from benchmarks.process import Child
from circle_ws.bundle import programs
from circle_ws.testing.pyodide.launch import Start, launch


async def measure(browser: str, program: Path, bundle: Path, plan: Plan) -> dict[str, list[Any]]:
    """Do one run and return what the page posted.

    Raises:
        PageFailed: The page could not measure, or the browser ended.
    """
    child = await Child.start("echo_circle")
    try:
        server = PageServer(plan, bundle, f"ws://127.0.0.1:{child.told['port']}/")
        async with server.serve(), launch(browser, Start(program, server.url, bundle)) as launched:
            died: asyncio.Future[Any] = asyncio.ensure_future(launched.process.wait())
            await server.patience.wait(server.ended, died)
            died.cancel()
            if not server.ended.done():
                raise PageFailed(f"{browser} did not come to an end:\n{launched.last_words()}")
            server.ended.result()
    finally:
        await child.stop()
    return server.found


def _described(browser: str, bundle: Path, plan: Plan) -> dict[str, Any]:
    described = json.loads((bundle / "bundle.json").read_text())
    return {
        "browser": browser,
        "pyodide": described["pyodide_version"],
        "versions": versions(),
        "rounds": plan.rounds,
        "flood asked": [plan.count, plan.rate],
        "stream asked": list(plan.stream),
    }


def _wheel_size(bundle: Path) -> int:
    """Return the size of our wheel, as a page loads it, in bytes."""
    return next(bundle.glob("circle_ws-*.whl")).stat().st_size


def _write(result: dict[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    name = f"browser-{result['browser']}"
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    try:
        from benchmarks.browser.picture import draw
    except ImportError:
        print("matplotlib is not there, so there is no picture; it is in the dependency group bench", file=sys.stderr)
        return
    draw(result, out / f"{name}.svg")


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("browser", choices=["chromium", "firefox"])
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="made by circle-ws bundle")
    parser.add_argument("--out", type=Path, metavar="DIR")
    parser.add_argument("--small", action="store_true", help="only show that everything works")
    parser.add_argument("--stream", action="store_true", help="measure floods only, no calls")
    options = parser.parse_args()
    program = programs.find(options.browser)
    if program is None:
        print(programs.advice(options.browser), file=sys.stderr)
        return 3
    plan, bundle = small() if options.small else full(), options.bundle.resolve()
    if options.stream:
        plan = replace(plan, cells=[], loads=1)
    try:
        found = asyncio.run(measure(options.browser, program, bundle, plan))
    except PageFailed as failed:
        print(f"benchmark: {failed}", file=sys.stderr)
        return 1
    result = _described(options.browser, bundle, plan) | summary(found, {"wheel": _wheel_size(bundle)})
    print(tables(result))
    if options.out:
        _write(result, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
