"""Through real proxies to a real circle: HTTP and SOCKS, with and without TLS, good ones and bad ones.

Loopback is never proxied, so the circle is dialled by names and addresses that do not exist: only the proxy, which
resolves all of them to this machine, can reach it.
"""

import asyncio
import gc
import logging
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from circle_ws import CircleWsClient, CircleWsClientBuilder, ConfigError, ConnectionFailed, ConnectionStatus
from circle_ws.auth import derive_public_key
from circle_ws.transport.native_proxy import _Connect
from tests.peers.stream_peer import StreamPeer
from tests.support.clients import KEY, client
from tests.support.limits import DIALLED, PATIENCE
from tests.support.outcomes import later, until
from tests.support.peers import Peers, RemotePeer

NAME = "circle.test"
ADDRESS = "192.0.2.7"
"""An address for documentation (RFC 5737), which no network leads to."""
USER = "name:hunter2"
ME = {"pubkey": derive_public_key(KEY, compressed=True)}


@pytest.fixture(autouse=True)
def _no_proxies_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxy settings of the machine's environment."""
    for name in ("http", "https", "ws", "wss", "socks", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


@pytest.fixture
async def circle(peers: Peers) -> RemotePeer:
    return await peers.start("circle")


def certificate(authority: trustme.CA, folder: Path, name: str) -> str:
    """Write a key and a certificate for this name, and give the file."""
    path = folder / f"{name}.pem"
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(path)
    return str(path)


def with_user(url: str, user: str = USER) -> str:
    return url.replace("://", f"://{user}@")


def through(proxy: str | None, port: int, host: str = NAME, **options: Any) -> CircleWsClient:
    """Make a client that signs in at a circle which it can reach through the proxy only."""
    return client(f"ws://{host}:{port}/", proxy=proxy, allow_insecure=True, **options)


async def failure(it: CircleWsClient) -> ConnectionFailed:
    """Return the error of connecting. It must not blame the circle, nor contain a password."""
    with pytest.raises(ConnectionFailed) as caught:
        await it.connect()
    assert it.status is ConnectionStatus.FAILED
    await it.close()
    assert caught.value.phase == "open"
    error: BaseException | None = caught.value
    while error is not None:
        for text in (str(error), repr(error), repr(vars(error))):
            assert "hunter2" not in text
        error = error.__cause__ or error.__context__
    return caught.value


# HTTP.


async def test_through_an_http_proxy(peers: Peers, circle: RemotePeer) -> None:
    """The circle is signed in to through a tunnel, again after a loss; the proxy is told of no header of ours."""
    proxy = await peers.start("http_proxy", target=circle.port)
    headers = {"Authorization": "Bearer hunter2", "Cookie": "a=hunter2"}
    async with through(proxy.url, circle.port, headers=headers) as it:
        assert await it.whoami() == ME
        await circle.ask("cut_all")
        assert await it.call("echo", ["again"], idempotent=True) == "again"
    first, second = await proxy.ask("asked")
    place = f"{NAME}:{circle.port}"
    assert (first["method"], first["place"]) == ("CONNECT", place)
    assert [name for name, _ in first["headers"]] == ["Host", "User-Agent"]
    assert dict(first["headers"])["User-Agent"].startswith("circle-ws ")
    assert "hunter2" not in str(first)
    assert second == first


async def test_a_builder_names_a_proxy(peers: Peers, circle: RemotePeer) -> None:
    """`with_proxy` is the same."""
    proxy = await peers.start("http_proxy", target=circle.port)
    builder = CircleWsClientBuilder(f"ws://{NAME}:{circle.port}/").with_keypair(KEY).with_auth(allow_insecure=True)
    async with builder.with_proxy(proxy.url).build() as it:
        assert await it.play("40 + 2") == "42"
    assert await proxy.ask("count") == 1


@pytest.mark.parametrize(("given", "sent"), [(USER, USER), ("n%40me:w%3Ard%2f", "n@me:w:rd/"), ("n:%C3%A9", "n:é")])
async def test_a_proxy_that_wants_a_password(peers: Peers, circle: RemotePeer, given: str, sent: str) -> None:
    """Name and password of the URL are sent to the proxy, decoded."""
    proxy = await peers.start("http_proxy", target=circle.port, user=sent)
    async with through(with_user(proxy.url, given), circle.port) as it:
        assert await it.whoami() == ME


@pytest.mark.parametrize("user", [None, "name:hunter2hunter2"])
async def test_a_wrong_password_is_told_as_the_proxys(peers: Peers, circle: RemotePeer, user: str | None) -> None:
    """HTTP 407 says where to look, and is no status of the circle's."""
    proxy = await peers.start("http_proxy", target=circle.port, user=USER)
    error = await failure(through(with_user(proxy.url, user) if user else proxy.url, circle.port))
    assert str(error) == (
        f"the proxy {proxy.url} refused to connect to the circle, with HTTP 407; "
        "check the user name and password in its URL"
    )
    assert error.http_status is None


@pytest.mark.parametrize("status", [403, 502, 503])
async def test_a_refusal_is_told_as_the_proxys(peers: Peers, circle: RemotePeer, status: int) -> None:
    """Its status stands in words; what it says of when to come back is heeded."""
    proxy = await peers.start("http_proxy", target=circle.port, fault=status)
    error = await failure(through(proxy.url, circle.port))
    assert str(error) == f"the proxy {proxy.url} refused to connect to the circle, with HTTP {status}"
    assert (error.http_status, error.retry_after, error.bad_certificate) == (None, 7, False)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("http_proxy", "hang_up"),
        ("http_proxy", "garbage"),
        ("socks_proxy", "hang_up"),
        ("socks_proxy", "garbage"),
        ("socks_proxy", 5),
    ],
)
async def test_a_proxy_that_fails_is_tried_again(peers: Peers, circle: RemotePeer, kind: str, fault: str | int) -> None:
    """Whatever is wrong with a proxy, another attempt may work."""
    proxy = await peers.start(kind, target=circle.port, fault=fault)
    it = through(proxy.url, circle.port, first_connect="retry")
    connecting = later(it.connect())
    await until(proxy, "count", lambda count: count >= 2)
    await proxy.ask("behave")
    assert await connecting is None
    assert await it.whoami() == ME
    await it.close()


