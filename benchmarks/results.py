"""What measurements become: one JSON file of named sections, tables on the screen, and the same tables in Markdown."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Table", "markdown", "merge_json", "page", "plain"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts.

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


def page(title: str, introduction: str, measured_on: dict[str, str], shown: list[Table]) -> str:
    """Make a page in Markdown of tables, with what was measured on."""
    machine = ", ".join(f"{name} {value}" for name, value in measured_on.items() if name != "system")
    parts = [f"# {title}", introduction, f"{measured_on['system']}; {machine}.", *(markdown(table) for table in shown)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def merge_json(path: Path, sections: dict[str, Any]) -> dict[str, Any]:
    """Write named sections into a file; those of an earlier run that are not measured anew stay. Gives all of them."""
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known |= sections
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known
