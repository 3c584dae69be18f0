"""Make a folder that any static HTTP server can serve: Pyodide, circle-ws and all it needs, side by side and locked.

The steps that need pyodide-build run on Python 3.12 or later: on this one, where the extra `bundle` is installed, or on
one that is looked for, in an environment that is kept in the cache.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from . import compiled, interpreters, local_wheels, programs, pyodide_core
from .cache import ToolError, environment, locked, run
from .steps import step

__all__ = ["BROWSER_PACKAGES", "LOCK", "build", "check", "find_tools", "key"]

BROWSER_PACKAGES = {"ecdsa", "msgspec", "six"}
"""What circle-ws may pull into a browser, and no more."""

LOCK = "pyodide-lock.json"

_TOOLS = ["pyodide-build>=0.39", "pyodide-lock[wheel]>=0.2.1"]
"""What makes the lock file. It needs Python 3.12 or later; the extra `bundle` has the same."""
_WEEK = 7 * 24 * 3600
"""How long a bundle is fresh, in seconds: an index may have newer packages then."""


def build(
    out: Path,
    *,
    pyodide: str | None = None,
    extra: Sequence[str] = (),
    wheels: Sequence[Path] = (),
    reuse: bool = False,
) -> bool:
    """Make the bundle in a folder beside `out`, check it and move it there.

    Args:
        out: the folder to make; an older bundle there is replaced.
        pyodide: an unpacked `pyodide` npm package, or "cdn", or `None` to get one from npm.
        extra: requirements to add, such as `pytest`.
        wheels: wheels to take in place of what an index has, each a file, or the folder of a project to build. Where
            none of them is circle-ws it is this one.
        reuse: whether to leave a bundle of the same things that was made in the same week as it is.

    Returns:
        Whether one was made.

    Raises:
        ToolError: when it cannot be made, or pulls in what it should not.
    """
    out = out.resolve()
    _refuse_foreign(out)
    python = find_tools()
    core = pyodide_core.release(pyodide)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as work:
        made = Path(work) / "bundle"
        made.mkdir()
        given = local_wheels.take(wheels, made, python)
        made_of = key(core, extra, given)
        if reuse and _is_whole(out, made_of):
            step(f"{out} is fresh and stays as it is")
            return False
        _fill(made, python, core, extra, given)
        check(made)
        _describe(made, core, given, made_of)
        _replace(out, made, Path(work) / "old")
    step(f"{out} is ready")
    return True


def find_tools() -> Path:
    """Return a Python that has pip and what makes the lock file: this one, or that of an environment in the cache.

    Raises:
        ToolError: (3) when there is no Python 3.12 or later, which these need.
    """
    here = Path(sys.executable)
    if all(map(_is_installed, ("pip", "pyodide-build", "pyodide-lock", "pkginfo"))) and _command(here).exists():
        return here
    found = interpreters.find()
    if found is None:
        raise ToolError(
            "the lock file of a bundle is made by pyodide-build, which needs Python 3.12 or later, and none was found "
            "on this machine: install one, or run this with it",
            code=3,
        )
    return environment(found, "bundle", _TOOLS)


def key(core: pyodide_core.Core, extra: Sequence[str], wheels: Sequence[Path]) -> str:
    """Return what names a bundle by what it is made of: a Pyodide, requirements, wheels, and the week."""
    place = "cdn" if core.files is None else "compiled" if programs.find("node") else "here"
    parts = [core.version, place, *sorted(extra), *map(local_wheels.digest, wheels), str(int(time.time() // _WEEK))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def check(bundle: Path) -> None:
    """Make sure that circle-ws is one pure wheel, brings exactly `BROWSER_PACKAGES` along, and that nothing is missing.

    Raises:
        ToolError: when it is not so.
    """
    packages = json.loads((bundle / LOCK).read_text())["packages"]
    wheel = packages["circle-ws"]["file_name"]
    if not wheel.endswith("-py3-none-any.whl"):
        raise ToolError(f"circle-ws must be a pure wheel, py3-none-any, but is {wheel}")
    for name, entry in packages.items():
        if absent := set(entry["depends"]) - set(packages):
            raise ToolError(f"{name} needs {', '.join(sorted(absent))}, which the bundle does not have")
    pulled, todo = set[str](), ["circle-ws"]
    while todo:
        new = set(packages[todo.pop()]["depends"]) - pulled
        pulled |= new
        todo += new
    if pulled != BROWSER_PACKAGES:
        raise ToolError(
            f"in the browser circle-ws must need exactly {', '.join(sorted(BROWSER_PACKAGES))}, "
            f"but it needs {', '.join(sorted(pulled)) or 'nothing'}: look at the markers in pyproject.toml"
        )


def _command(python: Path) -> Path:
    """Return the command `pyodide` of an environment."""
    return python.with_name("pyodide")


def _is_installed(name: str) -> bool:
    try:
        return bool(distribution(name))
    except PackageNotFoundError:
        return False


def _is_whole(out: Path, made_of: str) -> bool:
    """Return whether a folder holds the bundle with this key, and all of its files as they were made."""
    try:
        described = json.loads((out / "bundle.json").read_text())
        core = pyodide_core.FILES if described["cdn"] is None else ("pyodide.mjs",)
        if described["key"] != made_of or not all((out / name).is_file() for name in core):
            return False
        packages = json.loads((out / LOCK).read_text())["packages"].values()
        here = [it for it in packages if "://" not in it["file_name"]]
        return all(_digest(out / it["file_name"]) == it["sha256"] for it in here)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _fill(made: Path, python: Path, core: pyodide_core.Core, extra: Sequence[str], given: Sequence[Path]) -> None:
    """Put everything into the folder `made`, in which the given wheels are already."""
    if core.files is None:
        (made / "pyodide.mjs").write_text(pyodide_core.lead_to_cdn(core.cdn))
    else:
        for name in pyodide_core.FILES:
            shutil.copy(core.files / name, made)
    step("collecting the wheels that run in Pyodide")
    entries = made / "entries.json"
    options = ["--python", core.info["python"], "--abi-version", core.info["abi_version"], "--distribution", core.cdn]
    options += ["--stock", str(core.stock)] if core.stock else []
    options += ["--remote"] if core.files is None else []
    script = Path(__file__).with_name("wheels.py")
    run(python, "-P", script, *options, "--entries", entries, made, "--", *extra, explains_itself=True)
    if core.files:
        compiled.compile_archives([made / compiled.LIBRARY, *sorted(made.glob("*.whl"))], made, core.info)
    step("locking the packages")
    _lock(made, python, core, json.loads(entries.read_text()))
    entries.unlink()


def _lock(made: Path, python: Path, core: pyodide_core.Core, entries: dict[str, dict[str, Any]]) -> None:
    """Write a lock file of the wheels in `made`, the entries of some of which are there, and nothing else."""
    for entry in entries.values():
        if "://" not in entry["file_name"]:
            entry["sha256"] = _digest(made / entry["file_name"])
    described = {entry["file_name"] for entry in entries.values()}
    begun = made / "begun-lock.json"
    begun.write_text(json.dumps({"info": core.info, "packages": entries}))
    files = ("--input", begun, "--output", made / LOCK, "--base-path", made)
    pure = [wheel for wheel in made.glob("*.whl") if wheel.name not in described]
    run(_command(python), "lockfile", "add-wheels", *files, *sorted(pure))
    begun.unlink()


def _describe(made: Path, core: pyodide_core.Core, given: Sequence[Path], made_of: str) -> None:
    """Write what the bundle is."""
    described = {
        "pyodide_version": core.version,
        "cdn": core.cdn if core.files is None else None,
        "packages": sorted(json.loads((made / LOCK).read_text())["packages"]),
        "given": [wheel.name.partition("-")[0].lower().replace("_", "-") for wheel in given],
        "key": made_of,
    }
    (made / "bundle.json").write_text(json.dumps(described, indent=2) + "\n")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _refuse_foreign(out: Path) -> None:
    here = Path.cwd()
    if out in (here, *here.parents):
        raise ToolError(f"{out} would be replaced, and this runs in it: give another folder, as one in it")
    if out.exists() and not out.is_dir():
        raise ToolError(f"{out} is a file: give a new folder")
    if out.exists() and any(out.iterdir()) and not (out / "bundle.json").is_file():
        raise ToolError(f"{out} is there and is no bundle: give a new folder or remove it")


def _replace(out: Path, made: Path, old: Path) -> None:
    """Move `made` to `out`; what was there goes to `old`."""
    with locked("replace"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(out, old)
        made.chmod(0o755)
        os.rename(made, out)
