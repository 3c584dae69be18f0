"""What a program may add to an opening handshake, and what becomes of subprotocols, in both runtimes."""

import sys

import pytest

from circle_ws import ConfigError, ConnectionFailed, ConnectionStatus, UnsupportedRuntime
from circle_ws.config.headers import OpeningHeaders, check_subprotocols
from circle_ws.transport import TransportOptions, connect
from tests.support.clients import client
from tests.support.outcomes import later, until
from tests.support.peers import Peers, RemotePeer
from tests.support.recorder import Recorder

IN_BROWSER = sys.platform == "emscripten"


async def offered(peer: RemotePeer) -> list[str]:
    """What came in the header `Sec-WebSocket-Protocol` of each handshake."""
    requests = await peer.ask("requests")
    return [value for request in requests for name, value in request if name.lower() == "sec-websocket-protocol"]


def test_headers_are_a_mapping_that_keeps_its_values_to_itself() -> None:
    """They compare and hash as what they hold, and show their names alone."""
    headers = OpeningHeaders({"Authorization": "Bearer hunter2", "X-Empty": ""})
    assert dict(headers) == headers == {"Authorization": "Bearer hunter2", "X-Empty": ""}
    assert len(headers) == 2
    assert headers == OpeningHeaders(headers)
    assert hash(headers) == hash(OpeningHeaders(headers))
    assert headers != OpeningHeaders({"Authorization": "Bearer other", "X-Empty": ""})
    assert repr(headers) == str(headers) == f"{headers}" == "<headers: Authorization, X-Empty>"
    assert repr(OpeningHeaders({})) == "<headers: none>"


@pytest.mark.parametrize("value", ["", "a", "Bearer a.b-c_d~e+f/g==", 'text/html; q="0,5"', "a\tb", " ~!\"#$%&'()*+,"])
@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Origin", "User-Agent", "x", "!#$%&'*+-.^_`|~09AZaz"])
def test_what_http_can_carry_is_a_header(name: str, value: str) -> None:
    """Names are tokens and values are visible ASCII, spaces and tabs (RFC 9110 section 5)."""
    assert OpeningHeaders({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Host", "which the handshake itself sets; leave it out$"),
        ("Sec-WebSocket-Protocol", "name subprotocols in the option subprotocols$"),
        ("Sec-WebSocket-Extensions", "use the option compression$"),
        ("Proxy-Authorization", "name and password of a proxy belong into its URL$"),
        ("X Tenant", "has a name that begins with 'X'"),
    ],
)
def test_a_refused_name_is_told_with_what_to_do(name: str, words: str) -> None:
    """Each refusal says what is wrong, and what to do instead."""
    with pytest.raises(ConfigError, match=words):
        OpeningHeaders({name: "a"})


def test_a_refused_value_is_told_by_its_place() -> None:
    """The value may be a secret, so the error counts its characters instead of showing it."""
    with pytest.raises(ConfigError, match=r"'X-Tenant' with a line break.* \(character 7 of 8\)"):
        OpeningHeaders({"X-Tenant": "secret\n!"})


def test_subprotocols_are_kept_in_their_order() -> None:
    """The best comes first."""
    assert check_subprotocols(["b", "a"]) == ("b", "a")
    assert check_subprotocols(()) == ()


async def test_a_subprotocol_that_the_circle_takes(peers: Peers) -> None:
    """All are offered in their order, and the circle selects one, also on a reconnect."""
    peer = await peers.start("opening", take="circle.v1")
    async with client(peer.url, key=None, subprotocols=("circle.v2", "circle.v1")) as it:
        assert await it.call("echo", ["first"]) == "first"
        await peer.ask("drop_all")
        assert await it.call("echo", ["second"], idempotent=True) == "second"
    assert await offered(peer) == ["circle.v2, circle.v1"] * 2


async def test_nothing_is_offered_by_default(peers: Peers) -> None:
    """Without the option there is no header, and no subprotocol is needed."""
    peer = await peers.start("opening")
    async with client(peer.url, key=None) as it:
        assert await it.call("echo", ["plain"]) == "plain"
    assert await offered(peer) == []


@pytest.mark.parametrize("take", [None, "circle.v3"])
async def test_a_circle_that_takes_none_is_not_connected_to(peers: Peers, take: str | None) -> None:
    """If the circle selects none of those that were offered, or another, the attempt fails, in every runtime."""
    peer = await peers.start("opening", take=take)
    it = client(peer.url, key=None, subprotocols=("circle.v2", "circle.v1"))
    with pytest.raises(ConnectionFailed, match="subprotocol") as caught:
        await it.connect()
    assert (caught.value.phase, caught.value.http_status) == ("open", None)
    assert it.status is ConnectionStatus.FAILED
    if not IN_BROWSER and take is None:
        assert "took none of the subprotocols that were offered: circle.v2, circle.v1" in str(caught.value)
    await it.close()


async def test_nothing_comes_from_a_circle_that_takes_none(peers: Peers) -> None:
    """What it sends along with its handshake is not delivered, and the connection does not stay open."""
    peer = await peers.start("opening", greeting="hello")
    recorder = Recorder()
    with pytest.raises(ConnectionFailed):
        await connect(peer.url, recorder, TransportOptions(subprotocols=("circle.v1",), close_timeout=2))
    await until(peer, "ended")
    assert recorder.messages == []
    assert recorder.losses == []


async def test_a_circle_may_learn_a_subprotocol(peers: Peers) -> None:
    """A failed attempt for lack of a subprotocol is made again, as a browser cannot tell it from others."""
    peer = await peers.start("opening")
    it = client(peer.url, key=None, subprotocols=("circle.v1",), first_connect="retry")
    connecting = later(it.connect())
    async for change in it.status_changes():
        if change.status is ConnectionStatus.WAITING:
            assert isinstance(change.cause, ConnectionFailed)
            break
    await peer.ask("take", subprotocol="circle.v1")
    assert await connecting is None
    assert await it.call("echo", ["learnt"]) == "learnt"
    await it.close()


@pytest.mark.skipif(not IN_BROWSER, reason="natively all of them can be done")
@pytest.mark.parametrize(
    ("option", "value"),
    [("headers", {"X-Tenant": "a"}), ("proxy", "http://proxy.example:3128"), ("proxy", None), ("compression", True)],
)
def test_what_a_page_cannot_do(option: str, value: object) -> None:
    """A browser sets no headers, and chooses proxy and compression itself: said when the client is built."""
    with pytest.raises(UnsupportedRuntime, match=f"{option} is not for this runtime") as caught:
        client("wss://circle.example/", key=None, **{option: value})
    assert caught.value.option == option


@pytest.mark.parametrize("host", ["localhost.", "LocalHost.", "127.0.0.1."])
async def test_a_dot_at_the_end_of_the_host_is_left_out(peers: Peers, host: str) -> None:
    """The URL is dialled as the same one without it, in lower case; the server is told no other name."""
    peer = await peers.start("opening")
    async with client(peer.url.replace("127.0.0.1", host), key=None) as it:
        assert await it.call("echo", [1]) == 1
    (request,) = await peer.ask("requests")
    told = [value for name, value in request if name.lower() == "host"]
    assert told == [f"{host.lower().removesuffix('.')}:{peer.port}"]
