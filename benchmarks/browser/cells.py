"""What is measured: payloads, how many calls are in flight, and how many each client makes in one round."""

import json
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["CLIENTS", "Plan", "full", "small"]

CLIENTS = {
    "javascript": "raw JavaScript",
    "ours": "circle_ws",
    "floor": "Pyodide, one proxy, resumed at once",
    "careful": "Pyodide, one proxy, a future a call",
    "naive": "Pyodide, a proxy a call",
}
"""The clients, by the name that the page knows; the first is what the others are measured against."""

_RECORD = {"id": 1234, "name": "circle", "tags": ["red", "green"], "active": True, "score": 0.5, "parent": None}


@dataclass(frozen=True)
class _Cell:
    name: str
    flight: int
    payload: str
    calls: dict[str, int]
    latencies: bool = False


@dataclass(frozen=True)
class Plan:
    """The plan of one run."""

    rounds: int
    loads: int
    cells: list[_Cell]
    count: int
    rate: int
    stream: tuple[int, int] = (25_000, 5_000)
    """How many notifications, and how many a second, while calls are made."""

    def settings(self, circle: str) -> dict[str, Any]:
        """Return what the page is told."""
        return {
            "circle": circle,
            "rounds": self.rounds,
            "cells": [asdict(cell) for cell in self.cells],
            "flood": {"count": self.count, "rate": self.rate},
            "stream": {"count": self.stream[0], "rate": self.stream[1]},
        }


def full() -> Plan:
    """Return the plan for figures to keep."""
    return Plan(rounds=5, loads=3, cells=_cells(1.0), count=20_000, rate=20_000)


def small() -> Plan:
    """Return a short plan that only shows that everything works."""
    return Plan(rounds=2, loads=1, cells=_cells(0.1), count=2_000, rate=20_000, stream=(2_500, 5_000))


def _cells(scale: float) -> list[_Cell]:
    tiny, large, records = json.dumps(["x" * 56]), json.dumps(["x" * 16_380]), json.dumps([_RECORD] * 144)

    def scaled(*calls: int) -> dict[str, int]:
        return {name: max(10, int(number * scale)) for name, number in zip(CLIENTS, calls, strict=False)}

    return [
        _Cell("60 B, 1 in flight", 1, tiny, scaled(600, 500, 500, 300, 300), latencies=True),
        _Cell("60 B, 100 in flight", 100, tiny, scaled(5000, 3000, 3000, 1000, 200), latencies=True),
        _Cell("16 KiB, 1 in flight", 1, large, scaled(300, 300, 300, 200, 100)),
        _Cell("16 KiB, 100 in flight", 100, large, scaled(1200, 800, 800, 400, 100)),
        # The naive one would parse each of these a hundred times.
        _Cell("16 KiB of records, 100 in flight", 100, records, scaled(800, 500, 500, 300)),
    ]
