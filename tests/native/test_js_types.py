"""The types of circle_ws.js for TypeScript: the compiler takes what a page may write, and they name what there is."""

import re
import subprocess
from pathlib import Path
from shutil import copy, which

import pytest

import circle_ws.js
from circle_ws import Backoff, ConnectionStatus, KeepAlive, UnsupportedRuntime
from circle_ws.auth import PROFILES
from circle_ws.bundle import npm
from circle_ws.bundle.cache import ToolError
from circle_ws.config import ClientOptions
from tests.support.limits import PATIENCE

_TYPES = Path(circle_ws.js.__file__).parent / "index.d.ts"
_PAGE = Path(__file__).parent / "samples" / "page.ts"
_CHAPTER = Path(__file__).parents[2] / "docs" / "guide" / "pages.md"
_PYODIDE = """
export declare function loadPyodide(options: { packages: string[] }): Promise<{
  pyimport(name: "circle_ws.js"): typeof import("../javascript/circle_ws.js");
}>;
"""
_TYPESCRIPT = "5.9.3"
_NOT_IN_A_PAGE = {"headers", "tls", "proxy", "compression", "middleware", "classifier", "transport"}


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def test_the_compiler_agrees(tmp_path: Path) -> None:
    """Under `strict`: with the sample, whose wrong lines are expected errors, and with the chapter on pages."""
    if which("node") is None:
        pytest.skip("Node is not on this machine")
    try:
        compiler = npm.package("typescript", _TYPESCRIPT) / "bin" / "tsc"
    except ToolError as error:
        pytest.skip(f"there is no TypeScript: {error}")
    options = "--noEmit --strict --useUnknownInCatchVariables false --skipDefaultLibCheck --target es2022"
    options += " --module nodenext --lib es2022,dom"
    (tmp_path / "circle").mkdir()
    (tmp_path / "circle" / "pyodide.d.mts").write_text(_PYODIDE, encoding="utf-8")
    chapter = tmp_path / "javascript" / "chapter.mts"
    chapter.parent.mkdir()
    copy(_TYPES, chapter.parent / "circle_ws.d.ts")
    blocks = re.findall(r'```\w+ title="javascript/.*?"\n(.*?)```', _CHAPTER.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    chapter.write_text("\n".join(blocks), encoding="utf-8")
    command = ["node", str(compiler), *options.split(), str(_PAGE), str(chapter)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_types_name_the_options() -> None:
    """Every option that makes sense in a page, and no other."""
    text = _TYPES.read_text(encoding="utf-8")
    options = {_camel(name) for name in set(ClientOptions.__annotations__) - _NOT_IN_A_PAGE} | {"onStatus"}
    nested = {_camel(name) for kind in (KeepAlive, Backoff) for name in kind.__dataclass_fields__}
    named = set(re.findall(r"(\w+)\?:", text.partition("interface Options")[2].partition("interface CallOptions")[0]))
    assert named - nested == options - nested
    assert nested <= named | {"interval"}


def test_the_types_name_the_values() -> None:
    """The states and the profiles."""
    text = _TYPES.read_text(encoding="utf-8")
    states = text.partition("type Status =")[2].partition(";")[0]
    assert re.findall('"(.*?)"', states) == [status.value for status in ConnectionStatus]
    assert re.findall('"(.*?)"', text.partition("profile?:")[2].partition(";")[0]) == list(PROFILES)


def test_python_is_told_where_it_belongs() -> None:
    """The module can be imported anywhere; connecting needs a page."""
    with pytest.raises(UnsupportedRuntime, match="JavaScript around Pyodide"):
        circle_ws.js.connect("wss://circle.example/")
