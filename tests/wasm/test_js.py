"""circle_ws.js as JavaScript uses it: promises, plain values, errors, options, and nothing that stays behind."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import js
import pyodide_js
import pytest
from pyodide.code import run_js

from tests.support.clients import KEY
from tests.support.peers import Peers, RemotePeer

# Pyodide keeps a proxy of its own from the first use.
pyodide_js.pyimport("circle_ws.js")


class Page:
    """The JavaScript of a page, which is `page.js`; a page's content security policy lets nothing be evaluated."""

    def __init__(self, circle: RemotePeer) -> None:
        self._circle = circle
        if not hasattr(js, "playScenario"):
            run_js((Path(__file__).parent / "page.js").read_text(encoding="utf-8"))

    async def run(self, scenario: str, more: Any = None) -> Any:
        """Return what a scenario returns, as plain Python values."""
        js_value = await js.playScenario(scenario, pyodide_js, self._circle.url, KEY, more)
        return js_value.to_py() if hasattr(js_value, "to_py") else js_value


@pytest.fixture
async def page(peers: Peers) -> AsyncGenerator[Page]:
    yield Page(await peers.start("circle"))


async def test_promises_and_plain_values(page: Page) -> None:
    """Objects are plain objects, integers beyond 2^53 are BigInts, null is null; `undefined` members are left out."""
    assert await page.run("promisesAndPlainValues") == {
        "keys": "call,play,notify,close,on,onStatus",
        "names": "call,function,true",
        "promise": True,
        "json": '{"a":[1,2.5,null,true,"x"]}',
        "plain": True,
        "big": True,
        "left": '{"b":null,"c":[null]}',
        "nothing": True,
        "text": "42",
        "notified": True,
        "byName": 7,
        "whoami": "string",
        "closed": True,
    }


async def test_errors_are_errors(page: Page) -> None:
    """With the exception's class as the name, and what it tells."""
    found = await page.run("errorsAreErrors")
    assert (found["rpc"]["name"], found["rpc"]["code"]) == ("RpcError", -32601)
    assert (found["time"]["name"], found["time"]["phase"]) == ("CallTimeout", "reply")
    for key, words in {
        "date": "params.when[0] is a Date, which JSON does not have",
        "bytes": "params[0] is a typed array or a buffer",
        "nan": "params[0] is nan",
        "single": "params are a list or a tuple (by position)",
        "deep": "is nested more than 512 deep, or contains itself",
        "option": "unknown option timeOut in the options of a call; is it timeout?",
        "options": "the options of a call must be an object",
        "method": "a method is named by a text",
    }.items():
        assert found[key]["name"] == "InvalidRequest"
        assert words in found[key]["message"]


async def test_notifications_and_status(page: Page) -> None:
    """Callbacks get plain values, in order, until they are unsubscribed; one that throws breaks nothing."""
    found = await page.run("notificationsAndStatus")
    assert [method for _, method in found["seen"]] == ["tick"] * 3
    assert found["all"][:3] == ["tick"] * 3
    assert found["states"][:3] == ["connecting", "authenticating", "connected"]
    assert found["states"][-1] == "closed"
    assert found["complained"] == 3


async def test_after_the_end_nothing_is_held_and_everything_answers(page: Page) -> None:
    """Also functions that were taken out of the client before; `close` again is done at once."""
    assert await page.run("afterTheEndNothingIsHeldAndEverythingAnswers") == ["ClientClosed", "ClientClosed", 1]


async def test_a_lost_connection(page: Page) -> None:
    """It comes back; a setup function of JavaScript's runs after each sign-in, and is told errors as errors."""
    found = await page.run("aLostConnection")
    assert found["steps"] == [[0, "RpcError"], [1, "RpcError"]]
    assert (found["lost"]["name"], found["lost"]["code"]) == ("OutcomeUnknown", 1001)
    assert found["again"] == "again"
    assert found["late"]["name"] == "InvalidRequest"
    assert found["waiting"][:2] == ["waiting", "ConnectionLost"]


