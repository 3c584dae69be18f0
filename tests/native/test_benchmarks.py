"""What the benchmarks make of their figures: order of rounds, medians, tables, files."""

import json
from pathlib import Path

from benchmarks.native.__main__ import rendered
from benchmarks.results import Table, markdown, merge_json, page, plain
from benchmarks.rounds import Figures, alternate, medians

_TABLE = Table("Speed", ["client", "calls/s"], [["ours", "1,200"], ["theirs", "90"]], ["A note."])


async def test_rounds_alternate_and_turn_round() -> None:
    """No client is always measured behind the same other one."""
    order: list[str] = []

    async def measure(name: str) -> Figures:
        order.append(name)
        return {"at": float(len(order))}

    found = await alternate(["a", "b", "c"], 3, measure)
    assert "".join(order) == "abccbaabc"
    assert found["a"] == [{"at": 1.0}, {"at": 6.0}, {"at": 7.0}]


def test_medians_are_taken_figure_by_figure() -> None:
    """An outlier of one figure does not pull in the others of its round."""
    rounds: list[Figures] = [{"calls": 1.0, "cpu": 9.0}, {"calls": 100.0, "cpu": 2.0}, {"calls": 3.0, "cpu": 1.0}]
    assert medians({"ours": rounds}) == {"ours": {"calls": 3.0, "cpu": 2.0}}


def test_a_table_is_shown_on_a_screen_and_in_markdown() -> None:
    """Words stand on the left, figures on the right."""
    assert plain(_TABLE).splitlines() == [
        "Speed",
        "-----",
        "client  calls/s",
        "ours      1,200",
        "theirs       90",
        "A note.",
    ]
    assert markdown(_TABLE).splitlines()[2:6] == [
        "| client | calls/s |",
        "|---|--:|",
        "| ours | 1,200 |",
        "| theirs | 90 |",
    ]


def test_a_page_names_what_was_measured_on() -> None:
    """Figures mean nothing without the machine and the versions."""
    text = page("Native", "Measured.", {"python": "3.13", "system": "Linux, 2 cores"}, [_TABLE])
    assert text.startswith("# Native\n\nMeasured.\n\nLinux, 2 cores; python 3.13.\n\n### Speed\n")


def test_sections_of_an_earlier_run_stay(tmp_path: Path) -> None:
    """Measuring one part anew does not lose the others."""
    path = tmp_path / "new" / "native.json"
    merge_json(path, {"calls": {"found": 1}, "flood": {"found": 2}})
    assert merge_json(path, {"flood": {"found": 3}}) == {"calls": {"found": 1}, "flood": {"found": 3}}
    assert json.loads(path.read_text()) == {"calls": {"found": 1}, "flood": {"found": 3}}


def test_the_page_of_figures_is_made_from_them() -> None:
    """Every figure on it is in the JSON beside it."""
    folder = Path(__file__).parents[2] / "docs/benchmarks"
    written = (folder / "native.md").read_text()
    # The library that signed when it was measured; the versions below the heading name it too.
    written = written.replace(" (coincurve)", "").replace(", coincurve.", ".")
    assert written == rendered(json.loads((folder / "native.json").read_text()))
