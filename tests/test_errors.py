"""The tree of errors: who is under whom, what they carry, what they say."""

import copy
import pickle
import re
from typing import Any

import pytest

import circle_ws
from circle_ws import errors

_TREE: dict[str, tuple[str, ...]] = {
    "CircleWsError": ("Exception",),
    "ConfigError": ("CircleWsError", "ValueError"),
    "UnsupportedRuntime": ("ConfigError",),
    "InvalidRequest": ("CircleWsError", "ValueError"),
    "NotConnected": ("CircleWsError",),
    "ClientClosed": ("CircleWsError",),
    "ConnectionFailed": ("CircleWsError", "ConnectionError"),
    "RedirectRefused": ("ConnectionFailed",),
    "ConnectionLost": ("CircleWsError", "ConnectionError"),
    "OutcomeUnknown": ("ConnectionLost",),
    "AuthError": ("CircleWsError",),
    "InvalidKey": ("AuthError", "ValueError"),
    "InvalidNonce": ("AuthError",),
    "AuthRejected": ("AuthError",),
    "SignerFailed": ("AuthError",),
    "DowngradeDetected": ("AuthError",),
    "RpcError": ("CircleWsError",),
    "ProtocolError": ("CircleWsError",),
    "InvalidResult": ("ProtocolError",),
    "MessageTooLarge": ("ProtocolError",),
    "CallTimeout": ("CircleWsError", "TimeoutError"),
    "QueueFull": ("CircleWsError",),
}
"""The whole tree of the documentation."""

_SAMPLES: list[tuple[errors.CircleWsError, str, dict[str, object]]] = [
    (errors.CircleWsError("what"), "what", {}),
    (errors.ConfigError("bad", option="url"), "bad", {"option": "url"}),
    (errors.UnsupportedRuntime("no pings", option="keepalive"), "no pings", {"option": "keepalive"}),
    (errors.InvalidRequest("a set"), "a set", {}),
    (errors.NotConnected("never"), "never", {}),
    (errors.ClientClosed("closed"), "closed", {}),
    (
        errors.ConnectionFailed("503", phase="nonce", http_status=503, retry_after=2.5, proxy="http://proxy.example"),
        "503",
        {
            "phase": "nonce",
            "http_status": 503,
            "retry_after": 2.5,
            "bad_certificate": False,
            "location": None,
            "proxy": "http://proxy.example",
        },
    ),
    (
        errors.RedirectRefused("301", http_status=301, location="/elsewhere"),
        "301",
        {
            "phase": "open",
            "http_status": 301,
            "retry_after": None,
            "bad_certificate": False,
            "location": "/elsewhere",
            "proxy": None,
        },
    ),
    (
        errors.ConnectionLost("gone", code=1012, reason="restart", local=True),
        "gone",
        {"code": 1012, "reason": "restart", "local": True},
    ),
    (errors.OutcomeUnknown("may have run"), "may have run", {"code": 1006, "reason": "", "local": False}),
    (errors.AuthError("refused", phase="nonce"), "refused", {"phase": "nonce"}),
    (errors.InvalidKey("no key"), "no key", {"phase": "key"}),
    (errors.InvalidNonce("a JWT"), "a JWT", {"phase": "nonce"}),
    (errors.AuthRejected("no"), "no", {"phase": "authenticate"}),
    (errors.SignerFailed("refused"), "refused", {"phase": "sign"}),
    (errors.DowngradeDetected("no offer"), "no offer", {"phase": "nonce"}),
    (
        errors.RpcError(-32000, "it failed", {"line": [1, None]}),
        "the server answered with error -32000: it failed",
        {"code": -32000, "message": "it failed", "data": {"line": [1, None]}},
    ),
    (errors.ProtocolError("no JSON"), "no JSON", {}),
    (errors.InvalidResult("no int", path="$.id"), "no int", {"path": "$.id"}),
    (errors.MessageTooLarge("big", size=11, limit=10), "big", {"size": 11, "limit": 10}),
    (errors.CallTimeout("late", phase="queue"), "late", {"phase": "queue"}),
    (errors.QueueFull("full"), "full", {}),
]


@pytest.mark.parametrize("name", errors.__all__)
def test_each_error_stands_where_the_documentation_says(name: str) -> None:
    """The direct bases of every exported error are those of the documented tree."""
    assert tuple(base.__name__ for base in getattr(errors, name).__bases__) == _TREE[name]


def test_the_tree_is_complete() -> None:
    """Every documented error exists; all are exported at the top."""
    assert set(_TREE) == set(errors.__all__)
    assert set(errors.__all__) <= set(circle_ws.__all__)


def test_nothing_is_raised_that_is_not_exported() -> None:
    """The module defines no error that `__all__` does not name."""
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(errors.__all__)


def test_the_drawing_shows_every_error() -> None:
    """The tree in the module's docstring names the same errors as `__all__`, each once."""
    drawing = (errors.__doc__ or "").split("```")[1]
    assert sorted(re.findall(r"(?:^|── )([A-Z]\w+)", drawing, re.MULTILINE)) == sorted(errors.__all__)


def test_each_error_has_a_sample() -> None:
    """No error is left out of the tests of messages and of pickling."""
    assert {type(error).__name__ for error, _, _ in _SAMPLES} == set(errors.__all__)


@pytest.mark.parametrize(("error", "text", "attributes"), _SAMPLES, ids=lambda value: type(value).__name__)
def test_data_and_message(error: errors.CircleWsError, text: str, attributes: dict[str, object]) -> None:
    """An error holds what it was made with, and says its message."""
    assert vars(error) == attributes
    assert str(error) == text


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", [error for error, _, _ in _SAMPLES], ids=lambda error: type(error).__name__)
def test_pickling_keeps_everything(error: errors.CircleWsError, protocol: int) -> None:
    """An error comes back from another process with its type, message and attributes."""
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert (again.args, vars(again), str(again)) == (error.args, vars(error), str(error))


@pytest.mark.parametrize("error", [error for error, _, _ in _SAMPLES], ids=lambda error: type(error).__name__)
def test_copying_keeps_everything(error: errors.CircleWsError) -> None:
    """A copy has the same type, message and attributes."""
    again = copy.copy(error)
    assert type(again) is type(error)
    assert (again.args, vars(again), str(again)) == (error.args, vars(error), str(error))


@pytest.mark.parametrize(
    ("code", "reason", "local", "words"),
    [
        (1006, "", False, "the connection ended without a closing handshake (1006)"),
        (1012, "restart", False, "the peer closed the connection with code 1012: restart"),
        (1000, "", True, "this client closed the connection with code 1000"),
    ],
)
def test_a_closed_connection_says_who_and_how(code: int, reason: str, local: bool, words: str) -> None:
    """`ConnectionLost.closed` puts the code, the reason and the side into words and into attributes."""
    error = errors.ConnectionLost.closed(code, reason, local=local)
    assert str(error) == words
    assert (error.code, error.reason, error.local) == (code, reason, local)


def test_a_subclass_closes_as_itself() -> None:
    """`closed` makes an error of the class that it is called on."""
    assert type(errors.OutcomeUnknown.closed(1001)) is errors.OutcomeUnknown


def test_an_rpc_error_whose_message_is_no_text_can_be_told() -> None:
    """A method that raises one by mistake is logged with it."""
    wrong: Any = ["words"]
    error = errors.RpcError(77, wrong)
    assert "['words']" in str(error)
    assert "['words']" in repr(error)
