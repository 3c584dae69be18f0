"""Proves that `doctor` names the fault and what to do about it, each by a peer that is really broken in that way."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from circle_ws.auth import KeyPair
from circle_ws.cli.doctor import examination
from circle_ws.cli.doctor.examination import examine
from circle_ws.cli.doctor.timeline import Step
from circle_ws.config import ClientConfig
from circle_ws.errors import AuthError, AuthRejected, ConnectionFailed, ConnectionLost, RedirectRefused
from tests.faults.stage import NONCE, http
from tests.support.clients import KEY
from tests.support.limits import DIALLED
from tests.support.peers import Peers, RemotePeer

PATH = ["dns", "tcp", "upgrade", "circle", "params", "dialect", "profile", "sign-in", "keep-alive", "round trips"]
"""The steps to a circle that is well."""


async def examined(url: str, key: str | None = KEY, **options: Any) -> list[Step]:
    """Examine a circle. No text of a step may hold the key or a character that commands a terminal."""
    told: list[Step] = []
    steps = await examine(ClientConfig(url, key, **options), told.append)
    assert steps == told
    for step in steps:
        assert (step.error is not None) == (step.outcome == "failed")
        assert step.remedy or step.outcome == "ok"
        for text in (step.found, step.remedy):
            assert text.isprintable()
            assert KEY not in text
    return steps


async def fault(url: str, key: str | None = KEY, **options: Any) -> Step:
    """Return the step that failed, which is the last one."""
    *before, last = await examined(url, key, **options)
    assert [step.outcome for step in before if step.outcome == "failed"] == []
    assert last.outcome == "failed"
    return last


def texts(steps: list[Step]) -> dict[str, str]:
    return {step.name: step.found for step in steps}


@pytest.fixture
async def circle(peers: Peers) -> RemotePeer:
    return await peers.start("circle")


# What is well.


async def test_a_circle_that_is_well(circle: RemotePeer) -> None:
    """Every step has its words; those that wait for something have their time."""
    steps = await examined(circle.url)
    assert [step.name for step in steps] == PATH
    assert {step.outcome for step in steps} == {"ok"}
    timeless = {step.name for step in steps if step.seconds is None}
    assert timeless == {"params", "dialect", "profile"}
    assert texts(steps)["params"] == "it takes params by name"
    assert texts(steps)["dialect"] == "hero-0.2"


@pytest.mark.parametrize(
    ("served", "dialect", "params"),
    [
        ({"dialect": "circles-1.0"}, "circles-1.0", "by name"),
        ({"dialect": "baobab"}, "baobab", "by name"),
        ({"dialect": "baobab", "params": "positional"}, "baobab", "by position; by name it refuses them"),
        ({"params": "positional"}, "hero-0.2", "by position; by name it refuses them"),
    ],
)
async def test_it_tells_how_a_circle_is_spoken_with(
    peers: Peers, served: dict[str, str], dialect: str, params: str
) -> None:
    """What the client finds out by itself is told: a program writes its own params so, and may fix the options."""
    circle = await peers.start("circle", **served)
    found = texts(await examined(circle.url))
    assert found["dialect"] == dialect
    assert found["params"].startswith(f"it takes params {params}")


async def test_it_tells_whether_the_signature_names_the_circle(peers: Peers) -> None:
    circle = await peers.start("circle", public_url="self")
    assert "which it does not use" in texts(await examined(circle.url, policy="legacy-only"))["profile"]
    assert "names the circle" in texts(await examined(circle.url))["profile"]


async def test_a_certificate_that_expires_soon_is_a_warning(peers: Peers, circle: RemotePeer) -> None:
    """It is told for whom and until when a certificate is; a day before its end, that it must be renewed."""
    front = await peers.start("tls_front", target=circle.url)
    tls = ssl.create_default_context(cadata=await front.ask("authority"))
    steps = {step.name: step for step in await examined(front.url, tls=tls)}
    assert list(steps) == ["dns", "tcp", "tls", *PATH[2:]]
    assert steps["tls"].outcome == "warning"
    assert "for 127.0.0.1, valid until 20" in steps["tls"].found
    assert "renewed" in steps["tls"].remedy
    assert steps["round trips"].outcome == "ok"


async def entrance(peers: Peers, circle: RemotePeer, authority: trustme.CA, host: str, folder: Path) -> RemotePeer:
    """Start a TLS entrance to a circle, with a certificate for a host."""
    path = folder / "certificate.pem"
    authority.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(path)
    return await peers.start("tls_entrance", target=circle.port, certificate=str(path))


async def test_a_certificate_that_holds_for_long_is_well(
    peers: Peers, circle: RemotePeer, authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    """One that the program has chosen not to check is not told about, as Python does not read it then."""
    front = await entrance(peers, circle, authority, "127.0.0.1", tmp_path)
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    for tls, found in (
        (trusting, " for 127.0.0.1, valid until 3000-01-01"),
        (unchecked, " a certificate of an unnamed issuer"),
    ):
        steps = {step.name: step for step in await examined(front.url, tls=tls)}
        assert {step.outcome for step in steps.values()} == {"ok"}
        assert found in steps["tls"].found


# The network.


async def test_an_unknown_host() -> None:
    step = await fault("ws://no-such-host.invalid/", None)
    assert step.name == "dns"
    assert "the host is unknown" in step.found
    assert "Correct the host no-such-host.invalid" in step.remedy


async def test_a_refused_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    step = await fault(f"ws://127.0.0.1:{port}/")
    assert step.name == "tcp"
    assert "refused" in step.found
    assert f"Nothing listens on port {port}" in step.remedy


async def test_a_black_hole(peers: Peers) -> None:
    peer = await peers.start("tcp")
    await peer.ask("black_hole")
    step = await fault(peer.url, open_timeout=0.2)
    assert step.name == "tcp"
    assert step.found == f"nothing answered on port {peer.port} within 0.2 s"
    assert "firewall" in step.remedy


# TLS.


@pytest.mark.parametrize(
    ("certificate", "found", "remedy"),
    [
        ("wrong_ca", "certificate is not to be trusted", "--ca-file"),
        ("wrong_host", "certificate is not valid for '127.0.0.1'", "a certificate issued for 127.0.0.1"),
        ("expired", "certificate has expired", "renewed"),
        ("not_yet_valid", "certificate is not yet valid", "Set this machine's clock"),
    ],
)
async def test_a_bad_certificate(peers: Peers, circle: RemotePeer, certificate: str, found: str, remedy: str) -> None:
    """Unknown authority, another host, expired, of tomorrow: each has its own remedy."""
    front = await peers.start("tls_front", target=circle.url, certificate=certificate)
    step = await fault(front.url, tls=ssl.create_default_context(cadata=await front.ask("authority")))
    assert step.name == "tls"
    assert found in step.found
    assert remedy in step.remedy
    assert isinstance(step.error, ConnectionFailed)
    assert step.error.bad_certificate
    assert await circle.ask("public_keys") == []


async def test_wss_at_a_plain_port(circle: RemotePeer) -> None:
    step = await fault(circle.url.replace("ws://", "wss://"))
    assert step.name == "tls"
    assert "plain HTTP, not TLS: dial ws://" in step.remedy


async def test_ws_at_a_tls_port(peers: Peers, circle: RemotePeer) -> None:
    front = await peers.start("tls_front", target=circle.url)
    step = await fault(front.url.replace("wss://", "ws://"))
    assert step.name == "upgrade"
    assert "dial wss:// instead of ws://" in step.remedy


async def test_tls_is_expected_of_what_speaks_something_else(peers: Peers) -> None:
    peer = await peers.start("tcp", reply="220 mail.example ESMTP\r\n")
    step = await fault(peer.url.replace("ws://", "wss://"))
    assert step.name == "tls"
    assert "Check the port" in step.remedy


# HTTP.


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (200, "a web server answers there with a page"),
        (400, "the headers Upgrade and Connection"),
        (401, "--header"),
        (403, "lets only some clients in"),
        (404, "Correct the path"),
        (426, "the headers Upgrade and Connection"),
        (429, "Try again later"),
        (503, "the circle behind it is not, or is overloaded (HTTP 503)"),
    ],
)
async def test_an_http_status(peers: Peers, status: int, remedy: str) -> None:
    """What answers the WebSocket with a status, or with a page."""
    peer = await peers.start("tcp", reply=http(status))
    step = await fault(peer.url)
    assert step.name == "upgrade"
    assert f"HTTP {status}" in step.found
    assert remedy in step.remedy


async def test_a_redirect(peers: Peers) -> None:
    """Where it leads is dialled by hand; what its query may hold is not shown."""
    peer = await peers.start("tcp", reply=http(301, Location="https://circle.example/02ab?token=hunter2"))
    step = await fault(peer.url)
    assert isinstance(step.error, RedirectRefused)
    assert step.remedy == "Dial the address that it redirects to: wss://circle.example/02ab?..."
    assert "hunter2" not in step.found
    lost = await peers.start("tcp", reply=http(301))
    assert "Ask who runs the server" in (await fault(lost.url)).remedy


async def test_a_handshake_that_no_client_accepts(peers: Peers) -> None:
    """A key that is answered wrongly, and a server that takes none of the subprotocols that are offered."""
    opening = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n"
    peer = await peers.start("tcp", reply=opening)
    step = await fault(peer.url)
    assert step.name == "upgrade"
    assert "in a way that a client must refuse" in step.remedy
    choosy = await peers.start("opening")
    assert "--subprotocol" in (await fault(choosy.url, subprotocols=["circle"])).remedy


async def test_no_http_at_all(peers: Peers) -> None:
    peer = await peers.start("tcp", reply="220 mail.example ESMTP\r\n")
    step = await fault(peer.url)
    assert step.name == "upgrade"
    assert "did not answer with HTTP" in step.found
    assert "Another service listens" in step.remedy


async def test_a_port_that_keeps_silent(peers: Peers) -> None:
    peer = await peers.start("tcp")
    step = await fault(peer.url, open_timeout=1)
    assert step.name == "upgrade"
    assert "waiting for the WebSocket to open" in step.found
    assert "does not answer HTTP" in step.remedy


# Proxies.


@pytest.fixture
def _no_proxies_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "ws", "wss", "socks", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


@pytest.mark.usefixtures("_no_proxies_here")
@pytest.mark.parametrize(
    ("fault_of_it", "found", "remedy"),
    [
        (403, "with HTTP 403", "whether it may connect to this host and port"),
        (407, "with HTTP 407", "Put the user name and password into the proxy's URL"),
        ("hang_up", "it hung up", "correct the proxy"),
    ],
)
async def test_a_proxy_that_refuses(
    peers: Peers, circle: RemotePeer, fault_of_it: Any, found: str, remedy: str
) -> None:
    """DNS and TCP are then those of the proxy, of which the first step tells."""
    proxy = await peers.start("http_proxy", target=circle.port, fault=fault_of_it)
    given = proxy.url.replace("://", "://name:hunter2@")
    steps = await examined("ws://circle.test/", None, proxy=given)
    assert [step.name for step in steps] == ["proxy", "dns", "tcp", "upgrade"]
    assert steps[0].found == f"{proxy.url}, that was asked for, is on the way"
    assert found in steps[-1].found
    assert remedy in steps[-1].remedy
    assert all("hunter2" not in text for step in steps for text in (step.found, step.remedy))


@pytest.mark.usefixtures("_no_proxies_here")
async def test_behind_a_proxy_a_fault_is_the_circles(
    peers: Peers, circle: RemotePeer, authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    """TLS is then not a step of its own, and has its remedy all the same."""
    front = await entrance(peers, circle, authority, "other.test", tmp_path)
    for kind in ("http_proxy", "socks_proxy"):
        proxy = await peers.start(kind, target=front.port)
        step = await fault("wss://circle.test/", proxy=proxy.url, tls=trusting)
        assert step.name == "upgrade"
        assert f"(through the proxy {proxy.url})" in step.found
        assert "have a certificate issued for circle.test" in step.remedy


@pytest.mark.usefixtures("_no_proxies_here")
async def test_a_proxy_of_the_environment(peers: Peers, circle: RemotePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that works is told of; one that cannot be used is the fault."""
    proxy = await peers.start("http_proxy", target=circle.port)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    steps = await examined("ws://circle.test/", allow_insecure=True)
    assert [step.name for step in steps] == ["proxy", *PATH]
    assert "the environment names" in steps[0].found
    monkeypatch.setenv("ALL_PROXY", "gopher://proxy.example:1")
    step = await fault("ws://circle.test/", None)
    assert step.name == "proxy"
    assert "--proxy none" in step.remedy