async def test_a_client_that_gives_up(page: Page) -> None:
    """Its status tells, and callbacks for notifications are called no more; without a callback there is none."""
    found = await page.run("aClientThatGivesUp")
    assert found["lost"]["name"] == "OutcomeUnknown"
    assert found["statuses"] == ["failed", "closed"]
    # What is not a promise's: Pyodide makes it, and takes its words from stderr, which pytest captures here.
    assert [(error["name"], error["type"]) for error in found["missing"]] == [("PythonError", "InvalidRequest")] * 2


async def test_a_setup_that_fails(page: Page) -> None:
    """An error of the session's is a failed attempt, as in Python; another one ends the client with itself."""
    found = await page.run("aSetupThatFails")
    assert found["failed"]["name"] == "ConnectionFailed"
    assert found["failed"]["phase"] == "setup"
    assert found["same"] is True
    assert "JavaScript threw text" in found["text"]["message"]


async def test_functions_for_the_url_and_subprotocols(page: Page) -> None:
    """Sync or async, asked at every attempt; a `URL` is taken too, and what is thrown fails the attempt."""
    found = await page.run("functionsForTheUrlAndSubprotocols")
    assert found["asked"] == 2
    assert found["thrown"]["name"] == found["error"]["name"] == found["nothing"]["name"] == "ConnectionFailed"
    assert "the url function raised" in found["error"]["message"]
    assert found["error"]["cause"] is not None
    assert "no token" not in found["error"]["message"]
    assert "url must be a text" in found["nothing"]["message"]


@pytest.mark.parametrize(
    ("options", "name", "words"),
    [
        ("misspelt", "ConfigError", "unknown option privatKey in options; is it privateKey?"),
        ("noOption", "ConfigError", "unknown option zzz in options; there are "),
        ("number", "ConfigError", "options must be an object"),
        ("array", "ConfigError", "options must be an object"),
        ("time", "ConfigError", "openTimeout must be a positive number of seconds"),
        ("backoff", "ConfigError", "unknown option firts in backoff; is it first?"),
        ("interval", "ConfigError", "keepalive.interval must be a positive number"),
        ("noInterval", "ConfigError", "interval"),
        ("ping", "UnsupportedRuntime", "sends no ping frames"),
        ("headers", "UnsupportedRuntime", "does not let a page set the headers"),
        ("tls", "UnsupportedRuntime", "decides by itself whom it trusts"),
        ("key", "InvalidKey", ""),
        ("signer", "ConfigError", "signer must be a wallet"),
        ("setup", "ConfigError", "must be functions"),
        ("subprotocols", "ConfigError", "subprotocols must be a sequence of names"),
    ],
)
async def test_wrong_options_are_told(page: Page, options: str, name: str, words: str) -> None:
    """In words, with the names that JavaScript has for them; nothing is dialled."""
    error = await page.run("wrongOptions", options)
    assert error["name"] == name
    assert words in error["message"]
    assert "not a key" not in error["message"]


async def test_every_option(page: Page) -> None:
    """All that make sense in a page, in camelCase; null means no limit, and undefined the default."""
    assert await page.run("everyOption") == "done"


async def test_a_connect_that_fails_leaves_nothing(page: Page) -> None:
    """The promise is rejected with what failed; the client is closed."""
    error = await page.run("aConnectThatFails")
    assert error["name"] == "ConnectionFailed"
    assert error["phase"] == "open"


async def test_a_wallet_of_javascripts(page: Page) -> None:
    """`signer` is the provider; a person who refuses rejects the promise, in words."""
    if not hasattr(js, "makeWallet"):
        pytest.skip("only a page has a wallet, Node has none")
    js_wallet = await js.makeWallet(KEY)
    found = await page.run(
        "aWalletOfJavascripts",
        js_wallet,
    )
    assert found[0] == "string"
    assert (found[1]["name"], found[1]["message"]) == ("SignerFailed", "the person refused in the wallet")


async def test_calls_at_the_same_time(page: Page) -> None:
    """Many promises at once, each with its own answer."""
    assert await page.run("callsAtTheSameTime") == list(range(300))
