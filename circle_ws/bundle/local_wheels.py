"""The wheels that come from this machine: given files, projects to build, and circle-ws itself."""

import base64
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from .cache import ToolError, run
from .steps import step

__all__ = ["digest", "take"]

_CHECKOUT = Path(__file__).resolve().parents[2]
"""Where this package was imported from: a checkout, or the folder of installed packages."""
_OF_THE_INSTALLER = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"}
_TOOLS = ("cli", "bundle")
"""The parts that run on a developer's machine only."""
_TIME = (2020, 2, 2, 0, 0, 0)
"""One for all: the same files make the same wheel."""


def take(wheels: Sequence[Path], folder: Path, python: Path) -> list[Path]:
    """Put some wheels into a folder, and a wheel of this very circle-ws where it is none of them.

    The own wheel is built from the checkout that this package is imported from, or packed from the installed files;
    without what no page can use, the command line and the maker of bundles.

    Args:
        wheels: Files, or folders of projects, whose wheels are built.
        folder: Where to put them.
        python: An interpreter that has pip.

    Returns:
        The files in the folder, in the same order; the own one last.

    Raises:
        ToolError: One is neither, cannot be built, or cannot run in Pyodide.
    """
    taken = [_take(wheel, folder, python) for wheel in wheels]
    if not any(path.name.startswith("circle_ws-") for path in taken):
        taken.append(_take_own(folder, python))
    return taken


def digest(wheel: Path) -> str:
    """Return a digest of what a wheel holds, whenever it was built."""
    found = hashlib.sha256(wheel.name.encode())
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            found.update(name.encode() + hashlib.sha256(archive.read(name)).digest())
    return found.hexdigest()


def _take(wheel: Path, folder: Path, python: Path) -> Path:
    if wheel.is_file() and wheel.suffix == ".whl":
        found = Path(shutil.copy(wheel, folder))
    elif (wheel / "pyproject.toml").is_file() or (wheel / "setup.py").is_file():
        found = _build(wheel, folder, python, wheel.resolve().name)
    else:
        raise ToolError(f"{wheel} is neither a wheel nor the folder of a project: it has no pyproject.toml")
    if not found.name.endswith(("-none-any.whl", "_wasm32.whl")):
        raise ToolError(f"{found.name} does not run in Pyodide: a wheel must be pure (none-any) or built for wasm32")
    if not zipfile.is_zipfile(found):
        raise ToolError(f"{wheel} is no wheel: it is no zip archive")
    return found


def _take_own(folder: Path, python: Path) -> Path:
    if (_CHECKOUT / "pyproject.toml").is_file():
        built = _build(_CHECKOUT, folder, python, "circle-ws")
        with zipfile.ZipFile(built) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        return _pack(files, built)
    try:
        installed = distribution("circle-ws")
    except PackageNotFoundError:
        raise ToolError("circle-ws is not installed as a package: give its wheel with --wheel") from None
    paths = {str(path): path for path in installed.files or ()}
    if "circle_ws/__init__.py" not in paths:
        raise ToolError("the installed circle-ws has no list of its files: give its wheel with --wheel")
    files = {name: path.read_binary() for name, path in paths.items() if _is_packed(path.parts)}
    return _pack(files, folder / f"circle_ws-{installed.version}-py3-none-any.whl")


def _pack(files: dict[str, bytes], wheel: Path) -> Path:
    """Write the wheel of some files, those that a page can use, and its list of them."""
    records = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, body in sorted(files.items()):
            if not _is_packed(tuple(name.split("/"))):
                continue
            sha256 = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            records.append(f"{name},sha256={sha256},{len(body)}\n")
            archive.writestr(zipfile.ZipInfo(name, _TIME), body, zipfile.ZIP_DEFLATED)
        record = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(record, _TIME), "".join([*records, f"{record},,\n"]))
    return wheel


def _is_packed(parts: tuple[str, ...]) -> bool:
    """Return whether a file is of use in a page: no script, no cache, nothing that the installer wrote, no tool."""
    if parts[0].endswith(".dist-info"):
        return parts[-1] not in _OF_THE_INSTALLER
    return parts[0] == "circle_ws" and "__pycache__" not in parts and parts[1] not in _TOOLS


def _build(project: Path, folder: Path, python: Path, name: str) -> Path:
    step(f"building the wheel of {name}")
    pip = (python, "-P", "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps")
    with tempfile.TemporaryDirectory() as made:
        run(*pip, "--wheel-dir", made, project)
        return Path(shutil.move(next(Path(made).glob("*.whl")), folder))
