"""What native tests share."""

import os
from pathlib import Path

import pytest

from tools import bundle
from tools.cache import requirements


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that CIRCLE_WS_BUNDLE names, or a new one."""
    given = os.environ.get("CIRCLE_WS_BUNDLE")
    if given:
        return Path(given)
    made = tmp_path_factory.mktemp("harness") / "bundle"
    bundle.build(made, extra=requirements("suite", "page"))
    return made
