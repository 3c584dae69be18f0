"""Proves what the chapter on pages says without an example: what is too late, what is collected, sizes."""

import asyncio
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from typer.main import get_command

from circle_ws.auth import derive_public_key
from circle_ws.cli.app import app
from circle_ws.server import CircleServer
from tests.example.chapter import CHAPTER, Site, blocks
from tests.example.reader import Reader

KEY = "c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"


def test_a_coroutine_prevents_the_default_too_late(reader: Reader, site: Site) -> None:
    """The form is submitted, which only the policy stops."""
    name = "form/main.py"
    site.changed[name] = blocks()[name].replace("def submit", "async def submit")
    page = reader.open("form")
    expect(page.locator("#status")).to_have_text("connected ")
    # A click of Playwright's would wait for the next page.
    page.evaluate("document.getElementById('form').requestSubmit()")
    reader.hear("form-action")


def test_a_worker_that_waits_before_it_listens_loses_messages(reader: Reader, site: Site) -> None:
    worker, page = blocks()["worker/worker.mjs"], blocks()["worker/main.mjs"]
    late = worker.replace("= connect();", "= await connect();").replace(
        "\nasync function", "postMessage({});\nasync function"
    )
    site.changed["worker/worker.mjs"] = late
    again = 'if (!("status" in data || "reply" in data)) worker.postMessage({ script: "6 + 1" });'
    site.changed["worker/main.mjs"] = page.replace("if (data.status)", f"{again}\n  else if (data.status)").replace(
        "document.getElementById(id).textContent =", "document.getElementById(id).textContent += ' ' +"
    )
    expect(reader.open("worker").locator("#reply")).to_have_text("Loading ... 7")


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8" /><title>Kept</title>
<script type="module" src="main.mjs"></script>
<button id="plain">plain</button><button id="proxy">proxy</button><button id="attribute">attribute</button></html>
"""
_MAIN = """import { loadPyodide } from "../circle/pyodide.mjs";
globalThis.pyodide = await loadPyodide({ packages: ["circle-ws"] });
document.body.dataset.ready = "yes";
"""
_STARTED = """
import asyncio, gc, warnings, weakref
import circle_ws
from js import Promise, document
from pyodide.ffi import create_proxy

warnings.simplefilter("always")
things, ready, clicked = {}, [], []

def build():
    return circle_ws.CircleWsClientBuilder("ws://localhost:8765").with_keypair(circle_ws.KeyPair.generate()).build()

def note(name, thing):
    things[name] = weakref.ref(thing)

async def with_callbacks():
    client = build()
    note("client with callbacks", client)
    client.on_status(lambda change: None)
    client.handle("describe", lambda topic: topic)
    await client.connect()

def started():
    client = build()
    note("started client", client)
    client.start()

async def listening():
    client = await circle_ws.connect("ws://localhost:8765", private_key=circle_ws.KeyPair.generate())
    note("client of the listener", client)
    async for _ in client.notifications("tick"):
        ready.append("listener")

async def following():
    client = build()
    await client.connect()
    async for _ in client.status_changes():
        ready.append("changes")

async def calling():
    client = build()
    await client.connect()
    ready.append("call")
    await client.call("never", timeout=None)

async def sleeping():
    await asyncio.sleep(600)

async def promised():
    await Promise.new(create_proxy(lambda *_: None))

async def waiting():
    await asyncio.Event().wait()

def listen():
    document.getElementById("plain").addEventListener("click", lambda event: clicked.append("plain"))
    document.getElementById("proxy").addEventListener("click", create_proxy(lambda event: clicked.append("proxy")))
    document.getElementById("attribute").onclick = lambda event: clicked.append("attribute")

kept = await circle_ws.connect("ws://localhost:8765", private_key=circle_ws.KeyPair.generate())
note("global client", kept)
await with_callbacks()
started()
listen()
for function in (listening, following, calling, sleeping, promised, waiting):
    note(function.__name__, asyncio.ensure_future(function()))
while len(set(ready)) < 3:
    await asyncio.sleep(0.05)
"""
_COLLECTED = """
for _ in range(3):
    gc.collect()
    await asyncio.sleep(0.05)
" ".join(sorted(name for name, thing in things.items() if thing() is None))
"""
_CONNECT = """async (key) => {
  const circle = pyodide.pyimport("circle_ws.js");
  await circle.connect("ws://localhost:8765", { privateKey: key });
}"""


def test_what_is_collected_and_what_is_not(reader: Reader, site: Site, served: CircleServer) -> None:
    """The rows of the table, with the garbage of both languages collected."""
    site.changed["kept/index.html"], site.changed["kept/main.mjs"] = _PAGE, _MAIN
    served.method("never")(_never)
    page = reader.page
    page.goto(f"{site.origin}/kept/index.html")
    expect(page.locator("body[data-ready]")).to_have_count(1)
    _run(page, site, _STARTED)
    page.evaluate(site.localised(_CONNECT), KEY)
    page.request_gc()
    assert _run(page, site, _COLLECTED) == "client with callbacks started client waiting"
    page.request_gc()
    key = derive_public_key(KEY, compressed=True)
    assert key in {connection.public_key for connection in served.connections}
    for name in ("plain", "proxy", "attribute", "proxy"):
        page.get_by_role("button", name=name).click()
    assert _run(page, site, '" ".join(clicked)') == "proxy attribute proxy"
    complaints = "\n".join(reader.seen.complaints)
    for words in (
        "ResourceWarning",
        "Task was destroyed but it is pending!",
        "borrowed proxy was automatically destroyed",
    ):
        assert words in complaints


async def _never() -> None:
    await asyncio.Event().wait()


def _run(page: Page, site: Site, code: str) -> Any:
    return page.evaluate("(code) => pyodide.runPythonAsync(code)", site.localised(code))


def test_the_table_of_sizes_is_of_the_bundle(bundle: Path) -> None:
    """To a fifth, as packages have new versions now and then."""
    rows = re.findall(r"^\| `(\S+)`.*? \| ([\d,]+) \|", CHAPTER, re.MULTILINE)
    assert len(rows) == 9
    for pattern, size in rows:
        (file,) = bundle.glob(pattern)
        told = int(size.replace(",", ""))
        assert abs(file.stat().st_size - told) < max(told / 5, 5000), file.name


def test_the_commands_are_those_of_the_program() -> None:
    lines = re.findall(r"^\$ circle-ws (\w+)([^#&\n]*)", CHAPTER, re.MULTILINE)
    assert {command for command, _ in lines} == {"bundle", "serve"}
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for command, rest in lines:
        options = {option for parameter in commands[command].params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= options
