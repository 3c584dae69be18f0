"""One run of the suite: what is asked, what came of it, and the words for what can go wrong."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.bundle import BROWSER_PACKAGES

__all__ = ["Run", "RunFailed", "environ"]

_PASSED_ON = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "CI", "HYPOTHESIS_PROFILE", "CIRCLE_WS_PART")


class RunFailed(Exception):
    """The run did not come to an end of its own, so its tests prove nothing."""


@dataclass(frozen=True)
class Run:
    """What the host and the page have to know about one run."""

    runtime: str
    bundle: Path
    arguments: list[str]
    coverage: Path | None = None
    smoke: bool = False
    patience: float = 600.0
    """Maximum number of seconds without activity."""
    environ: dict[str, str] = field(default_factory=dict)
    added: list[Path] = field(default_factory=list)

    def settings(self, described: dict[str, Any]) -> dict[str, Any]:
        """Return what the page is told; `described` is the content of bundle.json."""
        needed = sorted({"circle-ws", *BROWSER_PACKAGES})
        return {
            "runtime": self.runtime,
            "arguments": self.arguments,
            "coverage": self.coverage is not None,
            "smoke": self.smoke,
            "environ": self.environ,
            "tty": sys.stdout.isatty(),
            "lock": described["lock"],
            "packages": ["circle-ws"] if self.smoke else described["packages"],
            "expected": needed if self.smoke else described["packages"],
            "vectors": "CIRCLE_WS_VECTORS" in os.environ,
        }


def environ(runtime: str) -> dict[str, str]:
    """Return the environment of Python inside the page, but for what only the page's server knows."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if sys.stdout.isatty():
        passed_on.setdefault("COLUMNS", str(os.get_terminal_size(sys.stdout.fileno()).columns))
        passed_on.setdefault("FORCE_COLOR", "1")
    return passed_on | {"CIRCLE_WS_RUNTIME": runtime}
