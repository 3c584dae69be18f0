"""What the tests of the board share."""

from pathlib import Path
from typing import Any

import pytest

from circle_ws.testing import Circle

pytest_plugins = ["circle_ws.testing.pytest_plugin"]


@pytest.fixture
def readings() -> dict[str, float]:
    """What the stations have measured; a file beside the tests, which a page has too."""
    lines = (Path(__file__).parent / "readings.csv").read_text().splitlines()
    return {station: float(degrees) for station, degrees in (line.split(",") for line in lines)}


@pytest.fixture
def circle(readings: dict[str, float]) -> Circle:
    """A circle in memory with the stations."""
    it = Circle()

    @it.method("readings")
    def known() -> list[dict[str, Any]]:
        return [{"station": station, "degrees": degrees} for station, degrees in readings.items()]

    return it
