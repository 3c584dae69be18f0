"""Python's development mode and asyncio's debug mode have nothing to say about a typical program."""

import os
import subprocess
import sys
from pathlib import Path

import circle_ws
from tests.support.limits import PATIENCE

_PROGRAM = Path(__file__).parent / "samples" / "typical.py"


def test_a_typical_program_is_silent() -> None:
    """No warning (unclosed, never awaited, never retrieved, deprecated ...) and no complaint of the event loop's."""
    environ = {**os.environ, "PYTHONASYNCIODEBUG": "1", "PYTHONPATH": str(Path(circle_ws.__file__).parents[1])}
    command = [sys.executable, "-X", "dev", "-W", "error", str(_PROGRAM)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