async def test_a_proxys_refusal_is_retried_when_it_says(peers: Peers, circle: RemotePeer) -> None:
    """A 4xx of the proxy's is not fatal, as that of a circle is; its `Retry-After` is a floor for the delay."""
    proxy = await peers.start("http_proxy", target=circle.port, fault=407)
    it = through(proxy.url, circle.port, first_connect="retry")
    connecting = later(it.connect())
    async for change in it.status_changes():
        if change.status is ConnectionStatus.WAITING:
            assert change.retry_in is not None
            assert change.retry_in >= 7
            break
    await proxy.ask("behave")
    it.reconnect()
    assert await connecting is None
    await it.close()


@pytest.mark.parametrize("hang_up", [True, False])
@pytest.mark.parametrize(
    "reply",
    [
        "HTTP/1.0 407\r\nRetry-After: 7\r\n\r\n",
        "HTTP/1.1 407 No\r\nRetry-After: 7\r\n\r\n" + "x" * 1_000_000,
        f"HTTP/1.1 407 No\r\nX-Trace: {'x' * 9000}\r\nRetry-After: 7\r\n\r\n",
        "HTTP/1.1 407 No\r\nRetry-After: 7\r\n" + "X-Trace: x\r\n" * 10_000,
        "HTTP/1.1 407 No\nRetry-After: 7\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 407 No\r\nRetry-After: 7\r\n\r\n",
    ],
    ids=["HTTP/1.0", "endless body", "a header of 9 KB", "headers without an end", "lines of a text", "interim answer"],
)
async def test_row_40_of_a_proxy(peers: Peers, circle: RemotePeer, reply: str, hang_up: bool) -> None:
    """A refusal that a strict reader does not read, or not whole, is known by its head."""
    proxy = await peers.start("tcp", reply=reply, hang_up=hang_up)
    error = await failure(through(with_user(proxy.url.replace("ws:", "http:")), circle.port, open_timeout=30))
    assert "with HTTP 407; check the user name" in str(error)
    assert error.retry_after == 7


