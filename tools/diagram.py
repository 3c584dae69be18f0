"""Draw the states of a client from the one table of transitions, into docs/reliability.md.

`python -m tools.diagram` rewrites the drawing; a test fails while it is not what the table says.
"""

import re
from pathlib import Path

from circle_ws.status import TRANSITIONS, ConnectionStatus

__all__ = ["PAGE", "diagram", "redrawn"]

PAGE = Path(__file__).resolve().parent.parent / "docs/reliability.md"
_DRAWING = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)


def diagram() -> str:
    """Return the diagram as a Mermaid block, which code hosts render."""
    arrows = [
        f"    {origin.name} --> {target.name}"
        for origin in ConnectionStatus
        for target in ConnectionStatus
        if target in TRANSITIONS[origin]
    ]
    ends = [f"    {origin.name} --> [*]" for origin, targets in TRANSITIONS.items() if not targets]
    begin = f"    [*] --> {ConnectionStatus.IDLE.name}"
    return "\n".join(["```mermaid", "stateDiagram-v2", "    direction LR", begin, *arrows, *ends, "```", ""])


def redrawn(page: str) -> str:
    """Return the page with the diagram of the present table."""
    return _DRAWING.sub(lambda _: diagram(), page)


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text()))
