"""Proves that the chapter on pages is true: each of its examples runs, in Chromium, as a person would see it.

An example is a folder of files (`form/main.py`), and the test of this name opens it.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from circle_ws.auth import derive_public_key, sign_message
from circle_ws.auth.keccak import keccak_256
from circle_ws.bundle import programs
from circle_ws.server import CircleServer
from tests.example.chapter import CHAPTER, POLICY, Site, blocks, folders
from tests.example.reader import Reader
from tests.support.limits import PATIENCE

KEY = "c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"
PUBLIC_KEY = re.compile("^04[0-9a-f]{128}$")


@pytest.fixture
def opened(request: pytest.FixtureRequest, reader: Reader) -> Iterator[Page]:
    """The example that the test is named after; it complains of nothing."""
    folder = _folder(request.node.name)
    yield reader.open(folder)
    reader.check(folder)


def _folder(test: str) -> str:
    return test.removeprefix("test_").removesuffix("first").replace("_", "-")


def reply(page: Page) -> Any:
    return expect(page.locator("#reply"))


def test_every_example_has_a_test() -> None:
    tests = {_folder(name) for name in globals() if name.startswith("test_")}
    assert folders() <= tests
    assert {name for name in blocks() if "/" not in name} == {"index.html", "start.mjs", "page.html", POLICY}
    languages = re.findall(r"^```(\S+)$", CHAPTER, re.MULTILINE)
    assert set(languages) <= {"console", "text"}, "a block that is no file"


def test_first(opened: Page) -> None:
    expect(opened.locator("body")).to_have_text("The circle says 42")
    assert blocks()["index.html"].count("\n") == 10


def test_wheels(opened: Page) -> None:
    reply(opened).to_have_text(PUBLIC_KEY)


def test_micropip_by_url(opened: Page) -> None:
    reply(opened).to_have_text("imported")


def test_micropip_by_name(opened: Page, site: Site) -> None:
    reply(opened).to_have_text("imported")
    assert {"simple/circle-ws/", "simple/ecdsa/", "simple/six/", "simple/msgspec/"} <= set(site.asked)


def test_form(opened: Page) -> None:
    button = opened.get_by_role("button", name="Run")
    expect(button).to_be_disabled()
    expect(opened.locator("#status")).to_have_text("connected ")
    address = opened.url
    for script, words in (("40 + 2", "42"), ("1 / 0", re.compile("RpcError")), ("6 * 7 + 1", "43")):
        opened.get_by_label("Script").fill(script)
        button.click()
        reply(opened).to_have_text(words)
    assert opened.url == address


def test_worker(opened: Page) -> None:
    expect(opened.locator("#status")).to_have_text("connected")
    reply(opened).to_have_text("42")


def test_flood(opened: Page) -> None:
    """None is lost; beside the flood there is the circle's own tick each second."""
    reply(opened).to_have_text(re.compile(r"^(5\d{3}|[6-9]\d{3}) ticks, 0 dropped"))


def test_javascript(opened: Page, reader: Reader) -> None:
    for words in ("connecting", "connected", "a tick", "play 42", "echo [7, null]", "refused -32601", "closed"):
        reader.hear(words)


def test_gateway(opened: Page, served: CircleServer, reader: Reader, site: Site) -> None:
    """Each attempt brings a token of its own."""
    reply(opened).to_have_text("42")
    before = site.tokens
    with opened.expect_websocket(timeout=PATIENCE * 1000) as dialled:
        for connection in list(served.connections):
            connection.abort()
    assert site.tokens > before
    assert dialled.value.url.endswith(f"?token={site.tokens}")


def test_key(opened: Page) -> None:
    """It is the same after a reload."""
    reply(opened).to_have_text(PUBLIC_KEY)
    shown = opened.locator("#reply").inner_text()
    opened.reload()
    reply(opened).to_have_text(shown)


_WALLET = """
addEventListener("eip6963:requestProvider", () => {
  const listeners = new Map();
  globalThis.emit = (name, value) => listeners.get(name)(value);
  const provider = {
    on: (name, listener) => listeners.set(name, listener),
    removeListener: (name) => listeners.delete(name),
    request: async (asked) => {
      const answer = await globalThis.askWallet(asked);
      if (answer.refused) throw answer.refused;
      return answer.given;
    },
  };
  const info = { uuid: "1", name: "Test Wallet", icon: "data:image/png,", rdns: "example.wallet" };
  dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider } }));
});
"""


def test_wallet(reader: Reader) -> None:
    """Refused, then signed in, until the person takes another account."""
    account = "0x" + keccak_256(bytes.fromhex(derive_public_key(KEY))[1:])[-20:].hex()
    refusing = [True]

    def ask(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["method"] != "personal_sign":
            return {"given": [account]}
        if refusing:
            return {"refused": {"code": 4001, "message": "no"}}
        return {"given": "0x" + sign_message(KEY, bytes.fromhex(asked["params"][0][2:]).decode(), "eip191")}

    reader.page.expose_function("askWallet", ask)
    reader.page.add_init_script(_WALLET)
    page = reader.open("wallet")
    status = page.locator("#status")
    expect(status).to_have_text("1 found")
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    expect(status).to_have_text("failed the person refused in the wallet")
    refusing.clear()
    page.get_by_role("button", name="Sign in with Test Wallet").click()
    expect(status).to_have_text("connected ")
    page.evaluate("emit('accountsChanged', ['0x' + '0'.repeat(40)])")
    expect(status).to_have_text(re.compile("failed the account in the wallet has changed"))
    reader.seen.complaints[:] = [it for it in reader.seen.complaints if "gave up" not in it]
    reader.check("wallet")


def test_node(bundle: Path, site: Site, tmp_path: Path) -> None:
    node = programs.find("node")
    assert node
    (tmp_path / "circle").symlink_to(bundle)
    script = tmp_path / "node" / "main.mjs"
    script.parent.mkdir()
    script.write_text(site.localised(blocks()["node/main.mjs"]))
    flag = "--experimental-websocket"
    known = subprocess.run([node, flag, "--eval", "0"], capture_output=True).returncode == 0
    command = [str(node), *([flag] if known else []), "main.mjs"]
    environ = {**os.environ, "KEY": KEY}
    done = subprocess.run(
        command, cwd=script.parent, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