async def test_a_dot_at_the_end_of_a_host_is_left_out(
    peers: Peers, circle: RemotePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is asked for the same name, and who needs none is found under the same name."""
    proxy = await peers.start("http_proxy", target=circle.port)
    async with through(proxy.url, circle.port, host=f"{NAME.upper()}.") as it:
        assert await it.whoami() == ME
    (asked,) = await proxy.ask("asked")
    assert asked["place"] == f"{NAME}:{circle.port}"
    assert dict(asked["headers"])["Host"] == f"{NAME}:{circle.port}"
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "no-such-circle.invalid")
    error = await failure(through("environment", circle.port, host="no-such-circle.invalid."))
    assert "the host is unknown" in str(error)
    assert await proxy.ask("count") == 1


async def test_an_answer_of_a_proxy_that_breaks_off(peers: Peers, circle: RemotePeer) -> None:
    """It counts, if it has come as far as the status."""
    proxy = await peers.start("tcp", reply="HTTP/1.1 407")
    error = await failure(through(proxy.url.replace("ws:", "http:"), circle.port))
    assert "with HTTP 407" in str(error)


async def test_a_proxy_that_hangs_up_once_it_has_agreed(peers: Peers, circle: RemotePeer) -> None:
    """Or sends what is not the circle's."""
    for reply in ("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nnonsense\r\n\r\n"):
        proxy = await peers.start("tcp", reply=reply)
        error = await failure(through(proxy.url.replace("ws:", "http:"), circle.port))
        assert error.phase == "open"


async def test_a_proxy_that_is_left_reports_no_error() -> None:
    """A dial that is cancelled before the proxy has answered waits for no answer any more."""
    loop, told = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: told.append(context))
    answer = loop.create_future()
    _Connect(b"", answer).connection_lost(None)
    with pytest.raises(EOFError):
        answer.result()
    answer = loop.create_future()
    _Connect(b"", answer).connection_lost(None)
    del answer
    gc.collect()
    assert told == []


# Every kind of proxy.

KINDS = ["http_proxy", "socks_proxy"]


@pytest.mark.parametrize(("fault", "words"), [("hang_up", "did not connect"), ("garbage", "did not connect")])
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_proxy(peers: Peers, circle: RemotePeer, kind: str, fault: str, words: str) -> None:
    """What does not speak as a proxy does is told by where it is."""
    proxy = await peers.start(kind, target=circle.port, fault=fault)
    error = await failure(through(with_user(proxy.url), circle.port))
    assert f"the proxy {proxy.url} {words}" in str(error)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_that_is_down(peers: Peers, circle: RemotePeer, kind: str) -> None:
    """The proxy is down."""
    proxy = await peers.start(kind, target=circle.port)
    await proxy.stop()
    error = await failure(through(with_user(proxy.url), circle.port))
    assert f"the proxy {proxy.url} did not connect to the circle: it refused the connection" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h", "socks5", "socks4"])
