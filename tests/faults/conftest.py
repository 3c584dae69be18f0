"""No test of this folder waits for long, so a hang is told sooner; and a wall clock that can be wrong."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from circle_ws.engine import clock
from tests.faults.stage import Wall

_LIMIT = 120.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("limit") is None:
            item.add_marker(pytest.mark.limit(_LIMIT))


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    """The wall clock of the client."""
    wall = Wall(time.time)
    monkeypatch.setattr(time, "time", wall)
    # The engine's own name for it, which it has looked up before.
    monkeypatch.setattr(clock, "wall_time", wall)
    yield wall
