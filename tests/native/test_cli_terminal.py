"""Proves what commands do on a terminal and for a shell: spinners, completion, passwords, names."""

import signal
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from circle_ws.auth import generate_private_key
from circle_ws.cli.app import app
from circle_ws.cli.output import ExitCode
from tests.native.command_line import circle_in_thread, invoke, start
from tests.native.terminal import on_terminal
from tests.support.limits import PATIENCE

SIGNED = {"CIRCLE_WS_PRIVATE_KEY": generate_private_key()}
COMMANDS = {"bench", "call", "demo", "doctor", "keygen", "listen", "notify", "play", "pubkey", "serve"}


def test_what_takes_long_has_a_spinner_on_a_terminal() -> None:
    """On stderr, with what it waits for; Ctrl-C takes it away and gives the cursor back."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        with on_terminal("call", url, "whoami", env=SIGNED, only_errors=True) as terminal:
            terminal.read_until("connecting ...")
            terminal.process.send_signal(signal.SIGINT)
            told = terminal.read_to_the_end()
            assert terminal.process.stdout
            assert terminal.process.stdout.read() == ""
    assert terminal.process.returncode == ExitCode.INTERRUPTED
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")
    assert "Traceback" not in told


def test_ctrl_c_where_a_password_is_asked_for(tmp_path: Path) -> None:
    """Quiet, with the code of Ctrl-C, and nothing is written."""
    file = tmp_path / "key.pem"
    with on_terminal("keygen", "--out", str(file), "--encrypt", env={}) as terminal:
        terminal.read_until("password for")
        terminal.process.send_signal(signal.SIGINT)
        told = terminal.read_to_the_end()
    assert terminal.process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in told and "Aborted" not in told
    assert list(tmp_path.iterdir()) == []


def test_raw_output_does_not_command_a_terminal() -> None:
    """Line breaks and tabs stay; a pipe gets it as it is."""
    output = "one\n\ttwo\x1b[2J\x9b31m\u202e"
    with circle_in_thread(play=lambda script: output) as circle:
        with on_terminal("play", circle.url, "1", "--raw", env=SIGNED) as terminal:
            told = terminal.read_to_the_end()
        assert invoke("play", circle.url, "1", "--raw", env=SIGNED).stdout == f"{output}\n"
    assert "\x1b[2J" not in told and "\u202e" not in told
    assert r"two\u001b[2J\u009b31m\u202e" in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    """As the script that `--show-completion` prints would ask."""

    def completed(*words: str) -> set[str]:
        line = " ".join(words)
        env = {
            "_CIRCLE_WS_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        done = CliRunner().invoke(app, [], env=env, prog_name="circle-ws")
        found = done.stdout.replace('"', " ").replace("\\", " ").replace(":", " ").split()
        return {word for word in found if word in COMMANDS or word.startswith("--")}

    assert completed("circle-ws", "") >= COMMANDS
    assert completed("circle-ws", "li") == {"listen"}
    assert {"--count", "--gaps", "--key-file", "--json"} <= completed("circle-ws", "listen", "--")


def test_completion_is_installed_by_an_option() -> None:
    text = invoke("--help").stdout
    assert "--install-completion" in text
    assert "--show-completion" in text


def test_the_command_has_one_name() -> None:
    """Also where it is run as `python -m circle_ws`."""
    told, _ = start("call", "--help").communicate(timeout=PATIENCE)
    assert "Usage: circle-ws call [OPTIONS]" in told
