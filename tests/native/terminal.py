"""A terminal (pty) for commands that behave differently on one."""

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from tests.native.command_line import environ, start
from tests.support.limits import PATIENCE

__all__ = ["Terminal", "on_terminal"]


class Terminal:
    """A command on a terminal of 24 lines and 100 columns, and what it has written so far."""

    def __init__(self, process: subprocess.Popen[str], primary: int) -> None:
        self.process = process
        self.text = ""
        self._primary = primary

    def read_until(self, words: str) -> str:
        """Read until `words` stand there; what takes longer than any machine needs is a failure."""
        end = monotonic() + PATIENCE
        while words not in self.text:
            assert monotonic() < end, self.text
            assert self._read(), f"it ended without {words!r}: {self.text}"
        return self.text

    def read_to_the_end(self) -> str:
        """Read until the command has ended."""
        while self._read():
            pass
        self.process.wait(PATIENCE)
        return self.text

    def _read(self) -> bool:
        select.select([self._primary], [], [], PATIENCE)
        try:
            part = os.read(self._primary, 100_000)
        except OSError:  # Linux ends a terminal whose other side is closed with EIO.
            return False
        self.text += part.decode(errors="replace")
        return bool(part)


@contextmanager
def on_terminal(*arguments: str, env: dict[str, str], only_errors: bool = False) -> Iterator[Terminal]:
    """Run a command on a terminal; with `only_errors` its stdout is a pipe."""
    primary, secondary = os.openpty()
    stdout = subprocess.PIPE if only_errors else secondary
    told = environ(TERM="xterm", LINES="24", **env)
    told["COLUMNS"] = "100"
    process = start(*arguments, env=told, stdin=secondary, stdout=stdout, stderr=secondary)
    os.close(secondary)
    try:
        yield Terminal(process, primary)
    finally:
        process.kill()
        process.communicate()
        os.close(primary)
