"""Ask pip for which Pythons and platforms what circle-ws needs has wheels, and print the table.

`nox -s wheels`; it asks the package index that pip is configured for, some hundred times. Needs `packaging`.
"""

import json
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from circle_ws.bundle.wheels import plain, requires
from tools import CHECKOUT

__all__ = ["PLATFORMS", "Target", "table", "wheels"]

_LINUX = {"os_name": "posix", "platform_system": "Linux", "sys_platform": "linux"}
_MAC = {"os_name": "posix", "platform_system": "Darwin", "sys_platform": "darwin"}
_WINDOWS = {"os_name": "nt", "platform_system": "Windows", "sys_platform": "win32"}
PLATFORMS = {
    "Linux x86-64": (("manylinux_2_28_x86_64", "manylinux2014_x86_64"), _LINUX | {"platform_machine": "x86_64"}),
    "Linux aarch64": (("manylinux_2_28_aarch64", "manylinux2014_aarch64"), _LINUX | {"platform_machine": "aarch64"}),
    "musl x86-64": (("musllinux_1_2_x86_64", "musllinux_1_1_x86_64"), _LINUX | {"platform_machine": "x86_64"}),
    "macOS arm64": (("macosx_14_0_arm64",), _MAC | {"platform_machine": "arm64"}),
    "macOS x86-64": (("macosx_14_0_x86_64",), _MAC | {"platform_machine": "x86_64"}),
    "Windows x86-64": (("win_amd64",), _WINDOWS | {"platform_machine": "AMD64"}),
}
"""What pip calls each platform, and what markers ask of it."""


class Target(NamedTuple):
    """One version of CPython on one platform."""

    version: str
    platform: str

    def markers(self) -> dict[str, str]:
        """Return what the markers of requirements are evaluated with."""
        version = {"python_version": self.version, "python_full_version": f"{self.version}.0"}
        return version | {"platform_python_implementation": "CPython"} | PLATFORMS[self.platform][1]

    def ask(self, wanted: Requirement) -> dict[str, Any] | None:
        """Return the metadata of the wheel that pip would take, or `None` when there is none."""
        tags = [f"--platform={tag}" for tag in PLATFORMS[self.platform][0]]
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--dry-run"]
        options = ["--no-deps", "--ignore-installed", "--only-binary=:all:", f"--python-version={self.version}"]
        where = ["--target=unused", "--report=-"]
        done = subprocess.run([*pip, *options, *tags, *where, plain(wanted)], capture_output=True, text=True)
        if done.returncode == 0:
            return dict(json.loads(done.stdout)["install"][0]["metadata"])
        if "No matching distribution" not in done.stderr:
            raise RuntimeError(f"pip cannot tell about {wanted}:\n{done.stderr[-2000:]}")
        return None


def wheels(texts: list[str], target: Target) -> dict[str, bool]:
    """Return for each requirement, direct or indirect, whether there is a wheel."""
    found: dict[str, bool] = {}
    asked: set[tuple[str, frozenset[str]]] = set()
    todo = requires(texts, target.markers(), ())
    while todo:
        one = todo.pop()
        name = str(canonicalize_name(one.name))
        if (name, frozenset(one.extras)) not in asked:
            asked.add((name, frozenset(one.extras)))
            metadata = target.ask(one)
            found[name] = metadata is not None
            todo += requires((metadata or {}).get("requires_dist", []), target.markers(), one.extras)
    return found


def table(found: dict[Target, dict[str, bool]]) -> str:
    """Return the table: for each package and version where there is a wheel, and where there is none."""
    versions = list(dict.fromkeys(target.version for target in found))
    lines = ["| package | " + " | ".join(versions) + " |", "|---" * (len(versions) + 1) + "|"]
    for name in sorted({name for told in found.values() for name in told}):
        cells = [
            _cell({each.platform: told.get(name) for each, told in found.items() if each.version == version})
            for version in versions
        ]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(told: dict[str, bool | None]) -> str:
    asked = {platform: has for platform, has in told.items() if has is not None}
    missing = [platform for platform, has in asked.items() if not has]
    if not asked:
        return "not needed"
    if missing:
        return "none" if len(missing) == len(asked) else f"not on {', '.join(missing)}"
    return "yes" if len(asked) == len(told) else f"yes ({', '.join(asked)})"


def main() -> int:
    """Print the table; 1 means that a wheel is missing somewhere."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    # What makes bundles is for developers' machines only.
    extras = [more for name, more in project["optional-dependencies"].items() if name != "bundle"]
    texts = [*project["dependencies"], *(one for more in extras for one in more)]
    targets = [Target(version, platform) for version, platform in product(sys.argv[1:], PLATFORMS)]
    with ThreadPoolExecutor() as threads:
        found = dict(zip(targets, threads.map(lambda target: wheels(texts, target), targets), strict=True))
    print(table(found))
    return 0 if all(has for told in found.values() for has in told.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