# No circle.


async def test_a_websocket_but_no_circle(peers: Peers) -> None:
    """One that answers something else, one without the method, one that keeps silent, one that closes."""
    odd = await peers.start("scripted", answers={"fetch_nonce": {"raw": '{"id": $id, "hello": "world"}'}})
    step = await fault(odd.url)
    assert step.name == "circle"
    assert "does not seem to be a circle" in step.remedy
    wrong = await peers.start("scripted", answers={"fetch_nonce": {"result": 7}})
    assert (await fault(wrong.url)).name == "circle"
    other = await peers.start("scripted", answers={"fetch_nonce": {"error": {"code": -32601, "message": "no"}}})
    assert "it is no circle" in (await fault(other.url)).remedy
    silent, echo = await peers.start("scripted"), await peers.start("echo")
    step, echoed = await asyncio.gather(*(fault(it.url, open_timeout=2) for it in (silent, echo)))
    assert step.found.endswith("it ended while waiting for fetch_nonce")
    assert "does not seem to be a circle" in step.remedy
    assert "only sends back what it gets" in echoed.remedy
    closing = await peers.start("scripted", at_once=1013)
    step = await fault(closing.url)
    assert (step.name, step.found[-12:]) == ("circle", " (code 1013)")
    assert "restarting or overloaded" in step.remedy


