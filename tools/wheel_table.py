"""Ask pip for which Pythons and platforms what circle-ws needs has wheels, and print the table.

`nox -s wheels`; it asks the package index that pip is configured for, some hundred times. Needs `packaging`.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["PLATFORMS", "Target", "needed", "table"]

_CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Platform:
    """A platform: what pip calls it, and what markers ask for."""

    tags: tuple[str, ...]
    system: str
    machine: str


PLATFORMS = {
    "Linux x86-64": Platform(("manylinux_2_28_x86_64", "manylinux2014_x86_64"), "Linux", "x86_64"),
    "Linux aarch64": Platform(("manylinux_2_28_aarch64", "manylinux2014_aarch64"), "Linux", "aarch64"),
    "musl x86-64": Platform(("musllinux_1_2_x86_64", "musllinux_1_1_x86_64"), "Linux", "x86_64"),
    "macOS arm64": Platform(("macosx_14_0_arm64",), "Darwin", "arm64"),
    "macOS x86-64": Platform(("macosx_14_0_x86_64",), "Darwin", "x86_64"),
    "Windows x86-64": Platform(("win_amd64",), "Windows", "AMD64"),
}
_MARKERS = {"Linux": ("posix", "linux"), "Darwin": ("posix", "darwin"), "Windows": ("nt", "win32")}


@dataclass(frozen=True)
class Target:
    """One version of CPython on one platform."""

    version: str
    platform: str

    def markers(self) -> dict[str, str]:
        """Return what the markers of requirements are evaluated with."""
        where = PLATFORMS[self.platform]
        os_name, sys_platform = _MARKERS[where.system]
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.version}.0",
            "os_name": os_name,
            "platform_machine": where.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": where.system,
            "platform_version": "",
            "python_full_version": f"{self.version}.0",
            "python_version": self.version,
            "sys_platform": sys_platform,
        }

    def ask(self, wanted: list[Requirement]) -> list[dict[str, Any]] | None:
        """Return the metadata of the wheels that pip would take, or `None` when one of them is missing."""
        tags = [option for tag in PLATFORMS[self.platform].tags for option in ("--platform", tag)]
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--dry-run"]
        options = ["--no-deps", "--ignore-installed", "--only-binary", ":all:", "--python-version", self.version]
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            where = ["--target", folder, "--report", str(report)]
            done = subprocess.run([*pip, *options, *tags, *where, *map(_plain, wanted)], capture_output=True, text=True)
            if done.returncode == 0:
                return [found["metadata"] for found in json.loads(report.read_text())["install"]]
        if "No matching distribution" not in done.stderr:
            raise RuntimeError(f"pip cannot tell about {', '.join(map(str, wanted))}:\n{done.stderr[-2000:]}")
        return None


def _plain(requirement: Requirement) -> str:
    """Return the requirement without its marker, which pip would evaluate for this machine."""
    return f"{requirement.name}{requirement.specifier}"


def needed(texts: list[str], target: Target, extras: set[str] | None = None) -> list[Requirement]:
    """Return those of some requirements that hold on a target."""
    contexts = [target.markers() | {"extra": extra} for extra in (extras or {""})]
    found = map(Requirement, texts)
    return [one for one in found if one.marker is None or any(one.marker.evaluate(each) for each in contexts)]


def wheels(texts: list[str], target: Target) -> dict[str, bool]:
    """Return for each requirement, direct or indirect, whether there is a wheel."""
    told: dict[str, bool] = {}
    todo = needed(texts, target)
    while todo:
        metadata = target.ask(todo)
        groups = [metadata] if metadata is not None else [target.ask([one]) for one in todo]
        told |= {canonicalize_name(one.name): True for one in todo}
        if metadata is None:
            told |= {canonicalize_name(one.name): found is not None for one, found in zip(todo, groups, strict=True)}
        extras = {canonicalize_name(one.name): one.extras for one in todo}
        todo = []
        for found in (one for group in groups for one in group or []):
            asked = extras.get(canonicalize_name(found["name"]), set())
            todo += [
                one
                for one in needed(found.get("requires_dist", []), target, asked)
                if canonicalize_name(one.name) not in told
            ]
    return told


def table(found: dict[Target, dict[str, bool]]) -> str:
    """Return the table: for each package and version where there is a wheel, and where there is none."""
    versions = list(dict.fromkeys(target.version for target in found))
    names = sorted({name for told in found.values() for name in told})
    lines = ["| package | " + " | ".join(versions) + " |", "|---" * (len(versions) + 1) + "|"]
    for name in names:
        cells = [
            _cell({each.platform: found[each].get(name) for each in found if each.version == it}) for it in versions
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
    project = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *(one for more in project["optional-dependencies"].values() for one in more)]
    found = {}
    for version in sys.argv[1:]:
        for platform in PLATFORMS:
            target = Target(version, platform)
            found[target] = wheels(texts, target)
            print(f"asked for {version} on {platform}", file=sys.stderr, flush=True)
    print(table(found))
    return 0 if all(has for told in found.values() for has in told.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
