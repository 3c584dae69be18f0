"""How hypothesis runs here: the same examples each time, no clock, few of them where Python is slow."""

import os
import sys

from hypothesis import HealthCheck, settings

_IN_WASM = sys.platform == "emscripten"
_COMMON = settings(
    derandomize=True,
    database=None,
    deadline=None,
    # The library's own signing in a browser is slow on purpose of nobody's.
    suppress_health_check=[HealthCheck.too_slow],
)


def pytest_configure() -> None:
    settings.register_profile("suite", _COMMON, max_examples=12 if _IN_WASM else 100)
    settings.register_profile("thorough", _COMMON, max_examples=200 if _IN_WASM else 5000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
