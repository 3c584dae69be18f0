"""Circles that take params by position only, and the third published form: found out with one signature, remembered."""

import json
from typing import Any

import pytest

from circle_ws import AuthError, ClientConfig, InvalidRequest, RpcError
from circle_ws.auth import derive_public_key
from tests.support.clients import KEY, OTHER_KEY, client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

PUBLIC = derive_public_key(KEY)
NONCE = "nonce_1234567890_abcdef"
INVALID: dict[str, Any] = {"error": {"code": -32602, "message": "invalid params"}}
YES = {"result": True}


async def sent(peer: RemotePeer, *methods: str) -> list[tuple[str, Any]]:
    """Return the methods that the peer received, and their params."""
    requests = [json.loads(text) for text in await peer.ask("received")]
    return [(it["method"], it.get("params")) for it in requests if not methods or it["method"] in methods]


@pytest.mark.parametrize("taken", ["any", "named", "positional"])
@pytest.mark.parametrize(
    ("dialect", "configured"),
    [
        ("hero-0.2", "auto"),
        ("circles-1.0", "auto"),
        ("baobab", "auto"),
        ("hero-0.2", "hero-0.2"),
        ("circles-1.0", "circles-1.0"),
        ("baobab", "baobab"),
    ],
)
async def test_every_published_form(peers: Peers, dialect: str, configured: str, taken: str) -> None:
    """A circle of each dialect lets the client in with one signature, runs its script, and knows it."""
    circle = await peers.start("circle", dialect=dialect, params=taken)
    vault = Vault("eip191")
    if (dialect, configured) in UNPUBLISHED.get(taken, ()):
        with pytest.raises(AuthError, match="dialect="):
            await client(circle.url, key=None, signer=vault).connect()
    else:
        async with client(circle.url, key=None, signer=vault, dialect=configured) as it:
            assert await it.play("40+2") == "42"
            who = await it.whoami()
            key = derive_public_key(KEY, compressed=True)
            assert who in (key, {"pubkey": key})
    assert len(vault.asked) == 1


UNPUBLISHED = {"positional": [("circles-1.0", "auto")]}
"""What `auto` does not find: there the dialect has to be said, and the error says so."""


@pytest.mark.parametrize("taken", ["any", "positional"])
@pytest.mark.parametrize("dialect", ["hero-0.2", "circles-1.0", "baobab"])
async def test_positional_from_the_start(peers: Peers, dialect: str, taken: str) -> None:
    """With `params="positional"` nothing of the client's own is sent by name."""
    circle = await peers.start("circle", dialect=dialect, params=taken)
    async with client(circle.url, dialect=dialect, params="positional") as it:
        assert await it.play("1+1") == "2"


async def test_named_is_kept_to(peers: Peers) -> None:
    """With `params="named"` a circle that takes none by name is an error that says what to set; nothing is signed."""
    circle = await peers.start("circle", params="positional")
    vault = Vault("eip191")
    with pytest.raises(AuthError, match="params="):
        await client(circle.url, key=None, signer=vault, params="named").connect()
    assert vault.asked == []


async def test_bound_with_a_positional_circle(peers: Peers) -> None:
    """A bound sign-in is by name everywhere, also where the nonce had to be asked for by position."""
    circle = await peers.start("circle", public_url="self", params="positional")
    async with client(circle.url, policy="require-bound") as it:
        assert await it.play("1+2") == "3"
    assert await circle.ask("signed_bound") == [derive_public_key(KEY, compressed=True)]


async def test_what_goes_over_the_wire(peers: Peers) -> None:
    """By name, by position, then with the nonce: one signature; and remembered over a reconnect and a renewal."""
    forgotten = {"error": {"code": -32001, "message": "sign in"}}
    answers = {
        "fetch_nonce": [INVALID, *({"result": NONCE} for _ in range(3))],
        "authenticate": [INVALID, YES, YES, YES],
        "play": {"result": {"output": "out"}},
        "f": [forgotten, {"result": 1}, {"result": 2}],
    }
    peer = await peers.start("scripted", answers=answers)
    async with client(peer.url) as it:
        assert await it.play("x") == "out"
        assert await it.call("f", {"by": "name"}) == 1
        await peer.ask("cut")
        await eventually(lambda: not it.is_connected())
        assert await it.call("f", [1]) == 2
        assert await it.play("y") == "out"
    requests = await sent(peer)
    signature = requests[2][1][1]
    assert requests[:5] == [
        ("fetch_nonce", {"pubkey": PUBLIC}),
        ("fetch_nonce", [PUBLIC]),
        ("authenticate", [PUBLIC, signature]),
        ("authenticate", [PUBLIC, signature, NONCE]),
        ("play", ["x"]),
    ]
    again = [("fetch_nonce", [PUBLIC]), ("authenticate", [PUBLIC, signature])]
    assert requests[5:] == [("f", {"by": "name"}), *again, ("f", {"by": "name"}), *again, ("f", [1]), ("play", ["y"])]


