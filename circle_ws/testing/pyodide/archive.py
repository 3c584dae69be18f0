"""Pack what the page unpacks: the tests that can run there, and the folder of test vectors."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["suite", "whole"]

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_NATIVE = {"harness", "native", "example"}


def suite(added: list[Path]) -> bytes:
    """Return a tar of the tests, of `added` and of pyproject.toml, which configures pytest and coverage."""
    tests = _CHECKOUT / "tests"
    files = [
        path
        for path in _files(tests)
        if path.relative_to(tests).parts[0] not in _NATIVE and "__pycache__" not in path.parts
    ]
    return _tar(_CHECKOUT, [_CHECKOUT / "pyproject.toml", *files, *added])


def whole(folder: Path) -> bytes:
    """Return a tar of everything in a folder."""
    return _tar(folder, list(_files(folder)))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _tar(base: Path, files: list[Path]) -> bytes:
    buffer = io.BytesIO()
    # No zip: Python's unpacking of those drops every file with two dots in its name, without a word.
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in files:
            archive.add(path, path.relative_to(base).as_posix())
    return buffer.getvalue()
