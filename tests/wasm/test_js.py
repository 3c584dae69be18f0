"""circle_ws.js as JavaScript uses it: promises, plain values, errors, options, and nothing that stays behind."""

from collections.abc import AsyncGenerator
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
    """The JavaScript of a page: runs async functions of `(circle, url, key)`, where `circle` is the module's proxy."""

    def __init__(self, circle: RemotePeer) -> None:
        self.circle = circle

    async def run(self, text: str, *more: Any) -> Any:
        """Return what the function returns, as plain Python values."""
        wrapper = "async (pyodide, url, key, ...more) => {const circle = pyodide.pyimport('circle_ws.js');"
        wrapper += "const quick = {privateKey: key, backoff: {first: 0.05, base: 0.05, maximum: 0.1, floor: 0.01}};"
        wrapper += "const thrown = async (promise) => {try {await promise; return 'nothing';}"
        wrapper += "catch (e) {return e instanceof Error ? {...e, name: e.name, message: e.message} : String(e);}};"
        wrapper += "try {" + text + "} finally {circle.destroy();}}"
        js_value = await run_js(f"({wrapper})")(pyodide_js, self.circle.url, KEY, *more)
        return js_value.to_py() if hasattr(js_value, "to_py") else js_value


@pytest.fixture
async def page(peers: Peers) -> AsyncGenerator[Page]:
    yield Page(await peers.start("circle"))


