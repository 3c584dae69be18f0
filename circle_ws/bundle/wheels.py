"""Download the wheels that some requirements mean in Pyodide, dependencies included, and describe the compiled ones.

Runs in an environment that has pip and `packaging`: pip evaluates markers for the interpreter it runs on only, so it
fetches here one wheel at a time and the markers are read by us. What the index has no wheel of for Pyodide may be in
Pyodide's own distribution.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

__all__ = ["Collection", "Unavailable", "entry", "plain", "requires"]

_PATIENCE = 60.0
"""How long the CDN may be silent, in seconds."""


def requires(texts: list[str], marker: dict[str, str], extras: Iterable[str]) -> list[Requirement]:
    """Return those of some requirements that hold where the marker environment is `marker`."""
    contexts = [marker | {"extra": extra} for extra in (extras or {""})]
    found = map(Requirement, texts)
    return [one for one in found if not one.marker or any(one.marker.evaluate(each) for each in contexts)]


def plain(requirement: Requirement) -> str:
    """Return the requirement without its marker, which pip would evaluate for the wrong platform."""
    return f"{requirement.name}{requirement.specifier}"


class Unavailable(Exception):
    """There is no wheel for a requirement; the text says which, and why."""


class Collection:
    """A folder of wheels that grows until all that they need is there.

    Args:
        folder: Where they are.
        marker: The marker environment of Pyodide.
        platform: The tag of Pyodide's platform.
        distribution: The URL below which the packages of Pyodide's own distribution are.
        stock: The lock file of the distribution; `None`: it is below that URL too.
        remote: Whether pages take those packages from there.
    """

    def __init__(
        self,
        folder: Path,
        marker: dict[str, str],
        platform: str,
        *,
        distribution: str,
        stock: Path | None = None,
        remote: bool = False,
    ) -> None:
        self._folder, self._marker, self._platform = folder, marker, platform
        self._distribution, self._stock, self._remote = distribution, stock, remote
        self._packages: dict[str, dict[str, Any]] | None = None
        self._needs: dict[str, set[str]] = {}
        self.taken: dict[str, dict[str, Any]] = {}
        """The packages that are taken from the distribution: their entries of a lock file."""

    def collect(self, wanted: list[Requirement]) -> None:
        """Complete the folder.

        Raises:
            Unavailable: One cannot be had, or not together with the others.
        """
        read: set[tuple[Path, frozenset[str]]] = set()
        while True:
            wheels = self._wheels()
            missing = [plain(one) for one in wanted if canonicalize_name(one.name) not in {*wheels, *self.taken}]
            if missing:
                self._download(missing)
                continue
            named = [one for one in wanted if canonicalize_name(one.name) in wheels]
            new = {(wheels[canonicalize_name(one.name)], frozenset(one.extras)) for one in named} - read
            new |= {(path, frozenset[str]()) for path in wheels.values()} - read
            if not new and self._take_owed():
                continue
            if not new:
                self._check_versions(wheels, wanted)
                return
            read |= new
            for path, extras in new:
                needed = requires(_metadata(path), self._marker, extras)
                wanted = [*wanted, *needed]
                self._needs.setdefault(path.name, set()).update(canonicalize_name(one.name) for one in needed)

    def entries(self) -> dict[str, dict[str, Any]]:
        """Return the lock entries of the compiled wheels, and of what is taken from the distribution."""
        compiled = {name: path for name, path in self._wheels().items() if not path.name.endswith("-none-any.whl")}
        return {name: entry(path, self._needs[path.name]) for name, path in compiled.items()} | self.taken

    def _wheels(self) -> dict[str, Path]:
        found = {str(parse_wheel_filename(path.name)[0]): path for path in self._folder.glob("*.whl")}
        return {name: path for name, path in found.items() if name not in self.taken}

    def _check_versions(self, wheels: dict[str, Path], wanted: list[Requirement]) -> None:
        """Make sure that the versions are ones that all requirements allow: the first one decided which is taken."""
        versions = {name: parse_wheel_filename(path.name)[1] for name, path in wheels.items()}
        versions |= {name: Version(entry["version"]) for name, entry in self.taken.items()}
        for one in wanted:
            version = versions[canonicalize_name(one.name)]
            if not one.specifier.contains(version, prereleases=True):
                raise Unavailable(f"{one.name} {version} was taken, but {plain(one)} is needed too: name one that fits")

    def _download(self, wanted: list[str]) -> None:
        """Download wheels for Pyodide by pip, compiled or pure, each without its dependencies."""
        python = self._marker["python_version"]
        abi = f"cp{python.replace('.', '')}"
        tags = ["--implementation", "cp", "--abi", abi, "--abi", "none", "--platform", self._platform]
        pip = [sys.executable, "-P", "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        options = ["--no-deps", "--only-binary", ":all:", "--python-version", python, "--platform", "any", *tags]
        command = [*pip, *options, "--dest", str(self._folder), *wanted]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if found := re.search("No matching distribution found for (.*)", done.stdout):
            self._take(Requirement(found[1]))
        elif done.returncode != 0:
            raise Unavailable(f"pip cannot download {', '.join(wanted)}:\n{done.stdout[-2000:]}")

    def _take(self, wanted: Requirement) -> None:
        """Take a package from Pyodide's own distribution."""
        absent = (
            f"{plain(wanted)} cannot be had for a page: the index has no wheel of it for {self._platform} and Python "
            f"{self._marker['python_version']}, and no pure one"
        )
        try:
            found = self._distributed().get(canonicalize_name(wanted.name))
            if found is None:
                raise Unavailable(f"{absent}, and Pyodide's own packages have none either")
            if not wanted.specifier.contains(found["version"], prereleases=True):
                raise Unavailable(f"{absent}; among Pyodide's own packages it is {found['version']}")
        except OSError as error:
            raise Unavailable(f"{absent}. {self._unreachable(error)}") from None
        self._take_entry(found)

    def _take_entry(self, found: dict[str, Any]) -> None:
        url = self._distribution + found["file_name"]
        kept = {name: value for name, value in found.items() if name != "tool"}
        self.taken[canonicalize_name(found["name"])] = kept
        if self._remote:
            kept["file_name"] = url
        else:
            try:
                with urlopen(url, timeout=_PATIENCE) as response:
                    body = response.read()
            except OSError as error:
                absent = f"{found['name']} cannot be had for a page: the index has no wheel of it for {self._platform}"
                raise Unavailable(f"{absent}. {self._unreachable(error)}") from None
            if hashlib.sha256(body).hexdigest() != found["sha256"]:
                raise Unavailable(
                    f"{found['file_name']} is not the file that Pyodide's lock file names: its digest differs"
                )
            (self._folder / found["file_name"]).write_bytes(body)

    def _take_owed(self) -> bool:
        """Take what packages of the distribution need and nothing else has brought; return whether there was any."""
        needed = {canonicalize_name(name) for package in self.taken.values() for name in package["depends"]}
        owed = needed - {*self._wheels(), *self.taken}
        for name in sorted(owed):
            self._take_entry(self._distributed()[name])
        return bool(owed)

    def _unreachable(self, error: OSError) -> str:
        why = error.reason if isinstance(error, URLError) else error
        return (
            f"Pyodide's own packages are at {self._distribution}, which cannot be reached ({why}); "
            "with --cdn pages take them from there"
        )

    def _distributed(self) -> dict[str, dict[str, Any]]:
        """Return the packages of Pyodide's own distribution."""
        if self._packages is None:
            if self._stock is None:
                with urlopen(f"{self._distribution}pyodide-lock.json", timeout=_PATIENCE) as response:
                    text = response.read()
            else:
                text = self._stock.read_bytes()
            self._packages = {canonicalize_name(name): it for name, it in json.loads(text)["packages"].items()}
        return self._packages


