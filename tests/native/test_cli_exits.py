"""Proves how commands end: every exit code, the JSON of a failure, a reader that has gone, a full disk."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from circle_ws import errors
from circle_ws.auth import derive_public_key, generate_private_key
from circle_ws.cli.output import CommandFailed, ExitCode, code_of, described, reported, run
from circle_ws.errors import CircleWsError, ConnectionLost, RpcError
from circle_ws.server import CircleServer
from tests.native.command_line import circle_in_thread, environ, invoke, start
from tests.support.limits import PATIENCE

KEY = generate_private_key()
SIGNED = {"CIRCLE_WS_PRIVATE_KEY": KEY}


@pytest.fixture(scope="module")
def circle() -> Iterator[CircleServer]:
    async def play(script: str) -> str:
        if script == "sleep":
            await asyncio.Event().wait()
        return script

    with circle_in_thread(play=play) as running:
        yield running


@pytest.fixture
def refused() -> str:
    """A URL at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"ws://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (ExitCode.FAILED, ["call", "URL", "absent"], "method not found"),
        (ExitCode.USAGE, ["call", "URL", "echo", "{"], "PARAMS is no JSON"),
        (ExitCode.USAGE, ["call", "URL", "echo", "[]", "--timeout", "-1"], "open_timeout"),
        (ExitCode.USAGE, ["notify", "URL"], "METHOD"),
        (ExitCode.USAGE, ["call", "URL", "echo", "--nonsense"], "--nonsense"),
        (ExitCode.CONNECTION, ["call", "REFUSED", "echo"], "refused"),
        (ExitCode.SIGN_IN, ["call", "URL", "whoami", "--key-file", "/absent"], "/absent"),
        (ExitCode.SIGN_IN, ["call", "URL", "whoami", "--policy", "require-bound"], "bound"),
        (ExitCode.TIME, ["play", "URL", "sleep", "--timeout", "2"], "2 s"),
        (ExitCode.OUTCOME_UNKNOWN, ["call", "URL", "drop"], "dropped on request"),
    ],
)
def test_each_kind_of_failure_has_its_code(
    circle: CircleServer, refused: str, code: ExitCode, arguments: list[str], words: str, as_json: bool
) -> None:
    """As one sentence on stderr, or as JSON on stdout."""
    urls = {"URL": circle.url, "REFUSED": refused}
    done = invoke(*(urls.get(one, one) for one in arguments), *["--json"] * as_json, env=SIGNED)
    assert done.exit_code == code
    if as_json:
        error = json.loads(done.stdout)["error"]
        assert error["kind"] == code.kind
        assert words in error["message"]
        assert done.stderr == ""
    else:
        assert words in done.stderr
        assert done.stdout == ""
    assert "Traceback" not in done.output


def test_a_circle_that_requires_a_sign_in_is_a_matter_of_signing_in(circle: CircleServer) -> None:
    done = invoke("call", circle.url, "whoami", "--json")
    assert done.exit_code == ExitCode.SIGN_IN
    assert "--key-file" in json.loads(done.stdout)["error"]["message"]


def test_a_key_that_is_rejected_is_a_matter_of_signing_in() -> None:
    with circle_in_thread(keys=[derive_public_key(generate_private_key())]) as circle:
        done = invoke("call", circle.url, "whoami", "--json", env=SIGNED)
    assert done.exit_code == ExitCode.SIGN_IN
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["type"], error["phase"]) == ("sign-in", "AuthRejected", "authenticate")


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name != "CircleWsError"])
def test_every_error_has_a_code(name: str) -> None:
    """That of the nearest class in the table."""
    expected = {
        "usage": "ConfigError UnsupportedRuntime InvalidRequest",
        "connection": "NotConnected ClientClosed ConnectionFailed RedirectRefused ConnectionLost",
        "outcome-unknown": "OutcomeUnknown",
        "sign-in": "AuthError InvalidKey InvalidNonce AuthRejected SignerFailed DowngradeDetected",
        "failed": "RpcError ProtocolError InvalidResult MessageTooLarge QueueFull",
        "time": "CallTimeout",
    }
    kind = getattr(errors, name)
    error: CircleWsError = kind(-32000, "why") if name == "RpcError" else kind("why")
    assert name in expected[code_of(error).kind].split()


def test_what_an_error_knows_stands_in_its_json() -> None:
    """The circle's own words, code and data whole; a key that was typed in the wrong place nowhere."""
    assert described(RpcError(-32601, "no \x1b[31m method", {"a": 1})) == {
        "kind": "failed",
        "type": "RpcError",
        "message": "no \x1b[31m method",
        "code": -32601,
        "data": {"a": 1},
    }
    assert described(ConnectionLost.closed(1001, "bye"))["code"] == 1001
    for error in (RpcError(-32601, f"no method {KEY}"), CommandFailed(f"no file {KEY}", ExitCode.FAILED)):
        assert KEY not in str(described(error))


