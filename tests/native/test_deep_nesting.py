"""Deep nesting where the stack is short: in a thread of 2 MiB it ended the whole process, before any sign-in."""

import subprocess
import sys

import pytest

_IN_A_SMALL_THREAD = """
import sys, threading
from circle_ws.errors import ProtocolError
from circle_ws.jsonrpc import codec as json

def decode():
    for text in ("[" * 20_000, '{"a":' * 20_000, "[" * 20_000 + "]" * 20_000, '[{"a":' * 500_000):
        try:
            json.decode(text)
        except ProtocolError as error:
            print(error)
    print(json.decode("[1]"))

threading.stack_size(int(sys.argv[1]))
thread = threading.Thread(target=decode)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("stack", [256 * 1024, 2 * 1024 * 1024])
def test_a_thread_with_a_short_stack_lives_on(stack: int) -> None:
    """Each text is refused, and the thread and its process go on."""
    run = subprocess.run(
        [sys.executable, "-c", _IN_A_SMALL_THREAD, str(stack)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-500:]
    assert run.stdout.splitlines() == ["the message is nested more than 512 deep"] * 4 + ["[1]"]
