"""The values that programs hold: frozen, comparable, picklable, and without secrets in their repr."""

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

import circle_ws
from circle_ws import Backoff, Challenge, ClientConfig, ConnectionStatus, Failure, KeepAlive, Request, StatusChange
from circle_ws.auth import AuthCredentials, Nonce
from circle_ws.config import ClientOptions

_SECRET = "a-nonce-that-nobody-sees"
_VALUES = [
    AuthCredentials("02ab", _SECRET),
    Backoff(first=1.5),
    Challenge("eip191", "wss://circle.example/", _SECRET, _SECRET.encode(), _SECRET.encode(), _SECRET.encode()),
    ClientConfig("wss://circle.example/"),
    Failure(circle_ws.QueueFull("full"), "open", ever_connected=False),
    KeepAlive(interval=3),
    Nonce(_SECRET, 5, frozenset({"circle-bound-v1"})),
    Request("play", {"script": _SECRET}),
    StatusChange(ConnectionStatus.CONNECTED, ConnectionStatus.AUTHENTICATING, at=1.0),
    circle_ws.Verdict(retry=True, at_least=2.0),
]


def _name(value: object) -> str:
    return type(value).__name__


@pytest.mark.parametrize("value", _VALUES, ids=_name)
def test_a_value_cannot_be_changed(value: Any) -> None:
    """Its fields are fixed, and it takes no others."""
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(value, name)
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("value", _VALUES, ids=_name)
def test_a_value_is_copied_and_replaced(value: Any) -> None:
    """Copies are equal to it, and so is one with nothing replaced."""
    assert copy.copy(value) == dataclasses.replace(value) == value


@pytest.mark.parametrize("value", _VALUES, ids=_name)
def test_a_value_is_pickled(value: Any) -> None:
    """What comes out of a pickle says the same; errors and transports are compared as objects, so not the values."""
    assert type(pickle.loads(pickle.dumps(value))) is type(value)
    if not isinstance(value, Failure | ClientConfig):
        assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize("value", _VALUES, ids=_name)
def test_no_repr_shows_a_secret(value: Any) -> None:
    """Nonces, signatures and params do not appear in a log or in an error tracker."""
    assert _SECRET not in repr(value)
    assert repr(value).startswith(f"{type(value).__name__}(")


def test_positional_patterns_follow_the_fields() -> None:
    """A `case` pattern takes the fields in their order."""
    match StatusChange(ConnectionStatus.CONNECTED, ConnectionStatus.CONNECTING, at=1.0):
        case StatusChange(status, previous, at):
            assert (status, previous, at) == (ConnectionStatus.CONNECTED, ConnectionStatus.CONNECTING, 1.0)
        case _:
            pytest.fail("the pattern did not match")


def test_the_signature_of_the_config_names_the_options() -> None:
    """`inspect` and editors show every option of `ClientConfig`, which are those that `connect` takes."""
    assert sorted(inspect.signature(ClientConfig).parameters) == sorted(["url", *ClientOptions.__annotations__])
