"""Proves what the command `doctor` prints, and its exit codes; what it finds is tested in `test_doctor.py`."""

import json
from collections.abc import Iterator

import pytest

from circle_ws.auth import KeyPair, derive_public_key, generate_private_key
from circle_ws.server import CircleServer
from tests.native.command_line import circle_in_thread, invoke, start
from tests.native.terminal import on_terminal
from tests.support.limits import PATIENCE
from tests.support.peers import Peers

KEY = generate_private_key()
SIGNED = {"CIRCLE_WS_PRIVATE_KEY": KEY}


@pytest.fixture(scope="module")
def circle() -> Iterator[CircleServer]:
    with circle_in_thread() as running:
        yield running


def test_a_circle_that_is_well(circle: CircleServer) -> None:
    """A line for each step, with its time, and exit code 0."""
    done = invoke("doctor", circle.url, env=SIGNED)
    assert (done.exit_code, done.stderr) == (0, "")
    about, *steps, verdict = done.stdout.splitlines()
    assert about.startswith(f"{circle.url} (circle-ws ")
    assert [line.split()[0] for line in steps] == ["ok"] * 10
    assert " ms  the key 04" in done.stdout
    assert verdict == "all is well"
    assert KEY not in done.stdout
    assert derive_public_key(KEY) not in done.stdout


def test_for_scripts_it_is_one_object(circle: CircleServer) -> None:
    done = invoke("doctor", circle.url, "--json", env=SIGNED)
    assert (done.exit_code, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["url"], told["healthy"]) == (circle.url, True)
    assert told["steps"][-1].keys() == {"name", "outcome", "found", "seconds"}


def test_a_fault_has_its_remedy_below_and_the_exit_code_of_its_kind(circle: CircleServer) -> None:
    """3 where the circle cannot be reached, 4 where it does not sign the key in, 2 for a wrong argument."""
    done = invoke("doctor", circle.url.replace("ws://", "wss://"), env=SIGNED)
    assert (done.exit_code, done.stderr) == (3, "")
    *_, fault, remedy, verdict = done.stdout.splitlines()
    assert fault.startswith("failed   tls ")
    assert remedy.startswith("         -> The port speaks plain HTTP")
    assert verdict == "to do: tls"
    unsigned = json.loads(invoke("doctor", circle.url, "--json").stdout)
    assert unsigned["healthy"] is False
    needed = next(step for step in unsigned["steps"] if step["outcome"] == "failed")
    assert (needed["name"], needed["error"]["kind"]) == ("sign-in", "sign-in")
    assert "CIRCLE_WS_PRIVATE_KEY" in needed["remedy"]
    assert invoke("doctor", circle.url).exit_code == 4
    assert invoke("doctor", "http://127.0.0.1/").exit_code == 2


def test_a_rejected_key_is_4() -> None:
    with circle_in_thread(keys=[KeyPair.generate().public_key]) as strict:
        done = invoke("doctor", strict.url, env=SIGNED)
    assert done.exit_code == 4
    assert "to do: sign-in" in done.stdout
    assert KEY not in done.output


def test_on_a_terminal_outcomes_have_colours(circle: CircleServer) -> None:
    """Unless NO_COLOR says otherwise."""
    for more, head in (({}, "\x1b[32mok     \x1b[0m  dns"), ({"NO_COLOR": "1"}, "ok       dns")):
        with on_terminal("doctor", circle.url, env={**SIGNED, **more}) as terminal:
            assert head in terminal.read_to_the_end()


async def test_what_a_peer_says_gives_no_commands_to_the_terminal(peers: Peers) -> None:
    """Neither its HTTP headers nor its JSON; as a process, which writes what it would write to a terminal."""
    redirect = "HTTP/1.1 301 No\r\nLocation: wss://\x1b[31mcircle.example/\r\nContent-Length: 0\r\n\r\n"
    error = {"code": -32000, "message": "\x1b[31m\x9b", "data": "\x1b"}
    for url in (
        (await peers.start("tcp", reply=redirect)).url,
        (await peers.start("scripted", answers={"fetch_nonce": {"error": error}})).url,
    ):
        output, errors = start("doctor", url, "--timeout", "1").communicate(timeout=PATIENCE)
        assert "failed" in output
        assert errors == ""
        assert all(one.isprintable() or one == "\n" for one in output)
