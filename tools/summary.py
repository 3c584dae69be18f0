"""Sum the closing lines of all pytest runs in a log, and say again what failed: `python3 tools/summary.py LOG`."""

import re
import sys
from collections import Counter
from pathlib import Path

__all__ = ["count", "failures"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CLOSING = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in \d+\.\d+s(?: \(.*?\))?(?: =+)?$")
_FAILURES = ("failed", "error", "errors")
_FAILURE = re.compile(r"^(?:FAILED |ERROR \S+::|harness: |nox > Session \S+ (?:failed|aborted)).*$", re.MULTILINE)
_SHOWN = 100
"""Maximum number of lines about failures: there may be one for each test."""


def count(log: str) -> tuple[int, int]:
    """Return how many tests passed and how many failed; an error counts as a failure."""
    totals: Counter[str] = Counter()
    for line in _COLOUR.sub("", log).splitlines():
        closing = _CLOSING.match(line.strip())
        if closing:
            totals.update({word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", closing[1])})
    return totals["passed"], sum(totals[word] for word in _FAILURES)


def failures(log: str) -> list[str]:
    """Return the lines that name a test that failed, a page that was lost, or a session that failed."""
    return _FAILURE.findall(_COLOUR.sub("", log))


def main() -> int:
    """Print both for the log that the command line names."""
    log = Path(sys.argv[1]).read_text(errors="replace")
    for line in failures(log)[:_SHOWN]:
        print(line)
    passed, failed = count(log)
    print(f"{passed} passed, {failed} failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
