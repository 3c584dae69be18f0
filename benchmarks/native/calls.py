"""Calls a second, latency and CPU a call: circle_ws, a loop written by hand, and other clients, round by round."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.native.clients import BASE, CLIENTS, NATS
from benchmarks.native.payloads import LOADS
from benchmarks.process import Child, started
from benchmarks.results import Table
from benchmarks.rounds import Figures, alternate, medians

__all__ = ["measure_calls", "ratios", "tables"]


async def measure_calls(
    *, rounds: int, share: float, clients: Sequence[str] = tuple(CLIENTS), loads: Sequence[str] = tuple(LOADS)
) -> dict[str, Any]:
    """Measure each client with each load.

    Args:
        rounds: How often.
        share: How much of its usual time each measurement takes.
        clients: Their names.
        loads: Their names.
    """
    async with AsyncExitStack() as stack:
        circle = await started(stack, "native.circle")
        servers = dict.fromkeys(clients, circle)
        if NATS in clients:
            servers[NATS] = await started(stack, "native.nats_server")
        callers = {}
        for name in clients:
            url = f"{'nats' if name == NATS else 'ws'}://127.0.0.1:{servers[name].told['port']}/"
            callers[name] = await started(stack, "native.caller", client=name, url=url)
        found: dict[str, Any] = {}
        for load in loads:

            async def measure(name: str, load: str = load) -> Figures:
                return await _measure_once(callers[name], servers[name], load, share)

            rows = await alternate(clients, rounds, measure)
            found[load] = {"medians": medians(rows), "rounds": rows}
    return found


async def _measure_once(caller: Child, server: Child, load: str, share: float) -> Figures:
    """Measure; tell how busy the server was too, as it should not be what is measured."""
    before, began = await server.ask("cpu"), time.perf_counter()
    figures: Figures = await caller.ask(load, share=share)
    busy = (await server.ask("cpu") - before) / (time.perf_counter() - began)
    return {**figures, "server_busy": busy}


def tables(found: dict[str, Any]) -> list[Table]:
    """Show the figures: what they are to base, then one table a load, the fastest first."""
    rates = _summary("Calls a second, as a multiple of base", found, "calls_a_second")
    costs = _summary("CPU a call, as a multiple of base", found, "cpu_us_a_call")
    return [rates, costs, *(_detail(load, found[load]["medians"]) for load in found)]


def ratios(figures: dict[str, Figures], figure: str) -> dict[str, float]:
    """Return a figure of each client as a multiple of that of base."""
    base = figures[BASE][figure]
    return {name: one[figure] / base for name, one in figures.items()}


def _summary(title: str, found: dict[str, Any], figure: str) -> Table:
    by_load = {load: ratios(one["medians"], figure) for load, one in found.items()}
    names = next(iter(by_load.values()))
    rows = [[name, *(f"{by_load[load][name]:.2f}" for load in found)] for name in names]
    return Table(title, ["client", *(LOADS[load].name for load in found)], rows)


def _detail(load: str, figures: dict[str, Figures]) -> Table:
    to_base = ratios(figures, "calls_a_second")
    rows = [
        [
            name,
            f"{figures[name]['calls_a_second']:,.0f}",
            f"{to_base[name]:.2f}",
            f"{figures[name]['p50_us']:,.0f}",
            f"{figures[name]['p99_us']:,.0f}",
            f"{figures[name]['cpu_us_a_call']:,.1f}",
            f"{figures[name]['server_busy']:.0%}",
        ]
        for name in sorted(figures, key=lambda name: -to_base[name])
    ]
    columns = ["client", "calls/s", "to base", "p50 (us)", "p99 (us)", "CPU a call (us)", "server busy"]
    return Table(f"Calls: {LOADS[load].name}", columns, rows)
