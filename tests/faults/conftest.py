"""No test of this folder waits for long, so a hang is told soon."""

from pathlib import Path

import pytest

_LIMIT = 20.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("limit") is None:
            item.add_marker(pytest.mark.limit(_LIMIT))
