"""Download the wheels that some requirements mean in Pyodide, dependencies included.

Runs in the environment of the dependency group `bundle`, whose `packaging` it uses: pip evaluates markers
for the interpreter it runs on only, so it fetches here one wheel at a time and the markers are read by us.
"""

import argparse
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

__all__ = ["collect", "plain", "requires"]


def requires(texts: list[str], marker: dict[str, str], extras: Iterable[str]) -> list[Requirement]:
    """Return those of some requirements that hold where the marker environment is `marker`."""
    contexts = [marker | {"extra": extra} for extra in (extras or {""})]
    found = map(Requirement, texts)
    return [one for one in found if not one.marker or any(one.marker.evaluate(each) for each in contexts)]


def plain(requirement: Requirement) -> str:
    """Return the requirement without its marker, which pip would evaluate for the wrong platform."""
    return f"{requirement.name}{requirement.specifier}"


class _Unavailable(Exception):
    """There is no wheel for a requirement; the text says which, and why."""


def collect(folder: Path, wanted: list[Requirement], marker: dict[str, str], platform: str) -> None:
    """Download into `folder` until every requirement of its wheels and of `wanted` is there.

    Raises:
        _Unavailable: One cannot be had, or not together with the others.
    """
    read: set[tuple[Path, frozenset[str]]] = set()
    while True:
        wheels = {parse_wheel_filename(path.name)[0]: path for path in folder.glob("*.whl")}
        missing = [plain(one) for one in wanted if canonicalize_name(one.name) not in wheels]
        if missing:
            _download(folder, missing, marker["python_version"], platform)
            continue
        new = {(wheels[canonicalize_name(one.name)], frozenset(one.extras)) for one in wanted} - read
        new |= {(path, frozenset[str]()) for path in wheels.values()} - read
        if not new:
            _check_versions(folder, wanted)
            return
        read |= new
        wanted = [*wanted, *(one for path, extras in new for one in requires(_metadata(path), marker, extras))]


def _check_versions(folder: Path, wanted: list[Requirement]) -> None:
    """Make sure that the wheels are of versions that all requirements allow: the first one decided which is taken."""
    versions = {name: version for name, version, *_ in (parse_wheel_filename(it.name) for it in folder.glob("*.whl"))}
    for one in wanted:
        version = versions[canonicalize_name(one.name)]
        if not one.specifier.contains(version, prereleases=True):
            raise _Unavailable(f"{one.name} {version} was taken, but {plain(one)} is needed too: name one that fits")


def _metadata(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])


def _download(folder: Path, wanted: list[str], python: str, platform: str) -> None:
    """Download wheels for Pyodide by pip, compiled or pure, each without its dependencies."""
    abi = f"cp{python.replace('.', '')}"
    tags = ["--implementation", "cp", "--abi", abi, "--abi", "none", "--platform", platform, "--platform", "any"]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--only-binary", ":all:", "--python-version", python, *tags, "--dest", str(folder)]
    done = subprocess.run([*pip, *options, *wanted], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if found := re.search("No matching distribution found for (.*)", done.stdout):
        raise _Unavailable(
            f"{found[1]} cannot be had for a page: the index has no wheel of it for {platform} and Python {python}, "
            "and no pure one"
        )
    if done.returncode != 0:
        raise _Unavailable(f"pip cannot download {', '.join(wanted)}:\n{done.stdout[-2000:]}")


def main() -> int:
    """Complete the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("wanted", nargs="*", type=Requirement)
    parser.add_argument("--python", required=True, help="the full version of the foreign Python")
    parser.add_argument("--abi-version", required=True, help="of Pyodide's platform (PEP 783)")
    options = parser.parse_args()
    # What is left out is as here: CPython, POSIX.
    marker = {
        "implementation_version": options.python,
        "platform_machine": "wasm32",
        "platform_system": "Emscripten",
        "python_full_version": options.python,
        "python_version": options.python.rpartition(".")[0],
        "sys_platform": "emscripten",
    }
    try:
        collect(options.folder, options.wanted, marker, f"pyemscripten_{options.abi_version}_wasm32")
    except _Unavailable as words:
        print(words)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
