"""Several pages at once, each with its part of the test files: a page has one thread, most machines have more."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["run_pages"]

_NO_TESTS = 5


def run_pages(pages: int, coverage: Path | None) -> int:
    """Do the run of this command line in so many pages; print what the first prints as it comes, then the others'.

    Each writes its coverage to a file of its own, whose name ends with the number of the page.

    Returns:
        The exit code of the first page that failed. A page without a test is no failure where another has some.
    """
    with contextlib.ExitStack() as stack:
        # One file for each: the lines of two pages would be mixed in a common one.
        later = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(1, pages)]
        running = [
            subprocess.Popen(
                _command(number, coverage),
                env=os.environ | {"CIRCLE_WS_PART": f"{number}/{pages}"},
                stdout=output,
                stderr=output and subprocess.STDOUT,
            )
            for number, output in enumerate([None, *later], start=1)
        ]
        try:
            codes = [process.wait() for process in running]
        finally:
            for process in running:
                process.terminate()
        for output in later:
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
    if 0 in codes:
        codes = [code for code in codes if code != _NO_TESTS]
    return next((code for code in codes if code), 0)


def _command(number: int, coverage: Path | None) -> list[str]:
    # The last of two options of one name is the one that counts.
    command = [sys.executable, "-m", "tests.harness", *sys.argv[1:], "--pages", "1"]
    return command if coverage is None else [*command, "--coverage", f"{coverage}.{number}"]
