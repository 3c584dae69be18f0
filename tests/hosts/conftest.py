"""What the tests of the hosts share: a site of the examples on a plain HTTP server, a circle that comes and goes."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from circle_ws.bundle import kept, npm
from circle_ws.cli.demo.arithmetic import evaluate
from tests.example.reader import Seen
from tests.native.command_line import circle_in_thread
from tests.support.chromium import chromium as chromium
from tests.support.limits import PATIENCE
from tests.support.static import served

if TYPE_CHECKING:
    from circle_ws.server import CircleServer

ROOT = Path(__file__).parents[2]
# A hang is told by it.
expect.set_options(timeout=PATIENCE * 1000)
HOSTS = ROOT / "examples" / "hosts"
CIRCLE = "ws://127.0.0.1:8765/"
"""The circle of the examples; each test has one at a free port in its place."""
ENDLESS = "a script without end"
PYSCRIPT = "0.7.31"
KERNEL = ["micropip", "ipython", "comm", "jedi"]
"""What the kernel of JupyterLite needs besides its own wheels."""
_TEXTS = {".html", ".ipynb", ".mjs", ".py"}


class Circle:
    """A circle that is stopped and started again at one address, and remembers the scripts it was given."""

    def __init__(self) -> None:
        self.scripts: list[str] = []
        self._running: AbstractContextManager[CircleServer] | None = None
        self._server: CircleServer
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/"

    def key(self) -> str:
        """Return the public key of the one connection that is signed in, once there is no other (any more)."""
        end = time.monotonic() + PATIENCE
        while len(keys := [one.public_key for one in self._server.connections if one.public_key]) != 1:
            assert time.monotonic() < end, f"there are {len(keys)} connections that are signed in, and not one"
            time.sleep(0.02)
        return keys[0]

    def start(self) -> None:
        """Listen, where it does not."""
        if self._running is not None:
            return
        self._running = circle_in_thread(port=self._port, play=self._play)
        self._server = self._running.__enter__()
        self._port = self._server.port

    def stop(self) -> None:
        """Close all connections and the port."""
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    async def _play(self, script: str) -> str:
        self.scripts.append(script)
        if script == ENDLESS:
            await asyncio.Event().wait()
        return evaluate(script)


@pytest.fixture(scope="session")
def one_circle() -> Iterator[Circle]:
    circle = Circle()
    yield circle
    circle.stop()


@pytest.fixture
def circle(one_circle: Circle) -> Circle:
    """The circle, running also where a test before this one failed half-way."""
    one_circle.start()
    return one_circle


@pytest.fixture(scope="session")
def root(one_circle: Circle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site: the examples, with the test's circle in them, a bundle, and PyScript."""
    root = tmp_path_factory.mktemp("hosts") / "site"
    made_by_hand = shutil.ignore_patterns("circle", "pyscript-core", "lite")
    shutil.copytree(HOSTS, root, ignore=made_by_hand)
    named = 0
    for path in root.rglob("*"):
        if path.suffix in _TEXTS:
            text = path.read_text()
            named += CIRCLE in text
            path.write_text(text.replace(CIRCLE, one_circle.url))
    assert named >= 5
    (root / "favicon.ico").touch()  # Browsers ask for it where a page names none.
    (root / "circle").symlink_to(kept.bundle([ROOT], KERNEL))
    (root / "pyscript-core").symlink_to(npm.package("@pyscript/core", PYSCRIPT) / "dist")
    return root


@pytest.fixture(scope="session")
def site(root: Path) -> Iterator[str]:
    """The URL of the site."""
    with served(root) as url:
        yield url


@pytest.fixture(scope="session")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One profile, so that Pyodide is fetched and compiled once."""
    context = chromium.new_context(viewport={"width": 800, "height": 420})
    yield context
    context.close()


Supports = Callable[[str, str], None]


@pytest.fixture
def supports(record_property: Callable[[str, object], None]) -> Supports:
    """Note which host, and in what, a test tells of: the rows of the table of support (tools/support_table.py)."""
    return lambda host, where: record_property("support", f"{host} | {where}")


Open = Callable[..., AbstractContextManager[Page]]


@pytest.fixture
def opened(context: BrowserContext, site: str) -> Iterator[Open]:
    """Open a page of the site; none may complain, nor ask another host for anything."""
    seen = Seen()

    @contextmanager
    def opened(path: str, script: str = "") -> Iterator[Page]:
        page = context.new_page()
        seen.watch(page)
        if script:
            page.add_init_script(script)
        page.goto(f"{site}/{path}")
        yield page
        page.close()

    yield opened
    assert {urlsplit(url).netloc for url in seen.requests if url.startswith("http")} == {urlsplit(site).netloc}
    assert [one for one in seen.complaints if not any(words in one for words in _EXPECTED)] == []


_EXPECTED = (
    # What browsers and the library say of a circle that is away.
    "WebSocket connection to",
    ": lost the connection: ",
    " to connect failed: ",
    # JupyterLite, of its own menus.
    "Menu entry for command ",
    "default shortcut because it collides with another",
    "Uploader widget not found",
    # PyScript, of every worker on a site without the headers of cross-origin isolation.
    "requires SharedArrayBuffer support",
)


def picture(page: Page, name: str) -> None:
    """Keep what a person sees."""
    folder = Path(os.environ.get("CIRCLE_WS_SCREENSHOTS") or ROOT / ".cache" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"host-{name}.png")
