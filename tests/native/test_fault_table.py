"""One table of faults: what the documentation says, what `tests/faults/rows.py` lists, and what is tested, agree."""

import re
from pathlib import Path

import pytest

from tests.faults.rows import ROWS, InABrowser, Row
from tools.fault_tests import PAGE, PROOFS, Proof, page

ROOT = Path(__file__).parents[2]
DOCUMENTED = (ROOT / "docs" / "reliability.md").read_text()
NUMBERS = [row.number for row in ROWS]


def _table(columns: str) -> list[list[str]]:
    """Return the cells of the documented table with these headings."""
    _, _, rest = DOCUMENTED.partition(columns + "\n")
    lines = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_there_are_44_rows() -> None:
    """They are numbered from 1, and each names its fault."""
    assert list(range(1, 45)) == NUMBERS
    assert all(row.fault for row in ROWS)


def test_the_documentation_has_the_same_rows() -> None:
    """In the same words and order, each with what happens."""
    table = _table("| # | fault | what happens |")
    assert [(int(number), fault) for number, fault, _ in table] == [(row.number, row.fault) for row in ROWS]
    assert all(happens for _, _, happens in table)


def test_the_documentation_says_what_a_browser_cannot_have() -> None:
    """Every row that is different there, and no other, with why."""
    told = [(int(number), applies, why) for number, applies, why in _table("| # | applies | what is different |")]
    assert told == [(row.number, row.in_a_browser.value, row.why) for row in ROWS if row.why]
    assert all(bool(row.why) is (row.in_a_browser is not InABrowser.YES) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_every_row_is_tested(row: Row) -> None:
    """By a test that is named after it; in a browser too, where it applies."""
    proofs = [proof for proof in PROOFS if row.number in proof.rows]
    assert proofs, f"no test is named test_row_{row.number:02}_..."
    if row.in_a_browser is not InABrowser.NO:
        assert not all(proof.native_only for proof in proofs)


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_every_test_names_its_row(proof: Proof) -> None:
    """In its name and in its docstring, with words of the row, so that a failure says which promise is broken."""
    assert proof.rows
    assert set(proof.rows) <= set(NUMBERS)
    assert proof.words.startswith("Row"), proof.words
    told = [int(number) for number in re.findall(r"\d+", proof.words.partition(",")[0].partition(":")[0])]
    assert told == proof.rows


def test_the_page_about_the_tests_is_theirs() -> None:
    """It lists every test of every row, as they are now."""
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tools.fault_tests"
