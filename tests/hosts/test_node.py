"""Proves that the example for Node signs in, calls and reconnects, with the files of a bundle alone."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from circle_ws.bundle import programs, pyodide_core
from circle_ws.testing.pyodide.launch import node_command
from tests.hosts.conftest import Circle, Supports
from tests.support.limits import PATIENCE


@pytest.fixture
def node(root: Path, circle: Circle) -> Iterator[subprocess.Popen[str]]:
    """The running example; what a person sees of both of its outputs comes in one."""
    program = programs.find("node")
    if program is None:
        pytest.skip(programs.advice("node"))
    command = [*node_command(program), str(root / "node" / "circle.mjs")]
    both = subprocess.STDOUT
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=both, text=True) as process:
        yield process
        process.kill()


def see(node: subprocess.Popen[str], *lines: str) -> None:
    """Read lines until the given ones came, in this order; the end of the output is a failure."""
    assert node.stdout
    for wanted in lines:
        seen = []
        while (line := node.stdout.readline()) and wanted not in line:
            seen.append(line)
        assert wanted in line, f"no {wanted} in {seen}"


def enter(node: subprocess.Popen[str], line: str) -> None:
    assert node.stdin
    node.stdin.write(f"{line}\n")
    node.stdin.flush()


def test_it_signs_in_calls_and_reconnects(node: subprocess.Popen[str], circle: Circle, supports: Supports) -> None:
    supports(f"Pyodide {pyodide_core.VERSION}", "Node")
    see(node, "connecting", "authenticating", "connected")
    assert circle.key()
    enter(node, "40 + 2")
    see(node, "42")
    enter(node, "1 +")
    see(node, "RpcError: ")
    circle.stop()
    see(node, "waiting")
    circle.start()
    see(node, "authenticating", "connected")
    enter(node, "40 + 3")
    see(node, "43")
    assert node.stdin
    node.stdin.close()
    see(node, "closed")
    assert node.wait(PATIENCE) == 0
