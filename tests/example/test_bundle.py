"""Proves that what `circle-ws bundle` makes and prints is all that a page needs: on any static server, in Chromium."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from circle_ws.bundle import npm, pyodide_core
from circle_ws.server import CircleServer
from tests.example.reader import Seen
from tests.native.command_line import start
from tests.support.limits import PATIENCE
from tests.support.static import served as serving

CIRCLE = "ws://localhost:8765"
CDN = f"https://cdn.jsdelivr.net/pyodide/v{pyodide_core.VERSION}/full/"
STRICT = """\
<!doctype html>
<meta http-equiv="Content-Security-Policy" content="{policy}" />
<pre id="out"></pre>
<script type="module" src="main.mjs"></script>
"""
MORE = """
await pyodide.loadPackage("iniconfig");
pyodide.runPython("import iniconfig");
document.title = "loaded one more";
"""


class _App:
    """A folder with a bundle, and what the command printed."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        self._process = start("bundle", "--out", str(root / "circle"), "--with", "iniconfig", *options)

    def finish(self, circle: str) -> None:
        """Write the page that the command prints, and one with its script in a file and the policy that it prints."""
        printed, steps = self._process.communicate()
        assert self._process.returncode == 0, steps
        self.steps = steps.splitlines()
        printed = printed.replace(CIRCLE, circle)
        self.html = re.sub("^  ", "", printed[printed.index("  <!doctype") :].partition("\n\n")[0], flags=re.MULTILINE)
        self.policy = printed.splitlines()[-1].strip()
        (self.root / "index.html").write_text(self.html)
        (self.root / "favicon.ico").touch()  # Every browser asks for it.
        script = re.search(r'<script type="module">\n(.*)</script>', self.html, re.DOTALL)
        assert script
        (self.root / "main.mjs").write_text(script[1] + MORE)
        (self.root / "strict.html").write_text(STRICT.format(policy=self.policy))


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory, served: CircleServer) -> dict[str, _App]:
    """A bundle that has Pyodide, and one that leaves it to the CDN."""
    root = tmp_path_factory.mktemp("apps")
    apps = {"here": _App(root / "here"), "cdn": _App(root / "cdn", "--cdn")}
    for app in apps.values():
        app.finish(served.url.rstrip("/"))
    return apps


@pytest.fixture
def page(context: BrowserContext) -> Iterator[tuple[Page, Seen]]:
    page, seen = context.new_page(), Seen()
    seen.watch(page)
    yield page, seen
    page.close()


def _signed_in(page: Page) -> None:
    expect(page.locator("#out")).to_contain_text("signed in: {'pubkey': '0")


def test_the_page_that_is_printed_signs_in(apps: dict[str, _App], page: tuple[Page, Seen]) -> None:
    """In ten lines, from one flat folder, and nothing is asked of any other host."""
    app = apps["here"]
    assert len(app.html.splitlines()) == 10
    assert {path.name for path in (app.root / "circle").iterdir()} >= {*pyodide_core.FILES, "pyodide-lock.json"}
    assert not [path for path in (app.root / "circle").iterdir() if path.is_dir()]
    assert "collecting the wheels that run in Pyodide" in app.steps
    with serving(app.root) as url:
        page[0].goto(url)
        _signed_in(page[0])
        assert page[1].complaints == []
        assert {it.split("/")[2] for it in page[1].requests if it.startswith("http")} == {url.split("/")[2]}


def test_the_policy_that_is_printed_is_enough(apps: dict[str, _App], page: tuple[Page, Seen]) -> None:
    """Under it the same page signs in, and loads one more package by its name; no violation."""
    app = apps["here"]
    assert "unsafe-inline" not in app.policy and "'unsafe-eval'" not in app.policy
    with serving(app.root) as url:
        page[0].goto(f"{url}/strict.html")
        _signed_in(page[0])
        expect(page[0]).to_have_title("loaded one more")
        assert page[1].complaints == []


def test_a_package_that_was_changed_is_refused(apps: dict[str, _App], page: tuple[Page, Seen]) -> None:
    """Its digest stands in the lock file, and the browser compares it."""
    app = apps["here"]

    def change(route: Route) -> None:
        route.fulfill(body=route.fetch().body() + b"\n")

    page[0].route("**/circle/six-*.whl", change)
    with serving(app.root) as url:
        with page[0].expect_event("pageerror", timeout=PATIENCE * 1000) as ended:
            page[0].goto(f"{url}/strict.html")
        assert "No module named 'six'" in str(ended.value) or "No module named 'circle_ws'" in str(ended.value)
        assert any("integrity" in words for words in page[1].complaints)


def test_pyodide_of_the_cdn(apps: dict[str, _App], page: tuple[Page, Seen]) -> None:
    """The same page, with Pyodide and a package of its distribution from there, under the policy that is printed."""
    app = apps["cdn"]
    home, lock = npm.package("pyodide", pyodide_core.VERSION), app.root / "circle" / "pyodide-lock.json"
    assert {path.suffix for path in (app.root / "circle").iterdir()} == {".json", ".mjs", ".whl"}
    locked = json.loads(lock.read_text())
    wheel = app.root / "circle" / locked["packages"]["iniconfig"]["file_name"]
    locked["packages"]["iniconfig"]["file_name"] = f"{CDN}{wheel.name}"
    lock.write_text(json.dumps(locked))
    there = wheel.rename(app.root / wheel.name)

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(CDN)
        file = there if name == there.name else home / name
        kinds = {".mjs": "text/javascript", ".wasm": "application/wasm"}
        kind = kinds.get(file.suffix, "application/octet-stream")
        route.fulfill(path=file, headers={"Access-Control-Allow-Origin": "*", "Content-Type": kind})

    page[0].route(f"{CDN}**", answer)
    with serving(app.root) as url:
        page[0].goto(f"{url}/strict.html")
        _signed_in(page[0])
        expect(page[0]).to_have_title("loaded one more")
        assert page[1].complaints == []
    assert f"{CDN}{wheel.name}" in page[1].requests


def test_a_fresh_bundle_is_used_again(apps: dict[str, _App]) -> None:
    """The same things make no other one, and the command says so."""
    folder = apps["here"].root / "circle"
    before = (folder / "bundle.json").stat().st_mtime_ns
    again = start("bundle", "--out", str(folder), "--with", "iniconfig", "--json", stderr=subprocess.DEVNULL)
    told = json.loads(again.communicate()[0])
    assert told["reused"] is True
    assert told["packages"] == ["circle-ws", "ecdsa", "iniconfig", "msgspec", "six"]
    assert (folder / "bundle.json").stat().st_mtime_ns == before
