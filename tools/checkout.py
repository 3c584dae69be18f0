"""What pyproject.toml of this checkout says."""

import tomllib

from . import CHECKOUT

__all__ = ["requirements"]


def requirements(*groups: str) -> list[str]:
    """Return some dependency groups; they must include no others."""
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    return [one for group in groups for one in declared[group]]
