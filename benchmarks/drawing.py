"""One look for all pictures: an opaque light card, so that they can be read on a dark page too. Needs matplotlib."""

from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["BLUE", "GREEN", "GREY", "INK", "ORANGE", "RED", "VIOLET", "figure", "save"]

BLUE, ORANGE, GREEN, RED, VIOLET = "#2563a8", "#c2661a", "#2c7d4f", "#b3303a", "#6f4aa3"
INK, GREY, PAPER = "#24292f", "#8b949e", "#ffffff"

_LOOK: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    # The same figures give the same file.
    "svg.hashsalt": "circle-ws",
}


def figure(width: float, height: float, rows: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Make a figure and its axes; the size is in inches."""
    mpl.use("svg")
    mpl.rcParams.update(cast("Any", _LOOK))
    made = Figure(figsize=(width, height), layout="constrained")
    return made, made.subplots(rows, 1, **options)


def save(made: Figure, path: Path) -> None:
    """Write it as SVG."""
    made.savefig(path, format="svg", metadata={"Date": None})