async def test_promises_and_plain_values(page: Page) -> None:
    """Objects are plain objects, integers beyond 2^53 are BigInts, null is null; `undefined` members are left out."""
    assert await page.run(
        """
        const client = await circle.connect(url, quick);
        const echo = async (value) => await client.call("echo", [value]);
        const value = {a: [1, 2.5, null, true, "x"], __proto__: null};
        const back = await echo(value);
        const promise = client.call("echo", [1]);
        const big = await echo({n: 2n ** 60n, m: [null, -(2n ** 60n)], t: "1234567890123456"});
        const left = await echo({a: undefined, b: null, c: [undefined]});
        const found = {
          keys: Object.keys(client).join(),
          names: [client.call.name, typeof client.call, client.call instanceof Function].join(),
          promise: promise instanceof Promise && await promise === 1,
          json: JSON.stringify(back),
          plain: Object.getPrototypeOf(back) === Object.prototype && Array.isArray(back.a),
          big: big.n === 2n ** 60n && big.m[1] === -(2n ** 60n) && big.m[0] === null,
          left: JSON.stringify(left),
          nothing: await echo(null) === null,
          text: await client.play("40 + 2"),
          notified: await client.notify("echo", {value: 1}) === undefined,
          byName: await client.call("echo", {value: 7}),
          whoami: typeof (await client.call("whoami")).pubkey,
        };
        found.closed = await client.close() === undefined;
        return found;
        """
    ) == {
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
    found = await page.run(
        """
        const client = await circle.connect(url, quick);
        const deep = {}; deep.deep = deep;
        const found = {
          rpc: await thrown(client.call("no_such_method")),
          time: await thrown(client.call("hold", [1], {timeout: 0.01})),
          date: await thrown(client.call("echo", {when: [new Date(0)]})),
          bytes: await thrown(client.call("echo", [new Uint8Array(2)])),
          nan: await thrown(client.call("echo", [NaN])),
          single: await thrown(client.call("echo", "text")),
          deep: await thrown(client.call("echo", deep)),
          option: await thrown(client.call("echo", [1], {timeOut: 1})),
          options: await thrown(client.call("echo", [1], 5)),
          method: await thrown(client.call()),
        };
        await client.close();
        return found;
        """
    )
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
    found = await page.run(
        """
        const seen = [], all = [], states = [];
        const client = await circle.connect(url, {...quick, onStatus: (change) => states.push(change.status)});
        const changes = [];
        const forget = client.onStatus((change) => changes.push(change));
        const complaints = console.error;
        let complained = 0;
        console.error = () => { complained += 1; };
        const broken = client.on("record", () => { throw new Error("a listener's own"); });
        let three;
        const reached = new Promise((resolve) => { three = resolve; });
        const stop = client.on("tick", (params, method) => {
          seen.push([params, method]);
          if (seen.length === 3) { stop(); stop(); three(); }
        });
        const stopAll = client.on(null, (params, method) => { all.push(method); });
        await client.call("tick", [3]);
        await reached;
        await client.call("tick", [1]);
        console.error = complaints;
        broken();
        forget();
        await client.close();
        stopAll();
        return {seen, all, states, complained, changes: changes.length};
        """
    )
    assert [method for _, method in found["seen"]] == ["tick"] * 3
    assert found["all"][:3] == ["tick"] * 3
    assert found["states"][:3] == ["connecting", "authenticating", "connected"]
    assert found["states"][-1] == "closed"


async def test_after_the_end_nothing_is_held_and_everything_answers(page: Page) -> None:
    """Also functions that were taken out of the client before; `close` again is done at once."""
    assert await page.run(
        """
        const client = await circle.connect(url, quick);
        const {call, close, on, onStatus, play} = client;
        const stop = client.on("tick", () => {});
        await close();
        await close();
        stop();
        on("tick", () => {})();
        onStatus(() => {})();
        const held = [...pyodide._module.pyproxy_alloc_map.keys()].map(String).filter((it) => it.includes("circle_ws"));
        return [(await thrown(call("echo"))).name, (await thrown(play("1"))).name, held.length];
        """
    ) == ["ClientClosed", "ClientClosed", 1]


async def test_a_lost_connection(page: Page) -> None:
    """It comes back; a setup function of JavaScript's runs after each sign-in, and is told errors as errors."""
    found = await page.run(
        """
        const steps = [];
        let kept;
        const setup = async (session) => {
          kept = session;
          const failure = await thrown(session.call("no_such_method"));
          await session.notify("echo", [1]);
          steps.push([await session.call("echo", {value: steps.length}), failure.name]);
        };
        const client = await circle.connect(url, {...quick, setup});
        const changes = [];
        client.onStatus((change) => changes.push([change.status, change.cause && change.cause.name, change.retryIn]));
        const lost = await thrown(client.call("drop", [1001]));
        const again = await client.call("echo", ["again"], {idempotent: true});
        const late = await thrown(kept.call("echo", [1]));
        await client.close();
        return {steps, lost, again, late, waiting: changes[0]};
        """
    )
    assert found["steps"] == [[0, "RpcError"], [1, "RpcError"]]
    assert (found["lost"]["name"], found["lost"]["code"]) == ("OutcomeUnknown", 1001)
    assert found["again"] == "again"
    assert found["late"]["name"] == "InvalidRequest"
    assert found["waiting"][:2] == ["waiting", "ConnectionLost"]


async def test_a_setup_that_fails(page: Page) -> None:
    """An error of the session's is a failed attempt, as in Python; another one ends the client with itself."""
    found = await page.run(
        """
        const setup = (session) => session.call("no_such_method");
        const failed = await thrown(circle.connect(url, {...quick, setup}));
        const mistake = new TypeError("a mistake");
        const same = await circle.connect(url, {...quick, setup: () => { throw mistake; }}).catch((error) => error);
        const text = await thrown(circle.connect(url, {...quick, setup: () => Promise.reject("text")}));
        return {failed, same: same === mistake, text};
        """
    )
    assert found["failed"]["name"] == "ConnectionFailed"
    assert found["failed"]["phase"] == "setup"
    assert found["same"] is True
    assert "JavaScript threw text" in found["text"]["message"]


async def test_functions_for_the_url_and_subprotocols(page: Page) -> None:
    """Sync or async, asked at every attempt; a `URL` is taken too, and what is thrown fails the attempt."""
    found = await page.run(
        """
        const asked = [];
        const ask = async () => { asked.push(1); return url + "?token=" + asked.length; };
        const client = await circle.connect(ask, {...quick, subprotocols: () => []});
        await thrown(client.call("drop", [1001]));
        await client.call("echo", [1], {idempotent: true});
        await client.close();
        const other = await circle.connect(() => new URL(url), quick);
        await other.close();
        const third = await circle.connect(new URL(url), quick);
        await third.close();
        const object = () => Promise.reject({code: 7});
        return {
          asked: asked.length,
          thrown: await thrown(circle.connect(object, quick)),
          error: await thrown(circle.connect(() => { throw new Error("no token"); }, quick)),
          nothing: await thrown(circle.connect(() => undefined, quick)),
        };
        """
    )
    assert found["asked"] == 2
    assert found["thrown"]["name"] == found["error"]["name"] == found["nothing"]["name"] == "ConnectionFailed"
    assert "the url function raised" in found["error"]["message"]
    assert found["error"]["cause"] is not None
    assert "no token" not in found["error"]["message"]
    assert "url must be a text" in found["nothing"]["message"]


@pytest.mark.parametrize(
    ("options", "name", "words"),
    [
        ("{privatKey: key}", "ConfigError", "unknown option privatKey in options; is it privateKey?"),
        ("{zzz: 1}", "ConfigError", "unknown option zzz in options; there are "),
        ("7", "ConfigError", "options must be an object"),
        ("[]", "ConfigError", "options must be an object"),
        ("{openTimeout: 'soon'}", "ConfigError", "openTimeout must be a positive number of seconds"),
        ("{backoff: {firts: 1}}", "ConfigError", "unknown option firts in backoff; is it first?"),
        ("{keepalive: {interval: -1}}", "ConfigError", "keepalive.interval must be a positive number"),
        ("{keepalive: {timeout: 1}}", "ConfigError", "interval"),
        ("{keepalive: {interval: 1, mode: 'ping'}}", "UnsupportedRuntime", "sends no ping frames"),
        ("{headers: {a: 'b'}}", "UnsupportedRuntime", "does not let a page set the headers"),
        ("{tls: null}", "UnsupportedRuntime", "decides by itself whom it trusts"),
        ("{privateKey: 'not a key'}", "InvalidKey", ""),
        ("{signer: {}}", "ConfigError", "signer must be a wallet"),
        ("{setup: 1}", "ConfigError", "must be functions"),
        ("{subprotocols: 'circle.v1'}", "ConfigError", "subprotocols must be a sequence of names"),
    ],
)
async def test_wrong_options_are_told(page: Page, options: str, name: str, words: str) -> None:
    """In words, with the names that JavaScript has for them; nothing is dialled."""
    error = await page.run(f"return await thrown(circle.connect(url, {options}));")
    assert error["name"] == name
    assert words in error["message"]
    assert "not a key" not in error["message"]


async def test_every_option(page: Page) -> None:
    """All that make sense in a page, in camelCase; null means no limit, and undefined the default."""
    assert (
        await page.run(
            """
            const privateKey = Uint8Array.from(key.match(/../g), (byte) => parseInt(byte, 16));
            const client = await circle.connect(url, {
              privateKey, signer: undefined, profile: "eip191", policy: "prefer-bound", dialect: "auto", params: "auto",
              allowInsecure: true, openTimeout: null, callTimeout: 20.5, closeTimeout: 2, drainTimeout: 0,
              signTimeout: null,
              keepalive: {interval: 20, timeout: 10, mode: "auto"}, backoff: {resetAfter: 5, attempts: 2},
              firstConnect: "retry", maxMessageBytes: null, maxRequestBytes: 100000, maxInFlight: 10, maxQueued: 10,
              maxQueuedBytes: 1000, subprotocols: [], onStatus: () => {},
            });
            await client.close({drain: 0});
            const bare = await circle.connect(url, {keepalive: null, backoff: null, privateKey: null, signer: null});
            await bare.close();
            const none = await circle.connect(url);
            await none.close();
            return "done";
            """
        )
        == "done"
    )


async def test_a_connect_that_fails_leaves_nothing(page: Page) -> None:
    """The promise is rejected with what failed; the client is closed."""
    error = await page.run("return await thrown(circle.connect('ws://127.0.0.1:1/', {privateKey: key}));")
    assert error["name"] == "ConnectionFailed"
    assert error["phase"] == "open"


async def test_a_wallet_of_javascripts(page: Page) -> None:
    """`signer` is the provider; a person who refuses rejects the promise, in words."""
    if not hasattr(js, "makeWallet"):
        pytest.skip("only a page has a wallet, Node has none")
    js_wallet = await js.makeWallet(KEY)
    found = await page.run(
        """
        const wallet = more[0];
        const client = await circle.connect(url, {signer: wallet});
        const known = await client.call("whoami");
        await client.close();
        wallet.answer = {refuse: 4001, as: "object"};
        return [typeof known.pubkey, await thrown(circle.connect(url, {signer: wallet}))];
        """,
        js_wallet,
    )
    assert found[0] == "string"
    assert (found[1]["name"], found[1]["message"]) == ("SignerFailed", "the person refused in the wallet")


async def test_calls_at_the_same_time(page: Page) -> None:
    """Many promises at once, each with its own answer."""
    assert await page.run(
        """
        const client = await circle.connect(url, quick);
        const answers = await Promise.all(Array.from({length: 300}, (_, n) => client.call("echo", [n])));
        await client.close();
        return answers;
        """
    ) == list(range(300))
