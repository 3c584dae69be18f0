"""How long the example page takes from navigation to connected, for several bundles in turn, in a browser.

`python -m benchmarks.startup chromium now=BUNDLE before=BUNDLE:PAGE`; PAGE is the folder of the page, by default this
checkout's. Each round begins with an empty profile and loads the page some times: the first load and the median of the
others are told apart. The circle runs in this process.
"""

import argparse
import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from benchmarks.rounds import Figures, alternate, medians
from circle_ws.cli.demo.circle import running_circle
from circle_ws.testing.pyodide.launch import Start, launch
from circle_ws.testing.pyodide.listening import listening
from tools import browsers

_PAGE = Path(__file__).resolve().parent.parent / "examples" / "browser"
_PATIENCE = 300.0
"""Maximum time of one round, in seconds."""
_SCRIPT = """
const loads = Number(sessionStorage.loads ?? 0) + 1;
new MutationObserver(async () => {
  if (document.body.dataset.status !== "connected") return;
  const stop = (await (await fetch("loaded", { method: "POST", body: String(performance.now()) })).text()) === "stop";
  sessionStorage.loads = loads;
  if (!stop) location.reload();
}).observe(document.body, { attributes: true, attributeFilter: ["data-status"] });
"""


class _Page:
    """Serves the page with a script that posts when it is connected, in milliseconds since navigation."""

    def __init__(self, bundle: Path, page: Path, loads: int) -> None:
        self._bundle, self._page, self._loads = bundle, page, loads
        self.times: list[float] = []
        self.ended = asyncio.Event()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_get("/", self._index)
        application.router.add_get("/startup.mjs", self._script)
        application.router.add_post("/loaded", self._loaded)
        application.router.add_static("/bundle", self._bundle)
        application.router.add_static("/", self._page)
        async with listening(application) as url:
            yield url

    async def _index(self, request: web.Request) -> web.Response:
        text = (self._page / "index.html").read_text()
        script = '<script type="module" src="startup.mjs"></script>'
        return web.Response(text=text.replace("</head>", f"{script}</head>"), content_type="text/html")

    async def _script(self, request: web.Request) -> web.Response:
        return web.Response(text=_SCRIPT, content_type="text/javascript")

    async def _loaded(self, request: web.Request) -> web.Response:
        self.times.append(float(await request.text()))
        if len(self.times) < self._loads:
            return web.Response(text="again")
        self.ended.set()
        return web.Response(text="stop")


async def _measure(browser: str, circle: str, bundle: Path, page: Path, loads: int) -> Figures:
    served = _Page(bundle, page, loads)
    async with served.serve() as url:
        start = Start(browsers.ensure(browser), f"{url}/?circle={quote(circle, safe=':/')}", bundle)
        async with launch(browser, start), asyncio.timeout(_PATIENCE):
            await served.ended.wait()
    first, *others = served.times
    return {"first": first, "again": statistics.median(others)}


def _places(given: list[str]) -> dict[str, tuple[Path, Path]]:
    """Return by name the folders of the bundle and of the page."""
    places = {}
    for one in given:
        name, _, path = one.partition("=")
        bundle, _, page = path.partition(":")
        places[name] = (Path(bundle).resolve(), Path(page).resolve() if page else _PAGE)
    return places


async def _run(options: argparse.Namespace, places: dict[str, tuple[Path, Path]]) -> None:
    async with running_circle() as circle:
        found = await alternate(
            list(places),
            options.rounds,
            lambda name: _measure(options.browser, circle.url, *places[name], options.loads),
        )
    for name, figures in medians(found).items():
        ranges = {key: sorted(round(one[key]) for one in found[name]) for key in figures}
        print(
            f"{name}: first load {figures['first']:.0f} ms {ranges['first']}, "
            f"again {figures['again']:.0f} ms {ranges['again']}"
        )


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("browser", choices=("chromium", "firefox"))
    parser.add_argument("bundles", nargs="+", metavar="NAME=BUNDLE[:PAGE]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loads", type=int, default=4)
    options = parser.parse_args()
    asyncio.run(_run(options, _places(options.bundles)))


if __name__ == "__main__":
    main()