async def test_no_circle_without_a_key_either(peers: Peers) -> None:
    """Without a key it asks for a nonce all the same, to tell what answers there."""
    other = await peers.start("scripted", answers={"fetch_nonce": {"result": 7}})
    step = await fault(other.url, None)
    assert step.name == "circle"
    assert "does not seem to be a circle" in step.remedy


# The sign-in.


async def test_a_key_that_is_not_admitted(peers: Peers) -> None:
    """Where the circle admits no key that it does not know, it cannot be told from a wrong profile: both are named."""
    circle = await peers.start("circle", keys=[KeyPair.generate().public_key])
    step = await fault(circle.url)
    assert step.name == "sign-in"
    assert isinstance(step.error, AuthRejected)
    assert f"admit the key {KeyPair(KEY).public_key[:12]}" in step.remedy
    assert "--profile" in step.remedy


async def test_a_wrong_profile(peers: Peers) -> None:
    """Keys that are made for it find the right one; the user's own signs once."""
    circle = await peers.start("circle", profiles=["sha256-der"])
    step = await fault(circle.url)
    assert step.name == "sign-in"
    assert "--profile sha256-der" in step.remedy
    assert (await examined(circle.url, profile="sha256-der"))[-1].outcome == "ok"


async def test_a_key_that_in_particular_is_rejected(peers: Peers) -> None:
    """A circle that knows the key from bound sign-ins takes no other signature of it."""
    circle = await peers.start("circle", public_url="self")
    await examined(circle.url)
    await circle.ask("call_itself", url=None)
    step = await fault(circle.url)
    assert "accepts other keys in the same way, but not this one" in step.remedy


