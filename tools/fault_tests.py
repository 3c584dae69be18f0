"""The tests of each row of the table of faults, read from their files: `python -m tools.fault_tests` writes the page.

A test is named after its rows, and its docstring begins with them, so that a failure says which promise is broken.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tests.faults.rows import ROWS

__all__ = ["PAGE", "PROOFS", "Proof", "page"]

_ROOT = Path(__file__).resolve().parent.parent
PAGE = _ROOT / "docs/fault-tests.md"
_HEAD = """# The tests of each fault

Every row of [the table of faults](reliability.md) has tests, which use real sockets. This page is made from their names
and docstrings, by `python -m tools.fault_tests`; the suite fails while it is out of date, while a row has no test, or
while a row that applies in a browser has none there. "Everywhere" is CPython and Pyodide in Chromium; what may differ
there also runs in Firefox and Node.

| # | fault | test | runs |
|--:|---|---|---|
"""


@dataclass(frozen=True)
class Proof:
    """One test of a row."""

    name: str
    rows: list[int]
    words: str
    native_only: bool


def _marked_native_only(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether the whole test runs natively only; a mark on one of its parameters does not count."""
    return any("native_only" in ast.unparse(one).partition("(")[0] for one in node.decorator_list)


def _proofs() -> list[Proof]:
    found = []
    for path in [*sorted((_ROOT / "tests/faults").glob("test_*.py")), _ROOT / "tests/native/test_page_life.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                numbers = re.match(r"test_row_((?:\d\d_(?:and_)?)+)", node.name)
                rows = [int(number) for number in re.findall(r"\d\d", numbers[1])] if numbers else []
                words = " ".join((ast.get_docstring(node) or "").split())
                found.append(Proof(f"{path.name}::{node.name}", rows, words, _marked_native_only(node)))
    return found


PROOFS = _proofs()


def page() -> str:
    """Return the page."""
    lines = []
    for row in ROWS:
        for number, proof in enumerate(it for it in PROOFS if row.number in it.rows):
            fault = row.fault if not number else ""
            lines.append(f"| {row.number if not number else ''} | {fault} | {_promise(proof)} | {_where(proof)} |")
    return _HEAD + "\n".join(lines) + "\n"


def _promise(proof: Proof) -> str:
    words = proof.words.partition(":")[2] or proof.words.partition(",")[2]
    return f"{words.strip().replace('|', chr(92) + '|')}<br>`{proof.name}`"


def _where(proof: Proof) -> str:
    if proof.name.startswith("test_page_life.py"):
        return "in browsers"
    return "natively" if proof.native_only else "everywhere"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
