"""A peer's text in errors and logs: escaped and cut there, whole in the attributes."""

import json
import logging
import pickle
import traceback
from typing import Any

import pytest

from circle_ws import ConnectionLost, OutcomeUnknown, RpcError
from circle_ws.text import MAX_SHOWN, Hidden, escaped, shown
from tests.support.clients import client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers

NASTY = "first\nsecond\r\x1b[2Jcleared\x1b]0;title\x07\x9b31m\u2028line\u202eevil\u2066\ufeff\x00\x7f"
ESCAPES = [
    r"first\nsecond\r\u001b[2Jcleared",
    r"\u001b]0;title\u0007\u009b31m",
    r"\u2028line\u202eevil\u2066\ufeff\u0000\u007f",
]
LONG = "a" * 100_000


def test_what_is_hidden_is_not_pickled() -> None:
    """That would write it in the clear."""
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps(Hidden("secret"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("gewöhnlich 中文 🙂", "gewöhnlich 中文 🙂"),
        ("a" * MAX_SHOWN, "a" * MAX_SHOWN),
        ("a" * (MAX_SHOWN + 1), "a" * MAX_SHOWN + f"... ({MAX_SHOWN + 1} characters)"),
        (NASTY, "".join(ESCAPES)),
        ("\t", r"\t"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\udb40\udc41"),
        ("\x00" * MAX_SHOWN, r"\u0000" * (MAX_SHOWN // 6) + r"\u"),
    ],
    ids=range(10),
)
def test_what_is_shown(text: str, expected: str) -> None:
    """Text that is printable and short stays; the rest is on one line, without what a terminal would obey."""
    if len(expected) == MAX_SHOWN and expected != text:
        expected += f"... ({len(text)} characters)"
    assert shown(text) == expected
    assert shown(text).isprintable()
    assert len(shown(text)) <= MAX_SHOWN + 40


def test_what_is_kept() -> None:
    """Line breaks may stay where they are wanted."""
    assert escaped("a\nb\x1b", kept="\n") == "a\nb\\u001b"


@pytest.mark.parametrize(
    "text", [NASTY, LONG, "\ud800", "\x1b" * 10_000], ids=["nasty", "long", "surrogate", "escapes"]
)
def test_an_error_of_the_server(text: str) -> None:
    """`str`, `repr` and a printed traceback are short and harmless; message and data are whole, also when pickled."""
    error = RpcError(-32000, text, [text])
    for printed in (str(error), repr(error), "".join(traceback.format_exception_only(error)).rstrip("\n")):
        assert printed.isprintable()
        assert len(printed) < 3 * MAX_SHOWN
    assert (error.message, error.data) == (text, [text])
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.message, again.data, str(again)) == (-32000, text, [text], str(error))


def test_what_an_error_of_the_server_looks_like() -> None:
    """It has its code and its message; the data is in the `repr`, where there is any."""
    assert repr(RpcError(-32000, "it's full")) == "RpcError(-32000, 'it's full')"
    assert repr(RpcError(-32000, "no", {"a": [1]})) == "RpcError(-32000, 'no', {'a': [1]})"


def test_a_reason_for_closing() -> None:
    """It is escaped in the text, and whole in the attribute."""
    error = ConnectionLost.closed(1011, NASTY)
    assert str(error).isprintable()
    assert "".join(ESCAPES) in str(error)
    assert error.reason == NASTY
    assert pickle.loads(pickle.dumps(error)).reason == NASTY


async def test_what_comes_in_from_a_circle(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """Errors of calls, close reasons and all that is logged of them, at any level, are on one line and short."""
    body = {"code": -32000, "message": NASTY + LONG, "data": {NASTY: LONG}}
    raw = '{"jsonrpc":"2.0","id":$id,"error":' + json.dumps(body) + "}"
    reason = NASTY.replace("\ufeff", "")
    peer = await peers.start("scripted", answers={"f": {"raw": raw}, "g": {"close": 1011, "reason": reason}})
    causes: list[Any] = []
    with caplog.at_level(logging.DEBUG):
        async with client(peer.url, key=None) as it:
            it.on_status(lambda change: causes.append(change.cause))
            refused = await later(it.call("f"))
            lost = await later(it.call("g"))
            await eventually(it.is_connected)
    assert isinstance(refused, RpcError)
    assert (refused.message, refused.data) == (NASTY + LONG, {NASTY: LONG})
    assert isinstance(lost, OutcomeUnknown)
    assert lost.reason == reason
    told = [refused, lost, *(cause for cause in causes if cause is not None)]
    assert len(told) == 3
    for error in told:
        assert str(error).isprintable()
        assert len(repr(error)) < 3 * MAX_SHOWN
    for record in caplog.records:
        if record.name.startswith("circle_ws"):
            assert record.getMessage().isprintable()
            assert len(record.getMessage()) < 3 * MAX_SHOWN


@pytest.mark.parametrize("text", [NASTY, LONG], ids=["nasty", "long"])
async def test_a_method_that_a_circle_asks_for(peers: Peers, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A request for an unknown method, or with params that do not fit, writes none of it into the log."""
    peer = await peers.start("scripted")
    with caplog.at_level(logging.DEBUG):
        async with client(peer.url, key=None) as it:
            it.handle("known", lambda: None)
            for request in ({"method": text}, {"method": "known", "params": {text: 1}}):
                await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": 1, **request}))
            await peer.ask("send", text=json.dumps({"jsonrpc": "2.0", "id": 1, "method": "known"}))

            async def answered() -> int:
                return len(await peer.ask("received"))

            while await answered() < 3:
                pass
    for record in caplog.records:
        if record.name.startswith("circle_ws"):
            assert record.getMessage().isprintable()
            assert len(record.getMessage()) < MAX_SHOWN
