"""Proves `call` and `play` against a real circle: results, sentences, exit codes."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import circle_ws
from circle_ws.auth import derive_public_key, generate_private_key
from circle_ws.cli import main
from circle_ws.cli.output import MAX_CHARACTERS, ExitCode, laid_out
from circle_ws.server import CircleServer
from tests.native.command_line import circle_in_thread, environ, invoke, start
from tests.support.limits import PATIENCE

KEY = generate_private_key()
SIGNED = {"CIRCLE_WS_PRIVATE_KEY": KEY}


@pytest.fixture(scope="module")
def circle() -> Iterator[CircleServer]:
    with circle_in_thread() as running:
        yield running


def test_play_prints_the_output_as_json(circle: CircleServer) -> None:
    done = invoke("play", circle.url, "40 + 2", env=SIGNED)
    assert (done.exit_code, done.stdout, done.stderr) == (0, '"42"\n', "")


def test_play_raw_prints_the_output_itself(circle: CircleServer) -> None:
    assert invoke("play", circle.url, "40 + 2", "--raw", env=SIGNED).stdout == "42\n"


def test_play_reads_its_script_from_stdin(circle: CircleServer) -> None:
    assert invoke("play", circle.url, "-", stdin="6 * 7\n", env=SIGNED).stdout == '"42"\n'


def test_a_script_may_begin_with_a_minus(circle: CircleServer) -> None:
    assert invoke("play", circle.url, "--", "-1 - 1", env=SIGNED).stdout == '"-2"\n'


@pytest.mark.parametrize("params", ['{"value": [1, "é", null, {"a": 1.5}]}', '[[1, "é", null, {"a": 1.5}]]'])
def test_call_takes_params_by_name_and_by_position(circle: CircleServer, params: str) -> None:
    done = invoke("call", circle.url, "echo", params, env=SIGNED)
    assert (done.exit_code, done.stdout) == (0, '[1, "é", null, {"a": 1.5}]\n')


def test_the_key_signs_in(circle: CircleServer, tmp_path: Path) -> None:
    whoami = {"pubkey": derive_public_key(KEY, compressed=True)}
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    assert json.loads(invoke("call", circle.url, "whoami", env=SIGNED).stdout) == whoami
    assert json.loads(invoke("call", circle.url, "whoami", "--key-file", str(file)).stdout) == whoami
    assert json.loads(invoke("call", circle.url, "whoami", "--key-file", "-", stdin=KEY).stdout) == whoami


@pytest.mark.parametrize("profile", ["eip191", "sha256-compact"])
def test_each_profile_signs_in(circle: CircleServer, profile: str) -> None:
    assert invoke("call", circle.url, "whoami", "--profile", profile, env=SIGNED).exit_code == 0


@pytest.mark.parametrize("options", [[], ["--dialect", "baobab"], ["--dialect", "baobab", "--params", "positional"]])
def test_a_circle_that_takes_params_by_position(options: list[str]) -> None:
    with circle_in_thread(dialect="baobab", params="positional") as circle:
        assert invoke("play", circle.url, "1 + 1", *options, env=SIGNED).stdout == '"2"\n'
        assert invoke("call", circle.url, "echo", '["x"]', *options, env=SIGNED).stdout == '"x"\n'
        named = invoke("play", circle.url, "1", "--params", "named", env=SIGNED)
        assert (named.exit_code, "params=" in named.stderr) == (ExitCode.SIGN_IN, True)


def test_the_dialect_is_the_one_asked_for() -> None:
    with circle_in_thread(dialect="circles-1.0") as circle:
        assert invoke("play", circle.url, "1", "--dialect", "circles-1.0", env=SIGNED).stdout == '"1"\n'
        assert invoke("play", circle.url, "1", "--dialect", "hero-0.2", env=SIGNED).exit_code == ExitCode.SIGN_IN


def test_without_a_key_it_goes_unsigned_and_says_how_to_sign(circle: CircleServer) -> None:
    assert invoke("call", circle.url, "rpc.ping").stdout == '"pong"\n'
    done = invoke("play", circle.url, "1")
    assert (done.exit_code, done.stdout) == (ExitCode.SIGN_IN, "")
    assert "authentication required" in done.stderr
    assert "CIRCLE_WS_PRIVATE_KEY" in done.stderr


def test_the_circles_refusal_is_one_sentence(circle: CircleServer) -> None:
    done = invoke("play", circle.url, "1 / 0", env=SIGNED)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "the server answered with error -32000: execution failed: this divides by zero\n"


def test_a_key_that_is_not_admitted_is_told_so() -> None:
    with circle_in_thread(keys=[derive_public_key(generate_private_key())]) as circle:
        done = invoke("play", circle.url, "1", env=SIGNED)
    assert done.exit_code == ExitCode.SIGN_IN
    assert done.stderr.count("\n") == 1
    assert KEY not in done.output


def test_no_circle_there_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = invoke("call", f"ws://127.0.0.1:{port}/", "whoami", env=SIGNED)
    assert (done.exit_code, done.stderr.count("\n")) == (ExitCode.CONNECTION, 1)
    assert "refused" in done.stderr


def test_the_time_is_limited() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        done = invoke("call", url, "whoami", "--timeout", "0.2", env=SIGNED)
    assert done.exit_code == ExitCode.CONNECTION
    assert "0.2 s" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["call", "http://127.0.0.1/", "whoami"],
        ["call", "ws://circle.example/", "whoami"],
        ["call", "URL", "echo", "{"],
        ["call", "URL", "echo", '"text"'],
        ["call", "URL", "echo", "[NaN]"],
        ["call", "URL"],
        ["call", "URL", "whoami", "--timeout", "0"],
        ["call", "URL", "whoami", "--profile", "rot13"],
        ["call", "URL", "whoami", "--dialect", "esperanto"],
        ["play", "URL", "-", "--key-file", "-"],
        ["sing"],
    ],
    ids=" ".join,
)
def test_what_is_asked_for_wrongly_is_exit_code_2(circle: CircleServer, arguments: list[str]) -> None:
    done = invoke(*[circle.url if one == "URL" else one for one in arguments], env=SIGNED)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr
    assert KEY not in done.stderr


def test_what_a_peer_says_gives_no_commands_to_the_terminal(circle: CircleServer) -> None:
    text = "\x1b[31m\x9b\x7f\u202e\U000e0001 é 😀"
    done = invoke("call", circle.url, "echo", json.dumps([text]), env=SIGNED)
    assert json.loads(done.stdout) == text
    assert all(one.isprintable() or one == "\n" for one in done.stdout)
    assert "é 😀" in done.stdout
    refused = invoke("call", circle.url, "no\x1b[31m such\nmethod", env=SIGNED)
    assert "\x1b" not in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_on_a_terminal_the_result_has_line_breaks(circle: CircleServer) -> None:
    primary, secondary = os.openpty()
    process = start("call", circle.url, "echo", '[{"a": 1}]', env=environ(**SIGNED), stdout=secondary)
    os.close(secondary)
    assert process.communicate(timeout=PATIENCE)[1] == ""
    assert os.read(primary, 1000).decode().split() == ["{", '"a":', "1", "}"]
    os.close(primary)


def test_on_a_terminal_a_result_is_bounded(circle: CircleServer) -> None:
    """Neither deep nor long JSON fills a terminal; a pipe gets all of it."""
    deep = json.dumps({"value": json.loads("[" * 400 + "]" * 400)})
    primary, secondary = os.openpty()
    process = start("call", circle.url, "echo", deep, env=environ(**SIGNED), stdout=secondary)
    os.close(secondary)
    told = ""
    with suppress(OSError):  # Linux ends a terminal whose other side is closed with EIO.
        while part := os.read(primary, 100_000).decode():
            told += part
    os.close(primary)
    process.communicate()
    assert process.returncode == 0
    assert len(told) < MAX_CHARACTERS + 2000
    assert "left out" in told
    assert invoke("call", circle.url, "echo", deep, env=SIGNED).stdout == "[" * 400 + "]" * 400 + "\n"


def test_a_result_is_laid_out_for_a_person() -> None:
    """As the standard library indents; over a length it is cut, with words, however deep it is."""
    flat = {"a": [1, "é", None, {}, []], "b": {"c": 1.5}}
    assert laid_out(flat) == json.dumps(flat, indent=2, ensure_ascii=False)
    plain: Any
    for plain in (1, None, "text", [], {}, [[[]]]):
        assert laid_out(plain) == json.dumps(plain, indent=2)
    deep: Any = 7
    for _ in range(500):
        deep = [deep, 1]
    for long in (deep, "x" * 10_000_000, [1] * 5_000_000, {str(number): number for number in range(100_000)}):
        text = laid_out(long)
        assert len(text) < MAX_CHARACTERS + 200
        assert "left out" in text
    assert laid_out("x" * (MAX_CHARACTERS - 2)).endswith('x"')


def test_ctrl_c_ends_a_call_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start("call", f"ws://127.0.0.1:{silent.getsockname()[1]}/", "whoami", env=environ(**SIGNED))
        silent.settimeout(30)
        link, _ = silent.accept()  # It has dialled, and waits for an answer that never comes.
        with link:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, errors) == (130, "", "")


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert invoke("--version").stdout == version("circle-ws") + "\n"


def test_without_typer_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from circle_ws.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the command line needs typer and rich: pip install 'circle-ws[cli]'\n"


def test_another_module_that_is_missing_is_a_fault_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and not taken for the extra."""
    monkeypatch.setitem(sys.modules, "circle_ws.cli.app", None)
    with pytest.raises(ModuleNotFoundError, match=r"circle_ws\.cli\.app"):
        main()


def test_ctrl_c_while_it_is_loaded_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "circle_ws.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Interrupted()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.INTERRUPTED


def test_it_writes_to_what_a_program_has_made_of_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has no encoding."""
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "argv", ["circle-ws", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, stdout.getvalue()) == (0, f"{circle_ws.__version__}\n")


def test_the_library_and_its_cli_package_import_no_typer() -> None:
    code = "import sys, circle_ws, circle_ws.cli; print('typer' in sys.modules, 'rich' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False False\n"
