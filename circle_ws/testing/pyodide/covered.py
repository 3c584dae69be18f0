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


def adopt(data: bytes, out: Path) -> None:
    """Write a page's coverage data to a file, with the paths of this machine.

    Modules that were installed in the page are those of the current folder, which is the project's, or of its `src`,
    where there are such files. Paths are absolute or relative as the configuration of coverage says; its `[paths]` hold
    too.

    Args:
        data: The content of the data file in the page.
        out: The file to write; an older one is replaced.
    """
    from coverage import Coverage

    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    coverage = Coverage(data_file=str(out))
    paths: dict[str, list[str]] = dict(coverage.get_option("paths") or {})  # type: ignore[arg-type]
    # Relative ones of which the result is absolute are looked for in all of sys.path, and so found elsewhere.
    here = Path() if coverage.get_option("run:relative_files") else Path.cwd()
    paths |= {"in a page": [str(here), _SUITE]}
    paths |= {f"installed {place}": [str(place), _INSTALLED] for place in (here / "src", here)}
    coverage.set_option("paths", paths)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "coverage"
        raw.write_bytes(data)
        coverage.combine([str(raw)], strict=True)
    coverage.save()
