"""Tests that tell a secret, each in the way of its name; and some that tell nothing."""

import logging
import pickle
from typing import Any

import pytest

import circle_ws
from circle_ws import AuthError, ClientConfig, KeyPair, RpcError
from circle_ws.auth import sign_message
from tests.support.clients import KEY, client
from tests.support.peers import Peers

_LOGGER = logging.getLogger("circle_ws.sample")
_NONCE = "nonce_1234567890_abcdef"
_PAIR = KeyPair(KEY)


def test_quiet() -> None:
    """The public key and half-words of the secret may be told."""
    _LOGGER.debug("signed in as %s", KeyPair(KEY).public_key)
    _LOGGER.debug("%s...", KEY[:6])


def test_logs_a_key() -> None:
    _LOGGER.debug("the key is 0x%s", KEY.upper())


def test_logs_half_a_key() -> None:
    _LOGGER.debug("the key ends with %s", KEY[32:])


def test_logs_a_key_as_bytes() -> None:
    _LOGGER.debug("the key is %r", bytes.fromhex(KEY))


def test_logs_a_key_as_numbers() -> None:
    _LOGGER.debug("the key is %s or %s", list(bytes.fromhex(KEY)), "something else")


def test_logs_a_key_as_one_number() -> None:
    _LOGGER.debug("the key is %d", int(KEY, 16))


def test_logs_a_signature() -> None:
    _LOGGER.info("sent %s", sign_message(KEY, _NONCE))


def test_logs_an_error_that_holds_it() -> None:
    try:
        raise ValueError(KEY)
    except ValueError:
        _LOGGER.exception("something failed")


def test_raises_it() -> None:
    with pytest.raises(AuthError):
        raise AuthError(f"{KEY} is refused")


def test_raises_it_as_data() -> None:
    with pytest.raises(AuthError):
        raise AuthError("refused", phase=KEY)


def test_makes_it_and_does_not_raise_it() -> None:
    assert pickle.dumps(AuthError(f"{KEY} is refused"))


def test_shows_it() -> None:
    assert ClientConfig(f"wss://circle.example/{KEY}").url


async def test_logs_the_nonce_of_a_sign_in(peers: Peers) -> None:
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": _NONCE}, "authenticate": {"result": True}})
    async with client(peer.url):
        _LOGGER.debug("the circle gave %s", _NONCE)


async def test_an_error_leaves_the_client_with_it(peers: Peers) -> None:
    echo = {"error": {"code": 1, "message": f"you said {sign_message(KEY, _NONCE)}"}}
    peer = await peers.start("scripted", answers={"f": echo})
    async with client(peer.url, key=None) as it:
        with pytest.raises(RpcError):
            await it.call("f")


def test_a_cause_holds_it() -> None:
    """Seen from Python 3.12 on, where raising can be watched."""
    with pytest.raises(AuthError):
        try:
            raise ValueError(KEY)
        except ValueError as error:
            raise AuthError("refused") from error


def test_quiet_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client, its config and its errors tell nothing."""
    it: Any = circle_ws.CircleWsClientBuilder("wss://circle.example/").with_keypair(_PAIR).build()
    _LOGGER.debug("%r %r", it, it._supervisor.config)