def test_results_are_told_from_failures_by_their_json(circle: CircleServer) -> None:
    """A result that looks like a failure is still a result."""
    done = invoke("call", circle.url, "echo", '[{"error": 1}]', "--json", env=SIGNED)
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"result": {"error": 1}})
    assert json.loads(invoke("play", circle.url, "a", "--json", env=SIGNED).stdout) == {"result": "a"}
    assert json.loads(invoke("notify", circle.url, "echo", "[1]", "--json", env=SIGNED).stdout) == {"sent": True}
    assert invoke("notify", circle.url, "echo", "[1]", env=SIGNED).output == ""


def test_raw_output_is_no_json(circle: CircleServer) -> None:
    done = invoke("play", circle.url, "a", "--raw", "--json", env=SIGNED)
    assert (done.exit_code, json.loads(done.stdout)["error"]["kind"]) == (ExitCode.USAGE, "usage")


def test_a_minus_reads_the_params_from_stdin(circle: CircleServer) -> None:
    assert invoke("call", circle.url, "echo", "-", stdin='["x"]', env=SIGNED).stdout == '"x"\n'
    done = invoke("call", circle.url, "echo", "-", "--key-file", "-", stdin='["x"]')
    assert (done.exit_code, "both" in done.stderr) == (ExitCode.USAGE, True)
    deep = invoke("call", circle.url, "echo", "-", stdin="[" * 200_000, env=SIGNED)
    assert (deep.exit_code, "no JSON" in deep.stderr) == (ExitCode.USAGE, True)


def test_stdin_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    """What it holds is not repeated: it may be a key."""
    (tmp_path / "binary").write_bytes(b"\xff" * 32)
    with (tmp_path / "binary").open() as binary:
        process = start("pubkey", "--key-file", "-", stdin=binary, env=environ(PYTHONIOENCODING="utf-8:strict"))
        output, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, told) == (ExitCode.USAGE, "", "stdin is no text in utf-8\n")


def test_a_reader_that_has_gone_is_no_fault(circle: CircleServer) -> None:
    """As in `| head`: quiet, and with the code of a program that SIGPIPE ends."""
    reading, writing = os.pipe()
    os.close(reading)
    process = start("call", circle.url, "echo", '["x"]', env=environ(**SIGNED), stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == ExitCode.BROKEN_PIPE


@pytest.mark.parametrize("arguments", [["--help"], ["bench", "URL", "--calls", "2"]], ids=lambda it: it[0])
def test_what_is_laid_out_may_lose_its_reader_too(circle: CircleServer, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(*(circle.url if one == "URL" else one for one in arguments), stdout=writing)
    os.close(writing)
    _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in told) == (ExitCode.BROKEN_PIPE, False)


def test_a_failure_that_nobody_reads_has_its_code(refused: str) -> None:
    """stderr is a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    process = start("call", refused, "echo", stderr=writing)
    os.close(writing)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.CONNECTION


def test_streams_that_are_closed_or_narrow(circle: CircleServer) -> None:
    """Without stdout or stdin there is no traceback; what an encoding lacks is escaped, in JSON as JSON."""
    program = f"{sys.executable} -m circle_ws"
    for command, code, output in (
        (f"{program} play {circle.url} é >&-", 0, ""),
        (f"{program} play {circle.url} - <&-", ExitCode.USAGE, "there is no stdin to read\n"),
        (f"{program} call {circle.url} echo '[\"é😀\"]'", 0, '"\\u00e9\\ud83d\\ude00"\n'),
        (f"{program} play {circle.url} é😀 --raw", 0, "é\\U0001f600\n"),
    ):
        env = environ(**SIGNED, PYTHONIOENCODING="latin-1")
        done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, timeout=PATIENCE)
        assert (done.returncode, (done.stdout + done.stderr).decode("latin-1")) == (code, output)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence(circle: CircleServer) -> None:
    with open("/dev/full", "w") as full:
        process = start("call", circle.url, "echo", '["x"]', env=environ(**SIGNED), stdout=full)
        _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (1, "the output cannot be written: no space left on device\n")


def test_sigterm_ends_a_command_in_order() -> None:
    """It leaves the circle properly, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start("call", f"ws://127.0.0.1:{silent.getsockname()[1]}/", "whoami", env=environ(**SIGNED))
        silent.settimeout(PATIENCE)
        link, _ = silent.accept()
        with link:
            process.send_signal(signal.SIGTERM)
            output, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, told) == (ExitCode.TERMINATED, "", "")


def test_a_fault_of_the_program_is_shown_as_one() -> None:
    """With its traceback; nor is a cancellation that no signal asked for taken for SIGTERM."""

    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ZeroDivisionError), reported(as_json=False):
        print(1 / 0)
    with pytest.raises(asyncio.CancelledError):
        run(cancelled())


def test_a_password_that_nobody_gives_is_one_sentence(tmp_path: Path) -> None:
    done = invoke("keygen", "--out", str(tmp_path / "key.pem"), "--encrypt")
    assert done.exit_code == ExitCode.USAGE
    assert "a password was asked for" in done.stderr
    assert list(tmp_path.iterdir()) == []
