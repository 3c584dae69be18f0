"""How hypothesis runs here: the same examples each time, no clock, few of them where Python is slow."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

_IN_WASM = sys.platform == "emscripten"
_COMMON = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile("suite", _COMMON, max_examples=25 if _IN_WASM else 100)
    settings.register_profile("thorough", _COMMON, max_examples=200 if _IN_WASM else 5000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
    if _IN_WASM:
        # The last hypothesis without a compiled part counts references as Pythons before 3.14 did.
        config.addinivalue_line("filterwarnings", "ignore:It looks like `register_random` was passed an object")
