"""Python's development mode and asyncio's debug mode have nothing to say about a typical program."""

import os
import subprocess
import sys
from pathlib import Path

import circle_ws
from tests.support.limits import PATIENCE

_SAMPLES = Path(__file__).parent / "samples"


def _run(sample: str) -> tuple[int, str, str]:
    """Run a program; return its exit code, and what it printed and complained."""
    environ = {**os.environ, "PYTHONASYNCIODEBUG": "1", "PYTHONPATH": str(Path(circle_ws.__file__).parents[1])}
    command = [sys.executable, "-X", "dev", "-W", "error", str(_SAMPLES / sample)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_typical_program_is_silent() -> None:
    """No warning (unclosed, never awaited, never retrieved, deprecated ...) and no complaint of the event loop's."""
    assert _run("typical.py") == (0, "done\n", "")


def test_a_blocking_client_that_is_left_open_is_closed_in_silence() -> None:
    """Also where the program logs, and has functions that would run in threads, which a program at its end has not."""
    assert _run("left_open.py") == (0, "done\n", "")
