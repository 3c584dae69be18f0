"""Proves `serve` as a process: what it offers, whom it admits, how it ends."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

import circle_ws
from circle_ws import AuthRejected, ConnectionFailed, KeyPair, OutcomeUnknown, RpcError
from tests.native.by_hand import sign_in
from tests.native.command_line import invoke, start
from tests.support.limits import PATIENCE


@contextmanager
def _served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = start("serve", "--port", "0", *arguments)
    try:
        assert process.stdout
        found = re.search(r"ws://\S+", process.stdout.readline())
        assert found
        yield process, found[0]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


async def test_it_offers_what_it_says() -> None:
    with _served() as (_, url):
        async with circle_ws.connect(url, private_key=KeyPair.generate()) as client:
            assert await client.play("40 + 2") == "42"
            assert await client.call("echo", {"value": [1]}) == [1]
            assert (await client.whoami())["pubkey"]
            async with client.notifications("tick") as ticks:
                first, second = await anext(ticks), await anext(ticks)
            assert second["n"] == first["n"] + 1
            with pytest.raises(OutcomeUnknown):
                await client.call("drop")
            assert await client.play("1 + 1") == "2"


def test_a_script_gets_its_url_as_json() -> None:
    process = start("serve", "--port", "0", "--json")
    assert process.stdout
    told = json.loads(process.stdout.readline())
    assert told["dialect"] == "hero-0.2"
    assert invoke("call", told["url"], "rpc.ping").stdout == '"pong"\n'
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE) == ("", "")


@pytest.mark.parametrize("dialect", ["hero-0.2", "circles-1.0"])
async def test_it_speaks_the_dialect_asked_for(dialect: circle_ws.Dialect) -> None:
    with _served("--dialect", dialect) as (_, url):
        async with circle_ws.connect(url, private_key=KeyPair.generate(), dialect=dialect) as client:
            assert await client.play("1") == "1"


async def test_it_admits_only_the_keys_that_are_named() -> None:
    one, other, stranger = KeyPair.generate(), KeyPair.generate(), KeyPair.generate()
    compressed = other.format_public_key(compressed=True)
    with _served("--key", one.public_key, "--key", compressed) as (_, url):
        for key in (one, other):
            async with circle_ws.connect(url, private_key=key) as client:
                assert await client.play("1") == "1"
        with pytest.raises(AuthRejected):
            await circle_ws.connect(url, private_key=stranger)


async def test_what_a_script_holds_says_nothing_on_the_terminal() -> None:
    """Neither control characters nor the parser's warnings get there."""
    with _served() as (process, url):
        async with circle_ws.connect(url, private_key=KeyPair.generate()) as client:
            for script in ("1if 1else 2", "1is 1", "\x07\x1b[31m1", "'\\d\x07'", "0x1for x in \x07"):
                with pytest.raises(RpcError, match="only numbers"):
                    await client.play(script)
            assert await client.play("40 + 2") == "42"
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (output, errors) == ("", "")


async def _but_ticks(socket: ClientConnection) -> Any:
    """Return the next message that is no tick: those come at any time."""
    while "id" not in (message := json.loads(await socket.recv())):
        assert message["method"] == "tick"
    return message


async def test_a_client_that_answers_badly_says_nothing_on_the_terminal() -> None:
    """What goes wrong with the question back is told to the client alone."""
    with _served() as (process, url):
        async with connect(url) as socket:
            await sign_in(socket)
            await socket.send('{"jsonrpc":"2.0","id":"mine","method":"ask_back","params":["weather"]}')
            asked = await _but_ticks(socket)
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": "\x07"}))
            assert (await _but_ticks(socket))["error"]["code"] == -32000
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert errors == ""


async def test_foreign_pages_are_refused_and_told_how() -> None:
    """stderr names the option that would accept them; with it they are accepted, and programs always."""
    page: Any = {"Origin": "https://app.example"}
    with _served() as (process, url):
        with pytest.raises(ConnectionFailed) as caught:
            await circle_ws.connect(url, headers=page)
        assert caught.value.http_status == 403
        async with circle_ws.connect(url, headers={"Origin": "http://localhost:5173"}) as client:
            assert await client.call("rpc.ping") == "pong"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert errors.count("\n") == 1
    assert "'https://app.example'" in errors
    assert "--origin" in errors
    with _served("--origin", "https://app.example", "--origin", "https://b.example") as (_, url):
        for headers in (page, {"Origin": "https://b.example"}, None):
            async with circle_ws.connect(url, headers=headers) as client:
                assert await client.call("rpc.ping") == "pong"
        with pytest.raises(ConnectionFailed):
            await circle_ws.connect(url, headers={"Origin": "http://localhost:5173"})


async def test_it_asks_back_and_ticks_when_asked() -> None:
    """As the guide calls it."""
    with _served() as (_, url):
        async with circle_ws.connect(url, private_key=KeyPair.generate()) as client:
            client.handle("describe", str.upper)
            assert await client.call("ask_back", ["weather"]) == "WEATHER"
            with pytest.raises(RpcError, match="answers no requests"):
                async with circle_ws.connect(url, private_key=KeyPair.generate()) as other:
                    await other.call("ask_back", ["weather"])
            async with client.notifications("tick") as ticks:
                assert await client.call("tick", [3]) is None
                assert {"n": 0} in [await anext(ticks) for _ in range(4)]
            for count in (-1, 1001, 1.5, "3"):
                with pytest.raises(RpcError, match=r"count|params\[0\]: expected int"):
                    await client.call("tick", [count])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_a_signal_ends_it_and_tells_its_clients(number: signal.Signals, code: int) -> None:
    with _served() as (process, url):
        async with circle_ws.connect(url, private_key=KeyPair.generate(), backoff=None) as client:
            changes = client.status_changes()
            process.send_signal(number)
            last = [change async for change in _until_failed(changes)][-1]
        output, errors = process.communicate(timeout=PATIENCE)
    assert "1001" in str(last.cause)
    assert (process.returncode, output, errors) == (code, "", "")


async def _until_failed(changes: circle_ws.StatusChanges) -> AsyncIterator[circle_ws.StatusChange]:
    async for change in changes:
        yield change
        if change.status is circle_ws.ConnectionStatus.FAILED:
            return


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("serve", "--port", str(port))
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == f"127.0.0.1 port {port} cannot be listened on: address already in use\n"


def test_a_key_that_is_none_is_one_sentence() -> None:
    process = start("serve", "--port", "0", "--key", "04abcd")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.startswith("a public key is")
    assert errors.count("\n") == 1


def test_an_unknown_dialect_is_refused() -> None:
    assert invoke("serve", "--dialect", "esperanto").exit_code == 2
