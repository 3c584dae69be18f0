"""The picture of a soak: what went through, and what the process held meanwhile."""

from pathlib import Path
from typing import Any

from benchmarks.drawing import BLUE, GREEN, GREY, ORANGE, RED, VIOLET, figure, save

__all__ = ["draw_soak"]


def draw_soak(result: dict[str, Any], path: Path) -> None:
    """Draw calls, reconnects, memory, objects, tasks and files over the time of the run."""
    samples, settings = result["samples"], result["settings"]
    times = [one["at"] / 60 for one in samples]
    made, (calls, memory, held) = figure(8, 7.2, 3, sharex=True)

    made.suptitle(
        f"{result['calls']:,} calls over {result['reconnects']:,} reconnects, "
        f"{settings['clients']} clients at a time, {len(result['fates of links'])} kinds of faults",
        x=0.02,
        ha="left",
        fontsize=11,
    )
    middles = [(a + b) / 2 for a, b in zip(times, times[1:], strict=False)]
    calls.set_title("calls that ended, a second")
    calls.plot(middles, _rates(samples, "calls"), color=BLUE, linewidth=1)
    calls.set_ylim(bottom=0)
    calls.set_ylabel("calls", color=BLUE)
    links = calls.twinx()
    links.plot(times, [one["reconnects"] for one in samples], color=ORANGE)
    links.set_ylabel("reconnects so far", color=ORANGE)
    links.set_ylim(bottom=0)
    links.grid(visible=False)

    memory.set_title("memory of the process, and blocks of it that Python holds")
    memory.plot(times, [one["memory"] / 2**20 for one in samples], color=RED)
    memory.set_ylim(0, 1.2 * max(one["memory"] for one in samples) / 2**20)
    memory.set_ylabel("resident, MiB", color=RED)
    blocks = memory.twinx()
    blocks.plot(times, [one["blocks"] / 1000 for one in samples], color=VIOLET, linewidth=1)
    blocks.set_ylabel("blocks, thousands", color=VIOLET)
    blocks.set_ylim(0, 2 * max(one["blocks"] for one in samples) / 1000)
    blocks.grid(visible=False)

    held.set_title("tasks and open files")
    held.plot(times, [one["tasks"] for one in samples], color=GREEN, linewidth=1, label="tasks")
    held.plot(
        times, [one["files"] for one in samples], color=GREY, linewidth=1, label="open files (sockets among them)"
    )
    held.set_ylim(bottom=0)
    held.set_xlabel("minutes")
    held.legend(loc="center right", ncols=2)
    warm = 0.2 * settings["seconds"] / 60
    for axes in (calls, memory, held):
        axes.axvspan(0, warm, color="#f3f0e8", linewidth=0, zorder=0)
        axes.set_xlim(left=0)
    held.text(warm / 2, held.get_ylim()[1] / 2, "warm-up", ha="center", va="center", color=GREY)
    save(made, path)


def _rates(samples: list[dict[str, Any]], name: str) -> list[float]:
    return [(b[name] - a[name]) / (b["at"] - a["at"]) for a, b in zip(samples, samples[1:], strict=False)]
