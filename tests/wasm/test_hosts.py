"""Hosts of Pyodide and what they lack: a `WebSocket`, a page; and what a URL is relative to where there is one."""

import asyncio
from types import SimpleNamespace
from typing import Any

import js
import pytest
from pyodide.ffi import to_js

import circle_ws
from circle_ws import CircleWsClientBuilder, ClientConfig, ConfigError, ConnectionFailed, UnsupportedRuntime
from circle_ws.transport import TransportOptions, connect, pyodide
from circle_ws.transport import pyodide_events as page
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import client
from tests.support.outcomes import later
from tests.support.peers import Peers
from tests.support.recorder import Recorder

URL = "ws://127.0.0.1:1/"

needs_page = pytest.mark.skipif(not hasattr(js, "location"), reason="Node has no page that a URL can be relative to")


async def _echo(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


# Without `WebSocket`.


@pytest.fixture
def no_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyodide, "js", SimpleNamespace())


@pytest.mark.parametrize(
    "make",
    [
        lambda: CircleWsClientBuilder(URL).build(),
        lambda: ClientConfig(URL),
        lambda: circle_ws.connect(URL),
        lambda: CircleWsClientBuilder(URL).with_subprotocols("a").without_keepalive().build(),
    ],
    ids=["builder", "config", "connect", "options"],
)
def test_a_host_without_websocket_is_refused_when_the_client_is_made(no_websocket: None, make: Any) -> None:
    """Nothing was dialled; the error names the switch that Node 20 has for it."""
    with pytest.raises(UnsupportedRuntime, match="--experimental-websocket") as caught:
        make()
    assert caught.value.option == "transport"


async def test_another_transport_needs_no_websocket(no_websocket: None) -> None:
    """What is missing is the runtime's own transport alone."""
    async with client(URL, key=None, transport=MemoryServer(_echo)) as it:
        assert it.is_connected()


# URLs that are relative to the page.


def _as_browsers_do(url: str) -> str:
    return str(js.URL.new(url, js.location.href).href).replace("http", "ws", 1)


@needs_page
@pytest.mark.parametrize("url", ["/ws", "ws", "ws/02ab?token=x", "?x=1", "../../ws", "./ws", "//circle.example/ws"])
def test_a_url_is_relative_to_the_page(url: str) -> None:
    """It means what it means to the browser's own `WebSocket`, and stands in the config as it is dialled."""
    config = ClientConfig(url)
    assert config.url == _as_browsers_do(url)
    assert ClientConfig(config.url).url == config.url


@needs_page
async def test_a_relative_url_is_dialled(peers: Peers) -> None:
    """The peer is on another port of this page's host, so only the scheme is left out."""
    circle = await peers.start("circle")
    async with client(circle.url.removeprefix("ws:")) as it:
        assert await it.call("echo", [1]) == 1


@pytest.mark.parametrize(
    ("base", "url", "absolute"),
    [
        ("http://app.example/a/b.html", "/ws", "ws://app.example/ws"),
        ("https://app.example/a/b.html", "ws", "wss://app.example/a/ws"),
        ("https://app.example:8443/a/b.html?q#f", "?x", "wss://app.example:8443/a/b.html?x"),
        ("https://app.example/", "//circle.example/02ab", "wss://circle.example/02ab"),
    ],
)
@pytest.mark.parametrize("where", ["page", "worker"])
def test_the_scheme_is_that_of_the_page(
    monkeypatch: pytest.MonkeyPatch, base: str, url: str, absolute: str, where: str
) -> None:
    """`http` stands for `ws`, `https` for `wss`; a worker's URLs are relative to its script."""
    parts = {"document": SimpleNamespace(baseURI=base)} if where == "page" else {"location": SimpleNamespace(href=base)}
    monkeypatch.setattr(page, "js", SimpleNamespace(URL=js.URL, **parts))
    assert ClientConfig(url).url == absolute


@pytest.mark.parametrize("base", [None, "file:///home/me/page.html", "blob:http://app.example/1234", "about:blank"])
def test_where_nothing_can_be_relative(monkeypatch: pytest.MonkeyPatch, base: str | None) -> None:
    """In Node, in a page from a file, in a worker made from a blob: refused in words."""
    parts = {} if base is None else {"location": SimpleNamespace(href=base)}
    monkeypatch.setattr(page, "js", SimpleNamespace(URL=js.URL, **parts))
    with pytest.raises(ConfigError, match="relative to a page"):
        ClientConfig("/ws")


@pytest.mark.skipif(hasattr(js, "location"), reason="this is for Node")
def test_in_node_a_relative_url_is_refused() -> None:
    """There is no page."""
    with pytest.raises(ConfigError, match="relative to a page"):
        ClientConfig("/ws")


@needs_page
@pytest.mark.parametrize(
    ("url", "words"),
    [("", "must begin with"), ("/a b", "a space"), ("\\ws", "backslash"), ("/ws#top", "fragment"), ("/ä", "ASCII")],
)
def test_what_a_browser_would_rewrite_is_refused_there_too(url: str, words: str) -> None:
    """A relative URL is held to the same rules."""
    with pytest.raises(ConfigError, match=words):
        ClientConfig(url)


# A content security policy. That of a real page is tried in tests/native/test_page_policy.py.


@needs_page
@pytest.mark.parametrize(
    ("blocked", "disposition", "kind"),
    [
        ("{url}", "enforce", ConfigError),
        ("ws://127.0.0.1:{port}", "enforce", ConfigError),
        ("ws", "enforce", ConfigError),
        ("{url}", "report", ConnectionFailed),
        ("ws://127.0.0.1:{port}/elsewhere", "enforce", ConnectionFailed),
        ("", "enforce", ConnectionFailed),
    ],
)
async def test_what_a_policy_forbids(peers: Peers, blocked: str, disposition: str, kind: type[Exception]) -> None:
    """A browser may tell the URL, its origin or its scheme; what is reported, or about another URL, forbids nothing."""
    peer = await peers.start("tcp")
    await peer.stop()
    url = f"ws://127.0.0.1:{peer.port}/02ab?token=x"
    dialling = later(connect(url, Recorder(), TransportOptions()))
    await asyncio.sleep(0)
    about = {
        "blockedURI": blocked.format(url=url, port=peer.port),
        "disposition": disposition,
        "effectiveDirective": "connect-src",
        "violatedDirective": "connect-src",
        "documentURI": js.location.href,
        "originalPolicy": "connect-src 'self'",
        "statusCode": 200,
    }
    js_about = to_js(about, dict_converter=js.Object.fromEntries)
    js.dispatchEvent(js.SecurityPolicyViolationEvent.new("securitypolicyviolation", js_about))
    outcome = await dialling
    assert type(outcome) is kind
    assert "token=x" not in str(outcome)
