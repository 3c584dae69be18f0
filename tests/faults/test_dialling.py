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
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

if TYPE_CHECKING:
    import ssl

S = ConnectionStatus
QUICKLY = 5.0
"""What is done in 100 ms takes no longer than this on a busy machine, in seconds."""


async def test_row_01_an_attempt_in_a_black_hole_ends_at_open_timeout(peers: Peers) -> None:
    """Row 1, SYN black hole: each attempt fails at `open_timeout` and another follows, until somebody answers."""
    _, proxy = await behind_faults(peers)
    await proxy.ask("black_hole")
    it = client(proxy.url, open_timeout=0.3, first_connect="retry")
    story = Story(it)
    connecting = later(it.connect())
    loop = asyncio.get_running_loop()
    for _ in range(2):
        began = (await story.until(S.CONNECTING), loop.time())[1]
        wait = await story.until(S.WAITING)
        assert 0.2 < loop.time() - began < 0.3 + QUICKLY
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
    """Row 2, refused: at the first connect and on the way back, until the circle is there."""
    circle = await peers.start("circle")
    it = client(circle.url, first_connect="retry")
    story = Story(it)
    for first in (True, False):
        await circle.stop()
        connecting = later(it.connect() if first else story.until(S.CONNECTED))
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
    monkeypatch.setattr("circle_ws.policy.PERSISTENCE", 0.0)
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
    """Row 2, bad TLS certificate that nobody here trusts: natively it is named; a browser sees no more than 1006."""
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
