"""Sum the closing lines of all pytest runs in a log: `python3 tools/summary.py LOG`."""

import re
import sys
from collections import Counter
from pathlib import Path

__all__ = ["count"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CLOSING = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in \d+\.\d+s(?: \(.*?\))?(?: =+)?$")
_FAILURES = ("failed", "error", "errors")


def count(log: str) -> tuple[int, int]:
    """Return how many tests passed and how many failed; an error counts as a failure."""
    totals: Counter[str] = Counter()
    for line in _COLOUR.sub("", log).splitlines():
        closing = _CLOSING.match(line.strip())
        if closing:
            totals.update({word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", closing[1])})
    return totals["passed"], sum(totals[word] for word in _FAILURES)


def main() -> int:
    """Print the sum for the log that the command line names."""
    passed, failed = count(Path(sys.argv[1]).read_text(errors="replace"))
    print(f"{passed} passed, {failed} failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
