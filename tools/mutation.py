"""Test the tests: `python -m tools.mutation [PATTERN]`; pyproject.toml says what is mutated, and with which tests.

mutmut changes one expression of a function at a time and runs the tests that reach the function. A mutant that no test
notices survives. A table counts them for each module; `mutmut show NAME` prints what a survivor is.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable

__all__ = ["table"]

# Each function of a mutated file has two frames more, and some tests nest values as deep as the stack allows.
_RUN = "import sys; sys.setrecursionlimit(4000); from mutmut.__main__ import cli; cli()"
_KILLED = {"killed", "timeout", "segfault"}
"""A mutant that ends no more is noticed too."""
_RESULT = re.compile(r"\s*circle_ws\.([\w.]+)\.xǁ?\S+: (.+)")


def table(results: Iterable[str]) -> list[str]:
    """Return a line for each module, and one for all, from the lines of `mutmut results --all true`."""
    modules: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for found in filter(None, map(_RESULT.fullmatch, results)):
        if found[2] != "not checked":
            modules[found[1]][found[2] in _KILLED] += 1
    rows = sorted(modules.items())
    rows.append(("all", sum(modules.values(), Counter())))
    return ["| module | mutants | killed | survived |", "|---|--:|--:|--:|", *(_row(*row) for row in rows)]


def _row(module: str, counts: Counter[bool]) -> str:
    total = max(1, counts.total())
    return f"| `{module}` | {counts.total()} | {100 * counts[True] / total:.1f} % | {counts[False]} |"


def main() -> None:
    """Mutate anew, run, and print the table.

    Raises:
        SystemExit: mutmut failed, as it does when a test fails without any mutant.
    """
    shutil.rmtree("mutants", ignore_errors=True)
    mutmut = [sys.executable, "-c", _RUN]
    if code := subprocess.run([*mutmut, "run", "--max-children", "2", *sys.argv[1:]]).returncode:
        raise SystemExit(code)
    told = subprocess.run([*mutmut, "results", "--all", "true"], check=True, stdout=subprocess.PIPE, text=True)
    results = told.stdout.splitlines()
    print(*(line for line in results if not line.endswith((": killed", ": not checked"))), sep="\n")
    print(*table(results), sep="\n")


if __name__ == "__main__":
    main()
