"""Build the wheel and the sdist twice, compare them byte by byte, and check what is in them: `nox -s package`.

The second time they are built from the unpacked sdist, in another folder, at another time, by a user who keeps files
private, and in another time zone; so the sdist has all that it takes to build. What builds them (hatchling) must be
installed.
"""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tools import CHECKOUT

__all__ = ["build", "check_wheel", "difference"]

_PACKAGE = "circle_ws"
_ELSEWHERE = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "SOURCE_DATE_EPOCH": ""}
"""The second build's surroundings. Without a date of its own hatchling writes one fixed date."""


def build(out: Path) -> tuple[Path, Path]:
    """Make the wheel and the sdist in a new folder, twice, and return both.

    Raises:
        SystemExit: when the two builds differ; it says in which file.
    """
    shutil.rmtree(out, ignore_errors=True)
    _build(CHECKOUT, out, {})
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    with tempfile.TemporaryDirectory(prefix="circle-ws-") as work:
        again = Path(work) / "again"
        source = _unpacked(sdist, Path(work))
        _build(source, again, _ELSEWHERE, private=True)
        for one in (sdist, wheel):
            if found := difference(one, again / one.name):
                raise SystemExit(f"two builds of {one.name} differ: {found}")
    return wheel, sdist


def difference(one: Path, other: Path) -> str:
    """Return what differs between two builds, or nothing when all bytes are the same."""
    if not other.exists():
        return f"the second one made no {other.name}"
    if one.read_bytes() == other.read_bytes():
        return ""
    first, second = dict(_members(one)), dict(_members(other))
    names = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return ", ".join(names) or "the archives around the same files"


def check_wheel(wheel: Path, version: str) -> None:
    """Make sure that a wheel has what it promises: pure, typed, licensed, complete, and nothing else.

    Raises:
        SystemExit: when it does not; it says what is missing or too much.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"{_PACKAGE}-{version}.dist-info"
        if f"{info}/METADATA" not in names:
            raise SystemExit(f"{wheel.name} is not of version {version}, which circle_ws.__version__ says")
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
    ours = _files(_PACKAGE, _PACKAGE)
    for source, place in _included().items():
        ours |= _files(source, place)
    of_the_format = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    expected = ours | {f"{info}/{name}" for name in of_the_format}
    wrong = [f"lacks {name}" for name in sorted(expected - names)]
    wrong += [f"has {name} too" for name in sorted(names - expected)]
    wrong += [] if f"{_PACKAGE}/py.typed" in names else ["is not typed"]
    wrong += [] if wheel.name == f"{_PACKAGE}-{version}-py3-none-any.whl" else ["is not pure"]
    wrong += [f"has no {name} in its metadata" for name in ("License-Expression", "License-File") if not metadata[name]]
    if wrong:
        raise SystemExit(f"{wheel.name} {'; '.join(wrong)}")


def _included() -> dict[str, str]:
    """Return what pyproject.toml puts into the wheel from elsewhere: the paths, each with its place in the wheel."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(project["tool"]["hatch"]["build"]["targets"]["wheel"].get("force-include", {}))


def _files(source: str, place: str) -> set[str]:
    """Return the names in the wheel of a file, or of all files in a folder."""
    path = CHECKOUT / source
    if path.is_file():
        return {place}
    found = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
    return {f"{place}/{file.as_posix()}" for file in found if "__pycache__" not in file.parts}


def _members(archive: Path) -> Iterator[tuple[str, object]]:
    """Yield each member of an archive with its content and its attributes."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                yield info.filename, (opened.read(info), info.date_time, info.external_attr)
    else:
        with tarfile.open(archive) as packed:
            for member in packed:
                content = packed.extractfile(member)
                yield member.name, (content and content.read(), member.mtime, member.mode, member.uid, member.uname)


def _unpacked(sdist: Path, folder: Path) -> Path:
    """Return the unpacked sdist, all of whose files are of another time than the checkout's."""
    shutil.unpack_archive(sdist, folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    for path in source.rglob("*"):
        os.utime(path, (1_500_000_000, 1_500_000_000))
    return source


def _build(source: Path, out: Path, environ: dict[str, str], *, private: bool = False) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    surroundings = {name: value for name, value in (os.environ | environ).items() if value}
    umask = 0o077 if private else -1
    done = subprocess.run(
        command, cwd=source, env=surroundings, umask=umask, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"building {source} failed:\n{done.stdout[-3000:]}")


def main() -> None:
    """Build into the folder that the command line names."""
    from circle_ws import __version__

    wheel, sdist = build(Path(sys.argv[1]))
    check_wheel(wheel, __version__)
    print(f"{wheel.name} and {sdist.name}: built twice, the same bytes; the wheel is complete")


if __name__ == "__main__":
    main()
