"""What the rounds come to: medians, ratios to raw JavaScript, and the tables that show them."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.browser.cells import CLIENTS

__all__ = ["summary", "tables"]

_BASE = next(iter(CLIENTS))


def summary(found: dict[str, list[Any]], sizes: dict[str, int]) -> dict[str, Any]:
    """Return the medians over all rounds; `sizes` are those of our wheels, in bytes."""
    return {
        "cells": {cell: _cell(rounds) for cell, rounds in _by(found["round"], lambda one: one["cell"]).items()},
        "flood": {name: _flood(runs) for name, runs in _floods(found["flooded"]).items()},
        "stream": {name: _stream(runs) for name, runs in _floods(found["streamed"]).items()},
        "load": {key: round(statistics.median(one[key] for one in found["loaded"]), 1) for key in found["loaded"][0]}
        | sizes,
    }


def _by(items: Iterable[Any], key: Callable[[Any], str]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _cell(rounds: list[Any]) -> dict[str, Any]:
    rates = {name: statistics.median(one["rates"][name] for one in rounds) for name in rounds[0]["rates"]}
    cell = {name: {"rate": round(rate), "against": round(rates[_BASE] / rate, 2)} for name, rate in rates.items()}
    for name in rounds[0]["latencies"]:
        percentiles = [_percentiles(one["latencies"][name]) for one in rounds]
        for key in percentiles[0]:
            cell[name][key] = round(statistics.median(one[key] for one in percentiles), 3)
    return cell


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(latencies, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}


def _floods(flooded: list[Any]) -> dict[str, list[Any]]:
    return {name: [one[name] for one in flooded if name in one] for name in ("javascript", "ours")}


def _flood(runs: list[Any]) -> dict[str, Any]:
    """Return the worst of each, because a single frozen moment counts."""
    told = [run["longTask"] for run in runs if run["longTask"] is not None]
    return {
        "got": min(run["got"] for run in runs),
        "dropped": max(run["dropped"] for run in runs),
        "rate": round(statistics.median(run["got"] / run["seconds"] for run in runs)),
        "longest task": round(max(told), 1) if told else None,
        "longest wait for a timer": round(max(run["timerGap"] for run in runs), 1),
        "longest wait for a frame": round(max(run["frameGap"] for run in runs), 1),
    }


def _stream(runs: list[Any]) -> dict[str, Any]:
    latencies = [latency for run in runs for latency in run["latencies"]]
    return _flood(runs) | {
        "frames a second": round(min(run["framesPerSecond"] for run in runs), 1),
        "calls": len(latencies),
        "median call": round(statistics.median(latencies), 1) if latencies else None,
        "slowest call": round(max(latencies), 1) if latencies else None,
    }


def tables(result: dict[str, Any]) -> str:
    """Show it on a screen."""
    lines = [f"{result['browser']}: time against raw JavaScript (calls a second; p50 / p99 in ms)", ""]
    for name, cell in result["cells"].items():
        lines.append(name)
        lines += [f"    {CLIENTS[client]:<40}{_figures(figures)}" for client, figures in cell.items()]
    count, rate = result["flood asked"]
    lines += ["", f"{count:,} notifications, {rate:,} a second"]
    for client, figures in result["flood"].items():
        lines.append(f"    {CLIENTS[client]:<40}" + ", ".join(f"{key} {value}" for key, value in figures.items()))
    count, rate = result["stream asked"]
    lines += ["", f"{count:,} notifications, {rate:,} a second, and a call every 250 ms"]
    for client, figures in result["stream"].items():
        lines.append(f"    {CLIENTS[client]:<40}" + ", ".join(f"{key} {value}" for key, value in figures.items()))
    load = result["load"]
    lines += [
        "",
        f"after loadPyodide: wheels {load['wheels']} ms, import {load['import']} ms, together {load['total']} ms",
    ]
    return "\n".join([*lines, f"the wheel: {load['wheel'] / 1000:.1f} kB"])


def _figures(figures: dict[str, float]) -> str:
    shown = f"{figures['against']:>7.2f}  {figures['rate']:>8,.0f}/s"
    return shown + (f"   {figures['p50']:.2f} / {figures['p99']:.2f}" if "p50" in figures else "")