async def test_a_circle_that_knows_itself_by_another_url(peers: Peers) -> None:
    circle = await peers.start("circle", public_url="ws://127.0.0.1:1/")
    step = await fault(circle.url)
    assert step.name == "sign-in"
    assert "compare the circle's public URL" in step.remedy


async def test_bound_signatures_where_there_are_none(circle: RemotePeer) -> None:
    for key in (KEY, None):
        step = await fault(circle.url, key, policy="require-bound")
        assert step.name == "sign-in"
        assert "--policy prefer-bound" in step.remedy


@pytest.mark.parametrize("key", [KEY, None], ids=["key", "no key"])
async def test_params_in_a_form_that_the_circle_does_not_take(peers: Peers, key: str | None) -> None:
    circle = await peers.start("circle", params="positional")
    step = await fault(circle.url, key, params="named")
    assert step.name == "circle"
    assert "Leave out --params" in step.remedy


async def test_a_circle_that_hangs_up_in_the_sign_in(peers: Peers) -> None:
    circle = await peers.start("scripted", answers={"fetch_nonce": NONCE, "authenticate": {"close": 4403}})
    step = await fault(circle.url)
    assert step.name == "sign-in"
    assert "ask its operator about this key" in step.remedy


async def test_no_key_where_one_is_needed(circle: RemotePeer) -> None:
    """It is told, and the rest is examined all the same."""
    steps = {step.name: step for step in await examined(circle.url, None)}
    assert list(steps) == [name for name in PATH if name != "dialect"]
    assert [step.name for step in steps.values() if step.outcome == "failed"] == ["sign-in"]
    assert "CIRCLE_WS_PRIVATE_KEY" in steps["sign-in"].remedy
    assert isinstance(steps["sign-in"].error, AuthError)