def entry(wheel: Path, needs: Iterable[str]) -> dict[str, Any]:
    """Return the lock entry of a compiled wheel, but for its digest: pyodide-lock 0.2.1 refuses its platform tag."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    return {
        "name": name,
        "version": str(version),
        "file_name": wheel.name,
        "install_dir": "site",
        "package_type": "package",
        "imports": _modules(wheel),
        "depends": sorted(needs),
        "unvendored_tests": False,
    }


def _modules(wheel: Path) -> list[str]:
    """Return the top-level modules of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        files = [name.split("/") for name in archive.namelist() if name.endswith((".py", ".so"))]
    return sorted({parts[0].partition(".")[0] for parts in files if len(parts) == 1 or parts[0].isidentifier()})


def _metadata(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])


def _requirement(text: str) -> Requirement:
    try:
        found = Requirement(text)
    except InvalidRequirement:
        raise Unavailable(f"{text!r} is no requirement: give a name, and versions as in 'name>=1.2'") from None
    if found.url:
        raise Unavailable(f"{text!r} names a URL: download the wheel and give it with --wheel")
    return found


def main() -> int:
    """Complete the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("wanted", nargs="*")
    parser.add_argument("--python", required=True, help="the full version of the foreign Python")
    parser.add_argument("--abi-version", required=True, help="of Pyodide's platform (PEP 783)")
    parser.add_argument("--distribution", required=True, metavar="URL", help="of Pyodide's own packages")
    parser.add_argument("--stock", type=Path, metavar="FILE", help="their lock file; else it is there too")
    parser.add_argument("--remote", action="store_true", help="have pages take them from there")
    parser.add_argument("--entries", type=Path, required=True, metavar="FILE", help="where to write lock entries")
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
    found = Collection(
        options.folder,
        marker,
        f"pyemscripten_{options.abi_version}_wasm32",
        distribution=options.distribution,
        stock=options.stock,
        remote=options.remote,
    )
    try:
        found.collect([*map(_requirement, options.wanted)])
    except Unavailable as words:
        print(words)
        return 1
    options.entries.write_text(json.dumps(found.entries()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
