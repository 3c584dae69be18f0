"""Proves that what the documentation says about the command line is so: its examples run, its tables are the code's."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from circle_ws.cli.app import app
from circle_ws.cli.connection import Connection
from circle_ws.cli.output import ExitCode
from circle_ws.server import CircleServer
from tests.native.command_line import circle_in_thread, invoke

DOCS = Path(__file__).parents[2] / "docs"
GUIDE, _, REFERENCE = (DOCS / "guide" / "command-line.md").read_text().partition("## Every command")


@pytest.fixture(scope="module")
def circle() -> Iterator[CircleServer]:
    with circle_in_thread() as running:
        yield running


def test_the_examples_of_the_guide_run(circle: CircleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as they stand there; only the circle's address is another."""
    monkeypatch.chdir(tmp_path)
    lines = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()]
    told = {}
    for line in lines:
        name, *arguments = shlex.split(line.replace("ws://localhost:8765", circle.url))
        assert name == "circle-ws"
        done = invoke(*arguments, env={"CIRCLE_WS_KEY_PASSWORD": "correct horse"})
        told[line] = done.stdout
        assert done.exit_code == (ExitCode.FAILED if "no_such_method" in line else 0), (line, done.output)
    outputs = list(told.values())
    assert outputs[0] == outputs[1]
    assert outputs[2:5] == ['"42"\n', '"hello"\n', ""]
    assert [len(one.splitlines()) for line, one in told.items() if " listen " in line] == [2, 3]
    documented = re.search(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    assert documented
    assert json.loads(outputs[-1]) == json.loads(documented[1])


def test_the_table_of_exit_codes_is_the_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (?:`([\w-]+)`)? ?\|", REFERENCE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [code.value for code in ExitCode]
    assert {ExitCode(int(number)).kind: kind for number, kind in rows if kind} == {
        code.kind: code.kind for code in ExitCode if 0 < code < ExitCode.INTERRUPTED
    }


def test_every_command_and_connection_option_is_documented() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    rows = re.findall(r"^\| `(\w+)[^|]*` \|", REFERENCE.partition("PARAMS is JSON")[0], re.MULTILINE)
    assert set(rows) == commands
    names = {"form": "params"}
    options = [f"--{names.get(name, name).replace('_', '-')}" for name in Connection.__dataclass_fields__]
    assert [option for option in options if option != "--url" and f"`{option}" not in REFERENCE] == []