async def test_a_circle_by_name_stays_so(peers: Peers) -> None:
    """Where the first question is answered, `play` goes by name; -32602 to it is an error, nothing is sent again."""
    answers = {"fetch_nonce": {"result": NONCE}, "authenticate": YES, "play": [{"result": "out"}, INVALID]}
    peer = await peers.start("scripted", answers=answers)
    async with client(peer.url) as it:
        assert await it.play("x") == "out"
        with pytest.raises(RpcError, match="-32602"):
            await it.play("y")
    assert await sent(peer, "play") == [("play", {"script": "x"}), ("play", {"script": "y"})]


@pytest.mark.parametrize(("params", "expected"), [("auto", {"script": "x"}), ("positional", ["x"])])
async def test_play_without_a_key(peers: Peers, params: str, expected: Any) -> None:
    """Without a sign-in nothing is detected: params go by name, or as configured; whoami has no params."""
    peer = await peers.start("scripted", answers={"play": {"result": "out"}, "whoami": {"result": None}})
    async with client(peer.url, key=None, params=params) as it:
        assert await it.play("x") == "out"
        assert await it.whoami() is None
    assert await sent(peer) == [("play", expected), ("whoami", None)]


@pytest.mark.parametrize(
    ("fetch_nonce", "asked"),
    [
        (INVALID, ["fetch_nonce", "fetch_nonce"]),
        ([INVALID, {"result": NONCE}], ["fetch_nonce", "fetch_nonce", "authenticate", "authenticate"]),
        ({"result": NONCE}, ["fetch_nonce", *["authenticate"] * 3]),
        ({"result": {"nonce": NONCE}}, ["fetch_nonce", *["authenticate"] * 3]),
        (
            {"result": {"nonce": NONCE, "expires_at": 4102444800, "auth_profiles": ["circle-bound-v1"]}},
            ["fetch_nonce", "authenticate"],
        ),
    ],
    ids=["always", "by position", "text", "object", "bound"],
)
async def test_invalid_params_for_ever_end_in_words(peers: Peers, fetch_nonce: Any, asked: list[str]) -> None:
    """A hostile circle that answers -32602 for ever gets at most one signature; the error says what it may want."""
    peer = await peers.start("scripted", answers={"fetch_nonce": fetch_nonce, "authenticate": INVALID})
    vault = Vault()
    it = client(peer.url, key=None, signer=vault, first_connect="retry")
    failure = await later(it.connect())
    assert type(failure) is AuthError
    assert "-32602" in str(failure)
    assert "dialect=" in str(failure)
    assert [method for method, _ in await sent(peer)] == asked
    assert await peer.ask("count") == 1
    assert len(vault.asked) == (0 if asked[-1] == "fetch_nonce" else 1)
    await it.close()


async def test_another_client_finds_out_for_itself(peers: Peers) -> None:
    """What one client has learnt is not another's."""
    circle = await peers.start("circle", params="positional")
    for key in (KEY, OTHER_KEY):
        async with client(circle.url, key) as it:
            assert await it.play("2+2") == "4"


def test_the_options() -> None:
    """They have defaults, and stand in the config."""
    assert (ClientConfig("ws://localhost/").dialect, ClientConfig("ws://localhost/").params) == ("auto", "auto")


async def test_user_calls_go_as_they_are_written(peers: Peers) -> None:
    """Whatever the circle's own methods want, a dict is by name and a list by position."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}})
    async with client(peer.url, key=None, params="positional") as it:
        for params in ({"a": 1}, [1], None):
            await it.call("f", params)
        with pytest.raises(InvalidRequest):
            await it.call("f", "text")  # type: ignore[call-overload]
    assert await sent(peer) == [("f", {"a": 1}), ("f", [1]), ("f", None)]
