"""Proves `bench`: its figures are those of the calls it made, and it makes no more than it says."""

import json
from collections.abc import Iterator

import pytest

from circle_ws.auth import generate_private_key
from circle_ws.cli.bench import Measured, percentile
from circle_ws.cli.output import ExitCode
from circle_ws.errors import RpcError
from circle_ws.server import CircleServer, Connection
from tests.native.command_line import circle_in_thread, invoke, start
from tests.support.limits import PATIENCE
from tests.support.peers import Peers

SIGNED = {"CIRCLE_WS_PRIVATE_KEY": generate_private_key()}


@pytest.fixture
def counted() -> Iterator[tuple[CircleServer, list[int]]]:
    """A circle with a method that counts its calls, and how many ran at once at most."""
    calls: list[int] = []

    async def count(value: int) -> int:
        calls.append(value)
        return value

    def moody() -> None:
        calls.append(0)
        if len(calls) > 1:
            raise RpcError(-32000, "not again")

    async def leave(connection: Connection) -> None:
        calls.append(0)
        if len(calls) > 20:
            connection.abort()

    with circle_in_thread() as circle:
        circle.method("count")(count)
        circle.method("leave")(leave)
        circle.method("moody")(moody)
        yield circle, calls


def test_it_makes_as_many_calls_as_it_says(counted: tuple[CircleServer, list[int]]) -> None:
    circle, calls = counted
    done = invoke("bench", circle.url, "count", "[7]", "--calls", "40", "--in-flight", "4", "--json", env=SIGNED)
    assert done.exit_code == 0
    assert done.stderr == "this loads the circle: up to 40 calls of count, at most 4 at once, for up to 5 s\n"
    assert calls == [7] * 41  # One before, which shows whether it works.
    told = json.loads(done.stdout)
    assert (told["calls"], told["url"], told["method"]) == (40, circle.url, "count")
    for part, in_flight in (("alone", 1), ("together", 4)):
        figures = told[part]
        assert (figures["in_flight"], figures["calls"], figures["errors"]) == (in_flight, 20, 0)
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"] <= figures["seconds"]
        assert figures["calls_per_second"] == pytest.approx(20 / figures["seconds"])
    assert told["bytes_out"] > 40 * len('{"jsonrpc":"2.0","method":"count","params":[7]}')
    assert told["bytes_in"] > 40 * len('{"jsonrpc":"2.0","result":7}')
    assert told["connect"] > 0


def test_for_a_person_it_is_a_table(counted: tuple[CircleServer, list[int]]) -> None:
    circle, _ = counted
    done = invoke("bench", circle.url, "--calls", "10", env=SIGNED)
    assert done.exit_code == 0
    for words in (f"rpc.ping at {circle.url}", "p50", "p99", "in flight", "bytes out", "connected and signed in in"):
        assert words in done.stdout
    assert "errors" not in done.stdout


def test_time_bounds_it_too(counted: tuple[CircleServer, list[int]]) -> None:
    circle, calls = counted
    done = invoke("bench", circle.url, "count", "[7]", "--seconds", "0.1", "--calls", "1000000", env=SIGNED)
    assert (done.exit_code, len(calls) < 1_000_000) == (0, True)


def test_errors_are_counted_as_answers(counted: tuple[CircleServer, list[int]]) -> None:
    """But a method that fails the first time is not measured at all."""
    circle, _ = counted
    done = invoke("bench", circle.url, "moody", "--calls", "10", env=SIGNED)
    assert (done.exit_code, "10 of the answers were errors" in done.stdout) == (0, True)
    again = invoke("bench", circle.url, "moody", "--calls", "10", env=SIGNED)
    assert (again.exit_code, again.stdout) == (ExitCode.FAILED, "")
    assert "not again" in again.stderr


async def test_a_ping_that_is_answered_with_an_error_is_measured_too(peers: Peers) -> None:
    """It has come back as fast as a result would."""
    refusal = {"error": {"code": -32601, "message": "method not found"}}
    circle = await peers.start("scripted", answers={"rpc.ping": refusal})
    told, _ = start("bench", circle.url, "--calls", "10", "--json").communicate(timeout=PATIENCE)
    figures = json.loads(told)
    assert (figures["answers"], figures["calls"]) == ("error", 10)
    assert len(await circle.ask("received")) == 11


def test_a_connection_that_is_lost_ends_it(counted: tuple[CircleServer, list[int]]) -> None:
    """With one sentence, however many calls were in flight."""
    circle, _ = counted
    done = invoke("bench", circle.url, "leave", "--calls", "30", env=SIGNED)
    assert (done.exit_code, done.stdout) == (ExitCode.OUTCOME_UNKNOWN, "")
    assert done.stderr.count("\n") == 2


@pytest.mark.parametrize("option", [["--in-flight", "0"], ["--in-flight", "257"], ["--seconds", "0"], ["--calls", "1"]])
def test_bounds_of_its_own(option: list[str]) -> None:
    assert invoke("bench", "ws://127.0.0.1:1/", *option).exit_code == ExitCode.USAGE


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, part) for part in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert [percentile([1.0, 2.0], part) for part in (50, 51, 99)] == [1.0, 2.0, 2.0]
    assert percentile([], 50) is None
    assert Measured(1).as_json()["calls_per_second"] == 0.0
