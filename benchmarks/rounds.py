"""Alternating rounds: everything is measured once before anything is measured again, and medians count."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

__all__ = ["Figures", "alternate", "medians"]

Figures: TypeAlias = dict[str, float]
"""What one measurement gives, by what it is."""


async def alternate(
    names: Sequence[str], rounds: int, measure: Callable[[str], Awaitable[Figures]]
) -> dict[str, list[Figures]]:
    """Measure all, `rounds` times; every other round goes backwards, so that none has always the same one before it."""
    found: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(await measure(name))
    return found


def medians(found: dict[str, list[Figures]]) -> dict[str, Figures]:
    """Return the median of each figure."""
    return {
        name: {figure: statistics.median(one[figure] for one in figures) for figure in figures[0]}
        for name, figures in found.items()
    }
