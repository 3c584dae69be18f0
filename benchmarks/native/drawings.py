"""The pictures of the native benchmarks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.drawing import BLUE, GREY, INK, ORANGE, figure, save
from benchmarks.native.calls import ratios
from benchmarks.native.clients import BASE, OURS
from benchmarks.native.payloads import LOADS

__all__ = ["PICTURES"]

_PALE = "#c9d1d9"
_COLOURS = {OURS: BLUE, BASE: GREY}


def draw_calls(found: dict[str, Any], path: Path) -> None:
    """Draw calls a second as multiples of base, a panel for each load, with p99 beside them."""
    clients = len(next(iter(found.values()))["medians"])
    made, panels = figure(8, 0.6 + len(found) * (0.5 + 0.2 * clients), len(found), squeeze=False)
    for axes, (load, section) in zip(panels.flat, found.items(), strict=True):
        to_base = ratios(section["medians"], "calls_a_second")
        names = sorted(to_base, key=lambda name: to_base[name])
        widths = [to_base[name] for name in names]
        axes.barh(names, widths, color=[_COLOURS.get(name, _PALE) for name in names], height=0.7)
        for at, name in enumerate(names):
            one = section["medians"][name]
            words = f"{to_base[name]:.2f}   {one['calls_a_second']:,.0f} calls/s, p99 {one['p99_us'] / 1000:.1f} ms"
            axes.text(to_base[name] + max(widths) * 0.01, at, words, va="center", fontsize=7.5, color=INK)
        axes.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_xlim(0, max(widths) * 1.45)
        axes.set_title(LOADS[load].name)
        axes.grid(visible=False, axis="y")
    panels.flat[-1].set_xlabel("calls a second, as a multiple of websockets + json by hand")
    save(made, path)


def draw_crowd(found: dict[str, Any], path: Path) -> None:
    """Draw what one of many clients takes: memory, set-up, idle CPU."""
    figures = {
        "resident memory a client (KiB)": "resident_kib",
        "CPU to set one up (ms)": "set_up_cpu_ms",
        f"CPU a keep-alive every {found['interval']:g} s (us)": "idle_us_a_ping",
    }
    made, panels = figure(8, 6.6, len(figures))
    counts = list(found["counts"])
    kinds = list(found["counts"][counts[0]]["medians"])
    colours = dict(zip(kinds, [BLUE, GREY, ORANGE], strict=True))
    width = 0.8 / len(kinds)
    for axes, (title, name) in zip(panels, figures.items(), strict=True):
        for offset, kind in enumerate(kinds):
            heights = [found["counts"][count]["medians"][kind][name] for count in counts]
            places = [at + (offset - 1) * width for at in range(len(counts))]
            bars = axes.bar(places, heights, width * 0.92, color=colours[kind], label=kind)
            axes.bar_label(bars, fmt="%.3g", fontsize=7.5, color=INK)
        axes.set_title(title)
        axes.set_xticks(range(len(counts)), [f"{int(count):,} clients" for count in counts])
        axes.margins(y=0.15)
        axes.grid(visible=False, axis="x")
    panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, 1.45), ncols=len(kinds))
    save(made, path)


PICTURES: dict[str, Callable[[dict[str, Any], Path], None]] = {"calls": draw_calls, "crowd": draw_crowd}
"""By the part that they show."""
