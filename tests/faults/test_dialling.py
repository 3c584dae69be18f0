"""Rows 1 to 3: the attempt that comes to nothing before HTTP answers, and the certificate that is not to be trusted."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from circle_ws import ConnectionFailed, ConnectionStatus
from tests.faults.stage import IN_BROWSER, LONG, Story, behind_faults, timed
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

if TYPE_CHECKING:
    import ssl

S = ConnectionStatus
QUICKLY = 5.0
"""What is done in 100 ms takes no longer than this on a busy machine, in seconds."""


async def test_row_01_an_attempt_in_a_black_hole_ends_at_open_timeout(peers: Peers) -> None:
    """Row 1, SYN black hole: each attempt fails at `open_timeout` and another follows, until the circle answers."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("black_hole")
    it = client(proxy.url, open_timeout=0.3, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    for _ in range(2):
        attempt = await story.until(S.CONNECTING)
        wait = await story.until(S.WAITING)
        # By the client's own times: this task may hear of a change late.
        assert 0.2 < wait.at - attempt.at < 0.3 + QUICKLY
        assert isinstance(wait.cause, ConnectionFailed)
        assert wait.cause.phase == "open"
        assert "open_timeout (0.3 s)" in str(wait.cause)
    assert await proxy.ask("count") == 0
    await proxy.ask("answer")
    assert await connecting is None
    assert await it.call("echo", [1]) == 1
    await it.close()


async def test_row_01_closing_in_a_black_hole_takes_no_time(peers: Peers) -> None:
    """Row 1, SYN black hole: `close()` returns at once, though the attempt has half a minute left."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("black_hole")
    it = client(proxy.url, open_timeout=LONG)
    connecting = later(it.connect())
    # Nothing tells that a SYN is on its way; a circle that answers is connected to in much less.
    await asyncio.sleep(0.2)
    assert it.status is S.CONNECTING
    assert not connecting.done()
    assert await timed(it.close()) < QUICKLY
    assert connecting.done()
    assert await proxy.ask("count") == 0


@pytest.fixture
def silent_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Name lookups hang until the event is set, which the end of the test does."""
    answered = threading.Event()

    def hang(*arguments: Any, **options: Any) -> Any:
        answered.wait(LONG)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield answered
    answered.set()


@pytest.mark.native_only("a browser looks names up by itself, out of reach")
async def test_row_01_a_lookup_that_hangs_ends_at_open_timeout(silent_resolver: threading.Event) -> None:
    """Row 1, DNS hangs: the attempt fails at `open_timeout`, another follows, and `close()` returns at once."""
    it = client("ws://circle.example/", key=None, open_timeout=0.2, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    wait = await story.until(S.WAITING)
    assert "open_timeout (0.2 s)" in str(wait.cause)
    await story.until(S.CONNECTING)
    assert await timed(it.close()) < QUICKLY
    assert connecting.done()
    assert not silent_resolver.is_set()


async def test_row_02_a_refused_connection_is_tried_again(peers: Peers) -> None:
    """Row 2, refused: at the first connect and on a reconnect, until the circle is up."""
    circle = await peers.start("circle")
    it = client(circle.url, first_connect="retry")
    for first in (True, False):
        await circle.stop()
        # Each a story of its own: two that read one story take its changes from each other.
        story = Story(it)
        connecting = later(it.connect() if first else Story(it).until(S.CONNECTED))
        for wait in (await story.waits(3))[1:]:
            assert isinstance(wait.cause, ConnectionFailed)
            assert ("could not be opened" if IN_BROWSER else "refused") in str(wait.cause)
        await circle.start()
        assert not isinstance(await connecting, Exception)
        assert await it.call("echo", [1]) == 1
    await it.close()


async def test_row_02_an_unknown_host_is_tried_again() -> None:
    """Row 2, unknown host: the network may not be there yet."""
    it = client("ws://no-such-host.invalid/", key=None, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    for wait in await story.waits(2):
        assert isinstance(wait.cause, ConnectionFailed)
        assert "host" in str(wait.cause)
    await it.close()
    assert connecting.done()


async def secure(peers: Peers, certificate: str) -> "tuple[RemotePeer, RemotePeer, ssl.SSLContext]":
    """Start a circle and TLS before it; give them, and the context of a client that trusts its good certificate."""
    import ssl  # Not everywhere is there one.

    circle = await peers.start("circle")
    front = await peers.start("tls_front", target=circle.url, certificate=certificate)
    return circle, front, ssl.create_default_context(cadata=await front.ask("authority"))


BAD = ["wrong_ca", "wrong_host", "expired"]


@pytest.mark.native_only("a browser trusts whom it trusts, and does not tell that it was the certificate")
@pytest.mark.parametrize("certificate", BAD)
async def test_row_02_a_bad_certificate_is_fatal_on_the_first_connect(peers: Peers, certificate: str) -> None:
    """Row 2, bad TLS certificate: the first connect ends the client; nothing is sent."""
    _, front, tls = await secure(peers, certificate)
    it = client(front.url, tls=tls)
    story = Story(it)
    failure = await later(it.connect())
    assert isinstance(failure, ConnectionFailed)
    assert failure.bad_certificate
    assert (await story.until(S.FAILED)).attempt == 1
    assert await front.ask("count") == 0
    await it.close()


@pytest.mark.native_only("a browser trusts whom it trusts, and does not tell that it was the certificate")
@pytest.mark.parametrize("certificate", BAD)
async def test_row_02_a_bad_certificate_that_is_being_renewed_is_borne(peers: Peers, certificate: str) -> None:
    """Row 2, bad TLS certificate: retried by a client that was connected, and by one that keeps trying; not sent to."""
    circle, front, tls = await secure(peers, "good")
    it = client(front.url, tls=tls, first_connect="retry")
    story = Story(it)
    for again in (False, True):
        reached = await front.ask("count")
        await front.ask("present", certificate=certificate)
        connecting = later(it.connect())
        if again:
            await circle.ask("cut_all")
            await story.until(S.WAITING)
        for wait in await story.waits(4):
            assert isinstance(wait.cause, ConnectionFailed)
            assert wait.cause.bad_certificate
        assert await front.ask("count") == reached
        await front.ask("present", certificate="good")
        assert await connecting is None
        await story.until(S.CONNECTED)
    await it.close()


@pytest.mark.native_only("a browser trusts whom it trusts, and does not tell that it was the certificate")
@pytest.mark.parametrize("certificate", BAD)
async def test_row_02_a_bad_certificate_is_fatal_after_three_in_a_row(
    peers: Peers, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 2, bad TLS certificate: the third in a row ends the client, were the first two minutes ago."""
    monkeypatch.setattr("circle_ws.policy.verdict.ENOUGH_SECONDS", 0.0)
    circle, front, tls = await secure(peers, "good")
    it = client(front.url, tls=tls)
    story = Story(it)
    await it.connect()
    await front.ask("present", certificate=certificate)
    await circle.ask("cut_all")
    await story.waits(3)
    failed = await story.until(S.FAILED)
    assert failed.attempt == 3
    assert isinstance(failed.cause, ConnectionFailed)
    assert failed.cause.bad_certificate
    await front.ask("present", certificate="good")
    await it.connect()
    assert await it.call("echo", [1]) == 1
    await it.close()


async def test_row_02_a_browser_does_not_tell_a_bad_certificate(peers: Peers) -> None:
    """Row 2, untrusted TLS certificate: natively it is named; a browser sees no more than 1006."""
    front = await peers.start("tls_front", target=(await peers.start("circle")).url)
    it = client(front.url, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    for wait in await story.waits(2):
        assert ("does not tell why" if IN_BROWSER else "certificate") in str(wait.cause)
    await it.close()
    assert connecting.done()
    assert await front.ask("count") == 0


class Pacing(Vault):
    """Slows the network down once the socket is open."""

    def __init__(self, proxy: RemotePeer) -> None:
        super().__init__()
        self.proxy = proxy
        self.slow = True

    async def public_key(self) -> str:
        await self.proxy.ask("pace", size=1 if self.slow else None, pause=0.05)
        return await super().public_key()


async def test_row_03_a_handshake_that_drips_ends_at_open_timeout(peers: Peers) -> None:
    """Row 3, slow-loris handshake: bytes that trickle in do not hold the attempt beyond `open_timeout`; retry."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("pace", size=1, pause=0.05)
    it = client(proxy.url, open_timeout=0.4, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    for wait in await story.waits(2):
        assert isinstance(wait.cause, ConnectionFailed)
        assert wait.cause.phase == "open"
    assert await proxy.ask("count") >= 2
    await proxy.ask("pace", size=None)
    assert await connecting is None
    await it.close()


async def test_row_03_a_sign_in_that_drips_ends_at_open_timeout(peers: Peers) -> None:
    """Row 3, slow-loris handshake: the sign-in is within the same time; retry."""
    _, proxy = await behind_faults(peers)
    signer = Pacing(proxy)
    it = client(proxy.url, key=None, signer=signer, open_timeout=0.5, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    assert "fetch_nonce" in str(await story.failed_in("nonce"))
    signer.slow = False
    await proxy.ask("pace", size=None)
    assert await connecting is None
    await it.close()


@pytest.mark.native_only("a browser trusts no certificate of a test's")
async def test_row_03_tls_that_drips_ends_at_open_timeout(peers: Peers) -> None:
    """Row 3, slow-loris handshake: TLS is within the same time; retry."""
    _, front, tls = await secure(peers, "good")
    proxy = await peers.start("fault_proxy", target=front.url)
    await proxy.ask("pace", size=16, pause=0.05)
    it = client(proxy.url, tls=tls, open_timeout=0.4, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    wait = await story.until(S.WAITING)
    assert isinstance(wait.cause, ConnectionFailed)
    assert wait.cause.phase == "open"
    assert await front.ask("count") == 0
    await proxy.ask("pace", size=None)
    assert await connecting is None
    await eventually(it.is_connected)
    await it.close()


def resolver(monkeypatch: pytest.MonkeyPatch, **names: list[int]) -> None:
    """Resolve names ending in `.test` to several addresses, each a port of this machine."""
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, family: int = 0, type: int = 0, *more: Any, **options: Any) -> Any:
        name = str(host).removesuffix(".test")
        if name == host:
            return real(host, port, family, type, *more, **options)
        if name not in names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, type, 6, "", ("127.0.0.1", one)) for one in names[name]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


BY_ITSELF = "a browser looks names up, and dials their addresses, by itself"


@pytest.mark.native_only(BY_ITSELF)
async def test_row_39_an_address_that_swallows_is_not_waited_for(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 39, a name with several addresses, the first swallows packets: the next one after 250 ms, each time."""
    circle, hole = await behind_faults(peers)
    await hole.ask("black_hole")
    resolver(monkeypatch, circle=[hole.port, circle.port])
    it = client("ws://circle.test/", allow_insecure=True, open_timeout=LONG)
    took = await timed(it.connect())
    assert 0.2 < took < 10
    await circle.ask("cut_all")
    assert await it.call("echo", [1], idempotent=True) == 1
    await it.close()
    assert await hole.ask("count") == 0


@pytest.mark.native_only(BY_ITSELF)
async def test_row_39_an_address_that_refuses_costs_no_time(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 39, a name with several addresses: one that fails is followed by the next at once."""
    circle = await peers.start("circle")
    other = await peers.start("tcp")
    await other.stop()
    monkeypatch.setattr("circle_ws.transport.native_addresses.DELAY", 1000.0)
    resolver(monkeypatch, circle=[other.port, circle.port])
    async with client("ws://circle.test/", allow_insecure=True) as it:
        assert await it.call("echo", [1]) == 1


@pytest.mark.native_only(BY_ITSELF)
async def test_row_39_all_addresses_swallow(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 39, a name with several addresses, that all swallow packets: `open_timeout`, and `close()` at any time."""
    holes = [await peers.start("tcp") for _ in range(3)]
    for hole in holes:
        await hole.ask("black_hole")
    monkeypatch.setattr("circle_ws.transport.native_addresses.DELAY", 0.01)
    resolver(monkeypatch, circle=[hole.port for hole in holes])
    failure = await later(client("ws://circle.test/", key=None, open_timeout=0.3).connect())
    assert "open_timeout (0.3 s)" in str(failure)
    it = client("ws://circle.test/", key=None, open_timeout=LONG)
    connecting = later(it.connect())
    await asyncio.sleep(0.1)
    assert await timed(it.close()) < QUICKLY
    assert connecting.done()


@pytest.mark.native_only(BY_ITSELF)
@pytest.mark.parametrize("kind", ["http_proxy", "socks_proxy"])
async def test_row_39_a_proxy_with_several_addresses(peers: Peers, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Row 39, a name with several addresses, the first swallows packets: it may be the proxy's name, too."""
    circle, hole = await behind_faults(peers)
    await hole.ask("black_hole")
    proxy = await peers.start(kind, target=circle.port)
    # The package for SOCKS is told an address, and the port from the URL.
    resolver(monkeypatch, proxy=[hole.port, proxy.port])
    url = proxy.url.replace("127.0.0.1", "proxy.test")
    took = await timed(connected(f"ws://circle.test:{circle.port}/", url))
    assert 0.2 < took < 10
    assert [asked.get("host", NAME) for asked in await proxy.ask("asked")] == [NAME]


@pytest.mark.native_only(BY_ITSELF)
@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
async def test_row_39_a_name_that_is_looked_up_before_a_socks_proxy(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Row 39, a name with several addresses, the first swallows packets: behind a proxy that is asked for each."""
    circle = await peers.start("circle")
    proxy = await peers.start("socks_proxy", target=circle.port, swallow="192.0.2.1")
    addresses = [(socket.AF_INET, 1, 6, "", (address, circle.port)) for address in ("192.0.2.1", "192.0.2.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    took = await timed(connected(f"ws://{NAME}:{circle.port}/", proxy.url.replace("socks5h", scheme)))
    assert 0.2 < took < 10
    assert [asked["host"] for asked in await proxy.ask("asked")] == ["192.0.2.1", "192.0.2.2"]
    await until(proxy, "hold", lambda held: held == 0)


NAME = "circle.test"


async def connected(url: str, proxy: str) -> None:
    """Connect through a proxy, make a call, and close."""
    async with client(url, proxy=proxy, allow_insecure=True, open_timeout=LONG) as it:
        assert await it.call("echo", [1]) == 1
