"""The published forms that a circle can speak, and circles that take params in one form only."""

from typing import Any

import pytest
from websockets.asyncio.client import connect

from circle_ws.auth import derive_public_key, sign_message
from circle_ws.errors import ConfigError
from circle_ws.server import CircleServer
from tests.native.by_hand import ask, signed_in
from tests.support.clients import KEY, OTHER_KEY

PUBLIC = derive_public_key(KEY)
COMPRESSED = derive_public_key(KEY, compressed=True)


@pytest.mark.parametrize(
    ("dialect", "output"), [("hero-0.2", {"output": "OUT"}), ("circles-1.0", "OUT"), ("baobab", {"output": "OUT"})]
)
async def test_play_answers_as_the_dialect_says(dialect: Any, output: Any) -> None:
    """hero-0.2 and baobab answer an object, circles-1.0 a bare string."""
    async with CircleServer(dialect=dialect, play=str.upper) as server, connect(server.url) as socket:
        given = (await ask(socket, "fetch_nonce", [PUBLIC]))["result"]
        nonce = given["nonce"] if dialect == "circles-1.0" else given
        signature = sign_message(KEY, nonce)
        proof = {
            "hero-0.2": {"pubkey": PUBLIC, "signature": signature},
            "circles-1.0": {"credentials": {"pubkey": PUBLIC, "signature": signature}},
            "baobab": {"pubkey": PUBLIC, "signature": signature, "nonce": nonce},
        }[dialect]
        assert (await ask(socket, "authenticate", proof))["result"] in (True, {"authenticated": True})
        assert (await ask(socket, "play", ["out"]))["result"] == output
        whoami = (await ask(socket, "whoami"))["result"]
        assert whoami == (COMPRESSED if dialect == "baobab" else {"pubkey": COMPRESSED})


async def test_the_nonce_goes_back_in_baobab() -> None:
    """`authenticate(pubkey, signature, nonce)`: without the nonce -32602, with another one false, and it is used up."""
    async with CircleServer(dialect="baobab") as server, connect(server.url) as socket:
        nonce = (await ask(socket, "fetch_nonce", {"pubkey": PUBLIC}))["result"]
        assert type(nonce) is str
        signature = sign_message(KEY, nonce)
        for short in ([PUBLIC, signature], {"pubkey": PUBLIC, "signature": signature}, [PUBLIC, signature, 7]):
            assert (await ask(socket, "authenticate", short))["error"]["code"] == -32602
        assert (await ask(socket, "authenticate", [PUBLIC, signature, nonce]))["result"] is True
        assert (await ask(socket, "authenticate", [PUBLIC, signature, nonce]))["result"] is False
        other = (await ask(socket, "fetch_nonce", [derive_public_key(OTHER_KEY)]))["result"]
        nonce = (await ask(socket, "fetch_nonce", [PUBLIC]))["result"]
        assert (await ask(socket, "authenticate", [PUBLIC, sign_message(KEY, nonce), other]))["result"] is False


@pytest.mark.parametrize(("params", "good", "bad"), [("positional", [5], {"value": 5}), ("named", {"value": 5}, [5])])
async def test_params_in_one_form_only(params: Any, good: Any, bad: Any) -> None:
    """What comes in the other form is -32602, in the sign-in too; what has no params is answered."""
    async with CircleServer(params=params) as server:
        server.method("echo")(lambda value: value)
        async with connect(server.url) as socket:
            refused: Any = {"pubkey": PUBLIC} if params == "positional" else [PUBLIC]
            assert (await ask(socket, "fetch_nonce", refused))["error"]["code"] == -32602
            assert (await ask(socket, "rpc.ping"))["result"] == "pong"
            taken = [PUBLIC] if params == "positional" else {"pubkey": PUBLIC}
            signature = sign_message(KEY, (await ask(socket, "fetch_nonce", taken))["result"])
            proof = {"pubkey": PUBLIC, "signature": signature}
            forms: list[Any] = [proof, list(proof.values())]
            last, first = forms if params == "named" else reversed(forms)
            assert (await ask(socket, "authenticate", first))["error"]["code"] == -32602
            assert (await ask(socket, "authenticate", last))["result"] is True
            assert (await ask(socket, "echo", good))["result"] == 5
            error = (await ask(socket, "echo", bad))["error"]
            assert error["code"] == -32602
            assert "by position" in error["message"] or "by name" in error["message"]


async def test_either_form_by_default() -> None:
    """Without `params=` both are taken."""
    async with CircleServer() as server:
        server.method("echo")(lambda value: value)
        async with signed_in(server) as socket:
            assert (await ask(socket, "echo", [5]))["result"] == 5
            assert (await ask(socket, "echo", {"value": 5}))["result"] == 5


def test_a_wrong_form_is_refused() -> None:
    """It is told by name before anything listens."""
    wrong: Any = "sideways"
    with pytest.raises(ConfigError, match=r"params.*positional") as caught:
        CircleServer(params=wrong)
    assert caught.value.option == "params"