async def test_a_proxy_that_does_not_exist(circle: RemotePeer, scheme: str) -> None:
    """Its host is unknown, and that is not the circle's."""
    error = await failure(through(f"{scheme}://{USER}@no-such-proxy.invalid:3128", circle.port))
    assert f"the proxy {scheme}://no-such-proxy.invalid:3128 did not connect" in str(error)
    assert "its host is unknown" in str(error)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_that_hangs_is_in_the_time_of_the_attempt(peers: Peers, circle: RemotePeer, kind: str) -> None:
    """`open_timeout` covers it and says that it was the proxy; no connection to it is left."""
    proxy = await peers.start(kind, target=circle.port, fault="hang", user=USER)
    error = await failure(through(with_user(proxy.url), circle.port, open_timeout=DIALLED))
    assert str(error).endswith(f"it ended while waiting for the proxy {proxy.url}")
    await until(proxy, "hold", lambda held: held == 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_closing_while_a_proxy_hangs(peers: Peers, circle: RemotePeer, kind: str) -> None:
    """`close()` does not wait for it, and leaves no connection to it."""
    proxy = await peers.start(kind, target=circle.port, fault="hang")
    it = through(proxy.url, circle.port, open_timeout=None)
    connecting = later(it.connect())
    await until(proxy, "asked")
    await it.close()
    assert isinstance(await connecting, Exception)
    await until(proxy, "hold", lambda held: held == 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_behind_the_proxy_the_circle_is_waited_for(peers: Peers, kind: str) -> None:
    """A circle that keeps silent is not the proxy's fault."""
    silent = await peers.start("tcp")
    proxy = await peers.start(kind, target=silent.port)
    error = await failure(through(proxy.url, silent.port, open_timeout=DIALLED))
    assert str(error).endswith("it ended while waiting for the WebSocket to open")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_fails_behind_the_proxy_names_it(peers: Peers, kind: str) -> None:
    """The circle's refusal is the circle's, with its status; the way there is told, for it may be the reason."""
    refusing = await peers.start("tcp", reply="HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    proxy = await peers.start(kind, target=refusing.port)
    error = await failure(through(with_user(proxy.url), refusing.port))
    assert error.http_status == 404
    assert str(error) == (
        f"the server refused the WebSocket with HTTP 404; check the path in the URL (through the proxy {proxy.url})"
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_this_machine_is_never_proxied(peers: Peers, circle: RemotePeer, kind: str) -> None:
    """Whatever proxy is named: loopback is dialled directly, so that no other machine sees the traffic."""
    proxy = await peers.start(kind, target=circle.port)
    for host in ("127.0.0.1", "localhost"):
        async with client(f"ws://{host}:{circle.port}/", proxy=proxy.url) as it:
            assert await it.whoami() == ME
    assert await proxy.ask("count") == 0


# TLS.


async def test_tls_through_a_proxy(
    peers: Peers, circle: RemotePeer, authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    """TLS goes from the client to the circle, whose certificate is checked against the name that was dialled."""
    front = await peers.start("tls_entrance", target=circle.port, certificate=certificate(authority, tmp_path, NAME))
    for kind in KINDS:
        proxy = await peers.start(kind, target=front.port)
        async with client(f"wss://{NAME}:{front.port}/", proxy=proxy.url, tls=trusting) as it:
            assert await it.whoami() == ME
        assert await proxy.ask("count") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_cannot_stand_in_for_the_circle(
    peers: Peers, circle: RemotePeer, authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path, kind: str
) -> None:
    """A proxy that leads elsewhere is found out by the certificate, before anything is sent."""
    other = certificate(authority, tmp_path, "other.test")
    front = await peers.start("tls_entrance", target=circle.port, certificate=other)
    proxy = await peers.start(kind, target=front.port)
    error = await failure(client(f"wss://{NAME}:{front.port}/", proxy=proxy.url, tls=trusting))
    assert error.bad_certificate
    assert "the server's TLS certificate is not to be trusted" in str(error)
    assert f"(through the proxy {proxy.url})" in str(error)
    assert await circle.ask("public_keys") == []


class EndOfTls(StreamPeer):
    """A proxy that agrees, and a circle behind it that ends TLS in the packet that ends its handshake."""

    def __init__(self, certificate: str) -> None:
        super().__init__("http", "")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        # In 1.3 the last word of the handshake is the client's.
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        while data := await reader.read(65536):
            incoming.write(data)
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                tls.unwrap()
            writer.write(outgoing.read())


async def test_a_circle_that_ends_tls_at_once(authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path) -> None:
    """The connection is closed when its handshake is over, and is not waited on."""
    peer = EndOfTls(certificate(authority, tmp_path, NAME))
    await peer.open(0)
    try:
        error = await failure(client(f"wss://{NAME}/", proxy=peer.url, tls=trusting))
        assert isinstance(error.__cause__, ConnectionResetError)
    finally:
        await peer.close()


async def test_tls_to_the_proxy(
    peers: Peers,
    circle: RemotePeer,
    authority: trustme.CA,
    trusting: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An https:// proxy is spoken with over TLS, checked by the system's certificates; TLS goes through it too."""
    own = certificate(authority, tmp_path, "127.0.0.1")
    front = await peers.start("tls_entrance", target=circle.port, certificate=certificate(authority, tmp_path, NAME))
    plain = await peers.start("http_proxy", target=circle.port, certificate=own, user=USER)
    secure = await peers.start("http_proxy", target=front.port, certificate=own, user=USER)
    assert plain.url.startswith("https://")
    error = await failure(through(with_user(plain.url), circle.port))
    assert f"the proxy {plain.url} did not connect to the circle: its TLS certificate is not" in str(error)
    assert not error.bad_certificate
    system = tmp_path / "system.pem"
    authority.cert_pem.write_to_path(system)
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    async with through(with_user(plain.url), circle.port) as it:
        assert await it.whoami() == ME
    async with client(f"wss://{NAME}:{front.port}/", proxy=with_user(secure.url), tls=trusting) as it:
        assert await it.whoami() == ME


async def test_no_tls_where_the_proxy_should_have_it(peers: Peers, circle: RemotePeer) -> None:
    """An https:// proxy that speaks plain text is not spoken with."""
    proxy = await peers.start("http_proxy", target=circle.port, fault="garbage")
    error = await failure(through(proxy.url.replace("http:", "https:"), circle.port))
    assert "does it speak https:// on this port?" in str(error)


# SOCKS.


@pytest.mark.parametrize(
    ("scheme", "host", "version"),
    [
        ("socks5h", NAME, 5),
        ("socks5h", ADDRESS, 5),
        ("socks5", ADDRESS, 5),
        ("socks5", "[2001:db8::7]", 5),
        ("socks4a", NAME, 4),
        ("socks4", ADDRESS, 4),
    ],
)
async def test_through_a_socks_proxy(peers: Peers, circle: RemotePeer, scheme: str, host: str, version: int) -> None:
    """Each version asks for the circle by what it can: h and a leave its name to the proxy."""
    proxy = await peers.start("socks_proxy", target=circle.port)
    async with through(proxy.url.replace("socks5h", scheme), circle.port, host) as it:
        assert await it.whoami() == ME
        await circle.ask("cut_all")
        assert await it.call("echo", ["again"], idempotent=True) == "again"
    asked = {"version": version, "host": host.strip("[]"), "port": circle.port, "user": None}
    assert await proxy.ask("asked") == [asked] * 2


@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
async def test_without_h_or_a_the_name_is_looked_up_here(peers: Peers, circle: RemotePeer, scheme: str) -> None:
    """A name that only the proxy knows cannot be dialled so; nothing asks the proxy for it."""
    proxy = await peers.start("socks_proxy", target=circle.port)
    error = await failure(through(proxy.url.replace("socks5h", scheme), circle.port, "no-such-circle.invalid"))
    assert f"the proxy {proxy.url.replace('socks5h', scheme)} did not connect" in str(error)
    assert "the circle's host is unknown here; socks5h:// and socks4a:// leave its name to the proxy" in str(error)
    assert await proxy.ask("asked") == []


async def test_a_socks_proxy_that_wants_a_password(peers: Peers, circle: RemotePeer) -> None:
    """Name and password go to the proxy; wrong ones are told as its refusal."""
    proxy = await peers.start("socks_proxy", target=circle.port, user=USER)
    async with through(with_user(proxy.url), circle.port) as it:
        assert await it.whoami() == ME
    assert (await proxy.ask("asked"))[0]["user"] == USER
    for url in (proxy.url, with_user(proxy.url, "name:hunter2hunter2")):
        error = await failure(through(url, circle.port))
        assert f"the proxy {proxy.url} did not connect to the circle: " in str(error)
        assert "authentication" in str(error)


@pytest.mark.parametrize(("scheme", "code", "words"), [("socks5h", 5, "refused by"), ("socks4a", 91, "rejected")])
async def test_a_socks_proxy_says_no(peers: Peers, circle: RemotePeer, scheme: str, code: int, words: str) -> None:
    """Its reason is told."""
    proxy = await peers.start("socks_proxy", target=circle.port, fault=code)
    url = proxy.url.replace("socks5h", scheme)
    error = await failure(through(with_user(url), circle.port))
    assert f"the proxy {url} did not connect to the circle: " in str(error)
    assert words in str(error)


_WITHOUT = """
import sys
sys.modules["python_socks"] = None
import asyncio, os, circle_ws
for proxy in ("http://127.0.0.1:1", "socks5h://name:hunter2@127.0.0.1:1"):
    try:
        circle_ws.CircleWsClientBuilder("wss://circle.test/").with_proxy(proxy).build()
        print("built")
    except circle_ws.ConfigError as error:
        print(type(error).__name__, error.option, error)
os.environ["ALL_PROXY"] = "socks5h://name:hunter2@127.0.0.1:1"
async def main():
    client = circle_ws.CircleWsClientBuilder("wss://circle.test/").build()
    try:
        await client.connect()
    except circle_ws.ConfigError as error:
        print(client.status.name, error)
    await client.close()
asyncio.run(main())
"""


def test_socks_without_its_package() -> None:
    """Where `python-socks` is missing, `build()` says what to install; for the environment's proxy, the first dial."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    first, second, third = done.stdout.splitlines()
    assert first == "built"
    words = "is a SOCKS proxy, for which a package is missing: python3 -m pip install 'circle-ws[socks]'"
    assert second == f"ConfigError proxy proxy 'socks5h://127.0.0.1:1' {words}"
    assert third.startswith(f"FAILED the environment's proxy 'socks5h://127.0.0.1:1' {words}")
    assert "hunter2" not in done.stdout + done.stderr


# The environment.


@pytest.mark.parametrize("variable", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "ws_proxy"])
async def test_the_environment_names_a_proxy(
    peers: Peers, circle: RemotePeer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """By default what the environment says holds, at each attempt."""
    proxy = await peers.start("http_proxy", target=circle.port, user=USER)
    it = client(f"ws://{NAME}:{circle.port}/", allow_insecure=True)
    monkeypatch.setenv(variable, with_user(proxy.url))
    async with it:
        assert await it.whoami() == ME
    assert await proxy.ask("count") == 1


async def test_the_environment_names_a_socks_proxy(
    peers: Peers, circle: RemotePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOCKS by ALL_PROXY, as other programs take it."""
    proxy = await peers.start("socks_proxy", target=circle.port)
    monkeypatch.setenv("all_proxy", proxy.url)
    async with client(f"ws://{NAME}:{circle.port}/", allow_insecure=True) as it:
        assert await it.whoami() == ME
    assert await proxy.ask("count") == 1


@pytest.mark.parametrize("case", ["NO_PROXY", "None", "another"])
async def test_what_goes_before_the_environment(
    peers: Peers, circle: RemotePeer, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """NO_PROXY excepts hosts; None goes straight; a proxy that is named is taken instead, NO_PROXY or not."""
    proxy = await peers.start("http_proxy", target=circle.port)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    if case == "another":
        other = await peers.start("http_proxy", target=circle.port)
        monkeypatch.setenv("NO_PROXY", "*")
        async with through(other.url, circle.port) as it:
            assert await it.whoami() == ME
        assert await other.ask("count") == 1
    else:
        monkeypatch.setenv("NO_PROXY", ".test.invalid" if case == "NO_PROXY" else "")
        url = f"ws://circle.test.invalid:{circle.port}/"
        options = {"proxy": None} if case == "None" else {}
        error = await failure(client(url, allow_insecure=True, **options))
        assert str(error) == "the host is unknown; check its name in the URL, and the network"
    assert await proxy.ask("count") == 0


async def test_this_machine_is_not_proxied_by_the_environment(
    peers: Peers, circle: RemotePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback is dialled straight, though NO_PROXY does not name it."""
    proxy = await peers.start("http_proxy", target=circle.port)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    async with client(circle.url) as it:
        assert await it.whoami() == ME
    assert await proxy.ask("count") == 0


async def test_an_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unusable proxy is fatal, as waiting does not fix it; the error says where it comes from."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://name:hunter2@proxy.example:70")
    it = client("wss://circle.test/", first_connect="retry")
    with pytest.raises(
        ConfigError, match="the environment's proxy 'gopher://proxy.example:70' must begin with"
    ) as caught:
        await it.connect()
    assert caught.value.option == "proxy"
    assert "set proxy=None" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert it.status is ConnectionStatus.FAILED
    await it.close()


# Secrets.


@pytest.mark.parametrize("kind", KINDS)
async def test_no_password_is_told(
    peers: Peers, circle: RemotePeer, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """With every logger at DEBUG, neither a log nor a `repr` has the proxy's password."""
    proxy = await peers.start(kind, target=circle.port, user=USER)
    with caplog.at_level(logging.DEBUG):
        for name in ("asyncio", "websockets", "websockets.client", "circle_ws", "python_socks"):
            caplog.set_level(logging.DEBUG, name)
        async with through(with_user(proxy.url), circle.port) as it:
            assert await it.whoami() == ME
            shown = repr(it) + repr(it._supervisor.config)
        await failure(through(with_user(proxy.url, "name:hunter2hunter2"), circle.port))
    assert f"proxy='{proxy.url}'" in shown
    texts = [shown, *(record.getMessage() for record in caplog.records)]
    assert [text for text in texts if "hunter2" in text] == []