async def test_no_key_where_even_a_nonce_needs_one(peers: Peers) -> None:
    """Then nothing is signed with another key either."""
    refusal = {"error": {"code": -32001, "message": "authentication required"}}
    circle = await peers.start("scripted", answers={"fetch_nonce": refusal})
    step = await fault(circle.url, None)
    assert step.name == "sign-in"
    assert "CIRCLE_WS_PRIVATE_KEY" in step.remedy
    assert await circle.ask("count") == 1
    assert "admit the key" in (await fault(circle.url)).remedy


@pytest.mark.parametrize("whoami", [{"result": "nobody"}, {"error": {"code": -32601, "message": "no such method"}}])
async def test_no_key_where_none_is_needed(peers: Peers, whoami: Any) -> None:
    open_to_all = {"fetch_nonce": NONCE, "whoami": whoami, "rpc.ping": {"result": "pong"}}
    circle = await peers.start("scripted", answers=open_to_all)
    steps = await examined(circle.url, None)
    assert {step.outcome for step in steps} == {"ok"}


async def test_a_circle_that_does_not_say_whether_it_needs_a_key(peers: Peers) -> None:
    """It answers for a nonce, and then no more."""
    circle = await peers.start("scripted", answers={"fetch_nonce": NONCE})
    step = await fault(circle.url, None, call_timeout=DIALLED)
    assert step.name == "sign-in"
    assert "whoami" in step.found
    assert step.remedy == "Read the circle's log."


async def test_a_sign_in_whose_replies_are_not_looked_at(peers: Peers) -> None:
    """So long are none of a circle's: the client takes them, and the steps that would tell of them are left out."""
    padded = {"raw": '{"jsonrpc": "2.0", "id": $id, "result": "nonce_1234567890_abcdef"%s}' % (" " * 100_000)}
    circle = await peers.start("scripted", answers=accepting(fetch_nonce=padded, **{"rpc.ping": {"result": "pong"}}))
    steps = await examined(circle.url)
    assert [step.name for step in steps] == ["dns", "tcp", "upgrade", "keep-alive", "round trips"]


# After the sign-in.


def accepting(**answers: Any) -> dict[str, Any]:
    return {"fetch_nonce": NONCE, "authenticate": {"result": True}, **answers}


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "PING_LIMIT", 0.1)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("reply", [{"result": "pong"}, {"error": {"code": -32601, "message": "no such method"}}])
async def test_pings_that_are_not_answered(peers: Peers, reply: Any) -> None:
    """A circle that does not answer pings can be used, by the request that the client then sends; any reply will do."""
    circle = await peers.start("scripted", pongs=False, answers=accepting(**{"rpc.ping": reply}))
    steps = {step.name: step for step in await examined(circle.url)}
    assert list(steps) == PATH
    assert steps["keep-alive"].outcome == "warning"
    assert steps["keep-alive"].found == "a ping is not answered within 0.1 s; the request rpc.ping is"
    assert "with_keepalive(mode='rpc')" in steps["keep-alive"].remedy


@pytest.mark.usefixtures("_impatient")
async def test_a_circle_that_answers_nothing_after_the_sign_in(peers: Peers) -> None:
    circle = await peers.start("scripted", pongs=False, answers=accepting())
    step = await fault(circle.url, call_timeout=DIALLED)
    assert step.name == "keep-alive"
    assert "answers nothing now" in step.remedy


async def test_a_circle_that_closes_after_the_sign_in(peers: Peers) -> None:
    circle = await peers.start("scripted", answers=accepting(**{"rpc.ping": {"close": 1012}}))
    step = await fault(circle.url)
    assert step.name == "round trips"
    assert type(step.error) is ConnectionLost, "what it asked has no outcome that could be unknown"
    assert "restarting or overloaded" in step.remedy
