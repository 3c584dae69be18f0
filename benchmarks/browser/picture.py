"""The picture of a run: for each kind of call, how much longer each client takes than raw JavaScript."""

from pathlib import Path
from typing import Any

from benchmarks.browser.cells import CLIENTS
from benchmarks.drawing import BLUE, GREEN, GREY, INK, ORANGE, RED, figure, save

__all__ = ["draw"]

_COLORS = dict(zip(CLIENTS, (GREY, BLUE, GREEN, ORANGE, RED), strict=True))
_WIDTH = 0.8
_FAR = 6.0
"""Longer bars than this are cut, so that the short ones can be told apart."""


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw it."""
    cells = result["cells"]
    made, axes = figure(8, 0.8 * len(cells) + 1.2)
    axes.set_title(f"{result['browser']}: time for a call, raw JavaScript = 1 (shorter is better)")
    height = _WIDTH / len(CLIENTS)
    for place, (client, label) in enumerate(CLIENTS.items()):
        rows = [(row, cell[client]) for row, cell in enumerate(cells.values()) if client in cell]
        at = [row + (place - (len(CLIENTS) - 1) / 2) * height for row, _ in rows]
        lengths = [figures["against"] for _, figures in rows]
        axes.barh(at, [min(one, _FAR) for one in lengths], height=height, color=_COLORS[client], label=label)
        for y, one in zip(at, lengths, strict=True):
            axes.text(min(one, _FAR) + 0.05, y, f"{one:.2f}", va="center", color=INK, fontsize=8)
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(cells)), list(cells))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, _FAR + 0.6)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, -0.3), ncols=2)
    save(made, path)
