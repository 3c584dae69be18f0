"""What measurements become: one JSON file of named sections, tables on the screen, and the same tables in Markdown."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gauges import versions

__all__ = ["Table", "markdown", "merge_json", "plain", "replace_between"]


@dataclass(frozen=True, slots=True)
class Table:
    """Be a table of texts.

    Attributes:
        title: What it shows.
        columns: The names; the first column holds words, the others figures.
        rows: As many texts each as there are columns.
        notes: Sentences that belong below it.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)


def plain(table: Table) -> str:
    """Show a table on a screen."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(table.columns))]
    shown = ["  ".join(_padded(text, widths[at], at) for at, text in enumerate(line)).rstrip() for line in lines]
    return "\n".join([table.title, "-" * len(table.title), *shown, *table.notes, ""])


def _padded(text: str, width: int, at: int) -> str:
    return text.ljust(width) if at == 0 else text.rjust(width)


def markdown(table: Table) -> str:
    """Show a table in Markdown."""
    head = f"| {' | '.join(table.columns)} |"
    rule = f"|---|{'--:|' * (len(table.columns) - 1)}"
    rows = [f"| {' | '.join(row)} |" for row in table.rows]
    return "\n".join([f"### {table.title}", "", head, rule, *rows, *(f"\n{note}" for note in table.notes), ""])


def merge_json(path: Path, sections: dict[str, Any]) -> None:
    """Write sections, with what was measured on; those of an earlier run that are not measured anew stay."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stamped = {name: {"versions": versions(), **section} for name, section in sections.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known | stamped, indent=1) + "\n", encoding="utf-8")


def replace_between(path: Path, name: str, text: str) -> None:
    """Put text between the markers `<!-- begin NAME -->` and `<!-- end NAME -->` of a Markdown file."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{path} lacks the markers {begin} and {end}; add them where the tables are to stand")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
