"""Coverage data of a page, with the paths that the same files have on this machine."""

import tempfile
from pathlib import Path

from ...bundle.cache import ToolError

__all__ = ["adopt", "ensure"]

_SUITE = "/home/pyodide/suite"
_INSTALLED = "*/site-packages"


def ensure() -> None:
    """Make sure that coverage is installed here.

    Raises:
        ToolError: It is not.
    """
    try:
        import coverage  # noqa: F401
    except ImportError:
        raise ToolError("--coverage needs the package coverage on this machine too: pip install coverage") from None


def adopt(data: bytes, root: Path, out: Path) -> None:
    """Write a page's coverage data to a file, with the paths of this machine.

    Modules that were installed in the page are those of `root`, or of `root/src`, where there are such files. Paths are
    absolute or relative as the project's own configuration of coverage says, and its `[paths]` hold too.

    Args:
        data: The content of the data file in the page.
        root: The folder of the project, which is the current one.
        out: The file to write; an older one is replaced.
    """
    from coverage import Coverage

    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    coverage = Coverage(data_file=str(out))
    paths: dict[str, list[str]] = dict(coverage.get_option("paths") or {})  # type: ignore[arg-type]
    paths |= {"in a page": [str(root), _SUITE]}
    paths |= {f"installed {place}": [str(place), _INSTALLED] for place in (root / "src", root)}
    coverage.set_option("paths", paths)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "coverage"
        raw.write_bytes(data)
        coverage.combine([str(raw)], strict=True)
    coverage.save()
