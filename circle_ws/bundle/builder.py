"""Make a folder that a static HTTP server can serve: Pyodide, circle-ws and all it needs, locked.

The steps that need pyodide-build run on Python 3.12 or later, which is looked for, in an environment that is kept in
the cache.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import compiled, interpreters, local_wheels, pyodide_core
from .cache import ToolError, environment, locked, run

__all__ = ["BROWSER_PACKAGES", "LOCK", "build", "check", "find_tools", "main"]

BROWSER_PACKAGES = {"ecdsa", "msgspec", "six"}
"""What circle-ws may pull into a browser, and no more."""

LOCK = "pyodide-lock.json"

_TOOLS = ["pyodide-build>=0.39", "pyodide-lock[wheel]>=0.2.1"]
"""What makes the lock file. It needs Python 3.12 or later."""


def build(out: Path, *, pyodide: str | None = None, extra: Sequence[str] = (), wheels: Sequence[Path] = ()) -> None:
    """Make the bundle in a folder beside `out`, check it and move it there.

    Args:
        out: the folder to make; an older bundle there is replaced.
        pyodide: an unpacked `pyodide` npm package, or "cdn", or `None` to get one from npm.
        extra: requirements to add, such as `pytest`.
        wheels: wheels to take in place of what an index has, each a file, or the folder of a project to build. Where
            none of them is circle-ws it is this one.

    Raises:
        ToolError: when it cannot be made, or pulls in what it should not.
    """
    out = out.resolve()
    _refuse_foreign(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    core = pyodide_core.release(pyodide)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as work:
        made = Path(work) / "bundle"
        made.mkdir()
        _fill(made, core, extra, wheels)
        check(made)
        _replace(out, made, Path(work) / "old")
    print(f"bundle: {out} is ready", flush=True)


def find_tools() -> Path:
    """Return a Python that has pip and what makes the lock file, of an environment in the cache.

    Raises:
        ToolError: (3) when there is no Python 3.12 or later, which these need.
    """
    found = interpreters.find()
    if found is None:
        raise ToolError("pyodide-build needs Python 3.12 or later and none was found: install one", code=3)
    return environment(found, "bundle", _TOOLS)


def check(bundle: Path) -> None:
    """Make sure that circle-ws is one pure wheel and brings exactly `BROWSER_PACKAGES` along.

    Raises:
        ToolError: when it is not so.
    """
    packages = json.loads((bundle / LOCK).read_text())["packages"]
    wheel = packages["circle-ws"]["file_name"]
    if not wheel.endswith("-py3-none-any.whl"):
        raise ToolError(f"circle-ws must be a pure wheel, py3-none-any, but is {wheel}")
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


def _fill(made: Path, core: pyodide_core.Core, extra: Sequence[str], wheels: Sequence[Path]) -> None:
    """Put everything into the folder `made`."""
    python = find_tools()
    if core.files:
        for name in pyodide_core.FILES:
            shutil.copy(core.files / name, made)
    elif core.cdn:
        (made / "pyodide.mjs").write_text(pyodide_core.lead_to_cdn(core.cdn))
    given = local_wheels.take(wheels, made, python)
    print("bundle: collecting the wheels that run in Pyodide", flush=True)
    target = ("--python", core.info["python"], "--abi-version", core.info["abi_version"])
    run(python, Path(__file__).with_name("wheels.py"), *target, made, *extra, explains_itself=True)
    if core.files:
        compiled.compile_archives([made / compiled.LIBRARY, *sorted(made.glob("*.whl"))], made, core.info)
    _lock(made, python, core, [wheel.name.partition("-")[0].lower().replace("_", "-") for wheel in given])


def _lock(made: Path, python: Path, core: pyodide_core.Core, given: list[str]) -> None:
    """Write a lock file of the wheels in `made` and nothing else, and the description of the bundle."""
    wheels = sorted(made.glob("*.whl"))
    binary = [wheel for wheel in wheels if not wheel.name.endswith("-none-any.whl")]
    begun = made / "begun-lock.json"
    begun.write_text(json.dumps({"info": core.info, "packages": dict(map(_binary_entry, binary))}))
    files = ("--input", begun, "--output", made / LOCK, "--base-path", made)
    run(python.with_name("pyodide"), "lockfile", "add-wheels", *files, *(set(wheels) - set(binary)))
    begun.unlink()
    packages = sorted(json.loads((made / LOCK).read_text())["packages"])
    described = {
        "pyodide_version": core.version,
        "cdn": core.cdn,
        "packages": packages,
        "given": given,
    }
    (made / "bundle.json").write_text(json.dumps(described, indent=2) + "\n")


def _binary_entry(wheel: Path) -> tuple[str, dict[str, Any]]:
    """Return the name and the lock entry of a compiled wheel: pyodide-lock 0.2.1 refuses its platform tag (PEP 783)."""
    module, version = wheel.name.split("-")[:2]
    name = module.lower().replace("_", "-")
    return name, {
        "name": name,
        "version": version,
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": [module],
        "depends": [],
        "unvendored_tests": False,
    }


def _refuse_foreign(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / "bundle.json").is_file():
        raise ToolError(f"{out} is there and is no bundle: give a new folder or remove it")


def _replace(out: Path, made: Path, old: Path) -> None:
    """Move `made` to `out`; what was there goes to `old`."""
    with locked("replace"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(out, old)
        made.chmod(0o755)
        os.rename(made, out)


def main() -> int:
    """Make the bundle that the command line asks for; 3 means that something must be installed first."""
    parser = argparse.ArgumentParser(description="Make a folder with Pyodide, circle-ws and what it needs.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--pyodide", metavar="DIR|cdn", help="an unpacked pyodide package, or the official CDN")
    parser.add_argument("--with", dest="extra", nargs="+", action="extend", default=[], metavar="REQUIREMENT")
    options = parser.parse_args()
    try:
        build(options.out, pyodide=options.pyodide, extra=options.extra)
    except ToolError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return error.code
    return 0
